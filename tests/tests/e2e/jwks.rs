//! Keys that a server elsewhere serves: fetched, kept, exchanged, and missed.

mod bad_answers;
mod discovery;
mod held;
mod rotation;
mod start;
mod unknown_key;

use serde_json::{Value, json};

use crate::harness::client::{Request, fetch};
use crate::harness::eventually;
use crate::harness::jwks::{KeyServer, PATH};
use crate::harness::policy;
use crate::harness::proxy::{Proxy, Setup};
use crate::harness::upstream::Upstream;

const AUTHORITY: &str = "issuer.example.com";

/// A proxy that knows where the keys are.
fn setup(upstream: &Upstream, server: &KeyServer) -> Setup {
    Setup::before(upstream).cluster("jwks", server.address)
}

/// The example's policy with remote keys: fetched once, tried again at once, waited for; `changes` to that.
pub(super) fn policy(changes: &Value) -> Value {
    let mut jwks = json!({
        "cluster": "jwks",
        "authority": AUTHORITY,
        "path": PATH,
        "cache_duration": "10m",
        "timeout": "20s",
        "retry_back_off": {"base_interval": "100ms", "max_interval": "200ms"},
    });
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            jwks.as_object_mut().unwrap().remove(name);
        } else {
            jwks[name] = value.clone();
        }
    }
    let mut policy = policy::example();
    let provider = policy["providers"][0].as_object_mut().unwrap();
    provider.remove("keys");
    provider.insert("remote_jwks".to_owned(), jwks);
    provider.insert("allowed_algorithms".to_owned(), json!(["RS256", "ES256"]));
    policy
}

/// What `ada` may read.
fn document(token: &str) -> Request {
    Request::get("/users/ada/documents/7").bearer(token)
}

/// The answer to `token` on a connection of its own.
fn ask(proxy: &Proxy, token: &str) -> u16 {
    fetch(proxy.address("main"), &document(token)).status
}

/// Waits until `token` is answered `status` on so many connections in a row that every worker has had some.
#[track_caller]
fn everywhere(proxy: &Proxy, token: &str, status: u16) {
    let address = proxy.address("main");
    eventually("the same answer from every worker", || {
        (0..24).all(|_| fetch(address, &document(token)).status == status).then_some(())
    });
}

/// Puts another policy in force that differs in nothing that matters, and waits until every worker has it.
#[track_caller]
fn reload(proxy: &mut Proxy, mut policy: Value) {
    let new = json!({"name": "new", "match": {"path": "/new"}, "access": "public"});
    policy["routes"].as_array_mut().unwrap().push(new);
    proxy.replace_policy("main", &policy.to_string());
    let address = proxy.address("main");
    eventually("the new policy on every worker", || {
        (0..24).all(|_| fetch(address, &Request::get("/new")).status == 200).then_some(())
    });
}

fn succeeded(proxy: &Proxy) -> f64 {
    proxy.metric("portcullis_jwks_fetch_success")
}

fn failed(proxy: &Proxy) -> f64 {
    proxy.metric("portcullis_jwks_fetch_failed")
}

/// Waits until two fetches more have succeeded: the second began after this call, and there is only ever one.
#[track_caller]
fn await_successes(proxy: &Proxy) {
    let before = succeeded(proxy);
    eventually("two good fetches", || (succeeded(proxy) >= before + 2.0).then_some(()));
}

/// The same for failures.
#[track_caller]
pub(super) fn await_failures(proxy: &Proxy) {
    let before = failed(proxy);
    eventually("two failed fetches", || (failed(proxy) >= before + 2.0).then_some(()));
}

#[track_caller]
fn healthy(proxy: &Proxy) {
    assert!(proxy.vm_failures().is_empty(), "{:?}", proxy.vm_failures());
    let log = proxy.log();
    for sign in ["panicked", "Uncaught", "RuntimeError"] {
        assert!(!log.contains(sign), "Envoy's log speaks of a `{sign}`");
    }
}
