#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;
use crate::testing::header_name;

const NAMES: [&str; 8] = ["", "a", "te", "via", "x-user-id", "x-user-role", "content-security-policy", "x-user--d"];

#[test]
fn what_is_noted_is_found_and_nothing_else() {
    let mut map: NameMap<u32> = NameMap::new();
    for name in NAMES {
        map.note(name.into(), |count| *count += 1);
    }
    map.note("via".into(), |count| *count += 10);
    for name in NAMES {
        let expected = if name == "via" { 11 } else { 1 };
        assert_eq!(map.get(header_name(name)), Some((&Text::from(name), &expected)), "{name}");
    }
    for name in ["b", "x-user_id", "x-user-ie", "X-User-Id", "content-security-policy-report-only"] {
        assert_eq!(map.get(header_name(name)), None, "{name}");
    }
}

#[test]
fn names_are_found_in_every_spelling() {
    let spellings = Spellings::of(NAMES.map(str::to_owned).to_vec());
    for name in NAMES {
        for sign in ["-", "_", ".", "~"] {
            assert!(spellings.has(name.replace('-', sign).as_bytes()), "{name} with {sign}");
        }
    }
    for name in ["b", "x-user-ie", "xuserid", "x-user-id-"] {
        assert!(!spellings.has(name.as_bytes()), "{name}");
    }
}

#[test]
fn another_spelling_may_be_looked_for_alone() {
    let spellings =
        Spellings::of(vec!["x-a".into()]).and_others_of(vec!["x-b-c".into(), "x_b-c".into(), "plain".into()]);
    for (name, found) in [
        ("x-a", true),
        ("x_a", true),
        ("x-b-c", false),
        ("x_b-c", false),
        ("x-b_c", true),
        ("x.b.c", true),
        ("plain", false),
        ("x-b-d", false),
    ] {
        assert_eq!(spellings.has(name.as_bytes()), found, "{name}");
    }
}

/// It would be no sieve that let through what is usual in a message.
#[test]
fn few_names_pass_for_others() {
    let mut sieve = Sieve::default();
    let names: Vec<String> = (0..110).map(|number| format!("x-{}-name-{number}", "ab".repeat(number % 7))).collect();
    names.iter().for_each(|name| sieve.insert(name.as_bytes()));
    let others = (0..1000).map(|number| format!("y-{}-field-{number}", "cd".repeat(number % 9)));
    let passed = others.filter(|name| sieve.may_have(name.as_bytes())).count();
    assert!(passed < 150, "{passed} of 1,000");
}
