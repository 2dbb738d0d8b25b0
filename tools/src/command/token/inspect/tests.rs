use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Token, compact};

fn token(header: &str, claims: &str) -> String {
    format!("{}.{}.c2ln", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims))
}

#[test]
fn a_token_is_shown_in_its_own_words() {
    let parsed =
        Token::parse(&token(r#"{"typ":"JWT","alg":"none"}"#, r#"{"b": 12345678901234567890, "a": 1.50}"#)).unwrap();
    let names: Vec<_> = parsed.claims.0.iter().map(|(name, value)| (name.as_str(), value.get())).collect();
    assert_eq!(names, [("b", "12345678901234567890"), ("a", "1.50")], "order and digits are kept");
    assert_eq!(parsed.signature_bytes, 3);
}

#[test]
fn repeated_members_are_noticed() {
    let parsed = Token::parse(&token("{}", r#"{"role":"viewer","sub":"x","role":"admin"}"#)).unwrap();
    assert_eq!(parsed.claims.repeated().collect::<Vec<_>>(), ["role"]);
    assert_eq!(parsed.header.repeated().count(), 0);
}

#[test]
fn what_is_no_token_says_why() {
    for (text, problem) in [
        (String::new(), "it has 1 part"),
        ("a.b".to_owned(), "it has 2 parts"),
        ("a.b.c.d.e".to_owned(), "encrypted"),
        (token("{}", "[1]"), "payload is not a JSON object"),
        (token("{}", "hello"), "payload is not a JSON object"),
        (token("{}", "{} {}"), "payload is not a JSON object"),
        (token("", "{}"), "header is not a JSON object"),
        (format!("{}=", token("{}", "{}")), "signature is not unpadded base64url"),
        (format!(" {}", token("{}", "{}")), "header is not unpadded base64url"),
    ] {
        let error = Token::parse(&text).err().unwrap();
        assert!(error.contains(problem), "{text}: {error}");
    }
}

#[test]
fn white_space_goes_between_tokens_only() {
    for (json, expected) in [
        ("{ \"a\" : [ 1 ,\n 2 ] }", "{\"a\":[1,2]}"),
        (r#""a b""#, r#""a b""#),
        (r#"["a \" b" , "\\" , " "]"#, r#"["a \" b","\\"," "]"#),
    ] {
        assert_eq!(compact(json), expected);
    }
}
