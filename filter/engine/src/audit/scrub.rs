//! What is left of a value once everything in it that is shaped like personal data or a credential is gone.
//!
//! A record has named fields and no others; this is the second line behind that, for values that somebody else chose: a
//! subject, an id of a key, an id of a request. Shapes are looked for in the value as it stands and in what it decodes to.

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::escape;
use crate::request::decode_form;
use crate::text::{from_hex, is_hex};

/// What stands in the place of a value that may not be repeated.
pub const MASKED: &str = "[masked]";

/// Longest value that a record repeats.
const MAX_VALUE_CHARS: usize = 128;

/// Digits in the shortest number of a payment card.
const MIN_CARD_DIGITS: usize = 13;

/// How often a value is decoded to look for shapes in it.
const MAX_DEPTH: u8 = 3;

/// Base64 of either alphabet is read as this one.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

/// How API keys and tokens of well-known issuers begin, in lower case, and how long such a word is at least.
const KEY_PREFIXES: [(&str, usize); 22] = [
    ("pk_", 0),
    ("sk_", 12),
    ("rk_", 12),
    ("sk-", 20),
    ("ghp_", 20),
    ("gho_", 20),
    ("ghu_", 20),
    ("ghs_", 20),
    ("ghr_", 20),
    ("github_pat_", 20),
    ("glpat-", 20),
    ("xoxa-", 16),
    ("xoxb-", 16),
    ("xoxp-", 16),
    ("akia", 20),
    ("asia", 20),
    ("aiza", 35),
    ("ya29.", 20),
    ("npm_", 20),
    ("sg.", 40),
    ("whsec_", 16),
    ("hf_", 20),
];

/// Words after which a credential comes, whatever it looks like.
const SCHEMES: [&str; 4] = ["bearer", "basic", "negotiate", "apikey"];

/// Names to which a credential is assigned.
const NAMES_OF_SECRETS: [&str; 7] = ["password", "passwd", "pwd", "secret", "token", "api_key", "apikey"];

/// A value as records repeat it, worked out once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scrubbed {
    /// What is left of it, escaped for JSON.
    pub(crate) text: Arc<str>,
    /// That is not all of it.
    pub(crate) hidden: bool,
}

impl Scrubbed {
    pub(crate) fn of(value: &str) -> Self {
        let (text, hidden) = scrub(value);
        Self { text: escape(text).into(), hidden }
    }
}

/// A value as a record may repeat it, and whether that is not all of it: an e-mail address loses its local part but for
/// its first letter, what is shaped like anything worse is hidden whole.
#[must_use]
pub fn scrub(value: &str) -> (String, bool) {
    if is_uuid(value) {
        return (value.to_owned(), false);
    }
    if value.chars().count() > MAX_VALUE_CHARS || is_sensitive(value, at_signs(value), 0) {
        return (MASKED.to_owned(), true);
    }
    match value.rsplit_once('@') {
        None => (value.to_owned(), false),
        Some((local, domain))
            if domain
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte >= 0x80 || matches!(byte, b'.' | b'-')) =>
        {
            let initial: String = local.chars().take(1).collect();
            (format!("{initial}***@{domain}"), true)
        }
        Some(_) => (MASKED.to_owned(), true),
    }
}

/// Envoy's request ids, and the subjects of many an issuer: nothing personal fits into one.
pub(super) fn is_uuid(text: &str) -> bool {
    const FORM: &[u8; 36] = b"00000000-0000-0000-0000-000000000000";
    let Ok(bytes) = <&[u8; 36]>::try_from(text.as_bytes()) else { return false };
    let fits = |byte: u8, form: u8| (byte == form) & (form == b'-') | is_hex(byte) & (form != b'-');
    bytes.iter().zip(FORM).fold(true, |all, (byte, form)| all & fits(*byte, *form))
}

/// Whether anything in the text may not be repeated; an e-mail address in the text as given is another matter. `open`: how
/// many at signs were to be seen there. A `+` in an address decodes to a space and brings none; `%40` does.
fn is_sensitive(text: &str, open: usize, depth: u8) -> bool {
    let plain = fold(text);
    if at_signs(&plain) > open || open > 0 && plain != text.to_ascii_lowercase() {
        return true;
    }
    if has_credential(&plain) || text.contains("eyJ") || has_card_number(&plain) {
        return true;
    }
    if depth >= MAX_DEPTH {
        return false;
    }
    let decoded = decode_form(text);
    if decoded != text && is_sensitive(&decoded, open, depth.saturating_add(1)) {
        return true;
    }
    let standard = |sign: char| sign.is_ascii_alphanumeric() || matches!(sign, '+' | '/' | '-' | '_');
    text.split(|sign| !standard(sign)).filter(|word| word.len() >= 8).any(|word| {
        let in_url_alphabet: Vec<u8> = word
            .bytes()
            .map(|byte| match byte {
                b'+' => b'-',
                b'/' => b'_',
                _ => byte,
            })
            .collect();
        let decoded = [BASE64.decode(in_url_alphabet.as_slice()).ok(), from_hex(word.as_bytes())];
        decoded.iter().flatten().any(|bytes| {
            let readable =
                std::str::from_utf8(bytes).ok().filter(|text| !text.bytes().any(|byte| byte.is_ascii_control()));
            readable.is_some_and(|text| is_sensitive(text, 0, depth.saturating_add(1)))
        })
    })
}

fn at_signs(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'@').count()
}

/// The text in lower case, with letters that only look different made the same, and signs that nobody sees left out.
#[inline(never)]
fn fold(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        let capitals = text.bytes().any(|byte| byte.is_ascii_uppercase());
        return if capitals { text.to_ascii_lowercase().into() } else { text.into() };
    }
    let folded = text.chars().filter_map(|sign| match u32::from(sign) {
        // Full-width forms, an alphabet of their own for the same letters.
        code @ 0xff01..=0xff5e => char::from_u32(code - 0xfee0),
        0xfe6b => Some('@'),
        0x3002 | 0xff61 => Some('.'),
        0x2010..=0x2015 => Some('-'),
        0x00a0 | 0x2000..=0x200a | 0x202f | 0x3000 => Some(' '),
        0x00ad | 0x200b..=0x200f | 0x2060..=0x2064 | 0xfeff => None,
        // Digits of other scripts are digits.
        code @ 0x0660..=0x0669 => char::from_u32(code - 0x0660 + 0x30),
        code @ 0x06f0..=0x06f9 => char::from_u32(code - 0x06f0 + 0x30),
        code @ 0x0966..=0x096f => char::from_u32(code - 0x0966 + 0x30),
        _ => Some(sign),
    });
    folded.map(|sign| sign.to_ascii_lowercase()).collect()
}

/// Whether a text in lower case has something in it that opens a door.
#[inline(never)]
fn has_credential(text: &str) -> bool {
    // One word of letters and digits is no more than a word that a key begins with, or a token.
    if text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return of_an_issuer(text);
    }
    if text.contains("-----begin") || text.contains("://") && text.contains('@') {
        return true;
    }
    let mut after_scheme = false;
    for word in text.split(|sign: char| sign.is_whitespace() || matches!(sign, ':' | ',' | ';' | '"' | '\'' | '|')) {
        if after_scheme && word.len() >= 6 {
            return true;
        }
        after_scheme = SCHEMES.contains(&word) || after_scheme && word.is_empty();
    }
    let is_word = |sign: char| sign.is_ascii_alphanumeric() || matches!(sign, '_' | '-' | '.');
    if text.split(|sign| !is_word(sign)).any(of_an_issuer) {
        return true;
    }
    // Of these is the sign after every name that counts below; most texts have none, and need not be searched for names.
    if !text.bytes().any(|byte| matches!(byte, b'=' | b':' | b'"' | b'\'')) {
        return false;
    }
    NAMES_OF_SECRETS.iter().any(|name| {
        text.match_indices(name).any(|(at, _)| {
            let rest = text.get(at.saturating_add(name.len())..).unwrap_or_default();
            let mut signs = rest.trim_start().chars();
            // A colon alone is part of many a subject.
            match (signs.next(), signs.next()) {
                (Some('='), _) => true,
                (Some(':'), Some(sign)) => sign.is_whitespace() || matches!(sign, '"' | '\''),
                (Some('"' | '\''), Some(sign)) => matches!(sign, ':' | '='),
                _ => false,
            }
        })
    })
}

/// Whether a word in lower case is a key or a token of a well-known shape.
fn of_an_issuer(word: &str) -> bool {
    KEY_PREFIXES.iter().any(|(prefix, least)| word.len() >= *least && word.starts_with(prefix)) || is_token(word)
}

/// Whether a word has the shape of a compact JWS or JWE (RFC 7515 section 7.1), in lower case.
#[inline(never)]
fn is_token(word: &str) -> bool {
    if word.starts_with("eyj") && (word.contains('.') || word.len() >= 24) {
        return true;
    }
    let mut parts = word.split('.');
    word.len() >= 64 && parts.by_ref().take(3).filter(|part| part.len() >= 16).count() == 3
}

/// Whether a payment card's number is in the text: as many digits as its brand has, in one piece or in groups, with the
/// check digit that ISO/IEC 7812-1 asks for.
#[inline(never)]
fn has_card_number(text: &str) -> bool {
    let bytes = text.as_bytes();
    if bytes.iter().filter(|byte| byte.is_ascii_digit()).count() < MIN_CARD_DIGITS {
        return false;
    }
    let digit_at = |at: usize| bytes.get(at).filter(|byte| byte.is_ascii_digit()).map(|byte| byte - b'0');
    let starts = (0..bytes.len())
        .filter(|at| digit_at(*at).is_some() && at.checked_sub(1).is_none_or(|before| digit_at(before).is_none()));
    starts.into_iter().any(|start| {
        let mut digits: Vec<u8> = Vec::with_capacity(19);
        let mut at = start;
        loop {
            match (digit_at(at), bytes.get(at)) {
                (Some(digit), _) if digits.len() < 19 => digits.push(digit),
                // Between groups stands one sign, and after it a digit.
                (None, Some(b' ' | b'-' | b'.')) if digit_at(at.saturating_add(1)).is_some() => {}
                _ => return false,
            }
            at = at.saturating_add(1);
            if digits.len() >= MIN_CARD_DIGITS && digit_at(at).is_none() && is_card_number(&digits) {
                return true;
            }
        }
    })
}

fn is_card_number(digits: &[u8]) -> bool {
    let length = digits.len();
    let brand = match digits {
        [3, 4 | 7, ..] => length == 15,
        [3, ..] => matches!(length, 14 | 16),
        [4, ..] => matches!(length, 13 | 16 | 19),
        [2 | 5, ..] => length == 16,
        [6, ..] => (16..=19).contains(&length),
        _ => false,
    };
    let doubled = |(at, digit): (usize, &u8)| match (at % 2, *digit) {
        (0, digit) => u32::from(digit),
        (_, digit) if digit > 4 => u32::from(digit) * 2 - 9,
        (_, digit) => u32::from(digit) * 2,
    };
    brand && digits.iter().rev().enumerate().map(doubled).sum::<u32>() % 10 == 0
}

#[cfg(test)]
mod tests;
