//! Tokens that other libraries sign: taken by the command and by the filter in Envoy.

use serde_json::{Map, Value, json};

use super::{ALGORITHMS, LONG_SECRET, Signed, are_taken_by_the_filter, forged, symmetric};
use crate::harness::bench::Bench;
use crate::harness::client::Request;
use crate::harness::expect::Expect;
use crate::harness::proxy::Setup;
use crate::harness::token::SECRET;
use crate::harness::tool::{node, portcullis, python};
use crate::harness::upstream::Upstream;

#[test]
fn tokens_of_pyjwt_are_taken() {
    are_taken("tokens of PyJWT", &python(include_str!("sign.py"), LONG_SECRET));
}

#[test]
fn tokens_of_jose_are_taken() {
    are_taken("tokens of jose", &node("tests/interop/sign.mjs", LONG_SECRET));
}

#[track_caller]
fn are_taken(name: &'static str, signed: &str) {
    let signed: Value = serde_json::from_str(signed).unwrap();
    let tokens = signed["tokens"].as_object().unwrap();
    let mut algorithms: Vec<_> = tokens.keys().map(String::as_str).collect();
    algorithms.sort_by_key(|algorithm| ALGORITHMS.iter().position(|known| known == algorithm));
    assert_eq!(algorithms, ALGORITHMS, "{name}");
    by_the_command(tokens, &signed["jwks"]);
    let tokens = tokens.iter().map(|(algorithm, token)| Signed {
        algorithm: algorithm.clone(),
        token: token.as_str().unwrap().to_owned(),
        kid: algorithm.clone(),
    });
    are_taken_by_the_filter(name, &tokens.collect::<Vec<_>>(), &signed["jwks"]);
}

fn by_the_command(tokens: &Map<String, Value>, jwks: &Value) {
    let directory = tempfile::tempdir().unwrap();
    let set = directory.path().join("jwks.json");
    std::fs::write(&set, jwks.to_string()).unwrap();
    for (algorithm, token) in tokens {
        let token = token.as_str().unwrap();
        let trust = if symmetric(algorithm) { ["--secret-env", "SHARED"] } else { ["--jwks", set.to_str().unwrap()] };
        let start = ["token", "verify", "--audience", "portcullis-demo", "--algorithm", algorithm];
        let arguments = [&start[..], &trust].concat();
        let said = portcullis(&arguments, token, &[("SHARED", LONG_SECRET)]);
        assert_eq!(said.code, 0, "{algorithm}: {said:?}");
        let said = portcullis(&arguments, &forged(token), &[("SHARED", LONG_SECRET)]);
        assert_eq!((said.code, said.out.as_str()), (1, "token_signature\n"), "{algorithm}, forged");
    }
}

/// The requirements' own snippet, as it stands in a service that has used it for years.
const THEIR_TOKEN: &str = r#"
import sys, jwt
from datetime import datetime, timedelta, timezone

def create_access_token(subject):
    expire = datetime.now(timezone.utc) + timedelta(minutes=30)
    to_encode = {"exp": expire, "sub": str(subject)}
    return jwt.encode(to_encode, sys.stdin.read(), algorithm="HS256")

print(create_access_token("ada"), end="")
"#;

#[test]
fn a_token_of_the_service_is_taken() {
    let policy = json!({
        "version": "v1",
        "providers": [{
            "name": "service",
            "allowed_algorithms": ["HS256"],
            "keys": [{"algorithm": "HS256", "secret": {"env": "SECRET_KEY"}}],
            "claim_to_headers": [{"claim": ["sub"], "header": "x-user-id"}],
        }],
        "routes": [{"name": "all", "match": {"path": "/{*rest}"}, "access": "authenticated"}],
    });
    let upstream = Upstream::start();
    let proxy = Setup::before(&upstream).host_env("SECRET_KEY", SECRET).policy("main", &policy).start();
    let mut bench = Bench::new("the service's token", &proxy, "main", &upstream);
    let token = python(THEIR_TOKEN, SECRET);
    bench.row(
        "create_access_token",
        &Request::get("/me").bearer(&token),
        &Expect::allow("authenticated").upstream("x-user-id", "ada"),
    );
    bench.finish();
}
