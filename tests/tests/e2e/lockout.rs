//! Callers that fail too often, on four workers at once.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::{Value, json};

use super::feed::{four_workers, healthy};
use super::setup;
use crate::harness::client::{Client, Request, fetch};
use crate::harness::eventually;
use crate::harness::feed::{self, FULL, Feed};
use crate::harness::jwks::KeyServer;
use crate::harness::policy;
use crate::harness::proxy::Proxy;
use crate::harness::token::Token;
use crate::harness::upstream::{Reply, Upstream};

const MAX_FAILURES: usize = 10;

fn policy(changes: &Value) -> Value {
    let mut policy = policy::with_routes(json!([
        {"name": "open", "match": {"path": "/open"}, "access": "public"},
        {"name": "login", "match": {"path": "/login"}, "access": "public"},
        {"name": "me", "match": {"path": "/me"}, "access": "authenticated"},
    ]));
    policy["lockout"] = json!({"max_failures": MAX_FAILURES, "window": "10m", "duration": "10m"});
    policy["lockout"].as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    policy
}

fn workers(upstream: &Upstream, policy: &Value) -> Proxy {
    setup(upstream).concurrency(4).policy("main", policy).start()
}

/// What `count` requests were answered that came over eight connections at a time.
fn attack(address: SocketAddr, count: usize, request: impl Fn(usize) -> Request + Sync) -> BTreeMap<u16, usize> {
    let request = &request;
    let threads: Vec<Vec<u16>> = std::thread::scope(|scope| {
        let attack = |thread: usize| {
            move || (0..count / 8).map(|number| fetch(address, &request(thread * count + number)).status).collect()
        };
        let threads: Vec<_> = (0..8).map(|thread| scope.spawn(attack(thread))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut statuses = BTreeMap::new();
    for status in threads.into_iter().flatten() {
        *statuses.entry(status).or_default() += 1;
    }
    statuses
}

fn forged() -> Request {
    Request::get("/me").bearer(&Token::of("ada", "viewer").forged())
}

#[test]
fn guessed_tokens_lock_their_sender_out_on_every_worker() {
    let upstream = Upstream::start();
    let proxy = workers(&upstream, &policy(&json!({})));
    let address = proxy.address("main");
    let good = Request::get("/me").bearer(&Token::of("ada", "viewer").mint());
    assert_eq!(fetch(address, &good).status, 200);
    let statuses = attack(address, 400, |_| forged());
    let answered: usize = statuses.iter().filter(|(status, _)| **status != 429).map(|(_, count)| count).sum();
    eprintln!("400 guesses: {statuses:?}");
    assert!((MAX_FAILURES..=MAX_FAILURES + 4).contains(&answered), "{statuses:?}");
    let locked = fetch(address, &good);
    assert_eq!(locked.status, 429, "a good token is not looked at");
    let wait: u32 = locked.headers.one("retry-after").unwrap().parse().unwrap();
    assert!((1..=600).contains(&wait), "{wait}");
    assert!(!locked.headers.has("www-authenticate"));
    assert_eq!(fetch(address, &Request::get("/open")).status, 200, "public");
    assert_eq!(fetch(address, &Request::get("/me")).status, 401, "without credentials");
    healthy(&proxy);
}

#[test]
fn guessed_api_keys_count_too() {
    let upstream = Upstream::start();
    let mut server = KeyServer::start_down();
    server.on(FULL, Feed::full(1).api_key(1, "robot", &["viewer"]).answer());
    server.up();
    let mut policy = policy(&json!({}));
    policy["identity_feed"] = feed::source(&json!({}));
    policy["api_keys"] = json!({"header": "x-api-key"});
    let proxy = four_workers(&upstream, &server, &policy);
    let good = Request::get("/me").header("x-api-key", feed::api_key(1));
    super::feed::everywhere(&proxy, &good, 200);
    let guess = |number: usize| {
        Request::get("/me").header("x-api-key", feed::wrong_api_key(u32::try_from(number % 2).unwrap()))
    };
    let statuses = attack(proxy.address("main"), 200, guess);
    let answered: usize = statuses.iter().filter(|(status, _)| **status != 429).map(|(_, count)| count).sum();
    assert!((MAX_FAILURES..=MAX_FAILURES + 4).contains(&answered), "{statuses:?}");
    assert_eq!(fetch(proxy.address("main"), &good).status, 429);
    healthy(&proxy);
}

/// Passwords are checked behind the proxy, which learns of it by the answer.
#[test]
fn failed_sign_ins_of_the_upstream_count_however_many_at_once() {
    let upstream = Upstream::start();
    upstream.on("/login", Reply::new(401));
    let proxy = workers(&upstream, &policy(&json!({"login_routes": ["login"]})));
    let statuses = attack(proxy.address("main"), 400, |_| Request::new("POST", "/login"));
    eprintln!("400 sign-ins: {statuses:?}");
    let answered: usize = statuses.iter().filter(|(status, _)| **status != 429).map(|(_, count)| count).sum();
    assert!((1..=MAX_FAILURES + 4).contains(&answered), "{statuses:?}");
    let seen = upstream.take().len();
    assert!(seen <= MAX_FAILURES + 4, "{seen} passwords were tried");
    eventually("the lock", || {
        (fetch(proxy.address("main"), &Request::new("POST", "/login")).status == 429).then_some(())
    });
    healthy(&proxy);
}

#[test]
fn sign_ins_that_succeed_do_not_count() {
    let upstream = Upstream::start();
    let proxy = workers(&upstream, &policy(&json!({"login_routes": ["login"]})));
    let address = proxy.address("main");
    for attempt in 0..5 * MAX_FAILURES {
        assert_eq!(fetch(address, &Request::new("POST", "/login")).status, 200, "attempt {attempt}");
    }
    healthy(&proxy);
}

/// With accounts in the key, who fails in one name is not locked out under another.
#[test]
fn accounts_tell_callers_of_one_address_apart() {
    let upstream = Upstream::start();
    let proxy = workers(&upstream, &policy(&json!({"key": ["ip", "account"]})));
    let address = proxy.address("main");
    let statuses = attack(address, 160, |_| forged());
    assert!(statuses.get(&429).is_some_and(|locked| *locked > 100), "{statuses:?}");
    let bob = Request::get("/me").bearer(&Token::of("bob", "viewer").mint());
    assert_eq!(fetch(address, &bob).status, 200);
    healthy(&proxy);
}

/// Whoever has a hundred thousand addresses fills the counters that there are, and gets no more of them.
#[test]
fn an_attacker_with_many_addresses_takes_bounded_memory_and_locks_nobody_out() {
    const ADDRESSES: u32 = 100_000;
    const THREADS: u32 = 8;
    let upstream = Upstream::start();
    let proxy = setup(&upstream)
        .concurrency(4)
        .policy("main", &policy(&json!({})))
        .manager(&json!({"use_remote_address": true, "xff_num_trusted_hops": 1}))
        .start();
    let address = proxy.address("main");
    let from = |client: u32, request: Request| {
        let [_, high, middle, low] = client.to_be_bytes();
        request.header("x-forwarded-for", format!("10.{high}.{middle}.{low}"))
    };
    let token = Token::of("ada", "viewer").forged();
    let flood = |clients: std::ops::Range<u32>| {
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let (clients, token) = (clients.clone(), &token);
                scope.spawn(move || {
                    let mut connection = Client::new(address);
                    for client in clients.skip(thread as usize).step_by(THREADS as usize) {
                        let status = connection.send(&from(client, Request::get("/me").bearer(token))).status;
                        assert_eq!(status, 401, "client {client} has not guessed before");
                    }
                });
            }
        });
    };
    // Enough for most slots to be there, and for each worker to have what it needs anyway.
    flood(0..ADDRESSES / 5);
    let before = proxy.resident();
    flood(ADDRESSES / 5..ADDRESSES);
    let grown = proxy.resident().saturating_sub(before);
    eprintln!("{grown} bytes more after {} more addresses", ADDRESSES / 5 * 4);
    // What is bounded at 2 MiB, and what four workers and a log need besides.
    assert!(grown < 8 * 1024 * 1024, "{grown} bytes");
    let good = from(250 << 16, Request::get("/me").bearer(&Token::of("bob", "viewer").mint()));
    assert_eq!(fetch(address, &good).status, 200, "somebody else is not locked out");
    healthy(&proxy);
}
