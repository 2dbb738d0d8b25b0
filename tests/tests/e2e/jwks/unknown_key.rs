//! Tokens that name a key nobody has heard of, yet.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{ask, document, everywhere, failed, healthy, policy, setup};
use crate::harness::bench::Bench;
use crate::harness::client::{Client, fetch};
use crate::harness::eventually;
use crate::harness::expect::Expect;
use crate::harness::jwks::{Answer, KeyServer, PATH};
use crate::harness::keys;
use crate::harness::proxy::Proxy;
use crate::harness::token::encode;
use crate::harness::upstream::Upstream;

/// Between two fetches that an unknown key asked for.
const APART: Duration = Duration::from_secs(3);

/// A token of a key that does not exist.
fn nobody(number: usize) -> String {
    let token = keys::new().tokens[number % keys::new().tokens.len()].clone();
    let (_, rest) = token.split_once('.').unwrap();
    let header = json!({"alg": "ES256", "typ": "JWT", "kid": format!("nobody-{number}")});
    format!("{}.{rest}", encode(header.to_string()))
}

#[test]
fn a_new_key_needs_no_second_try() {
    let upstream = Upstream::start();
    let server = KeyServer::start(Answer::keys([keys::old()]));
    let proxy = setup(&upstream, &server).policy("main", &policy(&json!({}))).start();
    let mut bench = Bench::new("a new key", &proxy, "main", &upstream);
    bench.row("as before", &document(keys::old().token()), &Expect::allow("role_allowed").record("kid", "old"));
    server.answer(Answer::keys([keys::old(), keys::new()]));
    bench.row("the first with it", &document(keys::new().token()), &Expect::allow("role_allowed").record("kid", "new"));
    bench.row("still", &document(keys::old().token()), &Expect::allow("role_allowed").record("kid", "old"));
    bench.finish();
    assert_eq!(server.count(PATH), 2);
}

/// An issuer that names no keys exchanges them all the same: a signature that none of them made is looked for once.
#[test]
fn a_new_key_without_a_name_needs_no_second_try() {
    let unnamed = |mut jwk: serde_json::Value| {
        jwk.as_object_mut().unwrap().remove("kid");
        Answer::json(&json!({"keys": [jwk]}))
    };
    let upstream = Upstream::start();
    let server = KeyServer::start(unnamed(keys::old().jwk.clone()));
    let proxy = setup(&upstream, &server).policy("main", &policy(&json!({}))).start();
    let mut bench = Bench::new("a new key without a name", &proxy, "main", &upstream);
    bench.row("as before", &document(keys::old().token()), &Expect::allow("role_allowed"));
    server.answer(unnamed(keys::new().jwk.clone()));
    bench.row("the first of it", &document(keys::new().token()), &Expect::allow("role_allowed"));
    bench.row("of the one that is gone", &document(keys::old().token()), &Expect::deny(401, "token_unknown_key"));
    bench.finish();
}

/// Two plugins are as two workers: the one that does not ask learns of new keys later. It waits for newer ones all the same.
#[test]
fn who_learns_of_keys_late_looks_for_others_too() {
    let upstream = Upstream::start();
    let server = KeyServer::start(Answer::keys([keys::old()]));
    let document_for =
        |proxy: &Proxy, listener: &str, token: &str| fetch(proxy.address(listener), &document(token)).status;
    let named = |prefix: &str| {
        let mut policy = policy(&json!({}));
        policy["stat_prefix"] = json!(prefix);
        policy
    };
    let proxy = setup(&upstream, &server).policy("main", &named("main")).policy("late", &named("late")).start();
    for listener in ["main", "late"] {
        assert_eq!(document_for(&proxy, listener, keys::old().token()), 200, "{listener}");
    }
    server.answer(Answer::keys([keys::old(), keys::new()]));
    assert_eq!(document_for(&proxy, "main", keys::new().token()), 200);
    // `late` may still have the first set: it takes up the second, which has not this key, and waits for the third.
    let third = keys::by_algorithm().into_iter().find(|pair| pair.kid == "ES256").unwrap();
    server.answer(Answer::keys([keys::old(), keys::new(), third]));
    assert_eq!(document_for(&proxy, "late", third.token()), 200);
    healthy(&proxy);
}

/// All that come while one fetch is under way wait for that one, on whichever worker.
#[test]
fn a_new_key_is_fetched_once_for_all() {
    let upstream = Upstream::start();
    let server = KeyServer::start(Answer::keys([keys::old()]));
    let proxy = setup(&upstream, &server).concurrency(4).policy("main", &policy(&json!({}))).start();
    everywhere(&proxy, keys::old().token(), 200);
    server.answer(Answer::keys([keys::old(), keys::new()]).held());
    let address = proxy.address("main");
    std::thread::scope(|scope| {
        let waiting: Vec<_> = (0..16)
            .map(|number| scope.spawn(move || fetch(address, &document(&keys::new().tokens[number])).status))
            .collect();
        server.await_fetches(2);
        eventually("sixteen requests that wait", || (proxy.in_flight("main") == 16).then_some(()));
        // Who has a key that is known does not wait.
        everywhere(&proxy, keys::old().token(), 200);
        server.release();
        for request in waiting {
            assert_eq!(request.join().unwrap(), 200);
        }
    });
    assert_eq!(server.count(PATH), 2);
    healthy(&proxy);
}

#[test]
fn an_unknown_key_is_refused_after_one_look() {
    let upstream = Upstream::start();
    let server = KeyServer::start(Answer::keys([keys::old()]));
    let proxy = setup(&upstream, &server).policy("main", &policy(&json!({"timeout": "2s"}))).start();
    let mut bench = Bench::new("an unknown key", &proxy, "main", &upstream);
    bench.row("as before", &document(keys::old().token()), &Expect::allow("role_allowed"));
    let refused = Expect::deny(401, "token_unknown_key");
    bench.row("looked for", &document(&nobody(0)), &refused);
    let fetches = server.count(PATH);
    bench.holds("one look", fetches == 2, || format!("{fetches} fetches"));
    bench.row("as before, after it", &document(keys::old().token()), &Expect::allow("role_allowed"));
    bench.finish();
}

#[test]
fn a_server_that_does_not_answer_holds_nobody_for_ever() {
    let upstream = Upstream::start();
    let server = KeyServer::start(Answer::keys([keys::old()]));
    let proxy = setup(&upstream, &server).policy("main", &policy(&json!({"timeout": "500ms"}))).start();
    assert_eq!(ask(&proxy, keys::old().token()), 200);
    server.answer(Answer::keys([keys::old(), keys::new()]).held());
    let began = Instant::now();
    assert_eq!(ask(&proxy, keys::new().token()), 401);
    let waited = began.elapsed();
    assert!(waited >= Duration::from_millis(450) && waited < Duration::from_secs(5), "waited {waited:?}");
    eventually("a failure to be counted", || (failed(&proxy) >= 1.0).then_some(()));
    assert_eq!(ask(&proxy, keys::old().token()), 200);
    healthy(&proxy);
}

/// Envoy answers those that are resumed in one callback each on top of the one before, and its stack has an end.
#[test]
fn a_crowd_that_waited_for_one_fetch_is_answered_whole() {
    const CONNECTIONS: usize = 8;
    const STREAMS: usize = 80;
    let upstream = Upstream::start();
    let server = KeyServer::start(Answer::keys([keys::old()]));
    let proxy = setup(&upstream, &server).policy("main", &policy(&json!({}))).start();
    assert_eq!(ask(&proxy, keys::old().token()), 200);
    server.answer(Answer::keys([keys::old(), keys::new()]).held());
    let mut crowd: Vec<_> = (0..CONNECTIONS).map(|_| proxy.client("main").connection().unwrap()).collect();
    let mut waiting = Vec::new();
    for number in 0..CONNECTIONS * STREAMS {
        // One in eight names the key that comes.
        let token = if number % 8 == 7 { keys::new().token().to_owned() } else { nobody(number) };
        let connection = number % CONNECTIONS;
        waiting.push((number, crowd[connection].begin(&document(&token).fields(), true).unwrap()));
    }
    eventually("a crowd that waits", || (proxy.in_flight("main") == waiting.len() as u64).then_some(()));
    server.release();
    for (number, id) in waiting {
        let answer = crowd[number % CONNECTIONS].answer(id).unwrap();
        let expected = if number % 8 == 7 { 200 } else { 401 };
        assert_eq!(answer.status, expected, "request {number}: {}", answer.text());
    }
    assert_eq!(proxy.metric("portcullis_denied"), (CONNECTIONS * STREAMS * 7 / 8) as f64);
    assert_eq!(server.count(PATH), 2);
    healthy(&proxy);
}

/// A key without an id may have signed any token; that it did not is no proof that nobody has.
#[test]
fn a_new_key_is_looked_for_beside_one_without_an_id() {
    let nameless = |pair: &keys::Pair| {
        let mut set = keys::set([pair]);
        set["keys"][0].as_object_mut().unwrap().remove("kid");
        set["keys"][0].take()
    };
    // Of the new one's type: any other is not tried.
    let own = keys::by_algorithm().into_iter().find(|pair| pair.kid == "ES256").unwrap();
    let upstream = Upstream::start();
    let server = KeyServer::start(Answer::json(&json!({"keys": [nameless(own)]})));
    let proxy = setup(&upstream, &server).policy("main", &policy(&json!({}))).start();
    let mut bench = Bench::new("beside a key without an id", &proxy, "main", &upstream);
    bench.row("its own", &document(own.token()), &Expect::allow("role_allowed"));
    let mut both = keys::set([keys::new()]);
    both["keys"].as_array_mut().unwrap().push(nameless(own));
    server.answer(Answer::json(&both));
    bench.row("the new one's", &document(keys::new().token()), &Expect::allow("role_allowed").record("kid", "new"));
    bench.finish();
    assert_eq!(server.count(PATH), 2);
}

#[test]
fn a_flood_of_unknown_keys_is_no_flood_of_fetches() {
    const CONNECTIONS: usize = 16;
    const REQUESTS: usize = 40;
    let upstream = Upstream::start();
    let server = KeyServer::start(Answer::keys([keys::old()]));
    let policy = policy(&json!({"timeout": "300ms"}));
    let proxy = setup(&upstream, &server).concurrency(4).policy("main", &policy).start();
    everywhere(&proxy, keys::old().token(), 200);
    assert_eq!(server.count(PATH), 1, "the first");
    upstream.take();
    let address = proxy.address("main");
    let began = Instant::now();
    std::thread::scope(|scope| {
        for connection in 0..CONNECTIONS {
            scope.spawn(move || {
                let mut client = Client::new(address);
                let mut number = connection * 1_000_000;
                // Long enough for several looks.
                while number % 1_000_000 < REQUESTS || began.elapsed() < APART * 2 {
                    let response = client.send(&document(&nobody(number)));
                    assert_eq!(response.status, 401, "{}", response.text());
                    number += 1;
                }
            });
        }
    });
    let looks: Vec<_> = server.fetches()[1..].iter().map(|fetch| fetch.at).collect();
    assert!(!looks.is_empty(), "nobody looked");
    for pair in looks.windows(2) {
        let apart = pair[1] - pair[0];
        // The moment it is counted from is not the one it arrives at.
        assert!(apart >= APART.mul_f32(0.95), "{} looks, two of them {apart:?} apart", looks.len());
    }
    assert!(upstream.take().is_empty(), "one of them got through");
    assert_eq!(ask(&proxy, keys::old().token()), 200);
    let refused: f64 = proxy
        .metrics()
        .into_iter()
        .filter(|(name, _)| name.starts_with("portcullis_requests{") && name.contains(r#"reason="token_unknown_key""#))
        .map(|(_, count)| count)
        .sum();
    let denied = proxy.metric("portcullis_denied");
    assert!(refused == denied && refused >= (CONNECTIONS * REQUESTS) as f64, "{refused} of {denied} for that reason");
    healthy(&proxy);
}
