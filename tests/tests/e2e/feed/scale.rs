//! A feed of a million revoked tokens and a hundred thousand API keys.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use super::{ada, everywhere, healthy, policy};
use crate::e2e::setup;
use crate::harness::client::Request;
use crate::harness::feed::{FULL, Feed, api_key};
use crate::harness::jwks::KeyServer;
use crate::harness::upstream::Upstream;

const REVOKED: u32 = 1_000_000;
const KEYS: u32 = 100_000;
const MIB: u64 = 1024 * 1024;

#[test]
fn a_million_entries_are_taken_in_between_requests() {
    let upstream = Upstream::start();
    let mut server = KeyServer::start_down();
    server.on(FULL, Feed::full(1).answer());
    server.up();
    let changes = json!({"timeout": "10s"});
    let proxy =
        setup(&upstream).cluster("feed", server.address).concurrency(2).policy("main", &policy(&changes)).start();
    everywhere(&proxy, &ada(), 200);
    let began = Instant::now();
    let large = Feed::full(2).revoked_many(REVOKED).api_keys_many(KEYS).revoked("ada-1").file();
    let (made, bytes, before) = (began.elapsed(), large.len(), proxy.resident());
    let key = Request::get("/me").header("x-api-key", api_key(1000 + KEYS / 2));
    let done = AtomicBool::new(false);
    // Asks all the while, on a connection to one of the workers, how long it takes.
    let slowest = std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut client = proxy.client("main");
            let mut slowest = Duration::ZERO;
            while !done.load(Ordering::SeqCst) {
                let sent = Instant::now();
                client.send(&Request::get("/open"));
                slowest = slowest.max(sent.elapsed());
            }
            slowest
        });
        let published = Instant::now();
        server.on(FULL, crate::harness::feed::served(2, &large));
        everywhere(&proxy, &key, 200);
        eprintln!("obeyed by every worker after {:?}", published.elapsed());
        done.store(true, Ordering::SeqCst);
        asking.join().unwrap()
    });
    everywhere(&proxy, &ada(), 401);
    let grown = proxy.resident().saturating_sub(before) / MIB;
    eprintln!("{bytes} bytes, made in {made:?}; slowest answer meanwhile {slowest:?}; {grown} MiB more, two workers");
    assert!(bytes as u64 <= u64::from(REVOKED) * 24 + u64::from(KEYS) * 100, "{bytes} bytes");
    // Busy machines make everybody wait; what a worker does at one go is far below this.
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    healthy(&proxy);
}
