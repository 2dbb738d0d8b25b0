//! Header maps as hosts hand them over, and take them.

use std::borrow::Cow;

use crate::request::HeaderName;
use crate::text::Header;

/// Reads a serialized header map where it stands: the number of headers, the lengths of each name and value, then all
/// names and values, each with a zero byte behind it. Numbers have four bytes, the lowest first (proxy-wasm ABI 0.2.1,
/// "Serialized map"). `None` where it is something else, or a name is not ASCII.
#[must_use]
pub fn parse_header_map(bytes: &[u8]) -> Option<Vec<(HeaderName<'_>, &[u8])>> {
    if bytes.is_empty() {
        return Some(Vec::new());
    }
    let (count, rest) = number(bytes)?;
    let (lengths, texts) = rest.split_at_checked(count.checked_mul(8)?)?;
    let mut headers = Vec::with_capacity(lengths.len() / 8);
    let mut at: usize = 0;
    for [name, value] in lengths.as_chunks::<4>().0.as_chunks::<2>().0 {
        let name_end = at.checked_add(length(*name)?)?;
        let value_at = name_end.checked_add(1)?;
        let value_end = value_at.checked_add(length(*value)?)?;
        let name = HeaderName::parse(texts.get(at..name_end)?)?;
        headers.push((name, texts.get(value_at..value_end)?));
        at = value_end.checked_add(1)?;
    }
    // The last value has its zero byte, too.
    (at <= texts.len()).then_some(headers)
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
    Some((length(*number)?, rest))
}

fn length(number: [u8; 4]) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(number)).ok()
}

#[cfg(test)]
mod tests;
