#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::testing::base64url;

#[test]
fn what_is_harmless_is_repeated_as_it_is() {
    for value in [
        "",
        "3f2b",
        "ada",
        "Ada Lovelace",
        "user-12345",
        "auth0|5f7c8ec7c33c6c004bbafe82",
        "google-oauth2|103547991597142817347",
        "11111111-2222-3333-4444-555555555555",
        "41111111-1111-1111-1111-111111111111",
        "01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "175928847299117063",
        "4111111111111112",
        "41111111111111110000",
        "2026-07-01 12:00:00",
        "d4735e3a265e16eee03f59718b9b5d03019c07d8b6c51f90da3a666eec13ab35",
        "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
        "2026-11",
        "https://example.com/u/1",
        "spiffe://cluster.local/ns/default/sa/web",
        "secretary",
        "tokens-team",
        "token:service-a",
        "vault:secret:app",
        "system:serviceaccount:kube-system:token-cleaner",
        "repo:octo-org/octo-repo:ref:refs/heads/main",
        "basic",
        "task-7",
        "skylar",
        "Eyjafjallajokull",
        "é😀",
    ] {
        assert_eq!(scrub(value), (value.to_owned(), false), "{value}");
    }
    assert_eq!(scrub(&"a".repeat(128)), ("a".repeat(128), false));
    assert_eq!(scrub(&"é".repeat(128)).0, "é".repeat(128), "characters, not bytes");
}

#[test]
fn an_address_keeps_its_initial_and_its_domain() {
    for (value, expected) in [
        ("alice@example.com", "a***@example.com"),
        ("mailto:alice@example.com", "m***@example.com"),
        ("é@example.com", "é***@example.com"),
        ("@example.com", "***@example.com"),
        ("alice@", "a***@"),
        ("\"a@b\"@example.com", "\"***@example.com"),
        ("ALICE@EXAMPLE.COM", "A***@EXAMPLE.COM"),
        ("alice+tag@example.com", "a***@example.com"),
        ("Alice+Tag+2@Example.com", "A***@Example.com"),
        ("+@example.com", "+***@example.com"),
        ("%61lice@example.com", "%***@example.com"),
        ("alice%2Btag@example.com", "a***@example.com"),
        ("alice%tag@example.com", "a***@example.com"),
        ("alice@example.com+bob", "[masked]"),
        ("alice@example.com, bob", "[masked]"),
        ("alice@example.com/alice", "[masked]"),
    ] {
        assert_eq!(scrub(value), (expected.to_owned(), true), "{value}");
    }
}

#[test]
fn what_is_shaped_like_more_is_hidden_whole() {
    let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl";
    for value in [
        jwt,
        &jwt.to_lowercase(),
        &format!("x {jwt}"),
        "eyJhbGciOiJIUzI1NiJ9.e30.x",
        "ewogICJhbGciOiAiSFMyNTYiCn0AAAAA.aaaaaaaaaaaaaaaaaaaaaaaa.bbbbbbbbbbbbbbbbbbbb",
        "pk_id.secret",
        "PK_ID.SECRET",
        "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
        "sk-proj-abcdefghijklmnopqrstuv",
        "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
        "github_pat_11ABCDEFG0abcdefghijkl",
        "xoxb-17653672481-19874698323",
        "AKIAIOSFODNN7EXAMPLE",
        "AIzaSyDaGmWKa4JsXZ-HjGw7ISLn_3namBGewQe",
        "Bearer abcdef123456",
        "bearer:abcdef123456",
        "Basic  UEFTU1dPUkQ=",
        "https://alice:pw@example.com",
        "password=hunter2",
        "Password: hunter2",
        "api_key = 7",
        r#"{"password":"hunter2"}"#,
        r#"{"token": "x"}"#,
        "-----BEGIN PRIVATE KEY-----",
        "4111111111111111",
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "card 4111 1111 1111 1111 12/29",
        "378282246310005",
        "6011111111111117",
        "5555555555554444",
        "30569309025904",
    ] {
        assert_eq!(scrub(value), (MASKED.to_owned(), true), "{value}");
    }
    assert_eq!(scrub(&"a".repeat(129)).0, MASKED, "overlong");
}

#[test]
fn no_encoding_hides_a_shape() {
    for secret in ["alice@example.com", "4111111111111111", "pk_live_0123456789abcdef", "Bearer abcdef123456"] {
        let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        let percent: String = secret.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let wide: String = secret
            .chars()
            .map(|sign| if sign.is_ascii_graphic() { char::from_u32(u32::from(sign) + 0xfee0).unwrap() } else { sign })
            .collect();
        let dotted: String = secret.chars().flat_map(|sign| [sign, '\u{200b}']).collect();
        for (how, value) in [
            ("percent", percent.clone()),
            ("percent twice", percent.replace('%', "%25")),
            ("base64url", base64url(secret)),
            ("base64", STANDARD.encode(secret)),
            ("base64 twice", base64url(base64url(secret))),
            ("base64 beside other text", format!("x:{}:y", base64url(secret))),
            ("base64 in percent", STANDARD.encode(secret).replace('=', "%3D")),
            ("hex", hex.clone()),
            ("hex in capitals", hex.to_uppercase()),
            ("full-width", wide),
            ("with signs that nobody sees", dotted),
        ] {
            assert_eq!(scrub(&value), (MASKED.to_owned(), true), "{secret} as {how}: {value}");
        }
        assert!(scrub(&secret.to_uppercase()).1, "{secret} in capitals");
    }
    assert!(scrub("٤١١١١١١١١١١١١١١١").1, "digits of another script");
}

#[test]
fn an_address_in_the_open_hides_nothing_beside_it() {
    let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl";
    for (value, message) in [
        ("bob%40example.org+x@example.com", "another, in percent"),
        ("bob%2540example.org@example.com", "another, in percent twice"),
        ("bob%EF%BC%A0example.org@example.com", "another, full-width in percent"),
        ("a%E2%80%8Blice@example.com", "a sign that nobody sees, in percent"),
        ("bob\u{ff20}example.org+x@example.com", "another, full-width"),
        ("x+@example.com%2Fbob%40example.org", "another, behind it"),
        (&format!("{}+x@example.com", base64url("bob@example.org")), "another, in base64"),
        (&format!("{}@example.com", base64url("bob+x@example.org")), "another with a plus, in base64"),
        (&format!("x+{jwt}@example.com"), "a token"),
        ("x+eyJhbGciOiJIUzI1NiJ9@example.com", "a part of a token"),
        ("bearer+abcdef123456@example.com", "a bearer credential"),
        ("password%3Dhunter2+x@example.com", "a password"),
        ("https:%2F%2Falice:pw+x@example.com", "a password of a URL"),
        ("4111+1111+1111+1111@example.com", "a card"),
        ("x+sk_live_4eC39HqLyjWDarjtT1zdp7dc@example.com", "an API key"),
    ] {
        assert_eq!(scrub(value), (MASKED.to_owned(), true), "{message}: {value}");
    }
}

#[test]
fn card_numbers_are_those_of_a_brand_with_a_good_check_digit() {
    for (digits, expected) in [
        ("4111111111111111", true),
        ("4111111111111117", false),
        ("4222222222222", true),
        ("2223003122003222", true),
        ("3530111333300000", true),
        ("6200000000000005", true),
        ("9111111111111111", false),
        ("0000000000000000", false),
        ("", false),
        ("4", false),
    ] {
        assert_eq!(has_card_number(digits), expected, "{digits}");
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod properties {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_address_survives(local in "[a-z]{2,12}([.+][a-z]{1,12})?", domain in "[a-z]{2,10}\\.(com|org|de)") {
            let address = format!("{local}@{domain}");
            for value in [address.clone(), base64url(&address), address.replace('@', "%40"), address.to_uppercase()] {
                let (left, masked) = scrub(&value);
                prop_assert!(masked && !left.to_lowercase().contains(&address), "{} left {}", value, left);
            }
        }

        /// A tag behind `+` is a part of an address like any other.
        #[test]
        fn an_address_with_a_tag_is_masked_like_one_without(
            local in "[a-z]{1,5}", tag in "[a-z]{0,6}", domain in "[a-z]{2,5}\\.(com|org)",
        ) {
            prop_assert_eq!(scrub(&format!("{local}+{tag}@{domain}")), scrub(&format!("{local}@{domain}")));
        }

        #[test]
        fn no_hidden_address_survives_beside_one_in_the_open(
            open in "[a-z]{1,8}[+]?[a-z]{0,8}@[a-z]{2,8}\\.com", hidden in "[a-z]{2,8}[+]?[a-z]{1,8}", times in 1..3_usize,
        ) {
            let at = format!("%{}40", "25".repeat(times - 1));
            for value in [format!("{hidden}{at}x.org+{open}"), format!("{open}+{hidden}{at}x.org")] {
                prop_assert_eq!(scrub(&value).0, MASKED, "{}", value);
            }
        }

        #[test]
        fn no_card_survives(brand in "4[0-9]{14}|5[1-5][0-9]{13}", gap in prop::sample::select(vec!["", " ", "-"])) {
            let digits: Vec<u32> = brand.chars().map(|sign| sign.to_digit(10).unwrap()).collect();
            let sum: u32 = digits.iter().rev().enumerate().map(|(at, digit)| match at % 2 {
                0 if *digit > 4 => digit * 2 - 9,
                0 => digit * 2,
                _ => *digit,
            }).sum();
            let whole = format!("{brand}{}", (10 - sum % 10) % 10);
            let digits: Vec<char> = whole.chars().collect();
            let grouped: Vec<String> = digits.chunks(4).map(|group| group.iter().collect()).collect();
            prop_assert_eq!(scrub(&grouped.join(gap)).0, MASKED);
            prop_assert_eq!(scrub(&format!("order {} of ada", grouped.join(gap))).0, MASKED);
        }

        #[test]
        fn any_text_is_taken(value in any::<String>()) {
            let (left, masked) = scrub(&value);
            prop_assert!(masked || left == value);
            prop_assert!(left.chars().count() <= 140);
            let (again, _) = scrub(&left);
            prop_assert!(!again.contains("eyJ"));
        }
    }
}
