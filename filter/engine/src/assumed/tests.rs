use serde_json::{Map, Value, json};

use super::{AssumedIdentity, PLACEHOLDER};
use crate::pipeline::{RequestAction, Verdict};
use crate::policy::Policy;
use crate::testing::{Request, after, amended, policy, provider, with_routes};
use crate::token::Proven;
use crate::worker::Worker;

fn routes() -> Value {
    json!([
        {"name": "docs", "match": {"path": "/users/{owner}/docs"}, "access": "role_table", "owner": {"param": "owner", "claim": ["sub"]}},
        {"name": "open", "match": {"path": "/open"}, "access": "public"},
    ])
}

fn with_provider(members: Value) -> Policy {
    policy(&amended(with_routes(routes()), json!({"providers": [amended(provider(), members)]})))
}

fn identity(claims: Value) -> AssumedIdentity {
    let claims: Map<String, Value> = claims.as_object().cloned().unwrap_or_default();
    AssumedIdentity { provider: "local".into(), claims }
}

fn decide(policy: &Policy, request: &Request, claims: Value) -> (Verdict, Vec<(String, Vec<u8>)>) {
    let mut headers = request.headers.clone();
    let mut worker = Worker::new(policy, Proven::NOTHING);
    let identity = identity(claims);
    let verdict = policy.dangerously_decide_without_proof(&identity, &mut headers, request, &mut worker, &mut ());
    (verdict.expect("a provider"), headers)
}

#[test]
fn claims_are_believed_as_they_are_wherever_tokens_are_looked_for() {
    for (members, message) in [
        (json!({}), "the default place"),
        (json!({"from_headers": [], "from_cookies": ["session"]}), "a cookie"),
        (json!({"from_headers": [], "from_params": ["access_token"]}), "a parameter"),
        (json!({"max_lifetime": "1s", "clock_skew": "0s"}), "a short lifetime"),
        (json!({"issuer": "https://issuer.example.com", "audiences": ["a"]}), "claims that a token would need"),
    ] {
        let policy = with_provider(members);
        let request = Request::get("/users/u1/docs?page=2");
        let (verdict, headers) = decide(&policy, &request, json!({"sub": "u1", "role": "editor"}));
        assert_eq!(verdict.outcome(), ("allow", "role_allowed"), "{message}");
        let text: Vec<(String, String)> =
            headers.iter().map(|(name, value)| (name.clone(), String::from_utf8_lossy(value).into_owned())).collect();
        let pairs: Vec<(&str, &str)> = text.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let sent = format!("{:?}", after(verdict.edits(), &pairs));
        assert!(!sent.contains(PLACEHOLDER), "{message}: {sent}");
        assert!(sent.contains(r#"("x-user-id", "u1")"#), "{message}: {sent}");
        assert!(sent.contains("/users/u1/docs?page=2"), "{message}: {sent}");
    }
}

#[test]
fn everything_but_the_proof_is_still_asked_for() {
    let policy = with_provider(json!({}));
    let put = Request::new("PUT", "/users/u2/docs");
    for (request, claims, expected) in [
        (&put, json!({"sub": "u1", "role": "editor"}), "owner_denied"),
        (&put, json!({"sub": "u1", "role": "viewer"}), "role_denied"),
        (&put, json!({"sub": "u1"}), "role_missing"),
        (&Request::get("/nowhere"), json!({"sub": "u1"}), "route_not_found"),
        (&Request::get("/open").bearer(json!({"sub": "u1"})), json!({"sub": "u1"}), "header_duplicate"),
    ] {
        assert_eq!(decide(&policy, request, claims).0.outcome(), ("deny", expected));
    }
}

#[test]
fn nothing_of_an_assumed_identity_is_kept() {
    let policy = with_provider(json!({"from_headers": [{"name": "x-token"}]}));
    let mut worker = Worker::new(&policy, Proven::NOTHING);
    let request = Request::get("/users/u1/docs");
    let mut headers = request.headers.clone();
    let identity = identity(json!({"sub": "u1", "role": "editor"}));
    let verdict = policy.dangerously_decide_without_proof(&identity, &mut headers, &request, &mut worker, &mut ());
    assert!(matches!(verdict.unwrap().action, RequestAction::Continue(_)));
    let sent = request.with("x-token", PLACEHOLDER);
    assert_eq!(sent.decide_with(&policy, &mut worker).outcome(), ("deny", "token_malformed"));
}

#[test]
fn a_provider_that_is_not_there_assumes_nobody() {
    let policy = with_provider(json!({}));
    let request = Request::get("/open");
    let nobody = AssumedIdentity { provider: "other".into(), claims: Map::new() };
    let mut worker = Worker::new(&policy, Proven::NOTHING);
    let verdict = policy.dangerously_decide_without_proof(&nobody, &mut Vec::new(), &request, &mut worker, &mut ());
    assert!(verdict.is_none());
    assert_eq!(policy.assumable_providers().collect::<Vec<_>>(), ["local"]);
}
