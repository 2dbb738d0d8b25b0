//! Keys that change, and a server that is gone, under load.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;

use super::{
    ask, await_failures, await_successes, document, everywhere, failed, healthy, policy, reload, setup, succeeded,
};
use crate::harness::bench::Bench;
use crate::harness::bootstrap::Delivery;
use crate::harness::eventually;
use crate::harness::expect::Expect;
use crate::harness::jwks::{Answer, KeyServer};
use crate::harness::keys::{self, Pair};
use crate::harness::load::Load;
use crate::harness::proxy::Proxy;
use crate::harness::upstream::Upstream;

/// Eight connections that show tokens of `pairs`, of each in turn.
fn load(proxy: &Proxy, pairs: impl Fn() -> Vec<&'static Pair> + Send + Sync + 'static) -> Load {
    Load::start(proxy.address("main"), 8, move |number| {
        let pairs = pairs();
        let pair = pairs[number % pairs.len()];
        document(&pair.tokens[number % pair.tokens.len()])
    })
}

#[test]
fn a_rotation_fails_no_request() {
    let upstream = Upstream::start();
    let server = KeyServer::start(Answer::keys([keys::old()]));
    let policy = policy(&json!({"cache_duration": "1s"}));
    let proxy = setup(&upstream, &server).concurrency(4).policy("main", &policy).start();
    let signing = [vec![keys::old()], vec![keys::old(), keys::new()], vec![keys::new()]];
    let stage = Arc::new(AtomicUsize::new(0));
    let now = Arc::clone(&stage);
    let load = load(&proxy, move || signing[now.load(Ordering::SeqCst)].clone());
    load.go_on(100);

    // The new key is published, then signed with; the old one is no longer signed with, then withdrawn.
    server.answer(Answer::keys([keys::old(), keys::new()]));
    await_successes(&proxy);
    stage.store(1, Ordering::SeqCst);
    load.go_on(200);
    stage.store(2, Ordering::SeqCst);
    load.go_on(100);
    server.answer(Answer::keys([keys::new()]));
    await_successes(&proxy);
    load.go_on(200);
    load.finish("a rotation");

    // What it signed is refused, by workers that know these tokens well.
    everywhere(&proxy, keys::old().token(), 401);
    everywhere(&proxy, keys::new().token(), 200);
    healthy(&proxy);
}

#[test]
fn a_withdrawn_key_takes_its_tokens_with_it() {
    let upstream = Upstream::start();
    let server = KeyServer::start(Answer::keys([keys::old()]));
    let policy = policy(&json!({"cache_duration": "1s", "timeout": "1s"}));
    let proxy = setup(&upstream, &server).policy("main", &policy).start();
    let mut bench = Bench::new("a withdrawn key", &proxy, "main", &upstream);
    let get = document(keys::old().token());
    bench.row("verified", &get, &Expect::allow("role_allowed").record("kid", "old"));
    bench.row("known", &get, &Expect::allow("role_allowed").record("kid", "old"));
    let hits = proxy.metric("portcullis_token_cache_hit");
    bench.holds("from the cache", hits >= 1.0, || format!("{hits} hits"));
    server.answer(Answer::keys([keys::new()]));
    await_successes(&proxy);
    bench.row("withdrawn", &get, &Expect::deny(401, "token_unknown_key"));
    bench.row("its successor", &document(keys::new().token()), &Expect::allow("role_allowed").record("kid", "new"));
    bench.finish();
    healthy(&proxy);
}

/// A key of the same name is another key: what the first had signed is no longer good.
#[test]
fn a_key_replaced_under_its_name_takes_its_tokens_with_it() {
    let upstream = Upstream::start();
    let server = KeyServer::start(Answer::keys([keys::new()]));
    let policy = policy(&json!({"cache_duration": "1s", "timeout": "1s"}));
    let proxy = setup(&upstream, &server).policy("main", &policy).start();
    let mut bench = Bench::new("a replaced key", &proxy, "main", &upstream);
    let get = document(keys::new().token());
    for row in ["verified", "known"] {
        bench.row(row, &get, &Expect::allow("role_allowed").record("kid", "new"));
    }
    let mut other = keys::by_algorithm().into_iter().find(|pair| pair.kid == "ES256").unwrap().jwk.clone();
    other["kid"] = json!("new");
    server.answer(Answer::json(&json!({"keys": [other]})));
    await_successes(&proxy);
    bench.row("replaced", &get, &Expect::deny(401, "token_signature"));
    bench.finish();
}

#[test]
fn a_server_that_is_gone_fails_no_request() {
    let upstream = Upstream::start();
    let mut server = KeyServer::start(Answer::keys([keys::old()]));
    let policy = policy(&json!({"cache_duration": "1s", "timeout": "500ms"}));
    let proxy = setup(&upstream, &server).concurrency(4).policy("main", &policy).start();
    let load = load(&proxy, || vec![keys::old()]);
    load.go_on(50);
    server.down();
    // Several times as long as the keys are fresh.
    for _ in 0..3 {
        await_failures(&proxy);
        load.go_on(50);
    }
    let before = succeeded(&proxy);
    server.up();
    eventually("a good fetch, once the server is back", || (succeeded(&proxy) > before).then_some(()));
    load.finish("a server that is gone");
    healthy(&proxy);
}

#[test]
fn stale_keys_do_not_last_for_ever() {
    let upstream = Upstream::start();
    let mut server = KeyServer::start(Answer::keys([keys::old()]));
    let changes = json!({"cache_duration": "1s", "stale_for": "1s", "timeout": "200ms"});
    let proxy = setup(&upstream, &server).policy("main", &policy(&changes)).start();
    let token = keys::old().token();
    assert_eq!(ask(&proxy, token), 200);
    server.down();
    let fetched = server.fetches().last().unwrap().at;
    await_failures(&proxy);
    let known = ask(&proxy, token);
    if fetched.elapsed() < Duration::from_millis(1900) {
        assert_eq!(known, 200, "last known good");
    }
    let gone = eventually("the end of stale keys", || (ask(&proxy, token) == 503).then(|| fetched.elapsed()));
    assert!(gone >= Duration::from_millis(1900), "the keys were good for 2 s, not {gone:?}");
    let refused = proxy.metrics().into_iter().find(|(name, _)| name.contains(r#"reason="keys_unavailable""#));
    assert!(refused.is_some_and(|(_, count)| count >= 1.0), "a reason of its own");
    server.up();
    everywhere(&proxy, token, 200);
    healthy(&proxy);
}

/// A new policy has the keys its predecessor fetched: none of its requests waits for a server.
#[test]
fn a_reload_fails_no_request() {
    for delivery in [Delivery::Ecds, Delivery::Lds] {
        let upstream = Upstream::start();
        let mut server = KeyServer::start(Answer::keys([keys::old()]));
        let changes = json!({"timeout": "200ms"});
        let mut proxy =
            setup(&upstream, &server).concurrency(4).policy("main", &policy(&changes)).delivery(delivery).start();
        everywhere(&proxy, keys::old().token(), 200);
        let load = load(&proxy, || vec![keys::old()]);
        load.go_on(100);
        server.down();
        reload(&mut proxy, policy(&changes));
        load.go_on(100);
        load.finish(&format!("a reload, {delivery:?}"));
        healthy(&proxy);
    }
}

/// Keys from elsewhere are other keys, whoever had them before.
#[test]
fn a_reload_that_looks_elsewhere_takes_nothing_along() {
    let upstream = Upstream::start();
    let server = KeyServer::start(Answer::keys([keys::old()]));
    server.on("/elsewhere.json", Answer::keys([keys::new()]));
    let mut proxy =
        setup(&upstream, &server).concurrency(2).policy("main", &policy(&json!({}))).delivery(Delivery::Ecds).start();
    everywhere(&proxy, keys::old().token(), 200);
    let elsewhere = policy(&json!({"path": "/elsewhere.json", "timeout": "500ms"}));
    proxy.replace_policy("main", &elsewhere.to_string());
    everywhere(&proxy, keys::new().token(), 200);
    everywhere(&proxy, keys::old().token(), 401);
    healthy(&proxy);
}

/// Who had the turn to fetch may be replaced before the answer is there. Its successor does not wait for it.
#[test]
fn a_reload_in_the_middle_of_a_fetch_costs_no_keys() {
    let upstream = Upstream::start();
    let server = KeyServer::start(Answer::keys([keys::old()]).held());
    let changes = json!({"timeout": "5s"});
    let mut proxy = setup(&upstream, &server).policy("main", &policy(&changes)).delivery(Delivery::Ecds).start();
    server.await_fetches(1);
    reload(&mut proxy, policy(&changes));
    server.answer(Answer::keys([keys::old()]));
    server.release();
    assert_eq!(ask(&proxy, keys::old().token()), 200);
    healthy(&proxy);
}

#[test]
fn keys_are_fetched_again_before_they_run_out() {
    let upstream = Upstream::start();
    let server = KeyServer::start(Answer::keys([keys::old()]));
    let proxy =
        setup(&upstream, &server).concurrency(4).policy("main", &policy(&json!({"cache_duration": "2s"}))).start();
    server.await_fetches(4);
    let fetches = server.fetches();
    for pair in fetches.windows(2) {
        let apart = pair[1].at - pair[0].at;
        // Not all proxies at once, and no worker beside another.
        assert!(apart >= Duration::from_millis(500), "fetched again after {apart:?}");
    }
    assert_eq!(failed(&proxy), 0.0);
}
