use std::io::Write as _;

use super::*;
use crate::audit::testing::{Numbers, directory};
use crate::terminal::Terminal;

/// What `scan` hands out, put together, and how often it did.
fn gathered(sources: &[Source]) -> (Vec<u8>, usize) {
    let (mut all, mut count) = (Vec::new(), 0);
    scan(sources, Terminal::standard().bar("testing"), <[u8]>::to_vec, |block| {
        all.extend(block);
        count += 1;
        Ok(Flow::GoOn)
    })
    .unwrap();
    (all, count)
}

#[test]
fn every_line_is_seen_once_and_in_order_wherever_pieces_end() {
    let folder = directory("pieces");
    let piece = usize::try_from(PIECE_BYTES).unwrap();
    let mut numbers = Numbers(1);
    let random: Vec<u8> = std::iter::repeat_with(|| {
        let mut line = vec![b'x'; numbers.below(900)];
        line.push(b'\n');
        line
    })
    .take(30_000)
    .flatten()
    .collect();
    // So many bytes of short lines.
    let long = |length: usize| -> Vec<u8> { b"line of 16 bytes\n".iter().copied().cycle().take(length).collect() };
    let at_the_border = |before: usize| {
        let mut text = long(before);
        text.push(b'\n');
        text.extend(long(piece - 10));
        text.extend(b"\nc\n");
        text
    };
    let texts: [(&str, Vec<u8>); 7] = [
        ("lines of any length", random.clone()),
        ("no line break at the end", random[..random.len() - 1].to_vec()),
        ("a line that ends where a piece does", at_the_border(piece - 1)),
        ("a line that ends one before", at_the_border(piece - 2)),
        ("a line that ends one behind", at_the_border(piece)),
        ("empty lines", vec![b'\n'; piece * 2 + 1]),
        ("exactly two pieces", [long(piece - 1), vec![b'\n'], long(piece - 1), vec![b'\n']].concat()),
    ];
    for (what, text) in texts {
        let path = folder.join(what);
        std::fs::write(&path, &text).unwrap();
        let (all, count) = gathered(&[Source::find(&path).unwrap()]);
        assert!(all == text, "{what}: {} of {}", all.len(), text.len());
        assert!(count > 1, "{what}");
    }
}

#[test]
fn of_a_line_that_is_too_long_only_the_beginning_is_seen() {
    let piece = usize::try_from(PIECE_BYTES).unwrap();
    let path = directory("too-long").join("file");
    let text = [&b"before\n"[..], &vec![b'x'; piece * 2], b"\nafter\n", &b"more\n".repeat(piece / 4)].concat();
    std::fs::write(&path, &text).unwrap();
    let (all, _) = gathered(&[Source::find(&path).unwrap()]);
    let lines: Vec<&[u8]> = all.split(|byte| *byte == b'\n').collect();
    // Blocks are put together here, and the one that ends in the long line has no line break.
    assert!(lines[0] == b"before" && lines[1].ends_with(b"xafter"), "{} lines", lines.len());
    assert_eq!(lines.iter().filter(|line| **line == b"more").count(), piece / 4, "each once");
}

#[test]
fn files_come_one_after_the_other() {
    let folder = directory("files");
    let mut sources = Vec::new();
    for name in ["a", "b", "c"] {
        let path = folder.join(name);
        std::fs::File::create(&path).unwrap().write_all(format!("{name}\n").as_bytes()).unwrap();
        sources.push(Source::find(&path).unwrap());
    }
    assert_eq!(gathered(&sources).0, b"a\nb\nc\n");
}

#[test]
fn who_has_enough_gets_no_more() {
    let path = directory("enough").join("file");
    std::fs::write(&path, "line\n".repeat(4_000_000)).unwrap();
    let mut count = 0;
    scan(&[Source::find(&path).unwrap()], Terminal::standard().bar("testing"), <[u8]>::len, |_| {
        count += 1;
        Ok(Flow::Stop)
    })
    .unwrap();
    assert_eq!(count, 1);
}
