//! What requests bring along: parameters and bodies, judged before anything of them goes on.

use serde_json::{Value, json};

use crate::harness::bench::Bench;
use crate::harness::client::{Protocol, Request};
use crate::harness::eventually;
use crate::harness::expect::Expect;
use crate::harness::policy;
use crate::harness::proxy::Proxy;
use crate::harness::token::Token;
use crate::harness::upstream::Upstream;

use super::setup;

const LIMIT: usize = 1000;

fn routes() -> Value {
    json!([
        {"name": "search", "match": {"path": "/search/{id}", "methods": ["GET"]}, "access": "public", "input": {
            "query": {"page": {"type": "integer", "minimum": 1}, "email": {"type": "string", "format": "email"}},
            "path": {"id": {"type": "string", "format": "uuid"}},
            "headers": {"x-tenant": {"type": "string", "maxLength": 8}},
            "additional": "deny",
        }},
        {"name": "register", "match": {"path": "/users"}, "access": "roles", "roles": ["admin"], "input": {
            "content_types": ["application/json"],
            "max_body_bytes": LIMIT,
            "body": {"schema": {
                "type": "object", "required": ["email", "role"], "additionalProperties": false,
                "properties": {"email": {"type": "string", "format": "email"}, "role": {"enum": ["admin", "viewer"]}},
            }},
        }},
    ])
}

fn start(upstream: &Upstream) -> Proxy {
    setup(upstream).stop_iteration().policy("main", &policy::with_routes(routes())).start()
}

/// What a 422 says is wrong.
fn told(response: &crate::harness::client::Response) -> Vec<String> {
    let errors = response.json()["errors"].as_array().cloned().unwrap_or_default();
    errors
        .iter()
        .map(|error| format!("{}{}", error["in"].as_str().unwrap(), error["pointer"].as_str().unwrap()))
        .collect()
}

#[test]
fn parameters_are_judged() {
    let upstream = Upstream::start();
    let proxy = start(&upstream);
    let mut bench = Bench::new("parameters", &proxy, "main", &upstream);
    let id = "2e1b0e3a-4f0b-4c52-8d2b-2d1f7c5f0a11";
    let rows = [
        (format!("/search/{id}"), vec![]),
        (format!("/search/{id}?page=2&email=a%40example.com"), vec![]),
        (format!("/search/{id}?page=0"), vec!["query/page"]),
        (format!("/search/{id}?page=1&page=1"), vec!["query/page"]),
        (format!("/search/{id}?debug=hunter2"), vec!["query"]),
        ("/search/hunter2?page=x".to_owned(), vec!["query/page", "path/id"]),
    ];
    for protocol in Protocol::BOTH {
        bench = bench.over(protocol);
        for (target, wrong) in &rows {
            let exchange = bench.exchange(&Request::get(target));
            let status = if wrong.is_empty() { 200 } else { 422 };
            let found = if status == 422 { told(&exchange.response) } else { Vec::new() };
            let right = exchange.response.status == status
                && found == *wrong
                && exchange.seen.len() == usize::from(wrong.is_empty())
                && !exchange.response.text().contains("hunter2");
            bench.holds(target, right, || format!("{} {found:?} {:?}", exchange.response.status, exchange.seen));
        }
    }
    bench.finish();
}

#[test]
fn bodies_are_judged_whole_before_their_heads_go_on() {
    let upstream = Upstream::start();
    let proxy = start(&upstream);
    let mut bench = Bench::new("bodies", &proxy, "main", &upstream);
    let admin = Token::of("root", "admin").mint();
    let post = |kind: &str, body: &[u8]| Request::new("POST", "/users").bearer(&admin).body(kind, body);
    let good = br#"{"email": "a@example.com", "role": "viewer"}"#;
    let large = vec![b' '; LIMIT + 1];
    let json = "application/json";
    let allowed = Expect::allow("role_allowed");
    let refused = |status, reason| Expect::deny(status, reason).no_response("www-authenticate");
    for protocol in Protocol::BOTH {
        bench = bench.over(protocol);
        bench.row("good", &post(json, good), &allowed);
        bench.row("good, with parameters", &post("application/json; charset=utf-8", good), &allowed);
        bench.row("another kind", &post("text/plain", good), &refused(415, "media_type_unsupported"));
        bench.row(
            "another charset",
            &post("application/json; charset=utf-7", good),
            &refused(415, "media_type_unsupported"),
        );
        let packed = post(json, good).header("content-encoding", "gzip");
        bench.row("compressed, it says", &packed, &refused(415, "media_type_unsupported"));
        bench.row("too large", &post(json, &large), &refused(413, "body_too_large"));
        bench.row(
            "of nobody",
            &Request::new("POST", "/users").body(json, good),
            &Expect::deny(401, "credentials_missing"),
        );
        bench.row("without a body, of a method that needs none", &Request::get("/users").bearer(&admin), &allowed);
        for (body, wrong) in [
            (&b"{}"[..], vec!["body"]),
            (br#"{"email": "hunter2", "role": "viewer"}"#, vec!["body/email"]),
            (br#"{"email": "a@example.com", "role": "admin", "role": "viewer"}"#, vec!["body"]),
            (b"not json", vec!["body"]),
        ] {
            let exchange = bench.exchange(&post(json, body));
            let right = exchange.response.status == 422
                && told(&exchange.response) == wrong
                && exchange.seen.is_empty()
                && !exchange.response.text().contains("hunter2");
            bench.holds(&String::from_utf8_lossy(body), right, || format!("{:?}", exchange.response));
        }
    }
    bench.finish();
    assert!(proxy.vm_failures().is_empty());
}

/// In pieces, of no announced size: nothing reaches the upstream before the last piece is judged.
#[test]
fn pieces_wait_for_the_last_and_too_many_are_refused_at_once() {
    let upstream = Upstream::start();
    let proxy = start(&upstream);
    let admin = Token::of("root", "admin").mint();
    let head = || {
        let request = Request::new("POST", "/users").bearer(&admin).header("content-type", "application/json");
        request.header("transfer-encoding", "chunked")
    };
    let reached = || proxy.stats()["cluster.upstream.upstream_rq_total"];
    let received = || proxy.stats()["http.main.downstream_cx_rx_bytes_total"];
    let good = br#"{"email": "a@example.com", "role": "viewer"}"#;
    let (first, second) = good.split_at(20);
    let chunk = |piece: &[u8]| [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat();

    let mut client = proxy.client("main");
    client.begin(&head()).unwrap();
    let before = received();
    client.go_on(&chunk(first)).unwrap();
    eventually("the first piece", || (received() > before).then_some(()));
    assert_eq!(reached(), 0, "a piece took its head along");
    let response = client.finish("POST", &[chunk(second), b"0\r\n\r\n".to_vec()].concat()).unwrap();
    assert_eq!((response.status, upstream.take()[0].body.as_slice()), (200, &good[..]));

    let mut client = proxy.client("main");
    client.begin(&head()).unwrap();
    let response = client.finish("POST", &chunk(&vec![b' '; LIMIT + 1])).unwrap();
    assert_eq!(response.status, 413, "without waiting for the rest");
    let mut gone = proxy.client("main");
    gone.begin(&head()).unwrap();
    gone.go_on(&chunk(first)).unwrap();
    eventually("a request that waits", || (proxy.in_flight("main") == 1).then_some(()));
    drop(gone);
    eventually("its end", || (proxy.in_flight("main") == 0).then_some(()));
    assert_eq!(reached(), 1);
    let mut audit = proxy.audit("main");
    let reasons: Vec<_> = (0..3).map(|_| audit.next().unwrap().text("reason")).collect();
    assert_eq!(reasons, ["role_allowed", "body_too_large", "body_incomplete"]);
    assert!(proxy.vm_failures().is_empty());
}

/// In HTTP/2 a body says less of its size, and ends where its sender likes.
#[test]
fn pieces_wait_in_http2_too() {
    let upstream = Upstream::start();
    let proxy = start(&upstream);
    let admin = Token::of("root", "admin").mint();
    let head = Request::new("POST", "/users").bearer(&admin).header("content-type", "application/json");
    let of_length = |length: usize| head.clone().header("content-length", length.to_string()).fields();
    let reached = || proxy.stats()["cluster.upstream.upstream_rq_total"];
    let received = || proxy.stats()["http.main.downstream_cx_rx_bytes_total"];
    let good = br#"{"email": "a@example.com", "role": "viewer"}"#;
    let (first, second) = good.split_at(20);
    let mut audit = proxy.audit("main");
    let mut client = proxy.client("main").connection().unwrap();

    let waiting = client.begin(&head.fields(), false).unwrap();
    let before = received();
    client.data(waiting, first, false).unwrap();
    eventually("the first piece", || (received() > before).then_some(()));
    // Another stream of the connection does not wait for it.
    let other = client.begin(&Request::get("/users").bearer(&admin).fields(), true).unwrap();
    assert_eq!(client.answer(other).unwrap().status, 200, "beside a request that waits");
    assert_eq!((upstream.take().len(), reached()), (1, 1), "a piece took its head along");
    client.data(waiting, second, true).unwrap();
    assert_eq!(client.answer(waiting).unwrap().status, 200, "in pieces");
    assert_eq!(upstream.take()[0].body, good);
    for reason in ["role_allowed", "role_allowed"] {
        assert_eq!(audit.next().unwrap().text("reason"), reason);
    }

    let large = vec![b' '; LIMIT + 1];
    for (name, fields, body, ends, answer, reason) in [
        ("too large, unannounced", head.fields(), &large[..], false, Some(413), Some("body_too_large")),
        ("too large, announced", of_length(LIMIT + 1), b"", false, Some(413), Some("body_too_large")),
        ("ended by an empty frame", of_length(good.len()), good, false, Some(200), Some("role_allowed")),
        // RFC 9113 section 8.1.1: Envoy hangs up, and what the head promised is never judged.
        ("more than announced", of_length(5), good, true, None, Some("body_incomplete")),
        ("less than announced", of_length(500), good, true, None, Some("body_incomplete")),
        ("nothing, and some announced", of_length(500), b"", true, None, Some("body_incomplete")),
    ] {
        let mut client = proxy.client("main").connection().unwrap();
        let id = client.begin(&fields, false).unwrap();
        client.data(id, body, ends).unwrap();
        if !ends && answer == Some(200) {
            client.data(id, b"", true).unwrap();
        }
        let status = client.answer(id).ok().map(|response| response.status);
        assert_eq!((status, upstream.take().len()), (answer, usize::from(answer == Some(200))), "{name}");
        let record = audit.next().map(|record| record.text("reason"));
        assert_eq!(record.as_deref(), reason, "{name}");
    }

    let gone = client.begin(&head.fields(), false).unwrap();
    client.data(gone, first, false).unwrap();
    eventually("a request that waits", || (proxy.in_flight("main") == 1).then_some(()));
    client.reset(gone).unwrap();
    assert_eq!(audit.next().unwrap().text("reason"), "body_incomplete", "reset in its body");
    assert!(upstream.take().is_empty());
    let next = client.begin(&Request::get("/users").bearer(&admin).fields(), true).unwrap();
    assert_eq!(client.answer(next).unwrap().status, 200, "the connection goes on");
    assert!(proxy.vm_failures().is_empty());
}

/// An Envoy that does not let bodies come lets nothing of them pass.
#[test]
fn without_bodies_nothing_goes_on() {
    let upstream = Upstream::start();
    let proxy = setup(&upstream).request_timeout("1s").policy("main", &policy::with_routes(routes())).start();
    let admin = Token::of("root", "admin").mint();
    let body = br#"{"email": "a@example.com", "role": "viewer"}"#;
    let request = Request::new("POST", "/users").bearer(&admin).body("application/json", body);
    let mut client = proxy.client("main");
    client.begin(&request).unwrap();
    eventually("a request that waits", || (proxy.in_flight("main") == 1).then_some(()));
    drop(client);
    eventually("its end", || (proxy.in_flight("main") == 0).then_some(()));
    assert!(upstream.take().is_empty());
    assert_eq!(proxy.audit("main").next().unwrap().text("reason"), "body_incomplete");
}

/// What is told of mistakes takes memory, which a VM never gives back.
#[test]
fn very_many_mistakes_take_little_memory() {
    let upstream = Upstream::start();
    let routes = json!([{"name": "list", "match": {"path": "/list"}, "access": "public", "input": {
        "max_body_bytes": 1_048_576, "body": {"schema": {"items": {"type": "string"}}},
    }}]);
    let proxy = setup(&upstream).stop_iteration().policy("main", &policy::with_routes(routes)).start();
    let mut client = proxy.client("main");
    let mut told_of = |numbers: usize| {
        let body = format!("[{}]", vec!["1"; numbers].join(","));
        let response = client.send(&Request::new("POST", "/list").body("application/json", body));
        assert_eq!(response.status, 422, "{numbers}");
        told(&response).len()
    };
    assert_eq!(told_of(2), 2);
    let memory = proxy.resident();
    assert_eq!((told_of(99_999), told_of(500_000)), (20, 1), "a body of too many values is not looked at");
    let more = proxy.resident().saturating_sub(memory);
    assert!(more < 48 * 1024 * 1024, "{more} bytes for it");
    assert!(upstream.take().is_empty() && proxy.vm_failures().is_empty());
}
