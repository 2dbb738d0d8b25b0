//! Header maps as hosts hand them over.

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
