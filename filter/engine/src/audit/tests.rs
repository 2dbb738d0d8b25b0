#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::mask;

#[test]
fn subjects_are_masked() {
    for (subject, expected) in [
        ("3f2b", "3f2b"),
        ("alice@example.com", "a***@example.com"),
        ("@example.com", "***@example.com"),
        ("\"a@b\"@example.com", "\"***@example.com"),
        ("eyJhbGciOiJIUzI1NiJ9.e30.x", "[masked]"),
        ("https://alice:pw@example.com", "[masked]"),
    ] {
        assert_eq!(mask(subject).0, expected, "{subject}");
    }
    assert_eq!(mask(&"a".repeat(129)).0, "[masked]");
}
