#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use serde_json::{Value, json};

use super::super::chain::{BEFORE_FIRST, ChainKey, ChainMac, SealedLine};
use super::*;
use crate::secret::Secret;
use crate::testing::{NOW, OTHER_SECRET, Request, amended, policy, with_routes};

fn auditing(audit: Value) -> Policy {
    let routes = json!([
        {"name": "open", "match": {"path": "/open"}, "access": "public"},
        {"name": "me", "match": {"path": "/me"}, "access": "authenticated"},
    ]);
    policy(&amended(with_routes(routes), json!({"audit": audit})))
}

fn chain() -> Value {
    json!({"key": {"env": "OTHER_KEY"}, "checkpoint": "10s"})
}

fn at(seconds: i64) -> UnixTime {
    UnixTime::from_seconds(NOW + seconds)
}

fn entered(journal: &mut Journal, policy: &Policy, path: &str, second: i64) -> Entry {
    let record = Request::get(path).at(NOW + second).decide(policy).audit.unwrap();
    journal.enter(record, Some(200))
}

/// Follows a chain, checkpoints included, and gives its last number.
#[track_caller]
fn follow<'l>(lines: impl IntoIterator<Item = &'l String>) -> u64 {
    let key = ChainKey::new(&Secret::new(OTHER_SECRET.to_vec()));
    let (mut before, mut last): (ChainMac, u64) = (BEFORE_FIRST, 0);
    for line in lines {
        let sealed = SealedLine::parse(line.as_bytes()).unwrap_or_else(|| panic!("not sealed: {line}"));
        assert!(sealed.follows(&key, &before), "{line}");
        if sealed.is_checkpoint() {
            assert_eq!(sealed.seq, last);
        } else {
            (before, last) = (sealed.mac, last + 1);
            assert_eq!(sealed.seq, last);
        }
    }
    last
}

#[test]
fn without_any_of_it_a_record_is_as_it_was() {
    let policy = auditing(json!({}));
    let mut journal = Journal::new(&policy, [7; 16]);
    let line = Request::get("/open").decide(&policy).line(200);
    assert_eq!(entered(&mut journal, &policy, "/open", 0), Entry { line: Some(line), summary: None });
    assert_eq!((journal.attention(), journal.due(at(99)), journal.close(at(99))), (None, vec![], vec![]));
}

#[test]
fn records_and_checkpoints_make_one_chain() {
    let policy = auditing(json!({"chain": chain()}));
    let mut journal = Journal::new(&policy, [7; 16]);
    assert_eq!(journal.attention(), Some(Duration::from_secs(10)));
    assert_eq!(journal.due(at(0)), Vec::<String>::new(), "nothing was written yet");
    let mut lines = vec![entered(&mut journal, &policy, "/open", 0).line.unwrap()];
    assert_eq!(journal.due(at(9)), Vec::<String>::new(), "not yet");
    lines.extend(journal.due(at(10)));
    lines.extend(["/me", "/open"].map(|path| entered(&mut journal, &policy, path, 11).line.unwrap()));
    lines.extend(journal.close(at(12)));
    assert_eq!(journal.close(at(13)), Vec::<String>::new(), "nothing more was written");
    assert_eq!((lines.len(), follow(&lines)), (5, 3));
    let open = lines[0].split(",\"chain\"").next().unwrap();
    assert_eq!(format!("{open}}}"), Request::get("/open").decide(&policy).line(200), "the record comes first");
}

#[test]
fn a_clock_that_is_set_back_holds_up_no_checkpoint() {
    let policy = auditing(json!({"chain": chain()}));
    let mut journal = Journal::new(&policy, [7; 16]);
    for (second, due, what) in
        [(5000, 1, "the first"), (5009, 0, "not yet"), (1000, 1, "set back"), (1009, 0, "not yet"), (1010, 1, "due")]
    {
        assert!(entered(&mut journal, &policy, "/open", second).line.is_some());
        assert_eq!(journal.due(at(second)).len(), due, "{what}");
    }
}

#[test]
fn a_burst_is_summed_up() {
    let policy = auditing(json!({"burst": {"max": 2, "interval": "10s"}}));
    let mut journal = Journal::new(&policy, [7; 16]);
    assert_eq!(journal.attention(), Some(Duration::from_secs(1)));
    let told: Vec<bool> = (0..5).map(|second| entered(&mut journal, &policy, "/me", second).line.is_some()).collect();
    assert_eq!(told, [true, true, false, false, false]);
    assert!(entered(&mut journal, &policy, "/open", 5).line.is_some(), "what is allowed is never counted");
    let summaries = journal.due(at(10));
    let expected = format!(
        concat!(
            r#"{{"timestamp":"2025-06-15T15:06:50.000Z","event":"authentication","action":"authenticate","#,
            r#""decision":"deny","reason":"credentials_missing","route":"me","ip_address":"203.0.113.9","#,
            r#""policy":"{}","count":3,"since":"2025-06-15T15:06:42.000Z"}}"#
        ),
        policy.digest()
    );
    assert_eq!(summaries, [expected]);
}

#[test]
fn a_summary_is_sealed_where_the_chain_is_in_the_same_log() {
    for (sinks, sealed) in
        [(json!(["access_log"]), false), (json!(["log"]), true), (json!(["access_log", "log"]), true)]
    {
        let audit = json!({
            "sinks": sinks, "chain": chain(), "burst": {"max": 1, "interval": "5s"},
            "mask": {"ip_address": "truncate"},
        });
        let policy = auditing(audit);
        let mut journal = Journal::new(&policy, [7; 16]);
        let mut lines = Vec::new();
        for second in [0, 1, 2, 6] {
            let Entry { line, summary } = entered(&mut journal, &policy, "/me", second);
            if let Some(summary) = summary {
                assert!(summary.contains(r#""ip_address":"203.0.113.0/24","masked":["ip_address"]"#), "{summary}");
                assert!(summary.contains(r#""count":2"#), "{summary}");
                assert_eq!(summary.contains("\"mac\""), sealed, "{sinks}: {summary}");
                lines.extend(Some(summary).filter(|_| sealed));
            }
            lines.extend(line);
        }
        lines.extend(journal.close(at(7)));
        assert_eq!(follow(&lines), if sealed { 3 } else { 2 }, "{sinks}");
    }
}

#[test]
fn a_dry_run_is_a_group_of_its_own() {
    let document = with_routes(json!([{"name": "me", "match": {"path": "/me"}, "access": "authenticated"}]));
    let document = amended(document, json!({"mode": "dry_run", "audit": {"burst": {"max": 1}}}));
    let policy = policy(&document);
    let mut journal = Journal::new(&policy, [7; 16]);
    assert!(entered(&mut journal, &policy, "/me", 0).line.is_some());
    assert_eq!(entered(&mut journal, &policy, "/me", 0).line, None);
    assert!(journal.close(at(1))[0].contains(r#""decision":"dry_run_deny""#));
}

#[test]
fn a_key_that_is_not_at_hand_seals_nothing() {
    let policy = auditing(json!({"chain": {"key": {"env": "ELSEWHERE"}}}));
    let mut journal = Journal::new(&policy, [7; 16]);
    assert!(!entered(&mut journal, &policy, "/open", 0).line.unwrap().contains("chain"));
    assert_eq!(journal.close(at(1)), Vec::<String>::new());
}
