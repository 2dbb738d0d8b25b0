use super::*;
use crate::audit::testing::{START, chained, record};
use portcullis_engine::UnixTime;

/// Which lines are kept, where records before a moment go.
fn kept(lines: &[String], cutoff: i64) -> (Vec<String>, Pruning) {
    let mut pruning = Pruning::new(&UnixTime::from_millis(cutoff).rfc3339());
    let kept = lines.iter().filter(|line| pruning.keeps(line.as_bytes())).cloned().collect();
    (kept, pruning)
}

#[test]
fn old_records_go_and_what_is_left_is_as_it_was() {
    let lines: Vec<String> = (0..10).map(|index| record(START + index, "alice", false)).collect();
    let (left, pruning) = kept(&lines, START + 4);
    assert_eq!(left, lines[4..]);
    assert_eq!((pruning.removed, pruning.left, pruning.sealed), (4, 6, false));
    assert!(pruning.gone().is_empty());
    assert_eq!(kept(&lines, START).0, lines, "none is old");
    assert_eq!(kept(&lines, START + 99).0.len(), 0, "all are");
}

#[test]
fn other_lines_go_with_the_records_they_stand_before() {
    let log = |text: &str| text.to_owned();
    let (old, new) = (record(START, "alice", false), record(START + 9, "alice", false));
    let lines = [log("started"), old, log("between"), new.clone(), log("after")];
    assert_eq!(kept(&lines, START + 5).0, [new, log("after")]);
}

#[test]
fn a_chain_loses_its_beginning_and_nothing_else() {
    let lines = chained(100, 2);
    let (left, pruning) = kept(&lines, START + 500);
    assert_eq!(left, lines[lines.len() - left.len()..], "only from the beginning");
    assert!(pruning.sealed);
    let gone = pruning.gone();
    assert_eq!(gone.len(), 2);
    assert_eq!(gone.iter().map(|reached| reached.seq).sum::<u64>(), pruning.removed, "how far both had come");

    // A line with an old time behind a newer one of its chain stays: the chain would have a hole.
    let mut turned = lines.clone();
    let mut numbers = (0..turned.len()).filter(|at| turned[*at].contains("\"chain\":\"AAAA"));
    let (first, second) = (numbers.next().unwrap(), numbers.next().unwrap());
    turned.swap(first, second);
    let (left, _) = kept(&turned, START + 10 * i64::try_from(second).unwrap() + 10);
    assert!(left.contains(&lines[first]) && left.contains(&lines[second]));
}
