#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{distance, parse_duration};

#[test]
fn durations() {
    for (text, expected) in [
        ("30s", Some(30)),
        ("15m", Some(900)),
        ("24h", Some(86_400)),
        ("730d", Some(63_072_000)),
        ("0s", Some(0)),
        ("30", None),
        ("s", None),
        ("-1s", None),
        ("1.5h", None),
        ("1w", None),
        ("9999999999d", None),
        ("é", None),
    ] {
        assert_eq!(parse_duration(text), expected, "{text}");
    }
}

#[test]
fn near_words_are_near() {
    for (left, right, steps) in [
        ("issuer", "issuer", 0),
        ("isuer", "issuer", 1),
        ("audience", "audiences", 1),
        ("", "abc", 3),
        ("route", "roles", 3),
    ] {
        assert_eq!(distance(left, right), steps, "{left} {right}");
    }
}
