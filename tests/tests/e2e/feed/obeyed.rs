//! What the feed says, and how soon it is done.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{ada, counted, everywhere, four_workers, healthy, policy};
use crate::harness::client::{Request, fetch};
use crate::harness::feed::{self, DELTA, FULL, Feed};
use crate::harness::jwks::{Answer, KeyServer};
use crate::harness::token::{Token, now};
use crate::harness::upstream::Upstream;

/// What the tests' policies poll at.
const INTERVAL: Duration = Duration::from_secs(1);

fn server(feed: Feed) -> KeyServer {
    let mut server = KeyServer::start_down();
    server.on(FULL, feed.answer());
    server.up();
    server
}

#[test]
fn what_is_switched_off_is_off_within_an_interval_and_a_second() {
    let upstream = Upstream::start();
    let server = server(Feed::full(1));
    let proxy = four_workers(&upstream, &server, &policy(&json!({})));
    let voided = now() - 5;
    let made = |at: i64| Request::get("/me").bearer(&Token::of("ada", "viewer").claim("iat", at).mint());
    let (other, newer) = (made(voided - 1), made(voided));
    everywhere(&proxy, &ada(), 200);
    let mut slowest = Duration::ZERO;
    let mut step = |version: u64, feed: &dyn Fn(Feed) -> Feed, request: &Request, status: u16| {
        let published = Instant::now();
        server.on(FULL, feed(Feed::full(version)).answer());
        everywhere(&proxy, request, status);
        slowest = slowest.max(published.elapsed());
    };
    step(2, &|feed| feed.disabled("ada"), &ada(), 401);
    step(3, &|feed| feed, &ada(), 200);
    step(4, &|feed| feed.revoked("ada-1"), &ada(), 401);
    everywhere(&proxy, &other, 200);
    step(5, &|feed| feed.void_before("ada", voided), &other, 401);
    everywhere(&proxy, &newer, 200);
    step(6, &|feed| feed.api_key(1, "ada", &["admin"]), &ada(), 200);
    eprintln!("every worker obeyed within {slowest:?} of the change, at an interval of {INTERVAL:?}");
    assert!(slowest <= INTERVAL + Duration::from_secs(1), "{slowest:?}");
    counted(&proxy, "applied", 6.0);
    // Shown at the next tick.
    counted(&proxy, "version", 6.0);
    assert_eq!(proxy.metric("portcullis_feed_rejected"), 0.0);
    healthy(&proxy);
}

#[test]
fn one_fetch_serves_every_worker_and_an_unchanged_feed_is_not_sent_again() {
    let upstream = Upstream::start();
    let server = server(Feed::full(7));
    let proxy = four_workers(&upstream, &server, &policy(&json!({})));
    everywhere(&proxy, &ada(), 200);
    counted(&proxy, "fetch_success", 3.0);
    let fetches = server.fetches();
    assert_eq!(fetches[0].headers.one("if-none-match"), None);
    for later in &fetches[1..] {
        assert_eq!(later.headers.one("if-none-match").as_deref(), Some("\"7\""));
    }
    for pair in fetches.windows(2).skip(1) {
        let apart = pair[1].at - pair[0].at;
        assert!(apart >= INTERVAL.mul_f32(0.9), "{apart:?} between two fetches: one at a time, for all workers");
    }
    assert_eq!(proxy.metric("portcullis_feed_applied"), 1.0);
    healthy(&proxy);
}

#[test]
fn deltas_follow_the_full_feed_and_a_gap_asks_for_it_again() {
    let upstream = Upstream::start();
    let server = server(Feed::full(10).disabled("eve"));
    server.on(DELTA, Feed::delta(11, 10).disabled("ada").enabled_again("eve").answer());
    let proxy = four_workers(&upstream, &server, &policy(&json!({"delta_path": DELTA})));
    let eve = Request::get("/me").bearer(&Token::of("eve", "viewer").mint());
    everywhere(&proxy, &ada(), 401);
    everywhere(&proxy, &eve, 200);
    assert_eq!(server.count(FULL), 1, "from then on it is the delta that is polled");
    server.on(DELTA, Feed::delta(12, 10).answer());
    everywhere(&proxy, &ada(), 200);
    everywhere(&proxy, &eve, 401);
    // Another full feed was made meanwhile, and the delta says nothing of what was before it.
    server.on(FULL, Feed::full(20).disabled("ada").answer());
    server.on(DELTA, Feed::delta(21, 20).disabled("eve").answer());
    everywhere(&proxy, &ada(), 401);
    everywhere(&proxy, &eve, 401);
    assert_eq!(server.count(FULL), 2);
    counted(&proxy, "version", 21.0);
    healthy(&proxy);
}

/// Made by the program that the documentation shows.
#[test]
fn others_can_make_feeds() {
    let upstream = Upstream::start();
    let server = server(Feed::full(1));
    let proxy = four_workers(&upstream, &server, &policy(&json!({})));
    everywhere(&proxy, &ada(), 200);
    server.on(FULL, feed::served(2, feed::documented(2, "eve", "ada-1")));
    everywhere(&proxy, &ada(), 401);
    everywhere(&proxy, &Request::get("/me").bearer(&Token::of("eve", "viewer").mint()), 401);
    everywhere(&proxy, &Request::get("/me").bearer(&Token::of("bob", "viewer").mint()), 200);
    healthy(&proxy);
}

#[test]
fn roles_come_from_the_feed() {
    let upstream = Upstream::start();
    let server = server(Feed::full(1).roles("ada", &["admin"]));
    let mut policy = policy(&json!({}));
    policy["providers"][0]["roles_from"] = json!({"feed": true});
    let proxy = four_workers(&upstream, &server, &policy);
    let token = Token::of("ada", "viewer").claim("role", json!(null)).mint();
    let admin = Request::get("/admin").bearer(&token);
    everywhere(&proxy, &admin, 200);
    let seen = upstream.take();
    assert_eq!(seen[0].headers.one("x-user-role").as_deref(), Some("admin"));
    server.on(FULL, Feed::full(2).roles("ada", &["viewer"]).answer());
    everywhere(&proxy, &admin, 403);
    healthy(&proxy);
}

#[test]
fn public_routes_and_callers_without_credentials_do_not_wait_for_it() {
    let upstream = Upstream::start();
    let server = KeyServer::start(Answer::closed());
    let proxy = four_workers(&upstream, &server, &policy(&json!({})));
    let address = proxy.address("main");
    everywhere(&proxy, &Request::get("/open"), 200);
    everywhere(&proxy, &ada(), 503);
    let answer = fetch(address, &ada());
    assert_eq!(answer.headers.one("retry-after").as_deref(), Some("2"));
    everywhere(&proxy, &Request::get("/me"), 401);
    everywhere(&proxy, &Request::get("/admin").header("x-api-key", feed::api_key(1)), 503);
    healthy(&proxy);
}
