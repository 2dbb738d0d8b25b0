#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::mask;

#[test]
fn addresses_are_dotted_as_ever() {
    for bits in [0, u32::MAX, 0x7f00_0001, 0x0a09_6364, 0xc0a8_0a64, 0x0109_0a0b] {
        let ip = std::net::Ipv4Addr::from(bits);
        assert_eq!(super::dotted(ip), ip.to_string());
    }
}

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
