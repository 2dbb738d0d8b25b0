//! The harness on an Envoy without the module: what the other tests take for granted.

use super::bootstrap::Delivery;
use super::client::Request;
use super::proxy::Setup;
use super::upstream::{Reply, Upstream};

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
fn the_clock_stands_still() {
    let upstream = Upstream::start();
    let proxy = Setup::before(&upstream).bare("main").clock(1_750_000_000).start();
    let date = proxy.client("main").send(&Request::get("/")).headers.one("date");
    assert_eq!(date.as_deref(), Some("Sun, 15 Jun 2025 15:06:40 GMT"));
}
