#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::parse;

#[test]
fn accepts_only_strict_json() {
    for (text, accepted, message) in [
        (r#"{"a":1,"b":[{"a":2}]}"#, true, "the same name at two depths"),
        (r#"{"a":1,"a":1}"#, false, "a repeated member"),
        (r#"{"b":{"a":1,"\u0061":2}}"#, false, "a repeated member, escaped and nested"),
        (r#"{"a":NaN}"#, false, "NaN"),
        (r#"{"a":1e999}"#, false, "a number beyond a double"),
        (r#"{"a":01}"#, false, "a leading zero"),
        (r#"{"a":1}x"#, false, "trailing text"),
        (r#"{"a":1,}"#, false, "a trailing comma"),
        ("{\"a\":\"\u{1}\"}", false, "a raw control character"),
        (r#"{"a":"\ud800"}"#, false, "a lone surrogate"),
    ] {
        assert_eq!(parse(text.as_bytes()).is_some(), accepted, "{message}");
    }
    assert!(parse("[".repeat(100_000).as_bytes()).is_none(), "deep nesting is refused, not followed");
    assert!(parse(b"\"\xff\"").is_none(), "text that is not UTF-8");
}
