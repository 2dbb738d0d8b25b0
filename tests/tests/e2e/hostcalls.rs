//! What a request costs in crossings between Envoy and the module: they, not the decision, are most of it.

use std::collections::BTreeMap;

use crate::harness::client::Request;
use crate::harness::eventually;
use crate::harness::policy;
use crate::harness::token::Token;
use crate::harness::upstream::Upstream;

use super::setup;

/// The calls of the last request in a log at trace, by direction and name.
fn crossings(log: &str) -> Option<BTreeMap<&str, usize>> {
    let (_, last) = log.rsplit_once("[host->vm] proxy_on_context_create")?;
    let (whole, _) = last.split_once("[host->vm] proxy_on_delete")?;
    let mut counts = BTreeMap::new();
    for line in whole.lines() {
        let call = line.split_once("[vm->host] env.").or_else(|| line.split_once("[host->vm] "));
        if let Some((name, _)) = call.and_then(|(_, call)| call.split_once('(')) {
            *counts.entry(name).or_default() += 1;
        }
    }
    Some(counts)
}

#[test]
fn the_hot_path_crosses_no_more_often_than_it_must() {
    let plain = policy::example();
    crosses_as_often_as_it_must(&plain);
    // What is done with a record is done inside, whatever it is.
    let mut audited = plain;
    audited["audit"] = serde_json::json!({
        "sample": 1,
        "mask": {"user_id": "hash", "ip_address": "hash", "path_params": ["owner"], "key": {"env": "SECRET_KEY"}},
        "chain": {"key": {"env": "SECRET_KEY"}, "checkpoint": "1h"},
    });
    crosses_as_often_as_it_must(&audited);
}

#[track_caller]
fn crosses_as_often_as_it_must(policy: &serde_json::Value) {
    let upstream = Upstream::start();
    let proxy = setup(&upstream).policy("main", policy).trace().start();
    let mut client = proxy.client("main");
    let hot = Request::new("PUT", "/users/ada/documents/7").bearer(&Token::of("ada", "editor").mint());
    // The first defines counters and verifies the token; the second is like all that follow.
    for request in 1..=2 {
        assert_eq!(client.send(&hot).status, 200, "request {request}");
        eventually("the request's end in Envoy's log", || {
            let ends = proxy.log().matches("[host->vm] proxy_on_delete").count();
            (ends >= request).then_some(())
        });
    }
    let log = proxy.log();
    let expected = BTreeMap::from([
        // Each callback is a crossing; there is no body, and none for the response's.
        ("proxy_on_request_headers", 1),
        ("proxy_on_response_headers", 1),
        ("proxy_on_log", 1),
        // Each read makes the host ask for memory.
        ("proxy_on_memory_allocate", 3),
        ("proxy_get_header_map_pairs", 2),
        // The client's address, for the record.
        ("proxy_get_property", 1),
        ("proxy_get_current_time_nanoseconds", 1),
        // Allowed, allowed for this reason, token known.
        ("proxy_increment_metric", 3),
        // The token goes; two identity headers, eight security headers and Vary come.
        ("proxy_remove_header_map_value", 1),
        ("proxy_add_header_map_value", 11),
        ("proxy_set_property", 1),
    ]);
    assert_eq!(crossings(&log), Some(expected), "a call that is new here is paid for with every request");
}
