//! Exactly one record for every request, whatever ended it, and as many as Envoy counts.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use serde_json::json;

use super::chain::{chained, with_key};
use crate::harness::audit::Record;
use crate::harness::chain::follow;
use crate::harness::client::{Client, Request};
use crate::harness::eventually;
use crate::harness::jwks::{Answer, KeyServer};
use crate::harness::keys;
use crate::harness::policy;
use crate::harness::proxy::Proxy;
use crate::harness::table::Table;
use crate::harness::token::{Token, now};
use crate::harness::upstream::{Fault, Gate, Reply, Upstream};

/// What ends a request.
type End<'a> = Box<dyn Fn(&Proxy) + 'a>;

fn send(request: Request) -> End<'static> {
    Box::new(move |proxy| {
        // Half an answer is no answer, and none of its record.
        let _ = proxy.client("main").try_send(&request);
    })
}

fn in_flight(proxy: &Proxy) {
    eventually("the request to be in flight", || (proxy.in_flight("main") == 1).then_some(()));
}

/// Begins a request of which `piece` follows the head, and hangs up once Envoy has it.
fn hang_up(request: Request, piece: &'static [u8]) -> End<'static> {
    Box::new(move |proxy| {
        let mut client = proxy.client("main");
        client.begin_with(&[request.bytes(), piece.to_vec()].concat()).unwrap();
        in_flight(proxy);
        drop(client);
    })
}

/// Begins a request that has to wait for more than comes, and reads what Envoy says to that.
fn time_out(request: Request) -> End<'static> {
    Box::new(move |proxy| {
        let mut client = proxy.client("main");
        client.begin(&request).unwrap();
        assert_eq!(client.finish("POST", b"half").unwrap().status, 408);
    })
}

#[test]
fn whatever_ends_a_request_it_has_one_record() {
    let (upstream, gate, server) =
        (Upstream::start(), Gate::default(), KeyServer::start(Answer::keys([keys::old()]).held()));
    upstream.on("/open/slow", Reply::new(200).body("late").behind(&gate));
    upstream.on("/open/502", Reply::new(502).body("words"));
    for (path, fault) in [
        ("/open/reset", Fault::Reset),
        ("/open/close", Fault::Close),
        ("/open/reset-in-body", Fault::ResetInBody),
        ("/open/close-in-body", Fault::CloseInBody),
    ] {
        upstream.on(path, Reply::new(200).body("half of it").fails(fault));
    }
    let mut policy = policy::with_routes(json!([
        {"name": "open", "match": {"path": "/open/{*rest}"}, "access": "public"},
        {"name": "mine", "match": {"path": "/mine"}, "access": "authenticated"},
        {"name": "elsewhere", "match": {"path": "/elsewhere"}, "access": "authenticated"},
        {"name": "trial", "match": {"path": "/trial"}, "access": "authenticated", "mode": "dry_run"},
        {"name": "small", "match": {"path": "/small"}, "access": "public", "input": {
            "content_types": ["application/json"], "max_body_bytes": 100, "body": {"schema": {"type": "object"}},
        }},
    ]));
    policy["cors"] = policy::cors();
    policy["audit"] = chained(&json!(["access_log"]));
    let mut remote = policy::provider();
    let members = remote.as_object_mut().unwrap();
    members.remove("keys");
    members.insert("name".into(), json!("remote"));
    members.insert("issuer".into(), json!("https://remote.example.com"));
    members.insert("allowed_algorithms".into(), json!(["RS256"]));
    members.insert(
        "remote_jwks".into(),
        json!({
            "cluster": "jwks", "authority": "remote.example.com", "path": crate::harness::jwks::PATH, "timeout": "20s",
        }),
    );
    policy["providers"].as_array_mut().unwrap().push(remote);
    let manager = json!({
        "request_timeout": "2s", "upgrade_configs": [{"upgrade_type": "websocket"}],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [
            {"match": {"prefix": "/open/direct"}, "direct_response": {"status": 203}},
            {"match": {"prefix": "/open/unrouted", "headers": [{"name": "x-never", "present_match": true}]},
             "direct_response": {"status": 203}},
            {"match": {"prefix": "/open/routed"}, "route": {"cluster": "upstream"}},
            {"match": {"prefix": "/open/slow"}, "route": {"cluster": "upstream", "timeout": "0.3s"}},
            {"match": {"safe_regex": {"regex": "/open/[a-z0-9-]*|/mine|/elsewhere|/trial|/small"}},
             "route": {"cluster": "upstream"}},
        ]}]},
    });
    let proxy = with_key(&upstream)
        .cluster("jwks", server.address)
        .stop_iteration()
        .policy("main", &policy)
        .manager(&manager)
        .start();
    let (token, get) = (Token::of("ada", "editor"), |path: &str| Request::get(path));
    let post = |path: &str| Request::new("POST", path).header("content-type", "application/json");
    let whole = |kind: &str, body: &str| Request::new("POST", "/small").body(kind, body);
    let preflight = |origin: &str| {
        Request::new("OPTIONS", "/mine").header("origin", origin).header("access-control-request-method", "GET")
    };
    let foreign = crate::harness::token::encode(r#"{"alg":"RS256","kid":"unknown"}"#);
    let claims = json!({"iss": "https://remote.example.com", "aud": "portcullis-demo", "exp": now() + 600});
    let foreign = format!("{foreign}.{}.{}", crate::harness::token::encode(claims.to_string()), "A".repeat(342));
    let upgrade = get("/open/ws").header("connection", "upgrade").header("upgrade", "websocket");
    // What ends it; decision, reason and status of its record.
    let rows: Vec<(&str, End<'_>, &str, &str, &str)> = vec![
        ("allowed", send(get("/open/x")), "allow", "public", "200"),
        ("HEAD", send(Request::new("HEAD", "/open/x")), "allow", "public", "200"),
        ("by a token", send(get("/mine").bearer(&token.mint())), "allow", "authenticated", "200"),
        ("answered by Envoy", send(get("/open/direct")), "allow", "public", "203"),
        ("no route in Envoy", send(get("/open/UPPER/x")), "allow", "public", "404"),
        ("refused", send(get("/mine")), "deny", "credentials_missing", "401"),
        ("forged", send(get("/mine").bearer(&token.forged())), "deny", "token_signature", "401"),
        ("unknown route", send(get("/nowhere")), "deny", "route_not_found", "401"),
        ("malformed", send(get("/open/%00")), "deny", "path_malformed", "400"),
        ("on trial", send(get("/trial")), "dry_run_deny", "credentials_missing", "200"),
        ("preflight", send(preflight("https://app.example.com")), "allow", "cors_preflight", "204"),
        ("refused preflight", send(preflight("https://evil.example.com")), "deny", "cors_origin", "403"),
        ("a service's failure", send(get("/open/502")), "allow", "public", "502"),
        ("a reset service", send(get("/open/reset")), "allow", "public", "503"),
        ("a closed service", send(get("/open/close")), "allow", "public", "503"),
        ("reset in its body", send(get("/open/reset-in-body")), "allow", "public", "200"),
        ("closed in its body", send(get("/open/close-in-body")), "allow", "public", "200"),
        ("a service too slow", send(get("/open/slow")), "allow", "public", "504"),
        ("a client gone before the answer", hang_up(get("/open/slow"), b""), "allow", "public", ""),
        (
            "a client gone in its body",
            hang_up(post("/open/x").header("content-length", "9"), b"pie"),
            "allow",
            "public",
            "",
        ),
        ("a client too slow", time_out(post("/open/x").header("content-length", "9")), "allow", "public", "408"),
        ("a body judged", send(whole("application/json", "{}")), "allow", "public", "200"),
        ("a bad body", send(whole("application/json", "[]")), "deny", "", "4"),
        ("too large a body", send(whole("application/json", &"x".repeat(101))), "deny", "body_too_large", "413"),
        (
            "too much in the middle of a body",
            Box::new(|proxy: &Proxy| {
                let mut client = proxy.client("main");
                let chunked = post("/small").header("transfer-encoding", "chunked").bytes();
                client.begin_with(&[chunked, b"5\r\n{    \r\n".to_vec()].concat()).unwrap();
                in_flight(proxy);
                let answer = client.finish("POST", format!("c8\r\n{}\r\n", " ".repeat(200)).as_bytes()).unwrap();
                assert_eq!(answer.status, 413);
            }),
            "deny",
            "body_too_large",
            "413",
        ),
        (
            "a client gone while its body was judged",
            hang_up(post("/small").header("content-length", "9"), b"{"),
            "deny",
            "body_incomplete",
            "",
        ),
        ("a body too slow", time_out(post("/small").header("content-length", "9")), "deny", "body_incomplete", "408"),
        ("held for keys and gone", hang_up(get("/elsewhere").bearer(&foreign), b""), "deny", "keys_unavailable", ""),
        (
            "a tunnel",
            Box::new(|proxy: &Proxy| {
                let mut client = proxy.client("main");
                client.begin(&upgrade).unwrap();
                client.peek(&mut [0]).unwrap();
                drop(client);
            }),
            "allow",
            "public",
            "101",
        ),
        (
            "taken back in HTTP/2",
            Box::new(|proxy: &Proxy| {
                let mut connection = proxy.client("main").connection().unwrap();
                let id = connection.begin(&get("/open/slow").fields(), true).unwrap();
                in_flight(proxy);
                connection.reset(id).unwrap();
                eventually("its end", || (proxy.in_flight("main") == 0).then_some(()));
            }),
            "allow",
            "public",
            "",
        ),
    ];
    let mut table = Table::new("ends of requests");
    for (count, (name, end, decision, reason, status)) in rows.iter().enumerate() {
        end(&proxy);
        eventually("the end of every request", || (proxy.in_flight("main") == 0).then_some(()));
        let lines = eventually("its line", || Some(proxy.log_lines("main")).filter(|lines| lines.len() > count));
        let mut problems = Vec::new();
        if lines.len() != count + 1 {
            problems.push(format!("{} lines of {} requests", lines.len(), count + 1));
        }
        let record = lines.last().filter(|line| *line != "-").map(|line| Record::parse(line));
        let found = record.as_ref().map(|record| ["decision", "reason", "status"].map(|name| record.text(name)));
        let holds = found.as_ref().is_some_and(|[own, why, code]| {
            // A client that is gone was sent a status or none, as luck had it.
            own == decision && (reason.is_empty() || why == reason) && (status.is_empty() || code.starts_with(status))
        });
        if !holds {
            problems.push(format!("{found:?}, not {decision} {reason} {status}"));
        }
        table.row(name, &problems);
    }
    gate.open();
    server.release();
    table.finish();
    counts_agree(&proxy, rows.len());
}

/// Envoy's own figures, the filter's, the lines, the records and the chain: all the same.
#[track_caller]
fn counts_agree(proxy: &Proxy, requests: usize) {
    let total = proxy.stats()["http.main.downstream_rq_total"];
    assert_eq!(total, requests as u64, "as Envoy counts");
    let lines = proxy.log_lines("main");
    assert_eq!(lines.len(), requests, "lines");
    let ids: BTreeSet<_> = lines.iter().map(|line| Record::parse(line).text("request_id")).collect();
    assert_eq!(ids.len(), requests, "requests with a record");
    let counted: f64 =
        ["allowed", "denied", "dry_run_denied"].iter().map(|word| proxy.metric(&format!("portcullis_{word}"))).sum();
    assert!((counted - requests as f64).abs() < 0.5, "as the filter counts: {counted}");
    let chained: usize = follow(&lines).values().map(|chain| chain.macs.len()).sum();
    assert_eq!(chained, requests, "links of chains");
    assert!(proxy.vm_failures().is_empty(), "{:?}", proxy.vm_failures());
}

/// What the host fails is refused, and on record as such, though it was to have no record when it was allowed.
#[test]
fn a_request_that_the_host_fails_has_one_record() {
    let upstream = Upstream::start();
    let levels = [("all", json!({})), ("denied", json!({"level": "denied"})), ("sampled", json!({"sample": 0}))];
    let mut proxy = with_key(&upstream).deny_capability("proxy_get_header_map_pairs");
    for (name, audit) in &levels {
        proxy = proxy.policy(name, &super::audited(audit));
    }
    let proxy = proxy.start();
    let get = Request::get("/users/ada/documents/7").bearer(&Token::of("ada", "editor").mint());
    let mut table = Table::new("a call that the host fails");
    for (name, _) in &levels {
        let status = proxy.client(name).send(&get).status;
        let record = proxy.audit(name).next();
        let found = record.as_ref().map(|record| ["decision", "reason", "status"].map(|name| record.text(name)));
        let holds = status == 500 && found == Some(["deny", "internal_error", "500"].map(str::to_owned));
        table.holds(name, holds, || format!("{status}, {found:?}"));
    }
    table.finish();
    assert!(upstream.take().is_empty(), "something went on");
}

/// `PORTCULLIS_FLOOD` requests over four workers as fast as they are answered; 100,000 in every run of the tests.
#[test]
fn a_flood_leaves_as_many_records_as_envoy_counts() {
    let count = std::env::var("PORTCULLIS_FLOOD").map_or(100_000, |count| count.parse().expect("a number"));
    let upstream = Upstream::start();
    let mut policy = policy::with_routes(json!([
        {"name": "direct", "match": {"path": "/direct/{*rest}"}, "access": "authenticated"},
    ]));
    policy["audit"] = chained(&json!(["access_log"]));
    let proxy = with_key(&upstream).policy("main", &policy).concurrency(4).start();
    let address = proxy.address("main");
    let token = Token::of("ada", "editor").mint();
    let requests = [
        Request::get("/direct/x").bearer(&token),
        Request::get("/direct/x"),
        Request::get("/nowhere").bearer(&token),
        Request::get("/direct/x").bearer(&token[..token.len() - 4]),
    ];
    let (started, connections) = (std::time::Instant::now(), 16);
    std::thread::scope(|scope| {
        for _ in 0..connections {
            scope.spawn(|| pour(address, &requests, count / connections));
        }
    });
    let (sent, elapsed) = (count / connections * connections, started.elapsed());
    eprintln!("{sent} requests in {elapsed:?}: {:.0} a second", sent as f64 / elapsed.as_secs_f64());
    eventually("a line for each request", || (proxy.log_lines("main").len() >= sent).then_some(()));
    counts_agree(&proxy, sent);
}

fn pour(address: SocketAddr, requests: &[Request], count: usize) {
    let mut client = Client::new(address);
    for request in requests.iter().cycle().take(count) {
        client.send(request);
    }
}
