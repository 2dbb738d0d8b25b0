#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;

/// Texts of every length around those of one and of several vectors, all of `a` but for one `.`, or without any.
fn texts() -> impl Iterator<Item = (Vec<u8>, Option<usize>)> {
    (0..70_usize).flat_map(|length| {
        let plain = vec![b'a'; length];
        let with = move |at: usize| {
            let mut text = vec![b'a'; length];
            text[at] = b'.';
            (text, Some(at))
        };
        (0..length).map(with).chain([(plain, None)])
    })
}

#[test]
fn one_byte_is_found_wherever_it_stands() {
    for (text, at) in texts() {
        let shown = String::from_utf8_lossy(&text);
        assert_eq!(every(&text, |byte| byte != b'.'), at.is_none(), "every byte of {shown}");
        assert_eq!(position(&text, b'.'), at, "the first in {shown}");
        assert_eq!(rposition(&text, b'.'), at, "the last in {shown}");
    }
}

#[test]
fn a_pair_is_found_wherever_it_stands() {
    for (text, at) in texts() {
        let shown = String::from_utf8_lossy(&text);
        let next_to_dot = at.is_some_and(|at| at + 1 < text.len());
        assert_eq!(every_next(&text, |byte, _| byte != b'.'), !next_to_dot, "what another follows, of {shown}");
        let after_one = at.is_some_and(|at| at > 0);
        assert_eq!(every_next(&text, |_, next| next != b'.'), !after_one, "what follows another, of {shown}");
    }
}

#[test]
fn of_several_the_outermost_are_found() {
    let mut text = vec![b'a'; 100];
    text[17] = b'.';
    text[40] = b'.';
    text[90] = b'.';
    assert_eq!((position(&text, b'.'), rposition(&text, b'.')), (Some(17), Some(90)));
}

#[test]
fn kinds_of_bytes_are_those_of_the_standard_library() {
    for byte in 0..=u8::MAX {
        assert_eq!(is_letter(byte), byte.is_ascii_alphabetic(), "letter {byte:#x}");
        assert_eq!(is_hex(byte), byte.is_ascii_hexdigit(), "digit {byte:#x}");
        assert_eq!(is_between(byte, b'0', b'9'), byte.is_ascii_digit(), "between {byte:#x}");
    }
}
