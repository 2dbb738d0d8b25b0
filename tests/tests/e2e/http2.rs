//! What can be said in HTTP/2 alone: fields out of place, frames out of turn. Envoy refuses most of it by hanging up; what it lets
//! through is decided on like anything else.

use serde_json::json;

use super::{hanging_up_soon, setup};
use crate::harness::audit::Audit;
use crate::harness::client::{Protocol, Request};
use crate::harness::h2::{self, Connection, Fields, field};
use crate::harness::policy;
use crate::harness::proxy::Proxy;
use crate::harness::table::Table;
use crate::harness::token::Token;
use crate::harness::upstream::Upstream;
use crate::harness::{bench::Bench, eventually, expect::Expect};

const PATH: &str = "/users/ada/documents/7";

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// The filter is not asked, and no answer comes: Envoy hangs up, or resets the stream.
    Refused,
    /// The filter answers this, for this reason.
    Denied(u16, &'static str),
    /// It reaches the upstream in its normal form.
    Passes,
    /// One or the other, by Envoy's version: it comes to no harm.
    RefusedOrPasses,
}
use Fate::{Denied, Passes, Refused, RefusedOrPasses};

fn admin() -> Request {
    Request::get(PATH).bearer(&Token::of("ada", "admin").mint())
}

fn with(name: &str, value: impl AsRef<[u8]>) -> Fields {
    [admin().fields(), vec![field(name, value)]].concat()
}

/// With this in front, where a pseudo-header belongs.
fn before(name: &str, value: &str) -> Fields {
    [vec![field(name, value)], admin().fields()].concat()
}

fn without(name: &str) -> Fields {
    let mut fields = admin().fields();
    fields.retain(|(found, _)| found != name.as_bytes());
    fields
}

fn replaced(name: &str, value: &[u8]) -> Fields {
    let place = |(found, old): (Vec<u8>, Vec<u8>)| {
        let is_it = found == name.as_bytes();
        (found, if is_it { value.to_vec() } else { old })
    };
    admin().fields().into_iter().map(place).collect()
}

fn rows() -> Vec<(&'static str, Fields, Fate)> {
    let many = |count: usize| (0..count).map(|index| field(&format!("x-many-{index}"), "v"));
    vec![
        ("a plain request", admin().fields(), Passes),
        ("a name in upper case", with("X-User-Id", "root"), Refused),
        ("a pseudo-header after others", with(":path", "/healthz"), Refused),
        ("a pseudo-header of an answer", before(":status", "200"), Refused),
        ("an unknown pseudo-header", before(":user", "root"), Refused),
        ("two paths", before(":path", "/healthz"), Refused),
        ("two authorities", before(":authority", "evil.test"), Refused),
        ("two methods", before(":method", "GET"), Refused),
        ("two schemes", before(":scheme", "https"), Refused),
        ("no path", without(":path"), Refused),
        ("no method", without(":method"), Refused),
        ("no scheme", without(":scheme"), Refused),
        ("no authority", without(":authority"), Refused),
        ("a host in its place", [without(":authority"), vec![field("host", "api.example.com")]].concat(), Passes),
        ("another host beside it", with("host", "evil.test"), Passes),
        ("another scheme", replaced(":scheme", b"https"), Passes),
        ("a scheme that is none", replaced(":scheme", b"http://evil.test/"), RefusedOrPasses),
        ("an empty path", replaced(":path", b""), Refused),
        ("a path of another host", replaced(":path", b"http://evil.test/users/ada/documents/7"), Refused),
        ("an asterisk", replaced(":path", b"*"), Refused),
        ("a path that is not ASCII", replaced(":path", b"/users/\xc3\xa9"), Denied(400, "path_malformed")),
        ("a path that is not text", replaced(":path", b"/users/\xff"), Denied(400, "path_malformed")),
        ("a path with a control character", replaced(":path", b"/users/\x01"), Refused),
        ("a path with a line break", replaced(":path", b"/users/ada\r\nx-user-id: root"), Refused),
        ("a path with NUL", replaced(":path", b"/users/ada\0/documents/7"), Refused),
        ("a path with a space", replaced(":path", b"/users/ada HTTP/1.1"), Refused),
        ("a method with a path", replaced(":method", b"GET /admin HTTP/1.1"), Refused),
        ("a method in lower case", replaced(":method", b"get"), Denied(403, "role_denied")),
        ("a user in the authority", replaced(":authority", b"ada@api.example.com"), Refused),
        ("a value with CR", with("x-a", "b\rx-user-id: root"), Refused),
        ("a value with LF", with("x-a", "b\nx-user-id: root"), Refused),
        ("a value with CR and LF", with("x-a", "b\r\nx-user-id: root"), Refused),
        ("a value with NUL", with("x-a", "b\0"), Refused),
        ("a value with a control character", with("x-a", "b\x01"), Refused),
        ("an empty name", with("", "b"), Refused),
        ("a name with a space", with("x-user-id ", "root"), Refused),
        ("a name with a colon", with("x-a: b", "c"), Refused),
        ("a name with a line break", with("x-a\r\nx-user-id", "root"), Refused),
        ("a name that is not ASCII", with("x-\u{e9}", "b"), Refused),
        ("connection", with("connection", "close"), Refused),
        ("keep-alive", with("keep-alive", "timeout=5"), Refused),
        ("proxy-connection", with("proxy-connection", "x-user-id"), Refused),
        ("transfer-encoding", with("transfer-encoding", "chunked"), Refused),
        ("upgrade", with("upgrade", "h2c"), Refused),
        ("te: trailers", with("te", "trailers"), Passes),
        ("te: gzip", with("te", "gzip"), Refused),
        ("a length without a body", with("content-length", "5"), RefusedOrPasses),
        ("a length that is none", with("content-length", "0x5"), Refused),
        ("two lengths", [with("content-length", "0"), vec![field("content-length", "5")]].concat(), Refused),
        (
            "two kinds of content",
            [with("content-type", "a/b"), vec![field("content-type", "c/d")]].concat(),
            Denied(400, "header_duplicate"),
        ),
        ("two credentials", with("authorization", "Bearer a.b.c"), Denied(400, "header_duplicate")),
        ("200 headers", admin().fields().into_iter().chain(many(200)).collect(), Passes),
        ("400 headers", admin().fields().into_iter().chain(many(400)).collect(), Refused),
        ("a header of 60 KB", with("x-large", "v".repeat(60_000)), Passes),
        ("a header of 200 KB", with("x-large", "v".repeat(200_000)), Refused),
        ("a method CONNECT with a path", replaced(":method", b"CONNECT"), Refused),
        ("a protocol without CONNECT", before(":protocol", "websocket"), Refused),
    ]
}

#[test]
fn fields_out_of_place_are_refused() {
    let upstream = Upstream::start();
    let proxy = setup(&upstream).policy("main", &policy::example()).manager(&hanging_up_soon()).start();
    let mut table = Table::new("HTTP/2");
    let mut audit = proxy.audit("main");
    for (name, fields, fate) in rows() {
        let mut connection = proxy.client("main").connection().unwrap();
        let answer = connection.begin(&fields, true).and_then(|id| connection.answer(id));
        table.row(name, &problems(&answer, &mut audit, &upstream, fate));
    }
    table.finish();
    assert!(proxy.vm_failures().is_empty(), "{:?}", proxy.vm_failures());
}

fn problems(
    answer: &std::io::Result<crate::harness::client::Response>,
    audit: &mut Audit,
    upstream: &Upstream,
    fate: Fate,
) -> Vec<String> {
    let status = answer.as_ref().ok().map(|response| response.status);
    let reason = audit.next().map(|record| record.text("reason"));
    let seen = upstream.take();
    let (expected, why, reaches) = match fate {
        // The filter may have been asked before Envoy found fault with the rest.
        RefusedOrPasses if status.is_none() => (None, reason.as_deref(), 0),
        Refused => (None, None, 0),
        Denied(status, reason) => (Some(status), Some(reason), 0),
        Passes | RefusedOrPasses => (Some(200), Some("role_allowed"), 1),
    };
    let mut problems = Vec::new();
    if (status, reason.as_deref(), seen.len()) != (expected, why, reaches) {
        problems.push(format!("{answer:?}, {reason:?}, {seen:?}; not {fate:?}"));
    }
    for seen in seen {
        let form =
            (seen.method.as_str(), seen.target.as_str(), seen.headers.all("host"), seen.headers.all("x-user-id"));
        if form != ("GET", PATH, vec!["api.example.com".to_owned()], vec!["ada".to_owned()]) {
            problems.push(format!("the upstream saw {form:?}"));
        }
    }
    problems
}

/// RFC 9113 section 8.2.3: the lines are one cookie string, and a token in any of them is the token.
#[test]
fn cookies_in_several_lines_are_one() {
    let upstream = Upstream::start();
    let mut rules = policy::with_routes(json!([
        {"name": "open", "match": {"path": "/open"}, "access": "public"},
        {"name": "rest", "match": {"path": "/{*rest}"}, "access": "authenticated"},
    ]));
    rules["providers"][0]["from_cookies"] = json!(["session"]);
    let proxy = setup(&upstream).policy("main", &rules).start();
    let mut bench = Bench::new("cookies", &proxy, "main", &upstream).over(Protocol::Http2);
    let token = Token::of("ada", "viewer").mint();
    let session = format!("session={token}");
    let get = |path: &str, lines: &[&str]| {
        lines.iter().fold(Request::get(path), |request, line| request.header("cookie", line))
    };
    let allow = Expect::allow("authenticated").upstream("x-user-id", "ada");
    for (lines, expect) in [
        (vec![session.as_str()], allow.clone().no_upstream("cookie")),
        (vec!["a=1", &session, "b=2"], allow.clone().upstream("cookie", "a=1; b=2")),
        (vec!["a=1", "b=2", &session], allow.clone().upstream("cookie", "a=1; b=2")),
        (vec![&session, &session], Expect::deny(400, "token_multiple")),
        (vec!["a=1", "session=forged", &session], Expect::deny(400, "token_multiple")),
        (vec!["a=1", "b=2"], Expect::deny(401, "credentials_missing")),
    ] {
        bench.row(&format!("{} lines", lines.len()), &get("/rest", &lines), &expect);
    }
    let open = get("/open", &["a=1", &session, "b=2"]);
    bench.row("to a public route", &open, &Expect::allow("public").upstream("cookie", "a=1; b=2"));
    bench.finish();
}

#[test]
fn a_head_in_many_frames_is_one_head() {
    let upstream = Upstream::start();
    let proxy = setup(&upstream).policy("main", &policy::example()).start();
    let mut audit = proxy.audit("main");
    let block = h2::block(&admin().fields());
    for most in [block.len(), block.len() - 1, 64, 1] {
        let mut connection = proxy.client("main").connection().unwrap();
        let id = connection.reserve();
        connection.write(&h2::head_frames(id, &block, true, most)).unwrap();
        assert_eq!(connection.answer(id).unwrap().status, 200, "{most} bytes a frame");
        assert_eq!(audit.next().unwrap().text("user_id"), "ada", "{most} bytes a frame");
        assert_eq!(upstream.take().len(), 1, "{most} bytes a frame");
    }

    // No other frame may stand between (RFC 9113 section 6.10).
    let (first, second) = block.split_at(block.len() / 2);
    let piece = |kind, flags, id, bytes: &[u8]| h2::frame(kind, flags, id, bytes);
    for (name, between) in [
        ("another head", piece(h2::HEADERS, h2::END_HEADERS | h2::END_STREAM, 3, &block)),
        ("a rest of another stream", piece(h2::CONTINUATION, h2::END_HEADERS, 3, second)),
    ] {
        let mut connection = proxy.client("main").connection().unwrap();
        let id = connection.reserve();
        let begun = piece(h2::HEADERS, h2::END_STREAM, id, first);
        connection.write(&[begun, between, piece(h2::CONTINUATION, h2::END_HEADERS, id, second)].concat()).unwrap();
        assert!(connection.answer(id).is_err(), "{name}");
        assert!(upstream.take().is_empty(), "{name}");
    }
    assert_serves(&proxy, "after heads that were broken off");
}

/// Asks, and goes, before an answer can be there (CVE-2023-44487).
#[test]
fn requests_that_are_taken_back_leave_nothing_behind() {
    let upstream = Upstream::start();
    let proxy = setup(&upstream).policy("main", &policy::example()).start();
    let kinds =
        [admin().fields(), Request::get(PATH).fields(), with("authorization", "Bearer a"), replaced(":path", b"/\xff")];
    let mut sent = 0;
    for round in 0..5 {
        let mut connection = proxy.client("main").connection().unwrap();
        // Envoy hangs up on those that do it too often; what was sent by then counts.
        for index in 0..100 {
            let begun = connection.begin(&kinds[index % kinds.len()], round % 2 == 0);
            if begun.and_then(|id| connection.reset(id)).is_err() {
                break;
            }
            sent += 1;
        }
        drop(connection);
        assert_serves(&proxy, "beside requests that were taken back");
    }
    assert!(sent >= 400, "{sent} requests");
    eventually("the end of all", || (proxy.in_flight("main") == 0).then_some(()));
    assert!(proxy.vm_failures().is_empty(), "{:?}", proxy.vm_failures());
}

#[test]
fn a_client_that_goes_away_is_still_answered() {
    let upstream = Upstream::start();
    let proxy = setup(&upstream).policy("main", &policy::example()).start();
    let mut connection = proxy.client("main").connection().unwrap();
    let asked = |connection: &mut Connection, fields: &Fields| connection.begin(fields, true).unwrap();
    let ids = [asked(&mut connection, &admin().fields()), asked(&mut connection, &Request::get(PATH).fields())];
    connection.go_away().unwrap();
    let statuses = ids.map(|id| connection.answer(id).unwrap().status);
    assert_eq!(statuses, [200, 401], "what was under way");
    assert_serves(&proxy, "the next connection");
    assert!(proxy.vm_failures().is_empty(), "{:?}", proxy.vm_failures());
}

#[track_caller]
fn assert_serves(proxy: &Proxy, what: &str) {
    let mut client = proxy.client("main").over(Protocol::Http2);
    let statuses = [admin(), Request::get(PATH)].map(|request| client.send(&request).status);
    assert_eq!(statuses, [200, 401], "{what}");
}
