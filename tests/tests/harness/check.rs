//! The harness on an Envoy without the module: what the other tests take for granted.

use serde_json::json;

use super::bootstrap::Delivery;
use super::client::{Client, Request, fetch};
use super::clock::rfc3339;
use super::jwks::{self, Answer, KeyServer};
use super::load::Load;
use super::proxy::Setup;
use super::upstream::{Reply, Upstream};
use super::{eventually, keys};

#[test]
fn a_bare_proxy_passes_everything_on() {
    let upstream = Upstream::start();
    upstream.on("/chunked", Reply::new(502).header("server", "own").body("one two three").chunked());
    for delivery in [Delivery::Static, Delivery::Lds] {
        let proxy = Setup::before(&upstream).bare("main").delivery(delivery).start();
        let mut client = proxy.client("main");
        let mut audit = proxy.audit("main");
        for (method, body) in [("GET", "one two three"), ("HEAD", ""), ("POST", "one two three")] {
            let request = Request::new(method, "/chunked?a=%2f..")
                .header("x-bytes", b"\x80\xff")
                .header("X-Twice", "1")
                .header("x-twice", "2");
            let response = client.send(&request.body("text/plain", "hello"));
            assert_eq!((response.status, response.text().as_str()), (502, body));
            assert_eq!(response.headers.all("server"), ["own"]);
            let seen = upstream.take();
            assert_eq!(seen.len(), 1);
            assert_eq!((seen[0].method.as_str(), seen[0].target.as_str()), (method, "/chunked?a=%2f.."));
            assert_eq!(seen[0].body, b"hello");
            assert_eq!(seen[0].headers.all("x-twice"), ["1", "2"]);
            assert!(seen[0].headers.0.contains(&("x-bytes".to_owned(), b"\x80\xff".to_vec())));
            assert!(audit.next().is_none(), "no filter, no record");
        }
    }
}

#[test]
fn moments_are_written_as_they_are_read() {
    for (seconds, written) in [
        (0, "1970-01-01T00:00:00Z"),
        (951_782_399, "2000-02-28T23:59:59Z"),
        (951_782_400, "2000-02-29T00:00:00Z"),
        (1_750_000_000, "2025-06-15T15:06:40Z"),
        (1_796_083_200, "2026-12-01T00:00:00Z"),
    ] {
        assert_eq!(rfc3339(seconds), written);
    }
}

#[test]
fn the_key_server_does_as_it_is_told() {
    let set = keys::set([keys::old(), keys::new()]);
    let mut server = KeyServer::start(Answer::json(&set));
    let ask = |address| Client::new(address).try_send(&Request::get(jwks::PATH));
    assert_eq!(ask(server.address).unwrap().json(), set);
    assert_eq!(fetch(server.address, &Request::get("/other")).status, 404);

    server.down();
    assert!(ask(server.address).is_err(), "it is down, and answered");
    server.answer(Answer::bytes("{}").status(500).held());
    server.up();
    let address = server.address;
    let held = std::thread::spawn(move || Client::new(address).try_send(&Request::get(jwks::PATH)));
    server.await_fetches(2);
    assert!(!held.is_finished(), "it is held, and answered");
    server.release();
    assert_eq!(held.join().unwrap().unwrap().status, 500);

    server.answer(Answer::closed());
    assert!(ask(server.address).is_err(), "it hangs up, and answered");
    let paths: Vec<_> = server.fetches().into_iter().map(|fetch| fetch.path).collect();
    assert_eq!(paths, [jwks::PATH, "/other", jwks::PATH, jwks::PATH]);
}

#[test]
fn a_proxy_reaches_its_clusters_and_hangs_up_with_its_client() {
    let server = KeyServer::start(Answer::json(&json!({})).held());
    let upstream = Upstream::at(server.address);
    let proxy = Setup::before(&upstream).cluster("more", server.address).bare("main").start();
    let mut client = proxy.client("main");
    client.begin(&Request::get(jwks::PATH)).unwrap();
    server.await_fetches(1);
    assert_eq!(proxy.in_flight("main"), 1);
    drop(client);
    eventually("nothing in flight", || (proxy.in_flight("main") == 0).then_some(()));
}

#[test]
fn load_counts_what_fails() {
    let upstream = Upstream::start();
    let load = Load::start(upstream.address, 3, |_| Request::get("/"));
    load.go_on(20);
    load.finish("good requests");
    upstream.on("/bad", Reply::new(500));
    let load = Load::start(upstream.address, 1, |number| Request::get(if number == 2 { "/bad" } else { "/" }));
    load.go_on(5);
    let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| load.finish("a bad request")));
    assert!(told.is_err(), "a failure went unnoticed");
}

#[test]
fn the_clock_stands_still() {
    let upstream = Upstream::start();
    let proxy = Setup::before(&upstream).bare("main").clock(1_750_000_000).start();
    let date = proxy.client("main").send(&Request::get("/")).headers.one("date");
    assert_eq!(date.as_deref(), Some("Sun, 15 Jun 2025 15:06:40 GMT"));
}
