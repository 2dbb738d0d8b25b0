use super::*;
use crate::audit::testing::{START, record};

fn tally(lines: &[String]) -> Tally {
    let mut tally = Tally::default();
    for line in lines {
        tally.add(&Record::parse(line.as_bytes()).unwrap());
    }
    tally
}

#[test]
fn what_was_refused_is_counted_by_who_where_and_why() {
    let mut lines: Vec<String> = (0..5).map(|index| record(START + index * 1000, "alice", index < 3)).collect();
    lines.push(record(START + 9_000, "bob", true));
    let summary = record(START + 20_000, "bob", true)
        .replace("\"policy\"", "\"count\":40,\"since\":\"2026-11-23T23:59:59.000Z\",\"policy\"");
    lines.push(summary);
    let mut whole = tally(&lines);
    assert_eq!((whole.requests, whole.refused()), (46, 44), "a summary counts for all it stands for");
    assert_eq!(whole.users.top(9), [("bob", 41), ("alice", 3)]);
    assert_eq!(whole.routes.top(9), [("documents", 44)]);
    assert_eq!(whole.reasons.top(9), [("role_denied", 44)]);
    assert_eq!(whole.users.top(1).len(), 1);
    assert_eq!(whole.first.as_deref(), Some("2026-11-23T23:59:59.000Z"), "the first it stands for");
    assert_eq!(whole.last.as_deref(), Some("2026-11-24T00:00:20.000Z"));

    let mut parts = tally(&lines[..3]);
    parts.merge(tally(&lines[3..]));
    whole.timeline = Timeline::default();
    parts.timeline = Timeline::default();
    assert_eq!(
        format!("{:?}", (parts.requests, &parts.decisions, &parts.first, &parts.last, parts.users.top(9))),
        format!("{:?}", (whole.requests, &whole.decisions, &whole.first, &whole.last, whole.users.top(9))),
        "in parts"
    );
}

#[test]
fn of_too_many_values_the_rarest_are_forgotten() {
    let mut counter = Counter::default();
    for index in 0..MAX_VALUES + 10 {
        counter.add(&format!("user{index}"), 1);
        counter.add("often", 1);
    }
    assert!(counter.distinct() <= MAX_VALUES + 1);
    assert_eq!(counter.top(1), [("often", u64::try_from(MAX_VALUES + 10).unwrap())]);
    assert_eq!(counter.short_by, 1, "and it says by how much a count may be short");
}

#[test]
fn time_is_counted_the_coarser_the_longer_it_is() {
    let mut line = Timeline::default();
    for second in [0, 1, 1, 59, 3_600] {
        line.add(second, 2, 1);
    }
    let (width, columns) = line.columns(60);
    assert_eq!((width, columns.len()), (300, 13));
    assert_eq!(columns.iter().map(|(_, bucket)| bucket.all).sum::<u64>(), 10, "nothing is lost");
    assert_eq!(columns[0].0, 0);
    for second in 0..10_000_000_i64 / 977 {
        line.add(second * 977, 1, 0);
    }
    assert!(line.columns(60).1.len() <= 60);
    line.add(i64::MAX / 2, 1, 1);
    line.add(i64::MIN / 2, 1, 1);
    assert!(line.columns(60).1.len() <= 60, "all of time");
    assert_eq!(Timeline::default().columns(60).1, []);
}

#[test]
fn bars_are_as_high_as_the_counts() {
    assert_eq!(sparkline([0, 1, 4, 8].into_iter()), "·▁▄█");
    assert_eq!(sparkline([0, 0].into_iter()), "··");
    assert_eq!(sparkline([u64::MAX, 1].into_iter()).chars().count(), 2);
    assert_eq!(sparkline(std::iter::empty()), "");
}

#[test]
fn the_page_escapes_what_comes_from_outside() {
    let lines = [record(START, "<script>alert(1)</script>", true), record(START + 60_000, "b", false)];
    let page = page::page(&tally(&lines), &["<b>.log".to_owned()], 10);
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && page.contains("&lt;b&gt;.log"), "{page}");
    for outside in ["<script", "http://", "https://", " style=", "onclick", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(page.contains("prefers-color-scheme: dark") && page.contains("Content-Security-Policy"));
}
