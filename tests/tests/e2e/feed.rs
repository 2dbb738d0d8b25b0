//! The identity feed: obeyed by every worker, and by none where it is not good.

mod faults;
mod obeyed;
mod reload;
mod scale;

use serde_json::{Value, json};

use super::setup;
use crate::harness::client::{Request, fetch};
use crate::harness::eventually;
use crate::harness::feed;
use crate::harness::jwks::KeyServer;
use crate::harness::policy;
use crate::harness::proxy::Proxy;
use crate::harness::token::Token;
use crate::harness::upstream::Upstream;

/// More than enough connections for every worker to have had some.
const CONNECTIONS: usize = 24;

/// A policy that obeys the feed; `changes` to `identity_feed`.
pub(super) fn policy(changes: &Value) -> Value {
    let mut policy = policy::with_routes(json!([
        {"name": "open", "match": {"path": "/open"}, "access": "public"},
        {"name": "me", "match": {"path": "/me"}, "access": "authenticated"},
        {"name": "admin", "match": {"path": "/admin"}, "access": "roles", "roles": ["admin"]},
    ]));
    policy["identity_feed"] = feed::source(changes);
    policy["api_keys"] = json!({"header": "x-api-key"});
    policy
}

/// Four workers under a policy.
pub(super) fn four_workers(upstream: &Upstream, server: &KeyServer, policy: &Value) -> Proxy {
    setup(upstream).cluster("feed", server.address).concurrency(4).policy("main", policy).start()
}

/// A request of `ada` with a token of its own.
fn ada() -> Request {
    Request::get("/me").bearer(&Token::of("ada", "viewer").claim("jti", "ada-1").mint())
}

/// Waits until `request` is answered `status` on so many new connections in a row that every worker answered some. Gives
/// how many requests that took.
#[track_caller]
pub(super) fn everywhere(proxy: &Proxy, request: &Request, status: u16) -> usize {
    let address = proxy.address("main");
    let mut sent = 0;
    let mut answered = || {
        sent += 1;
        fetch(address, request).status == status
    };
    eventually("the same answer from every worker", || (0..CONNECTIONS).all(|_| answered()).then_some(()));
    sent
}

/// Waits until a counter of the feed's is at least `value`.
#[track_caller]
fn counted(proxy: &Proxy, name: &str, value: f64) {
    eventually(name, || (proxy.metric(&format!("portcullis_feed_{name}")) >= value).then_some(()));
}

/// Waits until the log says this.
#[track_caller]
fn logged(proxy: &Proxy, words: &str) {
    eventually(words, || proxy.log().contains(words).then_some(()));
}

#[track_caller]
pub(super) fn healthy(proxy: &Proxy) {
    assert!(proxy.vm_failures().is_empty(), "{:?}", proxy.vm_failures());
    let log = proxy.log();
    for sign in ["panicked", "Uncaught", "RuntimeError"] {
        assert!(!log.contains(sign), "Envoy's log speaks of a `{sign}`");
    }
}
