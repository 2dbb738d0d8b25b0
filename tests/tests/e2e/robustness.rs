//! Requests nobody means well with: each gets an answer, and the module lives.

use crate::harness::client::{Client, Protocol, Request};
use crate::harness::policy;
use crate::harness::table::Table;
use crate::harness::token::{Alg, SECRET, Token, sign};
use crate::harness::upstream::{Reply, Upstream};

use super::{hanging_up_soon, setup};

#[test]
fn nothing_a_client_sends_stops_the_module() {
    let upstream = Upstream::start();
    upstream.on("/healthz", Reply::new(200).header("x-odd", "\u{80}\u{ff}").header("x_under", "1").body("ok"));
    let proxy = setup(&upstream).policy("main", &policy::example()).manager(&hanging_up_soon()).start();
    let mut table = Table::new("robustness");
    let token = Token::of("ada", "admin").mint();
    for protocol in Protocol::BOTH {
        let mut client = proxy.client("main").over(protocol);
        for (name, request) in requests(&token) {
            let answer = client.try_send(&request);
            let status = answer.as_ref().map_or(0, |answer| answer.status);
            // Envoy itself may refuse what is not HTTP, in HTTP/2 by hanging up; whoever answers, it is never a failure.
            let refused = protocol == Protocol::Http2 && answer.is_err();
            table.holds(&name, refused || (200..500).contains(&status), || format!("{protocol:?}: {answer:?}"));
            let alive = alive(&mut proxy.client("main").over(protocol), &token);
            table.holds(&format!("after {name}"), alive, || format!("{protocol:?}: the module is gone"));
        }
    }
    table.finish();
    assert!(proxy.vm_failures().is_empty(), "{:?}", proxy.vm_failures());
    let log = proxy.log();
    for sign in ["panicked", "Uncaught", "RuntimeError", "wasm log portcullis portcullis: panic"] {
        assert!(!log.contains(sign), "Envoy's log speaks of a `{sign}`");
    }
}

/// Still there, and still deciding.
fn alive(client: &mut Client, token: &str) -> bool {
    let document = Request::get("/users/ada/documents/7");
    client.send(&document.clone().bearer(token)).status == 200 && client.send(&document).status == 401
}

fn requests(token: &str) -> Vec<(String, Request)> {
    let document = || Request::get("/users/ada/documents/7").bearer(token);
    let mut requests: Vec<(String, Request)> = Vec::new();
    let mut add = |name: &str, request: Request| requests.push((name.to_owned(), request));

    for name in [
        "x-odd",
        "user-agent",
        "accept",
        "cookie",
        "x-forwarded-for",
        "x-request-id",
        "origin",
        "referer",
        "content-type",
        "access-control-request-method",
        "x-tenant",
        "x-user-id",
        "traceparent",
    ] {
        add(&format!("bytes that are not text in {name}"), document().header(name, b"\x80\xff\xfe\xc3\x28"));
    }
    add(
        "bytes that are not text in authorization",
        Request::get("/users/ada/documents/7").header("authorization", b"Bearer \xff\xfe"),
    );
    add(
        "bytes that are not text in the scheme",
        Request::get("/users/ada/documents/7").header("authorization", b"\xff\xfe x"),
    );
    add("bytes that are not text in the path", Request::get(b"/users/\xff/documents/7").bearer(token));
    add("bytes that are not text in the query", Request::get(b"/users/ada/documents/7?\xff=\xfe").bearer(token));
    add("bytes that are not text in the host", document().host("\u{ff}"));
    add(
        "a preflight of bytes",
        Request::new("OPTIONS", "/healthz").header("origin", b"\xff").header("access-control-request-method", b"\xfe"),
    );

    let mut many = document();
    for index in 0..100 {
        many = many.header(&format!("x-many-{index}"), "v");
    }
    add("100 headers", many);
    let mut same = document();
    for _ in 0..100 {
        same = same.header("x-same", "v");
    }
    add("the same header 100 times", same);
    add("a header of 60 KB", document().header("x-large", "x".repeat(60_000)));
    add("a cookie of 60 KB", document().header("cookie", "c=".to_owned() + &"x".repeat(60_000)));
    add("a token of 60 KB", Request::get("/healthz").bearer(&"x".repeat(60_000)));
    add("60 KB of cookies", document().header("cookie", "a=b; ".repeat(12_000)));
    add("60 KB of dots", document().header("authorization2", ".".repeat(60_000)));
    add("a bearer of dots", Request::get("/users/ada/documents/7").bearer(&".".repeat(8000)));
    add("a path of 30 KB", Request::get("/a".repeat(15_000)));
    add("a path of dot segments", Request::get("/a/..".repeat(6_000)));
    add("a query of 30 KB", Request::get(format!("/healthz?{}", "a=b&".repeat(7_500))));
    add(
        "access-control-request-headers of 30 KB",
        Request::new("OPTIONS", "/healthz")
            .header("origin", "https://app.example.com")
            .header("access-control-request-method", "GET")
            .header("access-control-request-headers", "x,".repeat(15_000)),
    );

    add("a header name with underscores", document().header("x_user_id", "root"));
    add("an empty header", document().header("x-empty", ""));
    add("an empty authorization", Request::get("/users/ada/documents/7").header("authorization", ""));
    add("a scheme alone", Request::get("/users/ada/documents/7").header("authorization", "Bearer"));
    add("an empty host", document().host(""));
    add("an absolute URI", Request::get("http://api.example.com/users/ada/documents/7").bearer(token));
    add("an asterisk", Request::new("OPTIONS", "*"));
    add("a method of our own", Request::new("BREW", "/healthz"));
    add("a method in lower case", Request::new("get", "/healthz"));
    for path in [
        "/",
        "//",
        "///",
        "/.",
        "/..",
        "/../../..",
        "/%",
        "/%2",
        "/%zz",
        "/%2e%2e",
        "/%2f",
        "/%00",
        "/%ff",
        "/%c3%28",
        "/?",
        "/??",
        "/#",
        "/a#b",
        "/a?b#c",
        "/;",
        "/a;b=c",
        "/\\",
        "/a\\..\\b",
        "/a b",
        "/users//documents/7",
        "/users/%20/documents/%20",
        "/\u{e9}",
        "/a\tb",
    ] {
        add(&format!("the path {path:?}"), Request::get(path).bearer(token));
    }
    for depth in [100, 1_000, 3_000] {
        let nested = format!("{{\"sub\":\"ada\",\"x\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        add(
            &format!("claims {depth} deep"),
            Request::get("/users/ada/documents/7").bearer(&sign(
                Alg::Hs256,
                SECRET.as_bytes(),
                r#"{"alg":"HS256"}"#,
                nested,
            )),
        );
        let header = format!("{{\"alg\":\"HS256\",\"x\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        add(
            &format!("a header {depth} deep"),
            Request::get("/users/ada/documents/7").bearer(&sign(Alg::Hs256, SECRET.as_bytes(), header, "{}")),
        );
    }
    for payload in [
        "",
        "null",
        "1",
        "\"x\"",
        "[]",
        "{",
        "{}",
        "{\"exp\":1e999}",
        "{\"exp\":-1}",
        "{\"exp\":99999999999999999999}",
        "{\"sub\":{\"a\":1}}",
        "\u{feff}{}",
    ] {
        add(
            &format!("the payload {payload:?}"),
            Request::get("/users/ada/documents/7").bearer(&sign(
                Alg::Hs256,
                SECRET.as_bytes(),
                r#"{"alg":"HS256"}"#,
                payload,
            )),
        );
    }
    requests
}

#[test]
fn bodies_pass_whole() {
    let upstream = Upstream::start();
    let large: Vec<u8> = (0..1_000_000_u32).map(|index| index.to_le_bytes()[0]).collect();
    upstream.on("/users/ada/documents/7", Reply::new(200).body(&large).chunked());
    let proxy = setup(&upstream).policy("main", &policy::example()).start();
    for protocol in Protocol::BOTH {
        let put = Request::new("PUT", "/users/ada/documents/7").body("application/octet-stream", &large);
        let answer = proxy.client("main").over(protocol).send(&put.clone().bearer(&Token::of("ada", "editor").mint()));
        let seen = upstream.take();
        assert_eq!((answer.status, seen.len()), (200, 1));
        assert!(answer.body == large, "the answer's body came back changed: {} bytes", answer.body.len());
        assert!(seen[0].body == large, "the request's body arrived changed: {} bytes", seen[0].body.len());

        let refused = proxy.client("main").over(protocol).send(&put);
        assert_eq!((refused.status, upstream.take().len()), (401, 0), "a body is no way past a refusal");
    }
}
