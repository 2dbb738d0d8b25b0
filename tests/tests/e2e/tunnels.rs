//! Requests that ask for another protocol: authorized like any other, or refused.

use serde_json::{Value, json};

use super::setup;
use crate::harness::audit::Audit;
use crate::harness::bench::Bench;
use crate::harness::client::{Client, Protocol, Request};
use crate::harness::h2::{Fields, field};
use crate::harness::policy;
use crate::harness::proxy::Proxy;
use crate::harness::table::Table;
use crate::harness::token::Token;
use crate::harness::upstream::Upstream;

fn rules() -> Value {
    policy::with_routes(json!([
        {"name": "live", "match": {"path": "/live"}, "access": "roles", "roles": ["admin"]},
        {"name": "open", "match": {"path": "/open"}, "access": "public"},
        {"name": "judged", "match": {"path": "/judged"}, "access": "public", "input": {"max_body_bytes": 1000}},
        {"name": "typed", "match": {"path": "/typed"}, "access": "public",
         "input": {"content_types": ["application/json"]}},
        {"name": "paged", "match": {"path": "/paged"}, "access": "public",
         "input": {"query": {"page": {"type": "integer"}}}},
    ]))
}

/// Whatever Envoy can be told to let through.
fn tunnels() -> Value {
    json!({
        "upgrade_configs": [{"upgrade_type": "websocket"}, {"upgrade_type": "CONNECT"}],
        "http2_protocol_options": {"allow_connect": true},
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [
            {"match": {"connect_matcher": {}}, "route": {
                "cluster": "upstream", "upgrade_configs": [{"upgrade_type": "CONNECT", "connect_config": {}}],
            }},
            {"match": {"prefix": "/"}, "route": {"cluster": "upstream"}},
        ]}]},
    })
}

fn start(upstream: &Upstream) -> Proxy {
    let proxy = setup(upstream).stop_iteration().policy("tunnels", &rules()).manager(&tunnels());
    proxy.policy("plain", &rules()).bare("bare").manager(&tunnels()).start()
}

fn websocket(target: &str) -> Request {
    let request = Request::get(target).header("connection", "keep-alive, Upgrade").header("upgrade", "websocket");
    request.header("sec-websocket-version", "13").header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
}

/// The same in HTTP/2 (RFC 8441 section 5).
fn extended(request: &Request) -> Fields {
    let mut fields = request.fields();
    fields.retain(|(name, _)| ![&b":method"[..], b"connection", b"upgrade"].contains(&name.as_slice()));
    [vec![field(":method", "CONNECT"), field(":protocol", "websocket")], fields].concat()
}

/// Asks, and where that is granted sends a word and waits for it to come back: the status of the answer, and what it told.
fn ask(client: &mut Client, protocol: Protocol, request: &Request) -> std::io::Result<(u16, String)> {
    if protocol == Protocol::Http1 {
        client.begin(request)?;
        let answer = client.finish("GET", b"")?;
        if answer.status == 101 {
            client.go_on(b"over and back")?;
            return Ok((101, String::from_utf8(client.read(13)?).unwrap()));
        }
        return Ok((answer.status, answer.text()));
    }
    let mut connection = client.connection()?;
    let id = connection.begin(&extended(request), false)?;
    let answer = connection.answer_head(id)?;
    if answer.status == 200 {
        connection.data(id, b"over and back", false)?;
        return Ok((200, String::from_utf8(connection.bytes(id, 13)?).unwrap()));
    }
    let whole = connection.answer(id)?;
    Ok((whole.status, whole.text()))
}

#[test]
fn a_websocket_is_authorized_like_any_request() {
    let upstream = Upstream::start();
    let proxy = start(&upstream);
    let [viewer, admin] = ["viewer", "admin"].map(|role| Token::of("ada", role).mint());
    let mut audit = proxy.audit("tunnels");
    let mut table = Table::new("websockets");
    for protocol in Protocol::BOTH {
        for (name, request, status, reason) in [
            ("nobody", websocket("/live"), 401, "credentials_missing"),
            ("a bad token", websocket("/live").bearer("a.b.c"), 401, "token_malformed"),
            ("a viewer", websocket("/live").bearer(&viewer), 403, "role_denied"),
            ("nowhere", websocket("/none").bearer(&admin), 403, "route_not_found"),
            ("an admin", websocket("/live").bearer(&admin).header("x-user-id", "root"), 101, "role_allowed"),
            ("anybody, where everybody may", websocket("/open"), 101, "public"),
            ("where a size is judged", websocket("/judged"), 422, "input_invalid"),
            ("where a kind is judged", websocket("/typed"), 422, "input_invalid"),
            ("where parameters are judged", websocket("/paged?page=1"), 101, "public"),
            ("a bad parameter", websocket("/paged?page=x"), 422, "input_invalid"),
            ("headers to drop", websocket("/open").header("connection", "x-user-id"), 400, "request_malformed"),
        ] {
            if protocol == Protocol::Http2 && name == "headers to drop" {
                continue;
            }
            let name = format!("{protocol:?}: {name}");
            table.row(&name, &problems(&proxy, protocol, &request, &upstream, &mut audit, (status, reason)));
        }
    }
    table.finish();
    assert!(proxy.vm_failures().is_empty(), "{:?}", proxy.vm_failures());
}

fn problems(
    proxy: &Proxy,
    protocol: Protocol,
    request: &Request,
    upstream: &Upstream,
    audit: &mut Audit,
    (status, reason): (u16, &str),
) -> Vec<String> {
    let granted = status == 101;
    let asked = ask(&mut proxy.client("tunnels"), protocol, request);
    // In HTTP/2 a tunnel is a success like others.
    let expected = if granted && protocol == Protocol::Http2 { 200 } else { status };
    let right = asked.as_ref().is_ok_and(|(found, word)| *found == expected && (!granted || word == "over and back"));
    let mut problems = if right { Vec::new() } else { vec![format!("{asked:?}, not {expected}")] };
    let seen = upstream.take();
    if seen.len() != usize::from(granted) {
        problems.push(format!("{} requests reached the upstream", seen.len()));
    }
    if seen
        .iter()
        .any(|seen| seen.headers.has("authorization") || seen.headers.all("x-user-id").contains(&"root".to_owned()))
    {
        problems.push(format!("the upstream saw {:?}", seen[0].headers));
    }
    // It is there when the tunnel ends.
    let record = audit.next().map(|record| ["reason", "status", "method"].map(|name| record.text(name)));
    if record != Some([reason.to_owned(), status.to_string(), "GET".to_owned()]) {
        problems.push(format!("recorded {record:?}"));
    }
    problems
}

/// It names no path for a route to match.
#[test]
fn connect_is_refused() {
    let upstream = Upstream::start();
    let proxy = start(&upstream);
    let admin = Token::of("ada", "admin").mint();
    let mut audit = proxy.audit("tunnels");
    let connect = Request::new("CONNECT", "db.internal:5432").host("db.internal:5432").bearer(&admin);
    let fields = vec![
        field(":method", "CONNECT"),
        field(":authority", "db.internal:5432"),
        field("authorization", format!("Bearer {admin}")),
    ];
    let ask = |listener: &str, protocol| {
        let mut client = proxy.client(listener);
        match protocol {
            Protocol::Http1 => client.begin(&connect).and_then(|()| client.finish("CONNECT", b"")),
            Protocol::Http2 => {
                let mut connection = client.connection()?;
                connection.begin(&fields, false).and_then(|id| connection.answer_head(id))
            }
        }
    };
    for protocol in Protocol::BOTH {
        assert_eq!(ask("bare", protocol).unwrap().status, 200, "{protocol:?}: Envoy alone lets it through");
        assert_eq!(ask("tunnels", protocol).unwrap().status, 400, "{protocol:?}");
        let record = audit.next().unwrap();
        assert_eq!([record.text("reason"), record.text("method")], ["request_malformed", "CONNECT"], "{protocol:?}");
        assert!(
            ask("plain", protocol).is_ok_and(|answer| answer.status >= 400),
            "{protocol:?}: where Envoy knows none"
        );
    }
    assert!(upstream.take().is_empty());
    assert!(proxy.vm_failures().is_empty(), "{:?}", proxy.vm_failures());
}

#[test]
fn what_envoy_lets_nobody_upgrade_to_reaches_no_service() {
    let upstream = Upstream::start();
    let proxy = start(&upstream);
    let admin = Token::of("ada", "admin").mint();
    let mut audit = proxy.audit("plain");
    for protocol in Protocol::BOTH {
        let asked = ask(&mut proxy.client("plain"), protocol, &websocket("/live").bearer(&admin));
        assert!(asked.as_ref().map_or(true, |(status, _)| *status == 403), "{protocol:?}: {asked:?}");
        assert!(upstream.take().is_empty(), "{protocol:?}");
        assert!(audit.next().is_none(), "{protocol:?}: the filter was not asked");
    }
    // To HTTP/2 in clear text: a service that agreed would take any request from then on.
    let mut bench = Bench::new("h2c", &proxy, "plain", &upstream);
    let h2c = Request::get("/open").header("connection", "Upgrade, HTTP2-Settings").header("upgrade", "h2c");
    let h2c = h2c.header("http2-settings", "AAMAAABkAAQAAP__");
    // Envoy drops the offer, and the request is one like others.
    let exchange = bench.exchange(&h2c);
    let seen = exchange.seen.first().map(|seen| ["upgrade", "connection"].map(|name| seen.headers.has(name)));
    let dropped = exchange.response.status == 200 && seen == Some([false; 2]);
    bench.holds("an offer of h2c", dropped, || format!("{exchange:?}"));
    bench.finish();
    assert!(proxy.vm_failures().is_empty(), "{:?}", proxy.vm_failures());
}
