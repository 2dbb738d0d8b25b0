#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;

const SECRET: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA_-";

#[test]
fn keys_have_one_form() {
    let good = format!("pk_abcdefghij12_{SECRET}");
    for (text, expected, message) in [
        (good.clone(), true, "as it should be"),
        (format!("{good}x"), false, "a character too many"),
        (good.trim_end_matches('-').to_owned(), false, "a character too few"),
        (good.replace("pk_", "sk_"), false, "another prefix"),
        (good.replace("abc", "Abc"), false, "a capital letter in the id"),
        (good.replace("abc", "ab"), false, "a short id"),
        (good.replace("_-", "_="), false, "padding"),
        (good.replace("_-", "_é"), false, "beyond ASCII"),
        (format!(" {good}"), false, "a space"),
        (String::new(), false, "nothing"),
        ("pk__".to_owned(), false, "empty parts"),
    ] {
        assert_eq!(ApiKey::parse(text.as_bytes()).is_some(), expected, "{message}");
    }
    assert!(ApiKey::parse(b"pk_\xff").is_none(), "not text");
}

#[test]
fn only_the_secret_proves_a_key() {
    let text = format!("pk_abcdefghij12_{SECRET}");
    let key = ApiKey::parse(text.as_bytes()).expect("a key");
    let right: [u8; 32] = Sha256::digest(SECRET).into();
    assert!(key.is_proved_by(&right));
    for bit in 0..256 {
        let mut wrong = right;
        wrong[bit / 8] ^= 1 << (bit % 8);
        assert!(!key.is_proved_by(&wrong), "bit {bit}");
    }
    assert!(!key.is_proved_by(&[0; 32]));
    assert!(!format!("{key:?}").contains(SECRET), "it is never shown");
}
