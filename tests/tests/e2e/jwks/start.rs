//! From the start to the first keys.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{AUTHORITY, ask, document, everywhere, failed, healthy, policy, setup, succeeded};
use crate::harness::bench::Bench;
use crate::harness::client::{Request, fetch};
use crate::harness::eventually;
use crate::harness::expect::Expect;
use crate::harness::jwks::{Answer, KeyServer, PATH};
use crate::harness::keys;
use crate::harness::token::{SECRET, Token};
use crate::harness::upstream::Upstream;

#[test]
fn one_fetch_serves_every_worker() {
    let upstream = Upstream::start();
    let server = KeyServer::start(Answer::keys([keys::old()]));
    let proxy = setup(&upstream, &server).concurrency(4).policy("main", &policy(&json!({}))).start();
    for token in &keys::old().tokens {
        assert_eq!(ask(&proxy, token), 200);
    }
    let fetches = server.fetches();
    let [fetch] = fetches.as_slice() else { panic!("four workers need one fetch, not {fetches:?}") };
    assert_eq!((fetch.method.as_str(), fetch.path.as_str()), ("GET", PATH));
    assert_eq!(fetch.headers.one("host").as_deref(), Some(AUTHORITY));
    let accept = fetch.headers.one("accept").unwrap_or_default();
    assert!(accept.contains("json") || accept == "*/*", "accept: {accept}");
    assert!(!fetch.headers.has("authorization"), "whoever serves keys is told no token");
    assert_eq!(succeeded(&proxy), 1.0);
    healthy(&proxy);
}

/// Nor more listeners than workers.
#[test]
fn one_fetch_serves_every_listener() {
    let upstream = Upstream::start();
    let server = KeyServer::start(Answer::keys([keys::old()]).held());
    let mut other = policy(&json!({}));
    other["audit"] = json!({"level": "denied"});
    let proxy =
        setup(&upstream, &server).concurrency(2).policy("main", &policy(&json!({}))).policy("other", &other).start();
    server.await_fetches(1);
    server.release();
    for (number, token) in keys::old().tokens.iter().enumerate() {
        let listener = ["main", "other"][number % 2];
        assert_eq!(fetch(proxy.address(listener), &document(token)).status, 200, "{listener}");
    }
    assert_eq!(server.count(PATH), 1);
    healthy(&proxy);
}

#[test]
fn keys_are_there_before_anybody_asks() {
    let upstream = Upstream::start();
    let server = KeyServer::start(Answer::keys([keys::old()]));
    let proxy = setup(&upstream, &server).policy("main", &policy(&json!({}))).start();
    eventually("the fetch at load", || (succeeded(&proxy) >= 1.0).then_some(()));
    assert_eq!(ask(&proxy, keys::old().token()), 200);
    assert_eq!(server.count(PATH), 1);
}

#[test]
fn early_requests_wait_for_the_keys() {
    let upstream = Upstream::start();
    let server = KeyServer::start(Answer::keys([keys::old()]).held());
    let proxy = setup(&upstream, &server).concurrency(4).policy("main", &policy(&json!({}))).start();
    server.await_fetches(1);
    let address = proxy.address("main");
    let forged = keys::forged(keys::old().token());
    std::thread::scope(|scope| {
        let early = |token: String| scope.spawn(move || fetch(address, &document(&token)).status);
        let good: Vec<_> = (0..12).map(|request| early(keys::old().tokens[request].clone())).collect();
        let bad = early(forged);
        eventually("thirteen requests that wait", || (proxy.in_flight("main") == 13).then_some(()));
        // Who needs no keys does not wait.
        assert_eq!(fetch(address, &Request::get("/healthz")).status, 200);
        assert_eq!(fetch(address, &Request::get("/users/ada/documents/7")).status, 401);
        assert_eq!(upstream.take().len(), 1, "nobody got through without a key but to /healthz");
        server.release();
        for request in good {
            assert_eq!(request.join().unwrap(), 200);
        }
        assert_eq!(bad.join().unwrap(), 401, "a forged token waited like the others, and was refused");
    });
    assert_eq!(upstream.take().len(), 12);
    assert_eq!(server.count(PATH), 1);
    healthy(&proxy);
}

#[test]
fn without_keys_there_is_503_until_they_come() {
    let upstream = Upstream::start();
    let mut server = KeyServer::start_down();
    let timeout = Duration::from_millis(400);
    let proxy = setup(&upstream, &server).policy("main", &policy(&json!({"timeout": "400ms"}))).start();
    let mut bench = Bench::new("without keys", &proxy, "main", &upstream);
    let put = Request::new("PUT", "/users/ada/documents/7").bearer(keys::old().token());
    let unavailable =
        Expect::deny(503, "keys_unavailable").some_response("retry-after").no_response("www-authenticate");

    let began = Instant::now();
    let exchange = bench.row("nobody listens", &put, &unavailable);
    let waited = began.elapsed();
    // Envoy's clock for timers ticks in milliseconds, and the machine may be busy: early is wrong, late is not.
    bench.holds("as long as `timeout`", waited >= timeout.mul_f32(0.9) && waited < timeout * 10, || {
        format!("{waited:?}")
    });
    let retry = exchange.response.headers.one("retry-after").unwrap_or_default();
    bench.holds("a whole number of seconds", retry.parse::<u32>().is_ok_and(|seconds| seconds > 0), || retry.clone());

    bench.row("public", &Request::get("/healthz"), &Expect::allow("public"));
    bench.row("nobody", &Request::get("/users/ada/documents/7"), &Expect::deny(401, "credentials_missing"));
    let preflight = Request::new("OPTIONS", "/users/ada/documents/7")
        .header("origin", "https://app.example.com")
        .header("access-control-request-method", "PUT");
    bench.row("a preflight", &preflight, &Expect::preflight());
    let dry = Request::get("/search").bearer(keys::old().token());
    bench.row("a dry route", &dry, &Expect::dry_run("keys_unavailable"));
    let open = Request::get("/healthz").bearer(keys::old().token());
    bench.row("public, with a token", &open, &Expect::allow("public"));
    let page = put.clone().header("origin", "https://app.example.com");
    let readable = unavailable.clone().response("access-control-allow-origin", "https://app.example.com");
    bench.row("a page can read it", &page, &readable);

    server.answer(Answer::bytes("nothing that is a key").status(500));
    server.up();
    server.await_fetches(2);
    bench.row("an error", &put, &unavailable);
    server.answer(Answer::json(&json!({"keys": []})));
    server.await_fetches(server.count(PATH) + 2);
    bench.row("an empty set", &put, &unavailable);

    server.answer(Answer::keys([keys::old()]));
    eventually("the first good fetch, which nobody asked for", || (succeeded(&proxy) >= 1.0).then_some(()));
    bench.row("the keys are there", &put, &Expect::allow("owner_allowed").record("kid", "old"));
    bench.finish();
    healthy(&proxy);
}

#[test]
fn every_worker_recovers() {
    let upstream = Upstream::start();
    let mut server = KeyServer::start_down();
    let proxy = setup(&upstream, &server).concurrency(4).policy("main", &policy(&json!({"timeout": "200ms"}))).start();
    everywhere(&proxy, keys::old().token(), 503);
    server.answer(Answer::keys([keys::old()]));
    server.up();
    everywhere(&proxy, keys::old().token(), 200);
    healthy(&proxy);
}

/// One issuer's absence is not another's.
#[test]
fn a_provider_without_keys_is_no_matter_of_another() {
    let upstream = Upstream::start();
    let server = KeyServer::start_down();
    let mut policy = policy(&json!({}));
    let remote = &mut policy["providers"][0];
    remote["name"] = json!("remote");
    remote["issuer"] = json!("https://elsewhere.example.com");
    let local = policy::provider();
    policy["providers"].as_array_mut().unwrap().push(local);
    let proxy = setup(&upstream, &server).env("SECRET_KEY", SECRET).policy("main", &policy).start();
    let mut bench = Bench::new("another provider", &proxy, "main", &upstream);
    let began = Instant::now();
    let token = Token::of("ada", "editor");
    bench.row("its token", &document(&token.mint()), &Expect::allow("role_allowed").record("provider", "local"));
    bench.row("forged", &document(&token.forged()), &Expect::deny(401, "token_signature"));
    bench.row("garbage", &document("garbage"), &Expect::deny(401, "token_malformed"));
    bench.holds("nobody waited", began.elapsed() < Duration::from_secs(15), || format!("{:?}", began.elapsed()));
    bench.finish();
}

/// What Envoy does not know cannot be asked: a failure like others, not one of the module.
#[test]
fn a_cluster_that_is_not_there_is_a_failed_fetch() {
    let upstream = Upstream::start();
    let server = KeyServer::start(Answer::keys([keys::old()]));
    let policy = policy(&json!({"cluster": "nowhere", "timeout": "300ms"}));
    let proxy = setup(&upstream, &server).concurrency(2).policy("main", &policy).start();
    everywhere(&proxy, keys::old().token(), 503);
    assert!(failed(&proxy) >= 1.0);
    assert!(proxy.log().contains("nowhere"), "the log does not name the cluster");
    assert!(server.fetches().is_empty());
    healthy(&proxy);
}
