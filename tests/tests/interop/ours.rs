//! Tokens that the command signs, with keys it made and with keys that OpenSSL made: taken by other libraries, which
//! are given nothing but the set that the command publishes.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{ALGORITHMS, LONG_SECRET, Signed, are_taken_by_the_filter, forged, symmetric};
use crate::harness::bench::Bench;
use crate::harness::client::Request;
use crate::harness::expect::Expect;
use crate::harness::policy;
use crate::harness::proxy::Setup;
use crate::harness::token::SECRET;
use crate::harness::tool::{node, openssl, portcullis, python};
use crate::harness::upstream::Upstream;

/// One key of each kind: what it signs with, and what OpenSSL calls it.
const KINDS: [(&[&str], &[&str]); 5] = [
    (&["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"], &["RSA", "-pkeyopt", "rsa_keygen_bits:2048"]),
    (&["ES256"], &["EC", "-pkeyopt", "ec_paramgen_curve:P-256"]),
    (&["ES384"], &["EC", "-pkeyopt", "ec_paramgen_curve:P-384"]),
    (&["ES512"], &["EC", "-pkeyopt", "ec_paramgen_curve:P-521"]),
    (&["EdDSA"], &["ED25519"]),
];

/// Runs a command that must succeed, and gives what it printed.
#[track_caller]
fn ok(arguments: &[&str]) -> String {
    let said = portcullis(arguments, "", &[("SHARED", LONG_SECRET)]);
    assert_eq!(said.code, 0, "{arguments:?}: {}", said.err);
    said.out.trim().to_owned()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn issue(algorithm: &str, key: &[&str], kid: &str) -> Signed {
    let claims =
        ["--sub", "ada", "--role", "editor", "--aud", "portcullis-demo", "--iss", "https://issuer.example.com"];
    let token = ok(&[&["token", "issue", "--algorithm", algorithm], &claims[..], key].concat());
    Signed { algorithm: algorithm.to_owned(), token, kid: kid.to_owned() }
}

/// Issues a token for every algorithm with keys that `make` makes, publishes their set, and has both libraries and the
/// filter verify all with that.
#[track_caller]
fn are_taken(name: &'static str, make: impl Fn(&Path, usize)) {
    let directory = tempfile::tempdir().unwrap();
    let mut files: Vec<PathBuf> = Vec::new();
    // Those of a secret say no name, and the filter tells which of its keys it was.
    let secret = ["--secret-env", "SHARED"];
    let mut issued: Vec<_> = ALGORITHMS.iter().take(3).map(|algorithm| issue(algorithm, &secret, algorithm)).collect();
    for (index, (algorithms, _)) in KINDS.iter().enumerate() {
        let file = directory.path().join(format!("{index}.pem"));
        make(&file, index);
        let kid = ok(&["key", "thumbprint", text(&file)]);
        issued.extend(algorithms.iter().map(|algorithm| issue(algorithm, &["--key", text(&file)], &kid)));
        files.push(file);
    }
    let algorithms: Vec<_> = issued.iter().map(|one| one.algorithm.as_str()).collect();
    assert_eq!(algorithms, ALGORITHMS);

    let jwks = ok(&[&["key", "jwks"][..], &files.iter().map(|file| text(file)).collect::<Vec<_>>()].concat());
    let jwks: Value = serde_json::from_str(&jwks).unwrap();
    are_taken_by_libraries(&issued, &jwks);
    are_taken_by_the_filter(name, &issued, &jwks);
}

#[track_caller]
fn are_taken_by_libraries(issued: &[Signed], jwks: &Value) {
    let list = |pick: &dyn Fn(&Signed) -> String| -> Vec<Value> {
        issued.iter().map(|one| json!({"alg": one.algorithm, "token": pick(one)})).collect()
    };
    let tokens = [list(&|one| one.token.clone()), list(&|one| forged(&one.token))].concat();
    let given = json!({"jwks": jwks, "secret": LONG_SECRET, "tokens": tokens}).to_string();
    let kid = |one: &Signed| if symmetric(&one.algorithm) { "-".to_owned() } else { one.kid.clone() };
    let good = issued.iter().map(|one| format!("{} {} ada", one.algorithm, kid(one)));
    let forged = issued.iter().map(|_| "ERR_JWS_SIGNATURE_VERIFICATION_FAILED".to_owned());
    let expected: Vec<_> = good.chain(forged).collect();
    let kids: Vec<_> = jwks["keys"].as_array().unwrap().iter().map(|key| key["kid"].clone()).collect();
    for (library, found) in
        [("PyJWT", python(include_str!("verify.py"), &given)), ("jose", node("tests/interop/verify.mjs", &given))]
    {
        let found: Value = serde_json::from_str(&found).unwrap();
        assert_eq!(found["verdicts"], json!(expected), "{library}");
        assert_eq!(found["thumbprints"], json!(kids), "{library}: the kids are thumbprints");
    }
}

#[test]
fn tokens_of_keys_of_our_own_are_taken() {
    are_taken("tokens of our keys", |file, index| {
        let kid = ok(&["key", "generate", "--algorithm", KINDS[index].0[0], "--out", text(file)]);
        assert_eq!(kid, ok(&["key", "thumbprint", text(file)]), "{}", KINDS[index].0[0]);
        openssl(&["pkey", "-in", text(file), "-check", "-noout"], "");
    });
}

#[test]
fn tokens_of_keys_of_openssl_are_taken() {
    are_taken("tokens of OpenSSL's keys", |file, index| {
        let start = ["genpkey", "-out", text(file), "-algorithm"];
        openssl(&[&start[..], KINDS[index].1].concat(), "");
    });
}

/// What OpenSSL makes of our keys and we of its: the public half is one and the same.
#[test]
fn public_keys_of_openssl_are_those_of_the_private_ones() {
    let directory = tempfile::tempdir().unwrap();
    for (algorithms, kind) in KINDS {
        for ours in [true, false] {
            let private = directory.path().join(format!("{}.{ours}.pem", algorithms[0]));
            if ours {
                ok(&["key", "generate", "--algorithm", algorithms[0], "--out", text(&private)]);
            } else {
                openssl(&[&["genpkey", "-out", text(&private), "-algorithm"][..], kind].concat(), "");
            }
            let public = private.with_extension("public.pem");
            openssl(&["pkey", "-in", text(&private), "-pubout", "-out", text(&public)], "");
            let published = ok(&["key", "jwks", text(&private)]);
            assert_eq!(ok(&["key", "jwks", text(&public)]), published, "{} {ours}", algorithms[0]);
            let set: Value = serde_json::from_str(&published).unwrap();
            assert_eq!(set["keys"][0]["kid"], json!(ok(&["key", "thumbprint", text(&public)])));
        }
    }
}

const DECODE: &str = r#"
import json, sys, jwt
given = json.load(sys.stdin)
claims = jwt.decode(given["token"], given["secret"], algorithms=["HS256"], audience="portcullis-demo",
                    issuer="https://issuer.example.com", options={"require": ["exp", "iat", "sub"]})
print(json.dumps({"claims": claims, "header": jwt.get_unverified_header(given["token"])}))
"#;

#[test]
fn our_tokens_are_taken_by_pyjwt_and_by_the_filter() {
    let issue = [
        "token",
        "issue",
        "--sub",
        "ada",
        "--role",
        "editor",
        "--aud",
        "portcullis-demo",
        "--iss",
        "https://issuer.example.com",
        "--kid",
        "2026-11",
        "--secret-env",
        "SIGNING_SECRET",
    ];
    let said = portcullis(&issue, "", &[("SIGNING_SECRET", SECRET)]);
    assert_eq!(said.code, 0, "{}", said.err);
    let token = said.out.trim();
    let decoded: Value =
        serde_json::from_str(&python(DECODE, &json!({"token": token, "secret": SECRET}).to_string())).unwrap();
    let claims = &decoded["claims"];
    assert_eq!((&claims["sub"], &decoded["header"]["kid"]), (&json!("ada"), &json!("2026-11")), "{decoded}");
    let lifetime = claims["exp"].as_f64().unwrap() - claims["iat"].as_f64().unwrap();
    assert_eq!(lifetime, 1800.0, "half an hour unless told: {claims}");

    let upstream = Upstream::start();
    let proxy = Setup::before(&upstream).env("SECRET_KEY", SECRET).policy("main", &policy::example()).start();
    let mut bench = Bench::new("our token", &proxy, "main", &upstream);
    let own = Request::new("PUT", "/users/ada/documents/7").bearer(token);
    bench.row("issued, then shown", &own, &Expect::allow("owner_allowed").upstream("x-user-role", "editor"));
    bench.finish();
}
