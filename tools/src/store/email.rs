//! E-mail addresses: what is one, and when two are the same.

use std::fmt;
use std::str::FromStr;

use crate::terminal::visible;

/// RFC 5321, section 4.5.3.1: the part before the `@`, and (as erratum 1690 to RFC 3696 counts) the whole.
const MAX_LOCAL_BYTES: usize = 64;
const MAX_BYTES: usize = 254;

/// An address, as somebody wrote it. It has no way into a message: it is personal data.
#[derive(Clone, PartialEq, Eq)]
pub struct Email(String);

impl Email {
    /// The address as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What two spellings of one address have in common: capitals do not count. Some servers may tell `Bob@` from `bob@`;
    /// whoever may have one account for each is more often mistaken than right.
    #[must_use]
    pub fn normalised(&self) -> String {
        self.0.to_lowercase()
    }
}

impl FromStr for Email {
    type Err = &'static str;

    /// The `Mailbox` of RFC 5321 with letters of any script (RFC 6531), without quoted parts and addresses of hosts, which
    /// people do not have.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const PROBLEM: &str = "must be an e-mail address, such as `alice@example.com`";
        let text = text.trim();
        let (local, domain) = text.rsplit_once('@').ok_or(PROBLEM)?;
        let fits = text.len() <= MAX_BYTES
            && visible(text) == text
            && local.len() <= MAX_LOCAL_BYTES
            && local.split('.').all(is_atom)
            && domain.contains('.')
            && domain.split('.').all(is_label);
        if fits { Ok(Self(text.to_owned())) } else { Err(PROBLEM) }
    }
}

/// `Atom` of RFC 5321 and RFC 6531.
fn is_atom(text: &str) -> bool {
    !text.is_empty()
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || is_letter(c))
}

/// A label of a domain name, in ASCII or in Unicode.
fn is_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && !text.starts_with('-')
        && !text.ends_with('-')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || is_letter(c))
}

/// A character of another script.
fn is_letter(c: char) -> bool {
    !c.is_ascii() && !c.is_whitespace()
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email(redacted)")
    }
}
