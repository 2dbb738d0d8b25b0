//! What the libraries people already use make, we take, and the other way round: PyJWT and jose
//! for tokens and keys, OpenSSL for keys, pwdlib for password hashes.

mod ours;
mod passwords;
mod theirs;

use serde_json::{Value, json};

use crate::harness::bench::Bench;
use crate::harness::client::Request;
use crate::harness::expect::Expect;
use crate::harness::keys::forged;
use crate::harness::policy::{self, CRYPTO};
use crate::harness::proxy::Setup;
use crate::harness::upstream::Upstream;

/// Every algorithm there is.
const ALGORITHMS: [&str; 13] = [
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
];

/// Long enough for HS512.
const LONG_SECRET: &str = "correct-horse-battery-staple-0123456789abcdef-0123456789abcdef-0123456789";

/// A token for `ada` in the role `editor`, and the name of the key that verifies it.
struct Signed {
    algorithm: String,
    token: String,
    kid: String,
}

fn symmetric(algorithm: &str) -> bool {
    algorithm.starts_with("HS")
}

/// Sends each token through the filter in Envoy: those of a pair verified with the set, by the host and by the module, the
/// others with the secret.
#[track_caller]
fn are_taken_by_the_filter(name: &'static str, tokens: &[Signed], jwks: &Value) {
    let upstream = Upstream::start();
    let (of_secrets, of_pairs): (Vec<_>, Vec<_>) = tokens.iter().partition(|one| symmetric(&one.algorithm));
    let shared = |one: &&Signed| json!({"kid": one.kid, "algorithm": one.algorithm, "secret": {"env": "SHARED"}});
    let shared = ("keys", of_secrets.iter().map(shared).collect());
    let pairs = ("local_jwks", json!({"inline": jwks.to_string()}));
    let mut setup =
        Setup::before(&upstream).env("SHARED", LONG_SECRET).policy("shared", &with_keys(shared, &of_secrets));
    let mut listeners = vec![("shared", &of_secrets)];
    for crypto in CRYPTO {
        let mut policy = with_keys(pairs.clone(), &of_pairs);
        policy["crypto"] = json!(crypto);
        setup = setup.policy(crypto, &policy);
        listeners.push((crypto, &of_pairs));
    }
    let proxy = setup.start();
    for (listener, tokens) in listeners {
        let mut bench = Bench::new(name, &proxy, listener, &upstream);
        for Signed { algorithm, token, kid } in tokens {
            let put = |token: &str| Request::new("PUT", "/users/ada/documents/7").bearer(token);
            let allow = Expect::allow("owner_allowed").upstream("x-user-id", "ada").record("kid", kid);
            bench.row(algorithm, &put(token), &allow);
            let refuse = Expect::deny(401, "token_signature");
            bench.row(&format!("{algorithm}, forged"), &put(&forged(token)), &refuse);
        }
        bench.finish();
    }
    assert!(proxy.vm_failures().is_empty(), "{:?}", proxy.vm_failures());
}

/// The example policy, its one provider with these keys for these tokens' algorithms.
fn with_keys((source, keys): (&str, Value), tokens: &[&Signed]) -> Value {
    let mut policy = policy::example();
    let provider = policy["providers"][0].as_object_mut().unwrap();
    provider.remove("keys");
    provider.insert(source.to_owned(), keys);
    provider.insert("allowed_algorithms".to_owned(), tokens.iter().map(|one| one.algorithm.as_str()).collect());
    policy
}
