//! Formats of JSON Schema that `boon` takes too loosely: an e-mail address without a local part, numbers with a sign in dates
//! and times (JSON Schema validation 2020-12, section 7.3).

use std::error::Error;
use std::net::{Ipv4Addr, Ipv6Addr};

use boon::Format;
use serde_json::Value;

type Checked = Result<(), Box<dyn Error>>;

/// In the place of those that `boon` has by these names.
pub(super) const FORMATS: [Format; 4] = [
    Format { name: "email", func: |value| checked(value, is_email) },
    Format { name: "date", func: |value| checked(value, |text| is_date(text.as_bytes())) },
    Format { name: "time", func: |value| checked(value, |text| is_time(text.as_bytes())) },
    Format { name: "date-time", func: |value| checked(value, |text| is_date_time(text.as_bytes())) },
];

/// What is no text has no format.
fn checked(value: &Value, is: impl FnOnce(&str) -> bool) -> Checked {
    match value {
        Value::String(text) if !is(text) => Err("another format".into()),
        _ => Ok(()),
    }
}

/// A mailbox (RFC 5321 section 4.1.2), with the lengths of section 4.5.3.1.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@').filter(|_| text.len() <= 254) else { return false };
    let is_atom_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte);
    let is_atom = |atom: &str| !atom.is_empty() && atom.bytes().all(is_atom_byte);
    let quoted = local.strip_prefix('"').and_then(|local| local.strip_suffix('"'));
    let is_local = match quoted {
        Some(quoted) => !quoted.contains(['\\', '"']),
        None => local.split('.').all(is_atom),
    };
    let is_domain = match domain.strip_prefix('[').and_then(|domain| domain.strip_suffix(']')) {
        Some(literal) => match literal.strip_prefix("IPv6:") {
            Some(address) => address.parse::<Ipv6Addr>().is_ok(),
            None => literal.parse::<Ipv4Addr>().is_ok(),
        },
        None => is_host_name(domain),
    };
    local.len() <= 64 && is_local && is_domain
}

/// Labels of letters, digits and hyphens (RFC 1123 section 2.1).
fn is_host_name(text: &str) -> bool {
    let name = text.strip_suffix('.').unwrap_or(text);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

/// `full-date` (RFC 3339 section 5.6).
fn is_date(text: &[u8]) -> bool {
    let [a, b, c, d, b'-', e, f, b'-', g, h] = text else { return false };
    let (Some(century), Some(year), Some(month), Some(day)) = (two(a, b), two(c, d), two(e, f), two(g, h)) else {
        return false;
    };
    let is_leap = year % 4 == 0 && (year != 0 || century % 4 == 0);
    let days = match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    (1..=days).contains(&day)
}

/// `full-time` (RFC 3339 section 5.6): a leap second is the last of a day in UTC (section 5.7).
fn is_time(text: &[u8]) -> bool {
    let [a, b, b':', c, d, b':', e, f, rest @ ..] = text else { return false };
    let (Some(hour), Some(minute), Some(second)) = (two(a, b), two(c, d), two(e, f)) else { return false };
    let offset = match rest {
        [b'.', fraction @ ..] => {
            let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
            fraction.get(digits..).filter(|_| digits > 0)
        }
        rest => Some(rest),
    };
    let shift = match offset {
        Some([b'Z' | b'z']) => Some(0),
        Some([sign @ (b'+' | b'-'), a, b, b':', c, d]) => two(a, b)
            .zip(two(c, d))
            .filter(|(hours, minutes)| *hours <= 23 && *minutes <= 59)
            .map(|(hours, minutes)| (hours * 60 + minutes) * if *sign == b'+' { -1 } else { 1 }),
        _ => None,
    };
    let Some(shift) = shift.filter(|_| hour <= 23 && minute <= 59) else { return false };
    let of_day = (hour * 60 + minute + shift).rem_euclid(24 * 60);
    second <= 59 || second == 60 && of_day == 24 * 60 - 1
}

/// `date-time` (RFC 3339 section 5.6).
fn is_date_time(text: &[u8]) -> bool {
    text.split_first_chunk::<10>()
        .and_then(|(date, rest)| Some((date, rest.split_first()?)))
        .is_some_and(|(date, (separator, time))| matches!(separator, b'T' | b't') && is_date(date) && is_time(time))
}

/// Two digits.
fn two(tens: &u8, ones: &u8) -> Option<i32> {
    let digit = |byte: &u8| byte.is_ascii_digit().then(|| i32::from(byte - b'0'));
    Some(digit(tens)? * 10 + digit(ones)?)
}
