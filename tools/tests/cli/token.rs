use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::support::{SECRET, command, directory, file, finish, key, run, run_with};

const ISSUE: [&str; 5] = ["token", "issue", "--sub", "alice", "--json"];

fn issue(args: &[&str]) -> Value {
    run(ISSUE.iter().chain(args)).json()
}

fn parts(token: &str) -> (Value, Value, Vec<u8>) {
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).unwrap();
    let parts: Vec<_> = token.split('.').collect();
    let [header, claims, signature] = parts.as_slice() else { panic!("{token}") };
    (
        serde_json::from_slice(&decode(header)).unwrap(),
        serde_json::from_slice(&decode(claims)).unwrap(),
        decode(signature),
    )
}

#[test]
fn a_token_is_hs256_for_half_an_hour() {
    let token = run(["token", "issue", "--sub", "alice", "--secret-env", "SECRET_KEY"]).ok();
    let (header, claims, signature) = parts(&token);
    assert_eq!(header, json!({"alg": "HS256", "typ": "JWT"}));
    assert_eq!(claims["sub"], "alice");
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 1800);
    assert_eq!(claims["jti"].as_str().unwrap().len(), 36);
    let input = token.rsplit_once('.').unwrap().0;
    assert_eq!(signature, hmac_sha256::HMAC::mac(input, SECRET));
    assert_ne!(token, run(["token", "issue", "--sub", "alice", "--secret-env", "SECRET_KEY"]).ok(), "jti is random");
}

#[test]
fn the_same_arguments_make_the_same_token() {
    let args = ["--secret-env", "SECRET_KEY", "--at", "2025-06-15T15:06:40Z", "--no-jti", "--kid", "k1", "--iss", "x"];
    let first = issue(&args);
    assert_eq!(first, issue(&args));
    assert_eq!(first["header"], json!({"alg": "HS256", "typ": "JWT", "kid": "k1"}));
    assert_eq!(first["claims"], json!({"sub": "alice", "iat": 1_750_000_000, "exp": 1_750_001_800, "iss": "x"}));
    let (header, claims, _) = parts(first["token"].as_str().unwrap());
    assert_eq!((header, claims), (first["header"].clone(), first["claims"].clone()));
}

#[test]
fn secrets_come_from_files_and_standard_input_too() {
    let directory = directory("token_secrets");
    let secret = file(&directory, "secret.key", &format!("{SECRET}\n"));
    let fixed = ["--at", "1750000000", "--no-jti"];
    let token = |args: &[&str], stdin: &str| {
        run_with(["token", "issue", "--sub", "alice"].iter().chain(&fixed).chain(args), stdin).ok()
    };
    let from_environment = token(&["--secret-env", "SECRET_KEY"], "");
    assert_eq!(token(&["--secret-file", secret.to_str().unwrap()], ""), from_environment);
    assert_eq!(token(&["--secret-file", "-"], SECRET), from_environment);
    let encoded = URL_SAFE_NO_PAD.encode(SECRET);
    assert_eq!(token(&["--secret-file", "-", "--secret-encoding", "base64url"], &encoded), from_environment);
    assert_ne!(token(&["--secret-file", "-"], &encoded), from_environment);

    run_with(ISSUE.iter().chain(&["--secret-file", "-", "--secret-encoding", "hex"]), "xyz")
        .fails(3, "not hexadecimal");
    run(ISSUE.iter().chain(&["--secret-env", "PORTCULLIS_TEST_NEVER_SET"])).fails(4, "is not set");
    run(ISSUE.iter().chain(&["--secret-file", "no/such/file"])).fails(4, "cannot be read");
    run(ISSUE).fails(2, "--secret-env");
    run(ISSUE.iter().chain(&["--secret-env", "A", "--secret-file", "b"])).fails(2, "cannot be used with");
}

#[test]
fn short_secrets_are_refused_and_never_shown() {
    let mut short = command(ISSUE.iter().chain(&["--secret-env", "SHORT"]));
    short.env("SHORT", "hunter2");
    let outcome = finish(short, b"");
    assert!(!outcome.stderr.contains("hunter2"), "{outcome:?}");
    outcome.fails(3, "the secret has 7 bytes and HS256 needs at least 32");
    let generated = run(["secret", "generate"]).ok();
    run_with(["token", "issue", "--sub", "alice", "--secret-file", "-"], &generated).ok();
    let hs512 = ["token", "issue", "--sub", "alice", "--algorithm", "HS512", "--secret-file", "-"];
    run_with(hs512, &generated).fails(3, "secret generate --bits 512");
    run_with(hs512, run(["secret", "generate", "--bits", "512"]).ok()).ok();
}

#[test]
fn private_keys_sign_with_what_fits_them() {
    for (pem, algorithm, signature_bytes) in [
        ("rsa2048.pem", "RS256", 256),
        ("p256.pem", "ES256", 64),
        ("p384.pem", "ES384", 96),
        ("p521.pem", "ES512", 132),
        ("ed25519.pem", "EdDSA", 64),
    ] {
        let issued = issue(&["--key", key(pem).to_str().unwrap()]);
        assert_eq!(issued["header"]["alg"], algorithm);
        assert_eq!(parts(issued["token"].as_str().unwrap()).2.len(), signature_bytes, "{algorithm}");
    }
    let rsa = key("rsa2048.pem");
    assert_eq!(issue(&["--key", rsa.to_str().unwrap(), "--algorithm", "PS512"])["header"]["alg"], "PS512");
    let ed25519 = key("ed25519.pem");
    let renamed = ["--key", ed25519.to_str().unwrap(), "--algorithm", "Ed25519"];
    assert_eq!(issue(&renamed)["header"]["alg"], "Ed25519");
    run(ISSUE.iter().chain(&["--key", rsa.to_str().unwrap(), "--algorithm", "HS256"]))
        .fails(2, "cannot sign with HS256");
    run(ISSUE.iter().chain(&["--key", key("rsa1024.pem").to_str().unwrap()])).fails(3, "2048 to 4096 bits");
    run(ISSUE.iter().chain(&["--key", key("p256.public.pem").to_str().unwrap()])).fails(3, "public key");
    run(ISSUE.iter().chain(&["--secret-env", "SECRET_KEY", "--algorithm", "none"])).fails(2, "invalid value 'none'");
}

#[test]
fn a_private_key_names_itself() {
    let pem = key("p256.pem");
    let kid =
        |args: &[&str]| issue(&[&["--key", pem.to_str().unwrap()][..], args].concat())["header"].get("kid").cloned();
    let thumbprint = run(["key", "thumbprint", pem.to_str().unwrap()]).ok();
    assert_eq!(kid(&[]), Some(thumbprint.into()));
    assert_eq!(kid(&["--kid", "2026-11"]), Some("2026-11".into()));
    assert_eq!(kid(&["--kid", "-a"]), Some("-a".into()), "as a thumbprint may start");
    assert_eq!(kid(&["--no-kid"]), None);
    assert_eq!(issue(&["--secret-env", "SECRET_KEY"])["header"].get("kid"), None, "a secret has no thumbprint");
    run(ISSUE.iter().chain(&["--secret-env", "SECRET_KEY", "--no-kid", "--kid", "x"])).fails(2, "cannot be used with");
}

#[test]
fn claims_are_json_and_set_once() {
    let claims = issue(&["--secret-env", "SECRET_KEY", "--claim", "realm={\"roles\":[\"a\"]}", "--role", "admin"]);
    assert_eq!(claims["claims"]["realm"], json!({"roles": ["a"]}));
    assert_eq!(claims["claims"]["role"], "admin");
    run(ISSUE.iter().chain(&["--secret-env", "SECRET_KEY", "--claim", "tenant=acme"])).fails(2, "not JSON");
    run(ISSUE.iter().chain(&["--secret-env", "SECRET_KEY", "--claim", "exp=1"])).fails(2, "`exp` is set twice");
}

#[test]
fn what_would_be_refused_is_not_issued() {
    let deep = format!("x={}{}", "[".repeat(127), "]".repeat(127));
    for (args, says, remedy) in [
        (&["--sub", "a\nb"][..], "claim `sub` is malformed", "control characters"),
        (&["--sub", "a", "--iss", "a\u{85}b"], "claim `iss` is malformed", "control characters"),
        (&["--sub", "a", "--claim", "iss=7"], "claim `iss` is malformed", "give text"),
        (&["--sub", "a", "--no-jti", "--claim", "jti=\"a\\tb\""], "claim `jti` is malformed", "control characters"),
        (&["--sub", "a", "--claim", "aud=[1]"], "claim `aud` is malformed", "an array of texts"),
        (&["--sub", "a", "--claim", "nbf=\"now\""], "claim `nbf` is malformed", "seconds since 1970"),
        (&["--sub", "a", "--claim", &deep], "malformed token: claims", "less deep"),
        (&["--sub", "a", "--kid", ""], "--kid is empty", "check the variable"),
    ] {
        let p521 = key("p521.pem");
        for key in [["--secret-env", "SECRET_KEY"], ["--key", p521.to_str().unwrap()]] {
            let outcome = run(["token", "issue"].iter().chain(args).chain(&key));
            assert!(outcome.stderr.contains("help: ") && outcome.stderr.contains(remedy), "{args:?} {outcome:?}");
            outcome.fails(2, says);
        }
    }
    run(ISSUE.iter().chain(&["--secret-env", "SECRET_KEY", "--claim", r#"x={"a":1,"a":2}"#])).fails(2, "twice");
    for args in [&["--claim", "nbf=9999999999"][..], &["--at", "0"], &["--kid", "k\nl"]] {
        let ed25519 = key("ed25519.pem");
        for key in [["--secret-env", "SECRET_KEY"], ["--key", ed25519.to_str().unwrap()]] {
            run(ISSUE.iter().chain(args).chain(&key)).ok();
        }
    }
}

#[test]
fn inspect_shows_and_warns() {
    let args = ["token", "issue", "--sub", "alice", "--secret-env", "SECRET_KEY", "--at", "1750000000", "--no-jti"];
    let token = run(args).ok();
    let shown = run_with(["token", "inspect", "--at", "1750000060"], format!("{token}\n"));
    assert_eq!(shown.stderr, "warning: nothing was verified: anyone can write a token that says this\n");
    assert_eq!(
        shown.ok(),
        "header\n  alg  \"HS256\"\n  typ  \"JWT\"\nclaims\n  \
         exp  1750001800  (2025-06-15T15:36:40Z, in 29 minutes)\n  \
         iat  1750000000  (2025-06-15T15:06:40Z, 1 minute ago)\n  \
         sub  \"alice\"\nsignature 32 bytes, not verified"
    );
    let later = run_with(["token", "inspect", "--at", "1750090000"], &token).ok();
    assert!(later.contains("(2025-06-15T15:36:40Z, 25 hours ago: expired)"), "{later}");

    let shown = run_with(["token", "inspect", "--json", "--at", "1750000060"], &token).json();
    assert_eq!(shown["verified"], false);
    assert_eq!(shown["claims"]["sub"], "alice");
    assert_eq!(shown["times"]["exp"], "2025-06-15T15:36:40Z");
    assert_eq!(shown["expired"], false);
}

#[test]
fn inspect_is_not_fooled_by_what_a_token_says() {
    let token =
        |claims: &str| format!("{}.{}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#), URL_SAFE_NO_PAD.encode(claims));
    let shown = run_with(["token", "inspect"], token("{\"sub\":\"\u{9b}31m\u{202e}nimda\"}")).ok();
    assert!(shown.contains(r#""\u{9b}31m\u{202e}nimda""#), "{shown}");
    let repeated = run_with(["token", "inspect"], token(r#"{"role":"viewer","role":"admin"}"#));
    assert!(repeated.stderr.contains("`role` appears more than once"), "{repeated:?}");
    assert!(repeated.stdout.contains("\"viewer\"") && repeated.stdout.contains("\"admin\""), "{repeated:?}");

    for text in ["", "hello", "a.b.c", "a.b.c.d.e", &token("[]")] {
        run_with(["token", "inspect"], text).fails(3, "not a JSON Web Token");
    }
    run(["token", "inspect", "--file", "no/such/file"]).fails(4, "cannot be read");
}

fn issued(args: &[&str]) -> String {
    let start = ["token", "issue", "--sub", "alice", "--secret-env", "SECRET_KEY", "--at", "1750000000", "--no-jti"];
    run(start.iter().chain(args)).ok()
}

const VERIFY: [&str; 4] = ["token", "verify", "--secret-env", "SECRET_KEY"];

#[test]
fn verify_prints_claims_or_the_reason() {
    let token = issued(&[]);
    let good = run_with(VERIFY.iter().chain(&["--at", "1750001799"]), format!("{token}\n"));
    assert_eq!(good.stderr, "");
    assert_eq!(good.json(), json!({"sub": "alice", "iat": 1_750_000_000, "exp": 1_750_001_800}));
    let good = run_with(VERIFY.iter().chain(&["--json", "--at", "1750001799"]), &token).json();
    assert_eq!((&good["valid"], &good["claims"]["sub"]), (&true.into(), &"alice".into()));

    let bad = run_with(VERIFY.iter().chain(&["--at", "1750001800"]), &token);
    assert_eq!((bad.code, bad.stdout.as_str()), (1, "token_expired\n"));
    assert!(bad.stderr.starts_with("the token is refused: expired at"), "{bad:?}");
    let bad = run_with(VERIFY.iter().chain(&["--json", "--at", "1750001800"]), &token);
    let printed: Value = serde_json::from_str(&bad.stdout).unwrap();
    assert_eq!((bad.code, &printed["valid"], &printed["reason"]), (1, &false.into(), &"token_expired".into()));
    assert_eq!(run_with(VERIFY.iter().chain(&["--at", "1750001800", "--clock-skew", "1s"]), &token).code, 0);
    let limit = token.len().to_string();
    for (limit, code, printed) in [(limit.as_str(), 0, "{"), ("64", 1, "token_too_large")] {
        let limited = run_with(VERIFY.iter().chain(&["--at", "1750000001", "--max-token-bytes", limit]), &token);
        assert_eq!(limited.code, code, "{limit}");
        assert!(limited.stdout.starts_with(printed), "{limited:?}");
    }
    let overlong = format!("{token}{}", "A".repeat(16_384));
    assert_eq!(run_with(VERIFY.iter().chain(&["--at", "1750000001"]), &overlong).stdout, "token_too_large\n");
}

#[test]
fn verify_checks_what_it_is_asked_to() {
    for (issue, verify, reason) in [
        (&[][..], &[][..], None),
        (&["--iss", "a"], &["--issuer", "a"], None),
        (&["--iss", "a"], &["--issuer", "b"], Some("token_issuer")),
        (&[], &["--issuer", "a"], Some("token_issuer")),
        (&["--aud", "a"], &["--audience", "b", "--audience", "a"], None),
        (&["--aud", "a"], &["--audience", "b"], Some("token_audience")),
        (&[], &["--audience", "a"], Some("token_audience")),
        (&["--algorithm", "HS512"], &[], Some("token_algorithm")),
        (&["--algorithm", "HS512"], &["--algorithm", "HS512"], None),
        (&["--claim", "nbf=1750000061"], &[], Some("token_not_yet_valid")),
    ] {
        let outcome = run_with(VERIFY.iter().chain(&["--at", "1750000060"]).chain(verify), issued(issue));
        let expected = reason.map_or_else(|| outcome.stdout.clone(), |reason| format!("{reason}\n"));
        assert_eq!((outcome.code, outcome.stdout), (i32::from(reason.is_some()), expected), "{issue:?} {verify:?}");
    }
    let noted = run_with(VERIFY.iter().chain(&["--at", "1750000060"]), issued(&["--aud", "a"]));
    assert!(noted.stderr.starts_with("note: the token names an audience"), "{noted:?}");
    noted.ok();

    let mut other = issued(&[]);
    other.truncate(other.len() - 4);
    assert_eq!(run_with(VERIFY, format!("{other}AAAA")).stdout, "token_signature\n");
    assert_eq!(run_with(VERIFY, "hello").stdout, "token_malformed\n");
    assert_eq!(run_with(VERIFY, "").stdout, "token_malformed\n");
}

#[test]
fn verify_takes_key_sets() {
    let directory = directory("token_jwks");
    let secret = URL_SAFE_NO_PAD.encode(SECRET);
    let jwks =
        json!({"keys": [{"kty": "oct", "kid": "k1", "k": secret}, {"kty": "oct", "kid": "k2", "k": "c2VjcmV0"}]});
    let short = file(&directory, "short.json", &jwks.to_string());
    let jwks = file(&directory, "jwks.json", &json!({"keys": [jwks["keys"][0]]}).to_string());
    let verify = |jwks: &std::path::Path, args: &[&str]| {
        let start = ["token", "verify", "--at", "1750000060", "--jwks", jwks.to_str().unwrap()];
        run_with(start.iter().chain(args), issued(&["--kid", "k1"]))
    };
    assert_eq!(verify(&jwks, &["--json"]).json()["kid"], "k1");
    assert_eq!(verify(&jwks, &["--algorithm", "HS512"]).stdout, "token_algorithm\n");
    verify(&short, &[]).fails(3, "--allow-short-keys");
    verify(&short, &["--allow-short-keys"]).ok();
    verify(&file(&directory, "none.json", "[]"), &[]).fails(3, "RFC 7517");
    verify(&directory.join("absent.json"), &[]).fails(4, "cannot be read");
    verify(&jwks, &["--policy", "x"]).fails(2, "cannot be used with");
}

#[test]
fn signature_only_looks_at_nothing_else() {
    let signing_input =
        format!("{}.{}", URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256"}"#), URL_SAFE_NO_PAD.encode("no claims"));
    let signature = URL_SAFE_NO_PAD.encode(hmac_sha256::HMAC::mac(&signing_input, SECRET));
    let token = format!("{signing_input}.{signature}");
    let outcome = run_with(VERIFY.iter().chain(&["--signature-only"]), &token);
    assert_eq!(outcome.stdout, "no claims");
    assert!(outcome.stderr.starts_with("note: only the signature was checked"), "{outcome:?}");
    assert_eq!(run_with(VERIFY, &token).stdout, "token_malformed\n");
    let json = run_with(VERIFY.iter().chain(&["--signature-only", "--json"]), &token).json();
    assert_eq!(json["payload_base64url"], URL_SAFE_NO_PAD.encode("no claims"));
    let other = run_with(VERIFY.iter().chain(&["--signature-only", "--algorithm", "HS384"]), &token);
    assert_eq!((other.code, other.stdout.as_str()), (1, "token_algorithm\n"));
    run_with(["token", "verify", "--secret-file", "-"], &token).fails(2, "for two things at once");
    run(VERIFY.iter().chain(&["--signature-only", "--issuer", "x"])).fails(2, "cannot be used with");
    run(VERIFY.iter().chain(&["--algorithm", "ES256"])).fails(2, "a secret cannot verify ES256");
}
