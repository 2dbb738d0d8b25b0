use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::fixtures::say;
use crate::support::{directory, file, key, run, run_with};

/// A kind of key for each algorithm that has one of its own, with an algorithm of each.
const KINDS: [(&str, &str); 5] =
    [("RS256", "RSA"), ("ES256", "EC"), ("ES384", "EC"), ("ES512", "EC"), ("EdDSA", "OKP")];

const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn generate(algorithm: &str, out: &Path) -> String {
    run(["key", "generate", "--bits", "2048", "--algorithm", algorithm, "--out", text(out)]
        .iter()
        .filter(|argument| algorithm.starts_with("RS") || !matches!(**argument, "--bits" | "2048")))
    .ok()
}

fn jwks(args: &[&str]) -> Value {
    run(["key", "jwks"].iter().chain(args)).json()
}

fn kids(set: &Value) -> Vec<&str> {
    set["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap()).collect()
}

fn read(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// The names of the files in a directory.
fn names(directory: &Path) -> Vec<String> {
    let names = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

#[track_caller]
fn only_its_owner_can_read(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn a_new_key_signs_and_its_set_verifies_without_further_options() {
    let directory = directory("key_generate");
    for (algorithm, kty) in KINDS {
        let pem = directory.join(format!("{algorithm}.pem"));
        let kid = generate(algorithm, &pem);
        only_its_owner_can_read(&pem);
        assert_eq!(run(["key", "thumbprint", text(&pem)]).ok(), kid, "{algorithm}");

        let set = jwks(&[text(&pem)]);
        let [jwk] = set["keys"].as_array().unwrap().as_slice() else { panic!("{set}") };
        assert_eq!((&jwk["kty"], &jwk["kid"], &jwk["use"]), (&json!(kty), &json!(kid), &json!("sig")), "{algorithm}");
        assert_eq!(jwk.get("alg"), (kty != "RSA").then(|| json!(algorithm)).as_ref(), "{algorithm}");

        let set = file(&directory, "jwks.json", &set.to_string());
        let token = run(["token", "issue", "--sub", "alice", "--key", text(&pem)]).ok();
        let verified = run_with(["token", "verify", "--json", "--jwks", text(&set)], token).json();
        assert_eq!((&verified["claims"]["sub"], &verified["kid"]), (&json!("alice"), &json!(kid)), "{algorithm}");
    }
}

#[test]
fn a_new_key_is_p256_and_never_over_an_old_one() {
    let directory = directory("key_new");
    let pem = directory.join("private.pem");
    let outcome = run(["key", "generate", "--out", text(&pem)]);
    assert!(outcome.stderr.starts_with("note: wrote a private key for ES256 to `"), "{outcome:?}");
    assert_eq!(outcome.ok().len(), 43);
    let before = fs::read_to_string(&pem).unwrap();
    run(["key", "generate", "--out", text(&pem)]).fails(4, "private keys are never overwritten");
    assert_eq!(fs::read_to_string(&pem).unwrap(), before);

    let other = directory.join("other.pem");
    let outcome = run(["key", "generate", "--json", "--algorithm", "EdDSA", "--out", text(&other)]);
    assert_eq!(outcome.stderr, "");
    let printed = outcome.json();
    let kid = run(["key", "thumbprint", text(&other)]).ok();
    assert_eq!(printed, json!({"kid": kid, "algorithm": "EdDSA", "file": text(&other)}));
    assert_eq!(names(&directory), ["other.pem", "private.pem"]);
}

#[test]
fn a_key_that_cannot_be_made_says_what_can() {
    let directory = directory("key_refused");
    let pem = directory.join("private.pem");
    let generate = |args: &[&str]| run(["key", "generate", "--out", text(&pem)].iter().chain(args));
    generate(&["--algorithm", "HS256"]).fails(2, "make one with: portcullis secret generate\n");
    generate(&["--algorithm", "HS512"]).fails(2, "make one with: portcullis secret generate --bits 512");
    generate(&["--algorithm", "none"]).fails(2, "invalid value 'none'");
    generate(&["--algorithm", "RS256", "--bits", "1024"]).fails(2, "2048, 3072 or 4096");
    generate(&["--bits", "2048"]).fails(2, "only one size");
    run(["key", "generate"]).fails(2, "--out");
    run(["key", "generate", "--out", "-"]).fails(2, "`-` is none");
    run(["key", "generate", "--out", "no/such/directory/private.pem"]).fails(4, "cannot be written");
    let help = run(["key", "generate", "--help"]).ok();
    assert!(help.contains("ES512") && !help.contains("HS256"), "{help}");
    assert_eq!(names(&directory), [""; 0]);
}

/// Private keys of every kind, as PEM and as JWK: what comes out is public.
#[test]
fn nothing_private_comes_out() {
    let directory = directory("key_private");
    let private = json!({"keys": [
        {"kty": "OKP", "crv": "Ed25519", "kid": "ed", "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
         "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "key_ops": ["sign"]},
        {"kty": "EC", "crv": "P-256", "kid": "ec", "d": "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE",
         "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"},
    ]});
    let mut rsa = jwks(&[text(&key("rsa2048.pem"))])["keys"][0].clone();
    for member in PRIVATE {
        rsa[member] = json!("AQAB");
    }
    let set = file(&directory, "private.json", &private.to_string());
    let rsa = file(&directory, "rsa.json", &rsa.to_string());
    let pems = ["rsa2048.pem", "p256.pem", "p384.pem", "p521.pem", "ed25519.pem"].map(key);
    let mut args: Vec<_> = pems.iter().map(|pem| text(pem)).collect();
    args.push(text(&set));
    let published = jwks(&args);
    assert_eq!(published["keys"].as_array().unwrap().len(), 7);
    for jwk in published["keys"].as_array().unwrap().iter().chain(jwks(&[text(&rsa)])["keys"].as_array().unwrap()) {
        for member in PRIVATE {
            assert_eq!(jwk.get(member), None, "`{member}` in {jwk}");
        }
        let allowed = ["kty", "crv", "n", "e", "x", "y", "kid", "alg", "use"];
        assert!(jwk.as_object().unwrap().keys().all(|name| allowed.contains(&name.as_str())), "{jwk}");
    }
    assert_eq!(kids(&published)[5..], ["ed", "ec"], "keys keep the names they have");
    assert!(!published.to_string().contains("nWGxne"), "{published}");
}

#[test]
fn a_set_names_keys_and_says_what_they_are_for() {
    let rsa = key("rsa2048.pem");
    let one = |args: &[&str]| jwks(&[&[text(&rsa)][..], args].concat())["keys"][0].clone();
    assert_eq!(one(&["--algorithm", "PS256"])["alg"], "PS256");
    assert_eq!(one(&["--kid", "2026-11"])["kid"], "2026-11");

    let directory = directory("key_jwks");
    let named = file(&directory, "jwks.json", &jwks(&[text(&rsa), "--kid", "a", "--algorithm", "PS256"]).to_string());
    let again = jwks(&[text(&named)]);
    assert_eq!((&again["keys"][0]["kid"], &again["keys"][0]["alg"]), (&json!("a"), &json!("PS256")));
    assert_eq!(jwks(&[text(&named), "--kid", "b"])["keys"][0]["kid"], "b");
    run(["key", "jwks", text(&named), "--algorithm", "RS256"]).fails(2, "is for PS256, by its `alg`");

    let (p256, public) = (key("p256.pem"), key("p256.public.pem"));
    let from_public = jwks(&[text(&public)]);
    assert_eq!(from_public, jwks(&[text(&p256)]));
    assert_eq!(run_with(["key", "jwks", "-"], fs::read(&p256).unwrap()).json(), from_public);
    run(["key", "jwks", text(&p256), text(&public)]).fails(3, "has the `kid` of a key before it");
    run(["key", "jwks", text(&p256), text(&rsa), "--kid", "a"]).fails(2, "--kid names one key, and there are 2");
    run(["key", "jwks", text(&p256), "--kid", ""]).fails(2, "--kid is empty");
    run(["key", "jwks", text(&p256), "--algorithm", "ES384"]).fails(2, "it is one for ES256");
    run(["key", "jwks", text(&p256), "--algorithm", "HS256"]).fails(2, "is not a key for HS256");
    run(["key", "jwks", "-", "-"]).fails(2, "for two things at once");
    run(["key", "jwks"]).fails(2, "<FILE>");
    run(["key", "jwks", "no/such/file"]).fails(4, "`no/such/file` cannot be read");
    run(["key", "jwks", "no/such/file"]).fails(4, "a relative path begins at `");
    run_with(["key", "jwks", "-"], r#"{"keys": []}"#).fails(3, "no key to publish");
    let oct = r#"{"keys": [{"kty": "oct", "k": "c2VjcmV0c2VjcmV0"}]}"#;
    let outcome = run_with(["key", "jwks", "-"], oct);
    assert!(!outcome.stderr.contains("c2VjcmV0"), "{outcome:?}");
    outcome.fails(3, "standard input: key 1 is a secret (`oct`)");
}

#[test]
fn a_thumbprint_is_of_one_key() {
    let rfc8037 = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    let thumbprint = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";
    assert_eq!(run_with(["key", "thumbprint", "-"], rfc8037).ok(), thumbprint);
    assert_eq!(run_with(["key", "thumbprint", "--json", "-"], rfc8037).json(), json!({"thumbprint": thumbprint}));
    let two = format!("{{\"keys\": [{rfc8037}, {rfc8037}]}}");
    run_with(["key", "thumbprint", "-"], two).fails(3, "standard input has 2 keys");
    run_with(["key", "thumbprint", "-"], "hello").fails(3, "neither a key in PEM form nor a JSON Web Key");
}

/// The remedies are run: what they make is the same key.
#[test]
fn a_key_in_der_says_how_it_becomes_pem() {
    if Command::new("openssl").arg("version").output().is_err() {
        return say("skipped: no openssl to make keys in DER form with");
    }
    let directory = directory("key_der");
    let (rsa, p256) = (key("rsa2048.pem"), key("p256.pem"));
    let openssl = |line: &str| {
        let mut words = line.split(' ');
        let mut openssl = Command::new(words.next().unwrap());
        let done = openssl.args(words).current_dir(&directory).stdin(Stdio::null()).output().unwrap();
        assert!(done.status.success(), "{line}: {done:?}");
        done.stdout
    };
    for (pem, making, is) in [
        (&rsa, "openssl pkey -outform DER -out key.der -in", "a private key"),
        (&rsa, "openssl rsa -traditional -outform DER -out key.der -in", "a private key"),
        (&p256, "openssl ec -outform DER -out key.der -in", "a private key"),
        (&p256, "openssl pkey -pubout -outform DER -out key.der -in", "a public key"),
        (&rsa, "openssl pkey -pubout -outform DER -out key.der -in", "a public key"),
        (&rsa, "openssl rsa -RSAPublicKey_out -outform DER -out key.der -in", "a public key"),
        (&rsa, "openssl req -x509 -new -subj /CN=a -outform DER -out key.der -key", "a certificate"),
    ] {
        openssl(&format!("{making} {}", text(pem)));
        let outcome = run(["key", "thumbprint", text(&directory.join("key.der"))]);
        assert!(outcome.stderr.contains(&format!("is {is} in DER form")), "{making}: {outcome:?}");
        let remedy = outcome.stderr.split_once("convert it with: ").unwrap().1.trim().to_owned();
        outcome.fails(3, "in DER form, and not in PEM form");
        let made = directory.join("made.pem");
        let command = remedy.replace("-in FILE", "-in key.der").replace("NEW_FILE", "made.pem");
        match command.split_once(" > ") {
            Some((command, _)) => fs::write(&made, openssl(command)).unwrap(),
            None => drop(openssl(&command)),
        }
        let expected = run(["key", "thumbprint", text(pem)]).ok();
        assert_eq!(run(["key", "thumbprint", text(&made)]).ok(), expected, "{making}: {remedy}");
    }
    let noise = directory.join("noise");
    fs::write(&noise, [0xff, 0xfe, 0x00]).unwrap();
    run(["key", "thumbprint", text(&noise)]).fails(3, "help: name a key in PEM form");

    let secret = ["-passout", "pass:a", "-topk8", "-outform", "DER", "-out", "key.der", "-in", text(&rsa)].join(" ");
    openssl(&format!("openssl pkcs8 {secret}"));
    run(["token", "issue", "--sub", "a", "--key", text(&directory.join("key.der"))])
        .fails(3, "is an encrypted private key in DER form");
    openssl("openssl pkcs8 -inform DER -in key.der -out made.pem -passin pass:a");
    assert_eq!(
        run(["key", "thumbprint", text(&directory.join("made.pem"))]).ok(),
        run(["key", "thumbprint", text(&rsa)]).ok()
    );
}

/// A directory with a set in it, and rotations of that set.
struct Rotation {
    directory: PathBuf,
    jwks: PathBuf,
}

impl Rotation {
    fn new(test: &str) -> Self {
        let directory = directory(test);
        Self { jwks: directory.join("jwks.json"), directory }
    }

    fn run(&self, args: &[&str]) -> crate::support::Outcome {
        run(["key", "rotate", "--jwks", text(&self.jwks)].iter().chain(args))
    }

    /// Rotates in a new key of this name for a file.
    fn add(&self, name: &str, args: &[&str]) -> String {
        let out = self.directory.join(name);
        let kid = self.run(&[&["--out", text(&out)][..], args].concat()).ok();
        only_its_owner_can_read(&out);
        kid
    }

    fn verifies(&self, token: &str) -> bool {
        run_with(["token", "verify", "--jwks", text(&self.jwks)], token).code == 0
    }
}

#[test]
fn rotating_overlaps() {
    let rotation = Rotation::new("key_rotate");
    let token = |name: &str| {
        let pem = rotation.directory.join(name);
        run(["token", "issue", "--sub", "alice", "--key", text(&pem)]).ok()
    };
    let first = rotation.add("1.pem", &[]);
    let of_first = token("1.pem");
    assert!(rotation.verifies(&of_first));

    let second = rotation.add("2.pem", &[]);
    let of_second = token("2.pem");
    assert_eq!(kids(&read(&rotation.jwks)), [second.as_str(), first.as_str()]);
    assert!(rotation.verifies(&of_first) && rotation.verifies(&of_second));

    let out = rotation.directory.join("3.pem");
    let outcome = rotation.run(&["--json", "--out", text(&out)]);
    let stderr = outcome.stderr.clone();
    let printed = outcome.json();
    let third = printed["kid"].as_str().unwrap();
    assert_eq!(printed, json!({"kid": third, "added": true, "kept": [second], "dropped": [first]}));
    assert!(stderr.contains(&format!("`{first}` is out of ")), "{stderr}");
    for (before, after) in [("publish", "`cache_duration`"), ("`cache_duration`", "sign with"), ("sign with", "retire")]
    {
        assert!(stderr.find(before).unwrap() < stderr.find(after).unwrap(), "{before} before {after}: {stderr}");
    }
    assert!(stderr.ends_with(&format!("--retire {second}\n")), "{stderr}");
    assert!(!rotation.verifies(&of_first) && rotation.verifies(&of_second));

    let outcome = rotation.run(&["--retire", &second]);
    assert!(outcome.stderr.ends_with(&format!("next: publish `{}`\n", text(&rotation.jwks))), "{outcome:?}");
    assert_eq!(outcome.ok(), "", "there is no new key to name");
    assert_eq!(kids(&read(&rotation.jwks)), [third]);
    assert!(!rotation.verifies(&of_second) && rotation.verifies(&token("3.pem")));
    assert_eq!(names(&rotation.directory), ["1.pem", "2.pem", "3.pem", "jwks.json"]);
}

#[test]
fn a_new_key_is_like_the_one_before_unless_told() {
    let rotation = Rotation::new("key_like");
    let newest = || read(&rotation.jwks)["keys"][0].clone();
    rotation.add("1.pem", &["--algorithm", "EdDSA"]);
    rotation.add("2.pem", &[]);
    assert_eq!(newest()["alg"], "EdDSA");
    rotation.add("3.pem", &["--algorithm", "PS256", "--bits", "2048"]);
    assert_eq!(newest()["alg"], "PS256");
    rotation.add("4.pem", &["--keep", "3"]);
    assert_eq!((&newest()["alg"], newest()["n"].as_str().unwrap().len()), (&json!("PS256"), 342));
    let out = rotation.directory.join("5.pem");
    let outcome = rotation.run(&["--out", text(&out), "--keep", "3"]);
    assert!(outcome.stderr.contains(&format!("issue --key {} --algorithm PS256 …", text(&out))), "{outcome:?}");
    outcome.ok();
    let algorithms: Vec<_> =
        read(&rotation.jwks)["keys"].as_array().unwrap().iter().map(|k| k["alg"].clone()).collect();
    assert_eq!(algorithms, ["PS256", "PS256", "PS256"]);
    let outcome =
        rotation.run(&["--out", text(&rotation.directory.join("6.pem")), "--algorithm", "ES256", "--keep", "1"]);
    assert!(outcome.stderr.contains("warning: no earlier key is left"), "{outcome:?}");
    outcome.ok();
}

#[test]
fn a_set_that_is_not_valid_is_left_alone() {
    let rotation = Rotation::new("key_left_alone");
    let out = rotation.directory.join("new.pem");
    for (content, says) in [
        ("", "not a JSON object"),
        ("{\"keys\": [", "not a JSON object"),
        ("{\"keys\": [], \"keys\": []}", "without repeated members"),
        ("[]", "not a JSON object"),
        ("{\"kty\": \"EC\"}", "no `keys` array"),
        ("{\"keys\": [{\"kty\": \"oct\", \"k\": \"c2VjcmV0\"}]}", "key 1 is private"),
        (
            "{\"keys\": [{\"kid\": \"a\", \"kty\": \"x\"}, {\"kid\": \"a\", \"kty\": \"y\"}]}",
            "two keys of the name `a`",
        ),
    ] {
        fs::write(&rotation.jwks, content).unwrap();
        rotation.run(&["--out", text(&out)]).fails(3, says);
        assert_eq!(fs::read_to_string(&rotation.jwks).unwrap(), content);
    }
    assert_eq!(names(&rotation.directory), ["jwks.json"], "no key is made for nothing");
}

#[test]
fn a_rotation_that_cannot_be_done_changes_nothing() {
    let rotation = Rotation::new("key_not_done");
    let kid = rotation.add("1.pem", &[]);
    let (set, pem) = (fs::read(&rotation.jwks).unwrap(), fs::read(rotation.directory.join("1.pem")).unwrap());
    let (old, new) = (rotation.directory.join("1.pem"), rotation.directory.join("2.pem"));
    rotation.run(&["--out", text(&old)]).fails(4, "private keys are never overwritten");
    rotation.run(&["--out", text(&new), "--retire", "x"]).fails(2, &format!("it has: {kid}"));
    rotation.run(&["--retire", &kid]).fails(2, "no key would be left");
    rotation.run(&["--out", text(&new), "--algorithm", "HS256"]).fails(2, "portcullis secret generate");
    rotation.run(&["--out", text(&new), "--keep", "0"]).fails(2, "--keep");
    rotation.run(&["--out", "-"]).fails(2, "`-` is none");
    let same = rotation.directory.join("./same");
    run(["key", "rotate", "--jwks", text(&rotation.directory.join("same")), "--out", text(&same)])
        .fails(2, "name one file");
    rotation.run(&[]).fails(2, "--out");
    rotation.run(&["--keep", "3", "--retire", &kid]).fails(2, "--out");
    rotation.run(&["--out", "no/such/directory/2.pem"]).fails(4, "cannot be written");
    run(["key", "rotate", "--jwks", "no/such/directory/jwks.json", "--out", text(&new)]).fails(4, "cannot be written");
    run(["key", "rotate", "--jwks", "no/such/jwks.json", "--retire", "x"]).fails(4, "cannot be read");
    let lock = file(&rotation.directory, "jwks.json.new", "");
    rotation.run(&["--out", text(&new)]).fails(4, "being replaced by somebody else");
    fs::remove_file(lock).unwrap();
    assert_eq!((fs::read(&rotation.jwks).unwrap(), fs::read(&old).unwrap()), (set, pem));
    assert_eq!(names(&rotation.directory), ["1.pem", "jwks.json"]);
}

#[test]
fn what_others_wrote_into_a_set_stays() {
    let rotation = Rotation::new("key_others");
    let theirs = r#"{"kty" : "EC", "crv": "P-256", "kid": "theirs", "exp": 12345678901234567890123,
     "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}"#;
    fs::write(&rotation.jwks, format!("{{\"keys\": [{theirs}], \"published_by\": \"them\"}}")).unwrap();
    let kid = rotation.add("new.pem", &[]);
    assert_eq!(rotation.run(&["--json", "--retire", &kid]).json()["kept"], json!(["theirs"]));
    let kid = rotation.add("newer.pem", &[]);
    let content = fs::read_to_string(&rotation.jwks).unwrap();
    assert!(content.contains(theirs) && content.contains(r#""published_by": "them""#), "{content}");
    assert_eq!(kids(&read(&rotation.jwks)), [kid.as_str(), "theirs"]);
}

#[test]
fn a_key_that_verifies_nothing_takes_no_place() {
    let rotation = Rotation::new("key_no_place");
    let mut keys = jwks(&[text(&key("p384.pem")), text(&key("p256.pem"))]);
    keys["keys"][0]["key_ops"] = json!(["encrypt"]);
    keys["keys"][0]["kid"] = json!("enc");
    keys["keys"][1]["kid"] = json!("live");
    fs::write(&rotation.jwks, keys.to_string()).unwrap();
    let before = fs::read(&rotation.jwks).unwrap();
    rotation.run(&["--retire", "live"]).fails(2, "no key would be left to verify tokens with");
    assert_eq!(fs::read(&rotation.jwks).unwrap(), before);

    let token = run(["token", "issue", "--sub", "alice", "--key", text(&key("p256.pem")), "--kid", "live"]).ok();
    let kid = rotation.add("new.pem", &[]);
    assert_eq!(kids(&read(&rotation.jwks)), [kid.as_str(), "enc", "live"]);
    assert!(rotation.verifies(&token), "a token of the key before");
}

/// A thumbprint starts with a hyphen once in 64 times.
#[test]
fn a_name_may_start_with_a_hyphen() {
    let rotation = Rotation::new("key_hyphen");
    let set = jwks(&[text(&key("p256.pem")), "--kid", "-old"]).to_string();
    fs::write(&rotation.jwks, set).unwrap();
    let kid = rotation.add("new.pem", &["--retire", "-old"]);
    assert_eq!(kids(&read(&rotation.jwks)), [kid.as_str()]);
}
