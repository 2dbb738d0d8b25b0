//! Names and values of headers: either known when the engine was compiled, or shared by all who hold them.

use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::rc::Rc;

/// Text that costs nothing to clone.
#[derive(Clone, Eq)]
pub enum Text {
    /// Part of the engine.
    Static(&'static str),
    /// Made at run time, counted by its holders.
    Shared(Rc<str>),
}

/// A header: its name in lower case, and its value.
pub type Header = (Text, Text);

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Static(text) => text,
            Self::Shared(text) => text,
        }
    }
}

impl From<&'static str> for Text {
    fn from(text: &'static str) -> Self {
        Self::Static(text)
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::Shared(text.into())
    }
}

impl From<Rc<str>> for Text {
    fn from(text: Rc<str>) -> Self {
        Self::Shared(text)
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl Borrow<str> for Text {
    fn borrow(&self) -> &str {
        self
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        **self == *other
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

/// Whether two long texts are the same. Compares them whole, many bytes at a time, where a virtual machine's `memcmp` goes
/// from byte to byte and stops at the first that differs, which would take longer the more of a token somebody guessed.
pub(crate) fn is_same(one: &[u8], other: &[u8]) -> bool {
    let differing = one.iter().zip(other).fold(0, |differing, (left, right)| differing | (left ^ right));
    one.len() == other.len() && differing == 0
}

/// Whether all bytes are of a kind, sixteen at a time where there are as many.
pub(crate) fn every(bytes: &[u8], is: impl Fn(u8) -> bool) -> bool {
    let all = |piece: &[u8; 16]| piece.iter().fold(true, |all, byte| all & is(*byte));
    match bytes.last_chunk::<16>() {
        // The last sixteen overlap those before, unless it is sixteen times as many.
        Some(last) => all(last) && bytes.as_chunks::<16>().0.iter().all(all),
        None => bytes.iter().all(|byte| is(*byte)),
    }
}

/// Whether a text has control characters in it (Unicode's category Cc).
pub(crate) fn has_control(text: &str) -> bool {
    // Most are printable ASCII, which needs no decoding.
    let plain = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    !plain && text.chars().any(char::is_control)
}

/// What hexadecimal digits spell, in either case.
pub(crate) fn from_hex(digits: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let pairs = digits.chunks(2).map(|pair| match pair {
        [high, low] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    });
    pairs.collect()
}
