#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;
use crate::testing::{OTHER_SECRET, SECRET, base64url, now};

const ID: [u8; 16] = *b"0123456789abcdef";

fn key() -> ChainKey {
    ChainKey::new(&Secret::new(SECRET.to_vec()))
}

fn line(reason: &str) -> String {
    format!(r#"{{"timestamp":"2025-06-15T15:06:40.000Z","event":"access","reason":"{reason}","policy":"p"}}"#)
}

/// What a chain of these lines gives.
fn sealed(lines: &[&str]) -> Vec<String> {
    let mut chain = Chain::new(key(), ID);
    lines.iter().map(|reason| chain.seal(line(reason))).collect()
}

/// Whether the lines are the whole of one chain, in order.
fn holds(lines: &[String], key: &ChainKey) -> bool {
    let mut before = BEFORE_FIRST;
    lines.iter().zip(1..).all(|(line, seq)| {
        let Some(sealed) = SealedLine::parse(line.as_bytes()) else { return false };
        let follows = sealed.seq == seq && sealed.follows(key, &before);
        before = sealed.mac;
        follows
    })
}

#[test]
fn a_line_is_sealed_as_the_format_says() {
    let chain = base64url(ID);
    let derived = hmac_sha256::HMAC::mac(b"portcullis audit chain", SECRET);
    let body = |seq: u64| {
        let line = line("public");
        let open = line.strip_suffix('}').unwrap();
        format!(r#"{open},"chain":"{chain}","seq":{seq}"#)
    };
    let first = hmac_sha256::HMAC::mac([&[0; 32], body(1).as_bytes()].concat(), derived);
    let second = hmac_sha256::HMAC::mac([&first, body(2).as_bytes()].concat(), derived);
    assert_eq!(
        sealed(&["public", "public"]),
        [
            format!(r#"{},"mac":"{}"}}"#, body(1), base64url(first)),
            format!(r#"{},"mac":"{}"}}"#, body(2), base64url(second)),
        ]
    );
}

#[test]
fn a_checkpoint_says_how_far_the_chain_has_come() {
    let mut chain = Chain::new(key(), ID);
    assert_eq!(chain.checkpoint(now(), "digest"), None, "nothing was written");
    let _ = chain.seal(line("a"));
    let last = chain.seal(line("b"));
    let checkpoint = chain.checkpoint(now(), "digest").unwrap();
    let derived = hmac_sha256::HMAC::mac(b"portcullis audit chain", SECRET);
    let reached = SealedLine::parse(last.as_bytes()).unwrap().mac;
    let body = format!(
        concat!(
            r#"{{"timestamp":"2025-06-15T15:06:40.000Z","event":"admin","action":"checkpoint","decision":"allow","#,
            r#""reason":"checkpoint","policy":"digest","chain":"{}","seq":2"#
        ),
        base64url(ID)
    );
    let mac = hmac_sha256::HMAC::mac([b"checkpoint", reached.as_slice(), body.as_bytes()].concat(), derived);
    assert_eq!(checkpoint, format!(r#"{body},"mac":"{}"}}"#, base64url(mac)));
    let parsed = SealedLine::parse(checkpoint.as_bytes()).unwrap();
    assert!(parsed.is_checkpoint() && parsed.follows(&key(), &reached) && parsed.seq == 2);
    assert!(!SealedLine::parse(last.as_bytes()).unwrap().is_checkpoint());
    assert_eq!(chain.checkpoint(now(), "digest"), None, "nothing new was written");
    let next = chain.seal(line("c"));
    assert!(
        SealedLine::parse(next.as_bytes()).unwrap().follows(&key(), &reached),
        "a checkpoint is no link of the chain"
    );
}

#[test]
fn a_chain_is_written_on_with_after_its_last_line() {
    let all = sealed(&["a", "b", "c"]);
    let last = SealedLine::parse(all[1].as_bytes()).unwrap();
    let mut resumed = Chain::resume(key(), &last);
    assert_eq!(resumed.checkpoint(now(), "digest"), None, "nothing new was written");
    assert_eq!(resumed.seal(line("c")), all[2]);
}

#[test]
fn what_was_done_to_a_file_shows() {
    let whole = sealed(&["a", "b", "c", "d"]);
    assert!(holds(&whole, &key()));
    assert!(!holds(&whole, &ChainKey::new(&Secret::new(OTHER_SECRET.to_vec()))), "another key");
    type Tamper = fn(&mut Vec<String>);
    let tampered: [(&str, Tamper); 6] = [
        ("a changed line", |lines| lines[1] = lines[1].replace("\"b\"", "\"x\"")),
        ("a removed line", |lines| drop(lines.remove(1))),
        ("a repeated line", |lines| lines.insert(1, lines[1].clone())),
        ("two lines exchanged", |lines| lines.swap(1, 2)),
        ("another number", |lines| lines[1] = lines[1].replace("\"seq\":2", "\"seq\":3")),
        ("a MAC of another line", |lines| {
            let mac = lines[2].split_once(",\"mac\"").unwrap().1.to_owned();
            let body = lines[1].split_once(",\"mac\"").unwrap().0.to_owned();
            lines[1] = format!("{body},\"mac\"{mac}");
        }),
    ];
    for (what, tamper) in tampered {
        let mut lines = whole.clone();
        tamper(&mut lines);
        assert!(!holds(&lines, &key()), "{what}");
    }
}

#[test]
fn only_what_ends_exactly_so_is_a_sealed_line() {
    let good = sealed(&["a"]).remove(0);
    let open = good.strip_suffix("\"}").unwrap();
    let (body, mac) = good.split_once(",\"mac\"").unwrap();
    let rows = [
        ("nothing", String::new()),
        ("a record without a chain", line("a")),
        ("a line break", format!("{good}\n")),
        ("a space", format!("{good} ")),
        ("no number", good.replace("\"seq\":1", "\"seq\":")),
        ("zero", good.replace("\"seq\":1", "\"seq\":0")),
        ("a leading zero", good.replace("\"seq\":1", "\"seq\":01")),
        ("a sign", good.replace("\"seq\":1", "\"seq\":-1")),
        ("a number too large", good.replace("\"seq\":1", "\"seq\":99999999999999999999")),
        ("a MAC cut short", format!("{}\"}}", open.strip_suffix(char::is_alphanumeric).unwrap_or(open))),
        ("another spelling of the MAC", {
            let (mut other, last) = (open.to_owned(), open.as_bytes()[open.len() - 1]);
            other.pop();
            format!("{other}{}\"}}", char::from(last.wrapping_add(1)))
        }),
        ("no chain", good.replace("\"chain\"", "\"other\"")),
        ("an id of another length", good.replace(&base64url(ID), "MDEy")),
        ("two members exchanged", format!(",\"mac\"{mac}{body}")),
    ];
    assert!(SealedLine::parse(good.as_bytes()).is_some());
    for (what, line) in rows {
        let parsed = SealedLine::parse(line.as_bytes());
        // Where the last letter is not the last of its four, the next spells other bytes: then it is no longer the MAC.
        let other = parsed.is_some_and(|line| line.follows(&key(), &BEFORE_FIRST));
        assert!(!other, "{what}: {line}");
    }
}

#[test]
fn numbers_are_written_as_display_does() {
    for number in [1, 9, 10, 11, 99, 100, 12_345, 999_999, 1_000_000, u64::MAX / 10, u64::MAX / 10 + 1, u64::MAX] {
        let mut text = String::new();
        push_number(&mut text, number);
        assert_eq!(text, number.to_string());
    }
    assert_eq!(format!("{:?}", key()), "ChainKey(redacted)");
}

#[cfg(not(target_arch = "wasm32"))]
mod properties {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_single_changed_byte_shows(at in 0_usize..1000, with in 0_u8..255) {
            let mut lines: Vec<Vec<u8>> = sealed(&["a", "b", "c"]).into_iter().map(String::into_bytes).collect();
            let total: usize = lines.iter().map(Vec::len).sum();
            let mut at = at % total;
            let line = lines.iter_mut().find(|line| { let here = at < line.len(); if !here { at -= line.len(); } here });
            let byte = &mut line.unwrap()[at];
            prop_assume!(*byte != with);
            *byte = with;
            let Ok(lines) = lines.into_iter().map(String::from_utf8).collect::<Result<Vec<_>, _>>() else { return Ok(()) };
            prop_assert!(!holds(&lines, &key()));
        }

        #[test]
        fn nothing_makes_parsing_panic(line in prop::collection::vec(any::<u8>(), 0..200), cut in 0_usize..400) {
            let _ = SealedLine::parse(&line);
            let sealed = sealed(&["a"]).remove(0);
            let tail = sealed.as_bytes().get(cut.min(sealed.len())..).unwrap_or_default();
            let _ = SealedLine::parse(&[&line, tail].concat());
        }
    }
}
