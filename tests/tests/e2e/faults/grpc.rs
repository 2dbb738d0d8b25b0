//! gRPC fails with HTTP status 200, and says why in headers or in trailers.

use serde_json::json;

use super::{open_policy, settled};
use crate::e2e::{setup, speaking, with_trailers};
use crate::harness::client::{Protocol, Request};
use crate::harness::policy;
use crate::harness::proxy::Proxy;
use crate::harness::table::Table;
use crate::harness::token::Token;
use crate::harness::upstream::{Reply, Upstream};
use crate::harness::wire::Headers;

const WORDS: [(&str, &str); 2] = [("grpc-message", "secret-db%20is%20down"), ("grpc-status-details-bin", "CA0SBHg")];

#[test]
fn a_grpc_failure_keeps_its_status_and_loses_its_words() {
    let upstream = Upstream::start();
    let reply = || Reply::new(200).header("content-type", "application/grpc");
    for status in ["0", "5", "13", "14"] {
        let mut only = reply().header("grpc-status", status);
        let mut after = reply().body("a message").trailer("grpc-status", status).trailer("server", "leaky/1.0");
        for (name, value) in WORDS {
            only = only.header(name, value);
            after = after.trailer(name, value);
        }
        upstream.on(&format!("/only/{status}"), only);
        upstream.on(&format!("/after/{status}"), after);
    }
    upstream.on("/failed", Reply::new(503).body("secret-db").trailer("x-cause", "secret-db"));
    let mut showing = open_policy();
    showing["errors"] = json!({"hide_upstream_5xx": false});
    let mut table = Table::new("gRPC");
    for protocol in Protocol::BOTH {
        // On both sides: as in a mesh of gRPC services, and as where a gateway translates.
        let cluster = match protocol {
            Protocol::Http1 => with_trailers(),
            Protocol::Http2 => json!({"http2_protocol_options": {}}),
        };
        let proxy = setup(&upstream)
            .cluster_fields(&speaking(&cluster))
            .policy("hiding", &open_policy())
            .manager(&with_trailers())
            .policy("showing", &showing)
            .manager(&with_trailers())
            .start();
        failures(protocol, &proxy, &mut table);
        assert!(proxy.vm_failures().is_empty(), "{:?}", proxy.vm_failures());
    }
    table.finish();
}

fn failures(protocol: Protocol, proxy: &Proxy, table: &mut Table) {
    for (listener, hides) in [("hiding", true), ("showing", false)] {
        let mut client = proxy.client(listener).over(protocol);
        for (status, internal) in [("0", false), ("5", false), ("13", true), ("14", true)] {
            for place in ["only", "after"] {
                let response = client.send(&Request::new("POST", format!("/{place}/{status}")));
                let lines = if place == "only" { &response.headers } else { &response.trailers };
                let mut problems = check(lines, status, !(hides && internal));
                if response.status != 200 || (place == "after" && response.text() != "a message") {
                    problems.push(format!("{response:?}"));
                }
                if response.trailers.has("server") || response.headers.has("server") {
                    problems.push(format!("the service's name: {response:?}"));
                }
                table.row(&format!("{protocol:?}: {listener}, {place}, {status}"), &problems);
            }
        }
    }
    for method in ["GET", "HEAD"] {
        let failed = proxy.client("hiding").over(protocol).send(&Request::new(method, "/failed"));
        let leaks = failed.trailers.has("x-cause") || failed.text().contains("secret-db");
        table.holds(&format!("{protocol:?}: {method} of a 503 with trailers"), failed.status == 503 && !leaks, || {
            format!("{failed:?}")
        });
    }
}

fn check(lines: &Headers, status: &str, words: bool) -> Vec<String> {
    let mut problems = Vec::new();
    if lines.all("grpc-status") != [status] {
        problems.push(format!("the status is {:?}", lines.all("grpc-status")));
    }
    for (name, value) in WORDS {
        let expected = if words { vec![value.to_owned()] } else { Vec::new() };
        if lines.all(name) != expected {
            problems.push(format!("{name} is {:?}, not {expected:?}", lines.all(name)));
        }
    }
    problems
}

/// Envoy answers a gRPC request in gRPC's way, itself as for the filter: 200, and all else in headers.
#[test]
fn what_stands_in_for_a_grpc_answer_says_nothing() {
    let upstream = Upstream::gone();
    let proxy = setup(&upstream).policy("open", &open_policy()).policy("main", &policy::example()).start();
    let call = |target: &str| Request::new("POST", target).header("content-type", "application/grpc");
    let unavailable = proxy.client("open").send(&call("/x"));
    assert_eq!((unavailable.status, unavailable.headers.all("grpc-status")), (200, vec!["14".to_owned()]));
    assert!(!unavailable.headers.has("grpc-message"), "{unavailable:?}");
    let refused = proxy.client("main").send(&call("/users/ada/documents/7"));
    assert_eq!((refused.status, refused.headers.all("grpc-status")), (200, vec!["16".to_owned()]), "{refused:?}");
    let words = refused.headers.all("grpc-message");
    assert!(words.len() == 1 && words[0].contains(r#""title":"Unauthorized","status":401"#), "{words:?}");
    assert_eq!(settled(&proxy, "main", 1)[0].text("status"), "401", "the record's");
    let token = Token::of("bob", "viewer").mint();
    let forbidden = proxy.client("main").send(&call("/users/ada/documents/7").bearer(&token));
    assert_eq!(forbidden.headers.all("grpc-status"), ["7"], "{forbidden:?}");
    assert_eq!(settled(&proxy, "main", 2)[1].text("status"), "403", "the record's");
}
