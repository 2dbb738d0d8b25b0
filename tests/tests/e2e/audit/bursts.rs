//! Bursts of denials and shares of what is allowed: what has no line of its own is counted, or was allowed.

use serde_json::json;

use super::audited;
use super::chain::with_key;
use crate::e2e::setup;
use crate::harness::audit::Record;
use crate::harness::chain::{follow, sealed};
use crate::harness::client::Request;
use crate::harness::eventually;
use crate::harness::proxy::Proxy;
use crate::harness::token::Token;
use crate::harness::upstream::Upstream;

/// The records in Envoy's own log, checkpoints left out.
fn logged(proxy: &Proxy) -> Vec<Record> {
    let log = proxy.log();
    let lines = log.lines().filter_map(|line| line.find("{\"timestamp\"").and_then(|start| line.get(start..)));
    lines.map(Record::parse).filter(|record| record.text("action") != "checkpoint").collect()
}

fn count(record: &Record) -> usize {
    record.get("count").and_then(serde_json::Value::as_u64).map_or(1, |count| usize::try_from(count).unwrap())
}

#[test]
fn a_burst_is_summed_up_and_the_counts_add_up() {
    const DENIED: usize = 200;
    let upstream = Upstream::start();
    let burst = json!({"max": 5, "interval": "1s"});
    let proxy = setup(&upstream).policy("main", &audited(&json!({"burst": burst}))).start();
    let mut client = proxy.client("main");
    let viewer = Token::of("ada", "viewer").mint();
    for request in 0..DENIED {
        client.send(&Request::get("/users/ada/documents/7"));
        client.send(&Request::new("PUT", "/users/ada/documents/7").bearer(&viewer));
        if request % 10 == 0 {
            client.send(&Request::get("/healthz"));
        }
    }
    let of = |records: &[Record], reason: &str| -> usize {
        records.iter().filter(|record| record.text("reason") == reason).map(count).sum()
    };
    let own: Vec<Record> = eventually("the end of every request", || {
        let lines = proxy.log_lines("main");
        (lines.len() == 2 * DENIED + DENIED / 10)
            .then(|| lines.iter().filter(|line| *line != "-").map(|line| Record::parse(line)).collect())
    });
    assert!(own.iter().all(|record| record.get("count").is_none()), "each stands for itself");
    assert_eq!(of(&own, "public"), DENIED / 10, "what is allowed is never counted");
    for reason in ["credentials_missing", "role_denied"] {
        let summaries = eventually("summaries of all the others", || {
            let summaries = logged(&proxy);
            (of(&own, reason) + of(&summaries, reason) >= DENIED).then_some(summaries)
        });
        let lines = of(&own, reason);
        assert_eq!(lines + of(&summaries, reason), DENIED, "{reason}");
        assert!((5..DENIED).contains(&lines), "{reason}: {lines} lines");
        let summary = summaries.iter().find(|record| record.text("reason") == reason).unwrap();
        assert_eq!(summary.text("route"), "documents");
        assert_eq!((summary.text("ip_address").as_str(), summary.text("decision").as_str()), ("127.0.0.1", "deny"));
        assert!(summary.text("since") <= summary.text("timestamp"), "{}", summary.line);
        let names = summary.names();
        assert!(names.ends_with(&["policy", "count", "since"]), "{names:?}");
    }
    let denied = proxy.metric("portcullis_denied");
    assert!((denied - 2.0 * DENIED as f64).abs() < 0.5, "the metrics count each: {denied}");
    assert!(proxy.vm_failures().is_empty(), "{:?}", proxy.vm_failures());
}

/// What was counted when the proxy ends is told of at the end, in its place in the chain.
#[test]
fn an_end_tells_of_what_was_counted_until_then() {
    let upstream = Upstream::start();
    let audit = json!({
        "sinks": ["log"], "burst": {"max": 1, "interval": "1h"},
        "chain": {"key": {"env": "AUDIT_KEY"}, "checkpoint": "1h"},
    });
    let mut proxy = with_key(&upstream).policy("main", &audited(&audit)).start();
    let mut client = proxy.client("main");
    for _ in 0..10 {
        client.send(&Request::get("/nowhere"));
    }
    eventually("the end of every request", || (proxy.log_lines("main").len() == 10).then_some(()));
    proxy.terminate();
    let records = logged(&proxy);
    assert_eq!(records.iter().map(count).collect::<Vec<_>>(), [1, 9]);
    let lines = sealed(&proxy.log());
    let chains = follow(&lines);
    let chain = chains.values().next().expect("a chain");
    assert_eq!((chains.len(), chain.macs.len(), chain.told), (1, 2, 2), "{lines:?}");
}

#[test]
fn a_share_of_what_is_allowed_is_recorded_and_every_denial() {
    const EACH: usize = 400;
    let upstream = Upstream::start();
    let listeners = [("none", 0.0, 0..=0), ("some", 0.25, 50..=150), ("all", 1.0, EACH..=EACH)];
    let mut proxy = setup(&upstream);
    for (name, share, _) in &listeners {
        proxy = proxy.policy(name, &audited(&json!({"sample": share})));
    }
    let proxy = proxy.start();
    for (name, _, expected) in listeners {
        let mut client = proxy.client(name);
        for _ in 0..EACH {
            assert_eq!(client.send(&Request::get("/healthz")).status, 200);
            assert_eq!(client.send(&Request::get("/nowhere")).status, 401);
        }
        let lines = eventually("the end of every request", || {
            Some(proxy.log_lines(name)).filter(|lines| lines.len() == 2 * EACH)
        });
        let with = |word: &str| lines.iter().filter(|line| line.contains(word)).count();
        assert_eq!(with(r#""decision":"deny""#), EACH, "{name}: denials");
        let allowed = with(r#""decision":"allow""#);
        assert!(expected.contains(&allowed), "{name}: {allowed} of {EACH} allowed");
    }
}
