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

/// Whether all bytes are of a kind, sixteen at a time where there are eight or more. `is` must be of comparisons,
/// `|`, `&` and `!`: of `matches!` or `||`, a vector of bytes may become one of wider numbers.
pub(crate) fn every(bytes: &[u8], is: impl Fn(u8) -> bool) -> bool {
    every_pair(bytes, bytes, |byte, _| is(byte))
}

/// The same of the bytes at the same places of two texts of one length.
fn every_pair(left: &[u8], right: &[u8], are: impl Fn(u8, u8) -> bool) -> bool {
    let all = |(left, right): (&[u8; 16], &[u8; 16])| {
        left.iter().zip(right).fold(true, |all, (left, right)| all & are(*left, *right))
    };
    let whole = left.as_chunks::<16>().0.iter().zip(right.as_chunks::<16>().0);
    // The last piece overlaps the one before, unless they come out even.
    match (left.last_chunk(), right.last_chunk()) {
        (Some(left), Some(right)) => whole.chain([(left, right)]).all(all),
        _ => match (ends(left), ends(right)) {
            (Some(left), Some(right)) => all((&left, &right)),
            _ => left.iter().zip(right).all(|(left, right)| are(*left, *right)),
        },
    }
}

/// The first eight bytes and the last.
fn ends(bytes: &[u8]) -> Option<[u8; 16]> {
    let (first, last) = bytes.first_chunk::<8>().zip(bytes.last_chunk::<8>())?;
    let both = u128::from(u64::from_le_bytes(*first)) | u128::from(u64::from_le_bytes(*last)) << 64;
    Some(both.to_le_bytes())
}

/// Whether a byte is one of these and those between.
pub(crate) const fn is_between(byte: u8, first: u8, last: u8) -> bool {
    byte.wrapping_sub(first) <= last.wrapping_sub(first)
}

/// Whether a byte is an ASCII letter.
pub(crate) const fn is_letter(byte: u8) -> bool {
    is_between(byte | b' ', b'a', b'z')
}

/// Whether a byte is a hexadecimal digit, in either case.
pub(crate) const fn is_hex(byte: u8) -> bool {
    is_between(byte, b'0', b'9') | is_between(byte | b' ', b'a', b'f')
}

/// Whether every byte and the next are of a kind.
pub(crate) fn every_next(bytes: &[u8], are: impl Fn(u8, u8) -> bool) -> bool {
    let Some((_, next)) = bytes.split_first() else { return true };
    bytes.get(..next.len()).is_some_and(|bytes| every_pair(bytes, next, are))
}

/// Where a byte stands first.
pub(crate) fn position(bytes: &[u8], wanted: u8) -> Option<usize> {
    let without = |piece: &&[u8; 16]| every(*piece, |byte| byte != wanted);
    let skipped = bytes.as_chunks::<16>().0.iter().take_while(without).count() * 16;
    Some(skipped + bytes.get(skipped..)?.iter().position(|byte| *byte == wanted)?)
}

/// Where it stands last.
pub(crate) fn rposition(bytes: &[u8], wanted: u8) -> Option<usize> {
    let without = |piece: &&[u8; 16]| every(*piece, |byte| byte != wanted);
    let skipped = bytes.as_rchunks::<16>().1.iter().rev().take_while(without).count() * 16;
    bytes.get(..bytes.len().checked_sub(skipped)?)?.iter().rposition(|byte| *byte == wanted)
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

#[cfg(test)]
mod tests;
