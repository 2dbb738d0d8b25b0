//! How records begin.

use crate::reply::status_digits;
use crate::time::UnixTime;

const BEFORE: &str = r#"{"timestamp":""#;

/// Where the milliseconds of RFC 3339 begin.
const MILLIS_AT: usize = BEFORE.len() + 20;

/// The time as records begin with it, most of it kept from one request to the next of the same second.
#[derive(Clone, Debug, Default)]
pub(super) struct Stamp {
    second: Option<i64>,
    text: String,
}

impl Stamp {
    /// The first member of a record, and the brace before it.
    pub(super) fn of(&mut self, now: UnixTime) -> &str {
        let (second, millis) = (Some(now.millis().div_euclid(1000)), now.millis().rem_euclid(1000));
        if self.second == second {
            self.text.truncate(MILLIS_AT);
            let [hundreds, tens, ones] = status_digits(u16::try_from(millis).unwrap_or_default());
            let digits = [hundreds, tens, ones, b'Z', b'"'];
            self.text.push_str(std::str::from_utf8(&digits).unwrap_or_default());
        } else {
            *self = Self { second, text: [BEFORE, &now.rfc3339(), "\""].concat() };
        }
        &self.text
    }
}

#[cfg(test)]
mod tests;
