#![expect(clippy::string_slice, reason = "the texts are of ASCII")]

use std::collections::HashSet;

use super::RefreshToken;

fn text(token: &RefreshToken) -> String {
    token.expose().to_string()
}

#[test]
fn a_token_is_read_back_as_it_was_given_out() {
    let token = RefreshToken::generate().unwrap();
    let text = text(&token);
    assert_eq!(text.len(), 3 + 32 + 1 + 64 + 8, "{text}");
    let read = RefreshToken::parse(&text).unwrap();
    assert_eq!(read.family(), token.family());
    assert!(read.is(&token.digest()));
    assert_eq!(*read.expose(), text);
}

#[test]
fn the_next_token_is_of_the_same_family_and_is_another() {
    let first = RefreshToken::generate().unwrap();
    let second = first.next().unwrap();
    assert_eq!(first.family(), second.family());
    assert!(!first.is(&second.digest()) && !second.is(&first.digest()));
    assert_ne!(text(&first)[36..], text(&second)[36..], "no digit of the secret is kept");
}

#[test]
fn tokens_are_random() {
    let tokens: Vec<RefreshToken> = (0..200).map(|_| RefreshToken::generate().unwrap()).collect();
    assert_eq!(tokens.iter().map(RefreshToken::family).collect::<HashSet<_>>().len(), 200);
    assert_eq!(tokens.iter().map(|token| text(token)[36..].to_owned()).collect::<HashSet<_>>().len(), 200);
}

#[test]
fn nothing_else_is_a_token() {
    let good = text(&RefreshToken::generate().unwrap());
    for (bad, why) in [
        (String::new(), "empty"),
        (good[1..].to_owned(), "cut at the front"),
        (good[..good.len() - 1].to_owned(), "cut at the end"),
        (good[..good.len() - 2].to_owned(), "a byte less"),
        (format!("{good}0"), "a digit more"),
        (format!("{good}00"), "a byte more"),
        (format!("{good}\n"), "a line break"),
        (good.to_uppercase(), "upper case"),
        (format!("rt_{}", good[3..].to_uppercase()), "upper-case digits"),
        (good.replacen("rt_", "at_", 1), "another prefix"),
        (format!("rt_{}", good[3..].replacen('_', "-", 1)), "another separator"),
        (good.replacen('_', "__", 1), "another separator twice"),
        (format!("{}é{}", &good[..40], &good[42..]), "not ASCII"),
        (format!("{}é{}", &good[..99], &good[101..]), "not ASCII where the secret ends"),
    ] {
        assert!(RefreshToken::parse(&bad).is_none(), "{why}: {bad}");
    }
}

#[test]
fn a_digit_that_was_mistyped_is_noticed_wherever_it_is() {
    let good = text(&RefreshToken::generate().unwrap());
    for (index, digit) in good.char_indices().filter(|(index, _)| *index > 2 && *index != 35) {
        let other = if digit == '0' { "1" } else { "0" };
        let bad = format!("{}{other}{}", &good[..index], &good[index + 1..]);
        assert!(RefreshToken::parse(&bad).is_none(), "digit {index}");
    }
}
