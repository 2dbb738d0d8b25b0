use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::audit::seal::Keys;
use crate::audit::testing::{Numbers, SECRET, START, chained, directory, key, record, write};
use crate::input::Secret;
use crate::terminal::Terminal;
use crate::time;

/// Verifies files with these lines.
fn verify_files(test: &str, files: &[&[String]], state: Option<State>) -> Report {
    let folder = directory(test);
    let names = (0..files.len()).map(|index| format!("{index}.log"));
    let paths: Vec<_> = names.zip(files).map(|(name, lines)| write(&folder, &name, lines)).collect();
    let sources = Source::find_all(&paths).unwrap();
    let report = Verifier::new(key(), state, false).run(&sources, Terminal::standard().bar("testing")).unwrap();
    std::fs::remove_dir_all(folder).unwrap();
    report
}

/// The problems of one file, each with its line.
fn problems(test: &str, lines: &[String]) -> Vec<(u64, &'static str)> {
    let report = verify_files(test, &[lines], None);
    report.findings.list().iter().map(|f| (f.place.map_or(0, |place| place.line), f.problem.code())).collect()
}

fn keys() -> Keys {
    Keys::new(&Secret::new(SECRET.to_vec().into()), "KEY").unwrap()
}

fn is_checkpoint(line: &str) -> bool {
    SealedLine::parse(line.as_bytes()).is_some_and(|line| line.is_checkpoint())
}

#[test]
fn clean_files_are_good() {
    let lines = chained(2_000, 4);
    let report = verify_files("clean", &[&lines], None);
    assert_eq!(report.findings.list(), []);
    assert_eq!((report.sealed, report.chains.len(), report.unchecked), (2_000, 4, 0));
    assert_eq!(report.checkpoints, lines.iter().filter(|line| is_checkpoint(line)).count() as u64);

    let (old, new) = lines.split_at(777);
    assert!(verify_files("rotated", &[old, new], None).is_good(), "over a rotation");
    let (links, checkpoints): (Vec<_>, Vec<_>) = lines.iter().cloned().partition(|line| !is_checkpoint(line));
    for (name, files) in [("before", [&checkpoints[..], &links]), ("after", [&links[..], &checkpoints])] {
        let report = verify_files(name, &files, None);
        assert!(report.is_good(), "checkpoints in a file of their own, {name}: {:?}", report.findings);
        assert_eq!((report.checkpoints, report.unchecked), (checkpoints.len() as u64, 0), "{name}");
    }
    let proxy: Vec<String> = lines
        .iter()
        .map(|line| format!("[2026-11-24 03:48:57.824][12][info][wasm] wasm log portcullis: {line}"))
        .flat_map(|line| [line, "[2026-11-24 03:48:57.824][12][info][main] {started}".to_owned()])
        .collect();
    assert!(verify_files("proxy", &[&proxy], None).is_good(), "in the proxy's own log");
}

/// The lines of a file, the lines of it that are named with the problem, and what was done.
type Case<'c> = (Vec<String>, Vec<(u64, &'c str)>, &'c str);

#[test]
fn each_kind_of_tampering_is_named() {
    // One chain, no checkpoint but the last: line n has seq n.
    let lines = chained(20, 1);
    let swap = |from: &str, to: &str, at: usize| {
        let mut lines = lines.clone();
        assert!(lines[at].contains(from));
        lines[at] = lines[at].replacen(from, to, 1);
        lines
    };
    let without = |gone: &[usize]| -> Vec<String> {
        lines.iter().enumerate().filter(|(at, _)| !gone.contains(at)).map(|(_, line)| line.clone()).collect()
    };
    let moved = |from: usize, to: usize| {
        let mut lines = lines.clone();
        let line = lines.remove(from);
        lines.insert(to, line);
        lines
    };
    let inserted = |line: &str, at: usize| {
        let mut lines = lines.clone();
        lines.insert(at, line.to_owned());
        lines
    };
    let other_mac = |line: &str| {
        let (start, end) = line.split_at(line.len() - 10);
        let other = if end.starts_with('A') { "B" } else { "A" };
        format!("{start}{other}{}", end.chars().skip(1).collect::<String>())
    };
    let mut mac = lines.clone();
    mac[6] = other_mac(&mac[6]);
    let mut two = swap("user", "loser", 6);
    two[7] = two[7].replacen("user", "loser", 1);
    let foreign = record(START, "mallory", false);
    let twice = foreign.replacen('{', "{ \"event\":\"access\", ", 1);
    let summary = r#"{"timestamp":"2026-11-24T03:49:07.002Z","event":"authentication","action":"authenticate","decision":"deny","reason":"token_signature","route":"document","ip_address":"203.0.113.9","policy":"6S9Z4mdaNrKxQfQp","count":9980,"since":"2026-11-24T03:48:57.824Z"}"#;
    let cases: Vec<Case<'_>> = vec![
        (swap("user", "loser", 6), vec![(7, "changed")], "a changed line"),
        (swap("user", "loser", 0), vec![(1, "changed")], "the first"),
        (swap("user", "loser", 19), vec![(20, "changed")], "the last"),
        (two, vec![(7, "changed"), (8, "changed")], "two in a row"),
        (mac, vec![(7, "changed")], "its MAC"),
        (swap("\"seq\":7,", "\"seq\":9,", 6), vec![(7, "changed")], "its place"),
        (swap("\"seq\":7,", "\"seq\":2,", 6), vec![(7, "changed")], "its place, to an earlier one"),
        (swap("{\"t", "(\"t", 6), vec![(7, "changed")], "its first byte"),
        (swap("\"mac\"", "\"mad\"", 6), vec![(7, "broken_seal"), (8, "removed")], "the name of its MAC"),
        (without(&[6]), vec![(7, "removed")], "a line removed"),
        (without(&[0]), vec![(1, "removed")], "the first"),
        (without(&[3, 4, 5, 9]), vec![(4, "removed"), (7, "removed")], "several"),
        (without(&[18, 19]), vec![(18, "cut_off")], "the end"),
        (moved(6, 7), vec![(7, "reordered")], "two that have changed places"),
        (moved(3, 15), vec![(16, "reordered")], "one moved down"),
        (moved(15, 3), vec![(4, "reordered")], "one moved up"),
        (inserted(&lines[4], 10), vec![(11, "inserted")], "one repeated"),
        (inserted(&lines[4], 5), vec![(6, "inserted")], "one repeated right behind itself"),
        (inserted(&foreign, 5), vec![(6, "unsealed")], "one without a seal"),
        (
            inserted(&format!("{},\"count\":1}}", foreign.trim_end_matches('}')), 5),
            vec![(6, "unsealed")],
            "one with a count",
        ),
        (inserted(&summary.replace("deny", "allow"), 5), vec![(6, "unsealed")], "a summary of what was allowed"),
        (inserted(summary, 5), vec![], "a summary of a burst"),
        (inserted("{\"timestamp\":\"2026-11-24T", 5), vec![(6, "broken")], "the beginning of one"),
        (inserted(&twice, 5), vec![(6, "broken")], "one with a member twice"),
        (inserted(&lines[20], 3), vec![(22, "repeated")], "the checkpoint repeated"),
    ];
    for (index, (lines, expected, what)) in cases.into_iter().enumerate() {
        let found = problems(&format!("kind{index}"), &lines);
        // A line whose seal is not one any more is a record without.
        let expected: Vec<_> = expected
            .into_iter()
            .map(|(at, code)| (at, if code == "broken_seal" { "unsealed" } else { code }))
            .collect();
        assert_eq!(found, expected, "{what}");
    }
}

#[test]
fn a_changed_checkpoint_is_found_wherever_it_stands() {
    let lines = chained(500, 2);
    let at = lines.iter().position(|line| is_checkpoint(line)).unwrap();
    let mut changed = lines.clone();
    changed[at] = changed[at].replacen("2026", "2027", 1);
    assert_eq!(problems("checkpoint", &changed), [(at as u64 + 1, "checkpoint_changed")]);
    let (links, checkpoints): (Vec<_>, Vec<_>) = changed.into_iter().partition(|line| !is_checkpoint(line));
    let report = verify_files("late", &[&links, &checkpoints], None);
    let places: Vec<_> = report.findings.list().iter().filter_map(|finding| finding.place).collect();
    assert_eq!(places, [Place { file: 1, line: 1 }], "after all the lines");
}

#[test]
fn a_state_finds_what_the_files_cannot_tell() {
    let lines: Vec<String> = chained(400, 3).into_iter().filter(|line| !is_checkpoint(line)).collect();
    let whole = verify_files("state", &[&lines], None);
    let state = || Some(State::new(whole.chains.clone(), time::now_precise()));
    assert!(verify_files("state-same", &[&lines], state()).is_good());
    assert!(verify_files("state-none", &[&lines[..390]], None).is_good(), "the end is missing, and nobody knows");
    let cut = verify_files("state-cut", &[&lines[..390]], state());
    assert!(cut.findings.count > 0 && cut.findings.list().iter().all(|finding| finding.problem.code() == "cut_off"));

    let id = |line: &String| SealedLine::parse(line.as_bytes()).unwrap().chain.to_owned();
    let first = id(&lines[0]);
    let rest: Vec<String> = lines.iter().filter(|line| id(line) != first).cloned().collect();
    let missing = verify_files("state-chain", &[&rest], state());
    assert_eq!(missing.findings.count, 1, "a chain that is missing whole");
    assert_eq!(missing.findings.list()[0].chain.as_deref(), Some(&*first));

    let early = verify_files("state-early", &[&lines[..200]], None);
    let state = State::new(early.chains, time::now_precise());
    let later = verify_files("state-later", &[&lines[200..]], Some(state));
    assert!(later.is_good(), "later files go on from it: {:?}", later.findings);
    assert!(!verify_files("state-without", &[&lines[200..]], None).is_good(), "and without it begin in the middle");
}

#[test]
fn a_chain_goes_on_from_what_was_pruned() {
    let lines: Vec<String> = chained(60, 1).into_iter().filter(|line| !is_checkpoint(line)).collect();
    let reached = verify_files("pruned-all", &[&lines[..20]], None).chains;
    let anchor = keys().pruned_line(&reached[0], time::now_precise());
    let with = |anchor: &str| {
        let mut file = vec![anchor.to_owned()];
        file.extend_from_slice(&lines[20..]);
        file
    };
    let report = verify_files("pruned", &[&with(&anchor)], None);
    assert!(report.is_good(), "{:?}", report.findings);
    let forged = anchor.replacen("\"seq\":20", "\"seq\":21", 1);
    assert!(!verify_files("pruned-forged", &[&with(&forged)], None).is_good(), "one that was changed");
    let mut hidden = lines[..10].to_vec();
    hidden.push(anchor);
    hidden.extend_from_slice(&lines[20..]);
    assert!(!verify_files("pruned-middle", &[&hidden], None).is_good(), "one that hides what was removed after it");
}

#[test]
fn another_key_fits_nothing() {
    let folder = directory("other-key");
    let path = write(&folder, "log", &chained(100, 2));
    let other = ChainKey::new(&portcullis_engine::Secret::new(vec![1; 32]));
    let report = Verifier::new(other, None, false)
        .run(&Source::find_all(&[path]).unwrap(), Terminal::standard().bar("testing"))
        .unwrap();
    assert_eq!(report.sealed, 0);
    assert!(report.findings.count >= 100);
}

/// One tampering: what was done, and the lines that may be named for it.
struct Tampered {
    what: String,
    lines: Vec<String>,
    near: BTreeSet<String>,
}

/// Does something to the file that a seal protects from.
fn tamper(lines: &[String], numbers: &mut Numbers) -> Tampered {
    let mut lines = lines.to_vec();
    let chain = |line: &str| SealedLine::parse(line.as_bytes()).map(|line| line.chain.to_owned()).unwrap_or_default();
    let kind = numbers.below(6);
    // A removed checkpoint leaves no trace, and need not: it is no record.
    let at = loop {
        let at = numbers.below(lines.len());
        if kind == 0 || !is_checkpoint(&lines[at]) {
            break at;
        }
    };
    let mut near = BTreeSet::from([chain(&lines[at])]);
    let what = match kind {
        0 => {
            let byte = numbers.below(lines[at].len());
            let mut bytes = lines[at].clone().into_bytes();
            bytes[byte] = if bytes[byte] == b'x' { b'y' } else { b'x' };
            lines[at] = String::from_utf8(bytes).unwrap();
            near.insert(chain(&lines[at]));
            format!("byte {byte} of line {} changed", at + 1)
        }
        1 => {
            lines.remove(at);
            format!("line {} removed", at + 1)
        }
        2 => {
            let to = numbers.below(lines.len());
            let line = lines[at].clone();
            lines.insert(to, line);
            format!("line {} repeated at {}", at + 1, to + 1)
        }
        3 => {
            let same = lines.iter().enumerate().skip(at + 1).filter(|(_, line)| chain(line) == chain(&lines[at]));
            let other = same.filter(|(_, line)| !is_checkpoint(line)).map(|(at, _)| at).nth(numbers.below(3));
            match other {
                Some(other) => {
                    lines.swap(at, other);
                    format!("lines {} and {} swapped", at + 1, other + 1)
                }
                None => {
                    lines.remove(at);
                    format!("line {} removed", at + 1)
                }
            }
        }
        4 => {
            let keep = numbers.below(lines[at].len() - 1);
            lines[at].truncate(keep);
            format!("line {} cut off after {keep}", at + 1)
        }
        _ => {
            lines.insert(at, record(START, "mallory", false));
            near.insert(String::new());
            format!("a record inserted at {}", at + 1)
        }
    };
    Tampered { what, lines, near }
}

#[test]
fn two_hundred_random_tamperings_are_all_found() {
    let lines = chained(5_000, 4);
    assert!(verify_files("random-clean", &[&lines], None).is_good());
    let mut numbers = Numbers(42);
    for round in 0..200 {
        let Tampered { what, lines, near } = tamper(&lines, &mut numbers);
        let report = verify_files("random", &[&lines], None);
        assert!(report.findings.count > 0, "round {round}: {what}: nothing was found");
        assert!(report.findings.count < 4, "round {round}: {what}: {:?}", report.findings);
        let named = report.findings.list().iter().any(|f| near.contains(f.chain.as_deref().unwrap_or_default()));
        assert!(named, "round {round}: {what}: another chain is named: {:?}", report.findings);
    }
}

proptest! {
    #[test]
    fn no_bytes_are_too_much(bytes in proptest::collection::vec(any::<u8>(), 0..400), chunk in 0..40_usize) {
        let good = chained(10, 2);
        let mut verifier = Verifier::new(key(), None, false);
        let at = |line| Place { file: 0, line };
        for (index, line) in good.iter().enumerate() {
            verifier.line(at(index as u64), line.as_bytes()).unwrap();
            let mut mixed = line.clone().into_bytes();
            mixed.truncate(chunk * 10);
            mixed.extend(&bytes);
            verifier.line(at(index as u64), &mixed).unwrap();
            verifier.line(at(index as u64), &bytes).unwrap();
        }
        let _any = verifier.finish();
    }

    #[test]
    fn any_place_in_a_chain_is_taken(places in proptest::collection::vec((any::<u64>(), 0..3_u8), 0..60)) {
        let mut verifier = Verifier::new(key(), None, false);
        for (line, (seq, id)) in places.into_iter().enumerate() {
            let seal = chained(1, 1)[0].replacen("\"seq\":1,", &format!("\"seq\":{},", seq.max(1)), 1);
            let seal = seal.replacen("AAAAAAAAAAAAAAAAAAAAAA", ["AAAAAAAAAAAAAAAAAAAAAA", "AQAAAAAAAAAAAAAAAAAAAA", "AgAAAAAAAAAAAAAAAAAAAA"][usize::from(id)], 1);
            verifier.line(Place { file: 0, line: line as u64 }, seal.as_bytes()).unwrap();
        }
        let _any = verifier.finish();
    }
}
