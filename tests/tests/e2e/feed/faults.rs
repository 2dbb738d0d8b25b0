//! What a server may do wrong. The last good feed stays whole, and `on_stale` says for how long.

use std::time::Duration;

use serde_json::json;

use super::{ada, counted, everywhere, four_workers, healthy, logged, policy};
use crate::harness::client::{Request, fetch};
use crate::harness::eventually;
use crate::harness::feed::{DELTA, FULL, Feed, served};
use crate::harness::jwks::{Answer, KeyServer};
use crate::harness::proxy::Proxy;
use crate::harness::table::Table;
use crate::harness::token::Token;
use crate::harness::upstream::Upstream;

fn server() -> KeyServer {
    let mut server = KeyServer::start_down();
    server.on(FULL, Feed::full(10).disabled("eve").answer());
    server.up();
    server
}

fn eve() -> Request {
    Request::get("/me").bearer(&Token::of("eve", "viewer").mint())
}

/// That the first feed is in force, and nothing of another.
fn as_before(proxy: &Proxy) -> bool {
    let address = proxy.address("main");
    (0..12).all(|_| fetch(address, &ada()).status == 200 && fetch(address, &eve()).status == 401)
}

/// Each of these would switch `ada` off, were any of it believed.
#[test]
fn a_bad_feed_is_refused_whole() {
    let upstream = Upstream::start();
    let server = server();
    let proxy = four_workers(&upstream, &server, &policy(&json!({})));
    everywhere(&proxy, &eve(), 401);
    let bad = || Feed::full(11).disabled("ada");
    let whole = bad().file();
    let rows: Vec<(&str, Answer, &str)> = vec![
        ("cut off by the server", served(11, &whole[..whole.len() - 10]), "bytes of content"),
        ("of another content", served(11, changed(&whole)), "not what was signed"),
        ("of a wrong signature", served(11, bad().forged()), "wrong signature"),
        ("an older version", Feed::full(9).disabled("ada").answer(), "versions do not go back"),
        ("not a feed", served(11, "<html>"), "first line"),
        ("a token in its place", served(11, format!("{}\n", Token::of("ada", "viewer").mint())), "`typ`"),
        ("a delta in its place", Feed::delta(11, 10).disabled("ada").answer(), "a delta where"),
        ("subjects twice", served(11, duplicate()), "the same again"),
        ("of the next layout", served(11, bad().of_content(|content| content[6] = b'2')), "another layout"),
    ];
    let mut table = Table::new("bad feeds");
    let mut refused = 0.0;
    for (name, answer, words) in rows {
        server.on(FULL, answer);
        refused += 1.0;
        let counted = || (proxy.metric("portcullis_feed_rejected") >= refused).then_some(());
        eventually(name, counted);
        refused = proxy.metric("portcullis_feed_rejected");
        table.holds(name, proxy.log().contains(words), || format!("the log does not say `{words}`"));
        table.holds(name, as_before(&proxy), || "it was obeyed".to_owned());
    }
    // The same file, again and again: counted each time, and told once.
    let before = proxy.metric("portcullis_feed_rejected");
    counted(&proxy, "rejected", before + 2.0);
    let told = proxy.log().matches("another layout").count();
    table.holds("told once", told == 1, || format!("told {told} times"));
    assert_eq!(proxy.metric("portcullis_feed_version"), 10.0);
    assert_eq!(proxy.metric("portcullis_feed_applied"), 1.0);
    server.on(FULL, bad().answer());
    everywhere(&proxy, &ada(), 401);
    table.finish();
    healthy(&proxy);
}

fn changed(file: &[u8]) -> Vec<u8> {
    let mut file = file.to_vec();
    *file.last_mut().unwrap() ^= 1;
    file
}

/// Two rows for one subject, as no encoder of ours writes them.
fn duplicate() -> Vec<u8> {
    Feed::full(11).disabled("ada").disabled("bob").of_content(|content| content.copy_within(32..48, 56))
}

#[test]
fn a_server_that_does_not_serve_changes_nothing() {
    let upstream = Upstream::start();
    let mut server = server();
    let proxy = four_workers(&upstream, &server, &policy(&json!({"timeout": "300ms"})));
    everywhere(&proxy, &eve(), 401);
    let mut table = Table::new("faults of the server");
    let mut failures = proxy.metric("portcullis_feed_fetch_failed");
    let mut fails = |name: &str, proxy: &Proxy| {
        let count = || proxy.metric("portcullis_feed_fetch_failed");
        eventually(name, || (count() >= failures + 1.0).then_some(()));
        failures = count();
        table.holds(name, as_before(proxy), || "not as before".to_owned());
    };
    let good = || Feed::full(11).disabled("ada").answer();
    for (name, answer) in [
        ("slow", good().slow(Duration::from_secs(5))),
        ("silent", good().held()),
        ("closed", Answer::closed()),
        ("closed within the body", good().cut(10)),
        ("an error", good().status(500)),
        ("a redirect", good().status(302).header("location", "/other")),
        ("not modified, though nothing was said to be known", Answer::bytes("").status(404)),
        ("50 MB", served(11, vec![b'a'; 50_000_000])),
    ] {
        server.on(FULL, answer);
        fails(name, &proxy);
        server.release();
    }
    server.down();
    fails("down", &proxy);
    table.finish();
    assert_eq!(proxy.metric("portcullis_feed_version"), 10.0);
    server.on(FULL, good());
    server.up();
    everywhere(&proxy, &ada(), 401);
    healthy(&proxy);
}

#[test]
fn a_gap_changes_nothing_until_the_full_feed_is_there() {
    let upstream = Upstream::start();
    let server = server();
    server.on(DELTA, Feed::delta(20, 15).disabled("ada").answer());
    let proxy = four_workers(&upstream, &server, &policy(&json!({"delta_path": DELTA})));
    everywhere(&proxy, &eve(), 401);
    counted(&proxy, "rejected", 2.0);
    logged(&proxy, "a delta on version 15, and the full feed at hand is 10");
    assert!(as_before(&proxy));
    server.on(FULL, Feed::full(15).answer());
    everywhere(&proxy, &ada(), 401);
    everywhere(&proxy, &eve(), 200);
    healthy(&proxy);
}

#[test]
fn a_feed_that_grows_too_old_denies_or_serves_as_the_policy_says() {
    let upstream = Upstream::start();
    for (on_stale, status) in [("deny", 503), ("serve", 200)] {
        let mut server = server();
        let changes = json!({"interval": "500ms", "timeout": "200ms", "stale_after": "1s", "on_stale": on_stale});
        let proxy = four_workers(&upstream, &server, &policy(&changes));
        everywhere(&proxy, &ada(), 200);
        server.down();
        logged(&proxy, "is missing or too old");
        everywhere(&proxy, &ada(), status);
        everywhere(&proxy, &eve(), if status == 200 { 401 } else { 503 });
        everywhere(&proxy, &Request::get("/open"), 200);
        eventually("its age", || (proxy.metric("portcullis_feed_age_seconds") >= 1.0).then_some(()));
        server.up();
        everywhere(&proxy, &ada(), 200);
        everywhere(&proxy, &eve(), 401);
        healthy(&proxy);
    }
}

/// Its own time may be over before that, however often it is served.
#[test]
fn a_feed_past_its_own_time_is_too_old() {
    let upstream = Upstream::start();
    let server = server();
    let proxy = four_workers(&upstream, &server, &policy(&json!({})));
    everywhere(&proxy, &ada(), 200);
    server.on(FULL, Feed::full(11).expires(crate::harness::token::now() - 1).answer());
    everywhere(&proxy, &ada(), 503);
    server.on(FULL, Feed::full(12).expires(crate::harness::token::now() + 3600).answer());
    everywhere(&proxy, &ada(), 200);
    healthy(&proxy);
}
