#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use std::time::Duration;

use ed25519_compact::{KeyPair, Seed};
use serde_json::{Value, json};

use super::*;
use crate::testing::{NOW, Request, amended, base64url, expiring, now, policy, provider, with_routes};

fn pair(seed: u8) -> KeyPair {
    KeyPair::from_seed(Seed::new([seed; 32]))
}

fn jwks(keys: &[(&str, u8)]) -> Vec<u8> {
    let jwk =
        |(kid, seed): &(&str, u8)| json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": base64url(*pair(*seed).pk)});
    json!({"keys": keys.iter().map(jwk).collect::<Vec<Value>>()}).to_string().into_bytes()
}

fn request(kid: &str, seed: u8) -> Request {
    with_header(&json!({"alg": "EdDSA", "kid": kid}), seed)
}

fn with_header(header: &Value, seed: u8) -> Request {
    let input = format!("{}.{}", base64url(header.to_string()), base64url(expiring(json!({"sub": "u1"}))));
    let signature = base64url(*pair(seed).sk.sign(input.as_bytes(), None));
    Request::get("/me").with("authorization", format!("Bearer {input}.{signature}"))
}

fn fetching() -> Policy {
    let remote = json!({
        "name": "remote",
        "allowed_algorithms": ["EdDSA"],
        "remote_jwks": {"cluster": "issuer", "authority": "issuer.test", "path": "/keys", "stale_for": "1h"},
    });
    let routes = json!([
        {"name": "me", "match": {"path": "/me"}, "access": "authenticated"},
        {"name": "open", "match": {"path": "/open"}, "access": "public"},
    ]);
    policy(&amended(with_routes(routes), json!({"providers": [remote]})))
}

fn fetched(generation: u32) -> FetchState {
    let remote = &fetching().remote_jwks()[0].clone();
    (0..generation).fold(FetchState::NEVER, |state, _| remote.succeeded(&state, now()))
}

#[test]
fn without_keys_the_answer_is_to_come_again() {
    let policy = fetching();
    let mut worker = Worker::new(&policy, Proven::NOTHING);
    let verdict = request("a", 1).decide_with(&policy, &mut worker);
    assert_eq!((verdict.outcome(), verdict.status()), (("deny", "keys_unavailable"), Some(503)));
    assert_eq!(verdict.reply().header("retry-after"), Some("2"));
    assert_eq!(verdict.reply().header("www-authenticate"), None, "the token may be good");
    assert_eq!(verdict.wants, Some(0));
    assert_eq!(verdict.recorded("provider"), Some(json!("remote")));
    let garbage = Request::get("/me").with("authorization", "Bearer x").decide_with(&policy, &mut worker);
    assert_eq!((garbage.outcome(), garbage.wants), (("deny", "token_malformed"), None), "no key would help");
    let public = request("a", 1).with(":path", "/open");
    let verdict = public.without(":path").with(":path", "/open").decide_with(&policy, &mut worker);
    assert_eq!((verdict.outcome(), verdict.wants), (("allow", "public"), None));
}

#[test]
fn keys_serve_from_the_moment_they_are_learned() {
    let policy = fetching();
    let mut worker = Worker::new(&policy, Proven::NOTHING);
    assert_eq!(worker.learn(&policy, 0, &fetched(1), &jwks(&[("a", 1)])), Ok(true));
    assert_eq!((worker.generation(0), worker.has_keys(0)), (1, true));
    assert_eq!(request("a", 1).decide_with(&policy, &mut worker).outcome(), ("allow", "authenticated"));
    let unknown = request("b", 2).decide_with(&policy, &mut worker);
    assert_eq!((unknown.outcome(), unknown.wants), (("deny", "token_unknown_key"), Some(0)));
    let forged = request("a", 2).decide_with(&policy, &mut worker);
    assert_eq!((forged.outcome(), forged.wants), (("deny", "token_signature"), None), "fetching would not help");
    assert_eq!(worker.learn(&policy, 0, &fetched(2), &jwks(&[("a", 1), ("b", 2)])), Ok(true));
    assert_eq!(request("b", 2).decide_with(&policy, &mut worker).outcome(), ("allow", "authenticated"));
}

/// An issuer that names no keys exchanges them all the same.
#[test]
fn a_token_that_names_no_key_may_be_of_a_new_one() {
    let policy = fetching();
    let mut worker = Worker::new(&policy, Proven::NOTHING);
    let unnamed = |seed| with_header(&json!({"alg": "EdDSA"}), seed);
    worker.learn(&policy, 0, &fetched(1), &jwks(&[("a", 1)])).unwrap();
    assert_eq!(unnamed(1).decide_with(&policy, &mut worker).outcome(), ("allow", "authenticated"));
    let new = unnamed(2).decide_with(&policy, &mut worker);
    assert_eq!((new.outcome(), new.wants), (("deny", "token_signature"), Some(0)));
    worker.learn(&policy, 0, &fetched(2), &jwks(&[("a", 2)])).unwrap();
    assert_eq!(unnamed(2).decide_with(&policy, &mut worker).outcome(), ("allow", "authenticated"));
}

#[test]
fn providers_that_a_set_has_nothing_for_are_named() {
    let policy = fetching();
    let unserved = |source, jwks: &[u8]| -> Vec<String> {
        let keys = KeySet::from_public_jwks(jwks).unwrap();
        policy.unserved(source, &keys).map(str::to_owned).collect()
    };
    let ed25519 = json!({"kty": "OKP", "crv": "Ed25519", "x": base64url(*pair(1).pk)});
    let set = |members: Value| json!({"keys": [amended(ed25519.clone(), members)]}).to_string().into_bytes();
    assert_eq!(unserved(0, &set(json!({}))), Vec::<String>::new(), "EdDSA is allowed");
    assert_eq!(unserved(0, &set(json!({"alg": "Ed25519"}))), ["remote"], "the same by another name is not");
    assert_eq!(unserved(1, &set(json!({"alg": "Ed25519"}))), Vec::<String>::new(), "no provider's set");
}

#[test]
fn a_key_that_is_gone_takes_its_tokens_along() {
    let policy = fetching();
    let mut worker = Worker::new(&policy, Proven::NOTHING);
    worker.learn(&policy, 0, &fetched(1), &jwks(&[("a", 1), ("b", 2)])).unwrap();
    for _ in 0..2 {
        assert_eq!(request("a", 1).decide_with(&policy, &mut worker).outcome(), ("allow", "authenticated"));
    }
    assert_eq!(worker.cache().take_counts(), (1, 1), "it was known");
    assert_eq!(worker.learn(&policy, 0, &fetched(2), &jwks(&[("a", 1), ("b", 2)])), Ok(false), "the same set");
    request("a", 1).decide_with(&policy, &mut worker);
    assert_eq!(worker.cache().take_counts(), (1, 0), "and is still known");
    worker.learn(&policy, 0, &fetched(3), &jwks(&[("b", 2)])).unwrap();
    assert_eq!(request("a", 1).decide_with(&policy, &mut worker).outcome(), ("deny", "token_unknown_key"));
}

#[test]
fn what_cannot_be_read_changes_nothing() {
    let policy = fetching();
    let mut worker = Worker::new(&policy, Proven::NOTHING);
    worker.learn(&policy, 0, &fetched(1), &jwks(&[("a", 1)])).unwrap();
    for document in [&b""[..], b"{}", br#"{"keys": []}"#, b"<html>"] {
        assert!(worker.learn(&policy, 0, &fetched(2), document).is_err());
        assert_eq!(worker.generation(0), 1);
        assert_eq!(request("a", 1).decide_with(&policy, &mut worker).outcome(), ("allow", "authenticated"));
    }
    assert_eq!(worker.learn(&policy, 7, &fetched(1), &jwks(&[("a", 1)])), Ok(false), "no such set");
    assert_eq!((worker.generation(7), worker.has_keys(7)), (0, false));
}

#[test]
fn keys_that_are_too_old_serve_nobody() {
    let policy = fetching();
    let mut worker = Worker::new(&policy, Proven::NOTHING);
    worker.learn(&policy, 0, &fetched(1), &jwks(&[("a", 1)])).unwrap();
    let end = now().plus(Duration::from_secs(600 + 3600));
    assert!(!worker.expire(UnixTime::from_millis(end.millis() - 1)));
    assert_eq!(request("a", 1).decide_with(&policy, &mut worker).outcome(), ("allow", "authenticated"));
    assert!(worker.expire(end));
    assert!(!worker.expire(end), "only once");
    let verdict = request("a", 1).decide_with(&policy, &mut worker);
    assert_eq!((verdict.outcome(), verdict.wants), (("deny", "keys_unavailable"), Some(0)), "not even from the cache");
    worker.learn(&policy, 0, &fetched(2), &jwks(&[("a", 1)])).unwrap();
    assert_eq!(request("a", 1).decide_with(&policy, &mut worker).outcome(), ("allow", "authenticated"));
}

/// A key ring: the old key until just before the new one's hundredth second.
#[test]
fn keys_of_a_ring_serve_in_their_time() {
    let ring = json!([
        {"kid": "k1", "algorithm": "HS256", "secret": {"env": "SECRET_KEY"}, "not_after": "2025-06-15T15:08:20Z"},
        {"kid": "k2", "algorithm": "HS256", "secret": {"env": "OTHER_KEY"}, "not_before": "2025-06-15T15:06:40.5Z"},
    ]);
    let routes = json!([{"name": "me", "match": {"path": "/me"}, "access": "authenticated"}]);
    let policy =
        policy(&amended(with_routes(routes), json!({"providers": [amended(provider(), json!({"keys": ring}))]})));
    let mut worker = Worker::new(&policy, Proven::NOTHING);
    let mut ask = |kid: &str, secret: &[u8], seconds: i64| {
        let header = json!({"alg": "HS256", "kid": kid}).to_string();
        let token = crate::testing::sign(&header, &expiring(json!({"sub": "u1"})), secret);
        let request = Request::get("/me").with("authorization", format!("Bearer {token}")).at(seconds);
        request.decide_with(&policy, &mut worker).decision.reason()
    };
    let (old, new) = (crate::testing::SECRET, crate::testing::OTHER_SECRET);
    assert_eq!(ask("k1", old, NOW), "authenticated", "the old key");
    assert_eq!(ask("k2", new, NOW), "token_unknown_key", "the new key, too early");
    assert_eq!(ask("k2", new, NOW + 1), "authenticated", "both");
    assert_eq!(ask("k1", old, NOW + 99), "authenticated", "both");
    assert_eq!(ask("k1", old, NOW + 100), "token_unknown_key", "the old key is over, also for tokens that were known");
    assert_eq!(ask("k2", new, NOW + 100), "authenticated");
    assert_eq!(ask("k2", new, NOW), "token_unknown_key", "known, and the clock set back");
}
