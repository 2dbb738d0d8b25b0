//! Header maps as hosts hand them over, and take them.

use std::borrow::Cow;

use crate::text::Header;

/// Reads a serialized header map where it stands: the number of headers, the lengths of each name and value, then all
/// names and values, each with a zero byte behind it. Numbers have four bytes, the lowest first (proxy-wasm ABI 0.2.1,
/// "Serialized map"). `None` where it is something else, or a name is not UTF-8.
#[must_use]
pub fn parse_header_map(bytes: &[u8]) -> Option<Vec<(&str, &[u8])>> {
    if bytes.is_empty() {
        return Some(Vec::new());
    }
    let (count, rest) = number(bytes)?;
    let (mut lengths, mut text) = rest.split_at_checked(count.checked_mul(8)?)?;
    let mut headers = Vec::with_capacity(lengths.len() / 8);
    while !lengths.is_empty() {
        let (name, after) = number(lengths)?;
        let (value, after) = number(after)?;
        lengths = after;
        let name = std::str::from_utf8(take(&mut text, name)?).ok()?;
        headers.push((name, take(&mut text, value)?));
    }
    Some(headers)
}

/// Headers that many maps have in common, and the map of them alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HeaderBlock {
    headers: Vec<Header>,
    map: Vec<u8>,
}

impl HeaderBlock {
    pub(crate) fn of(headers: Vec<Header>) -> Self {
        let mut map = Vec::new();
        push_number(headers.len(), &mut map);
        headers.iter().for_each(|header| push_lengths(header, &mut map));
        headers.iter().for_each(|header| push_texts(header, &mut map));
        Self { headers, map }
    }

    pub(crate) fn headers(&self) -> &[Header] {
        &self.headers
    }

    /// A map of these headers and of others, as [`parse_header_map`] reads it.
    pub(crate) fn map_with(&self, others: &[Header]) -> Cow<'_, [u8]> {
        if others.is_empty() { Cow::Borrowed(&self.map) } else { Cow::Owned(self.extended(others)) }
    }

    #[inline(never)]
    fn extended(&self, others: &[Header]) -> Vec<u8> {
        let (_, rest) = self.map.split_at_checked(4).unwrap_or_default();
        let (lengths, texts) = rest.split_at_checked(self.headers.len() * 8).unwrap_or_default();
        let size = |(name, value): &Header| name.len() + value.len() + 10;
        let mut map = Vec::with_capacity(self.map.len() + others.iter().map(size).sum::<usize>());
        push_number(self.headers.len() + others.len(), &mut map);
        map.extend_from_slice(lengths);
        others.iter().for_each(|header| push_lengths(header, &mut map));
        map.extend_from_slice(texts);
        others.iter().for_each(|header| push_texts(header, &mut map));
        map
    }
}

fn push_lengths((name, value): &Header, out: &mut Vec<u8>) {
    push_number(name.len(), out);
    push_number(value.len(), out);
}

fn push_texts((name, value): &Header, out: &mut Vec<u8>) {
    for text in [name, value] {
        out.extend_from_slice(text.as_bytes());
        out.push(0);
    }
}

/// Memory is not so large that a length in it would be larger.
fn push_number(number: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes());
}

fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<4>()?;
    Some((usize::try_from(u32::from_le_bytes(*number)).ok()?, rest))
}

/// The next piece of text, whose end a zero byte marks.
fn take<'a>(text: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (piece, rest) = text.split_at_checked(length)?;
    *text = rest.split_first()?.1;
    Some(piece)
}

#[cfg(test)]
mod tests;
