//! One normal form of a path: what is matched, what is checked and what the upstream is sent.
//!
//! The rule, in order: a path starts with `/` and is ASCII; percent-escapes are complete; what they decode to is valid
//! UTF-8 without control characters, `/`, `\`, `;`, or anything that would decode again; escapes of unreserved
//! characters (RFC 3986 section 2.3) are written plainly and the others with capital digits (section 6.2.2.1);
//! repeated slashes become one; dot segments are resolved (section 5.2.4). Whatever does not fit is refused, so that
//! an upstream that decodes once more, merges, or cuts at `;` cannot see another route than the one authorized.

use std::borrow::Cow;

use crate::text::{every, every_next, has_control, is_between, is_letter};

/// Longest path accepted, in bytes: twice what common servers take for a whole request line.
const MAX_PATH_BYTES: usize = 16 * 1024;

/// A path in normal form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NormalizedPath<'a>(Cow<'a, str>);

/// The path cannot be given a normal form; the request is answered with 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MalformedPath;

impl<'a> NormalizedPath<'a> {
    /// Normalises the path of a request target, without its query.
    ///
    /// # Errors
    /// [`MalformedPath`] where the module's rule refuses it.
    pub fn parse(raw: &'a [u8]) -> Result<Self, MalformedPath> {
        if raw.first() != Some(&b'/') || raw.len() > MAX_PATH_BYTES {
            return Err(MalformedPath);
        }
        let text = std::str::from_utf8(raw).map_err(|_| MalformedPath)?;
        if is_plain(raw) {
            return Ok(Self(Cow::Borrowed(text)));
        }
        Self::normalize(raw, text)
    }

    #[inline(never)]
    fn normalize(raw: &[u8], text: &'a str) -> Result<Self, MalformedPath> {
        let normal = resolve(&unescape(raw)?)?;
        Ok(Self(if normal == text { Cow::Borrowed(text) } else { Cow::Owned(normal) }))
    }

    /// The normal form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it differs from what the client sent.
    #[must_use]
    pub const fn is_rewritten(&self) -> bool {
        matches!(self.0, Cow::Owned(_))
    }
}

/// The common case, decided many bytes at a time: nothing to decode, merge or resolve.
fn is_plain(raw: &[u8]) -> bool {
    // From `-` to `9` there are `.`, `/` and the digits.
    let usual = |byte: u8| is_between(byte, b'-', b'9') | is_letter(byte) | (byte == b'_');
    let stays = |byte: u8, next: u8| (byte != b'/') | ((next != b'/') & (next != b'.'));
    (every(raw, usual) || raw.iter().all(|byte| is_path_byte(*byte))) && every_next(raw, stays)
}

/// `pchar` and `/` of RFC 3986 section 3.3, without `%` and `;`.
fn is_path_byte(byte: u8) -> bool {
    kinds(byte) != 0
}

/// RFC 3986 section 2.3.
fn is_unreserved(byte: u8) -> bool {
    kinds(byte) & UNRESERVED != 0
}

const UNRESERVED: u8 = 1;
const OTHER_IN_PATHS: u8 = 2;

/// By byte: every byte of a path that is not as usual is looked up here.
#[expect(clippy::indexing_slicing, reason = "of a constant: what is out of bounds does not compile")]
const KINDS: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0_u8;
    while byte < u8::MAX {
        table[byte as usize] = match byte {
            b'-' | b'.' | b'_' | b'~' => UNRESERVED,
            _ if byte.is_ascii_alphanumeric() => UNRESERVED,
            b'/' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b'=' | b':' | b'@' => OTHER_IN_PATHS,
            _ => 0,
        };
        byte += 1;
    }
    table
};

fn kinds(byte: u8) -> u8 {
    KINDS.get(usize::from(byte)).copied().unwrap_or_default()
}

/// Decodes escapes of unreserved characters, capitalises the digits of the others, refuses the rest.
fn unescape(raw: &[u8]) -> Result<String, MalformedPath> {
    let mut out = String::with_capacity(raw.len());
    let mut decoded = Vec::with_capacity(raw.len());
    let mut bytes = raw.iter();
    while let Some(&byte) = bytes.next() {
        let plain = match byte {
            b'%' => {
                let (high, low) = (bytes.next().and_then(hex), bytes.next().and_then(hex));
                let value = high.zip(low).map(|(high, low)| high << 4 | low).ok_or(MalformedPath)?;
                if matches!(value, b'/' | b'\\' | b';') {
                    return Err(MalformedPath);
                }
                if !is_unreserved(value) {
                    use std::fmt::Write as _;
                    let _ = write!(out, "%{value:02X}");
                    decoded.push(value);
                    continue;
                }
                value
            }
            _ if is_path_byte(byte) => byte,
            _ => return Err(MalformedPath),
        };
        out.push(char::from(plain));
        decoded.push(plain);
    }
    let decodes_again =
        decoded.windows(3).any(|window| matches!(window, [b'%', high, low] if hex(high).and(hex(low)).is_some()));
    let is_text = std::str::from_utf8(&decoded).is_ok_and(|text| !has_control(text));
    if decodes_again || !is_text {
        return Err(MalformedPath);
    }
    Ok(out)
}

fn hex(digit: &u8) -> Option<u8> {
    char::from(*digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// Merges slashes and resolves dot segments. A path that climbs above the root is refused: no client means it.
fn resolve(path: &str) -> Result<String, MalformedPath> {
    let mut segments: Vec<&str> = Vec::new();
    let mut open = false;
    for segment in path.split('/').skip(1) {
        open = matches!(segment, "" | "." | "..");
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop().ok_or(MalformedPath)?;
            }
            _ => segments.push(segment),
        }
    }
    let mut out = String::with_capacity(path.len());
    for segment in &segments {
        out.push('/');
        out.push_str(segment);
    }
    if open || out.is_empty() {
        out.push('/');
    }
    Ok(out)
}

/// A segment of a normal form as routes compare it: escapes of what may stand plainly in a segment (`:`, `@`, `+` and the
/// like) are one with it, as they are to every server that decodes before it routes. The upstream is sent the escapes,
/// which may mean more to it (RFC 3986 section 2.2).
pub(crate) fn comparable(segment: &str) -> Cow<'_, str> {
    if !segment.bytes().any(|byte| byte == b'%') {
        return Cow::Borrowed(segment);
    }
    Cow::Owned(without_needless_escapes(segment))
}

#[inline(never)]
fn without_needless_escapes(segment: &str) -> String {
    let mut out = String::with_capacity(segment.len());
    let mut rest = segment;
    while let Some((plain, escape)) = rest.split_once('%') {
        out.push_str(plain);
        let (digits, after) = escape.split_at_checked(2).unwrap_or((escape, ""));
        match u8::from_str_radix(digits, 16) {
            Ok(byte) if is_path_byte(byte) => out.push(char::from(byte)),
            _ => {
                out.push('%');
                out.push_str(digits);
            }
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// A path of a normal form as careless servers compare it: decoded, without regard to case, without dots and spaces at
/// the end of a segment, without a slash at its own end. What any of them takes for one path is one here. `None` where
/// nobody knows what they make of it: a segment of dots and spaces alone may be a dot segment to them, or nothing.
pub(crate) fn loose_path(path: &str) -> Option<String> {
    let mut out = String::with_capacity(path.len());
    for segment in path.strip_suffix('/').unwrap_or(path).split('/').skip(1) {
        let loose = loose_segment(segment);
        if loose.is_empty() {
            return None;
        }
        out.push('/');
        out.push_str(&loose);
    }
    Some(out)
}

/// The same of one segment.
pub(crate) fn loose_segment(segment: &str) -> String {
    let decoded = decode_segment(segment);
    let kept = decoded.trim_end_matches(['.', ' ']);
    // Whatever a server compares by, lower case or upper case: letters that are one in either are one here.
    kept.chars().flat_map(char::to_lowercase).flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}

/// What is left of a path of a normal form where a server decodes `?` or `#` and then reads it as one.
pub(crate) fn cut_at_query(path: &str) -> Option<&str> {
    let at = path
        .match_indices('%')
        .map(|(at, _)| at)
        .find(|at| path.get(*at..).is_some_and(|escape| escape.starts_with("%3F") || escape.starts_with("%23")))?;
    path.get(..at)
}

/// Whether a path is certain to be its own [`loose_path`]: what most paths are, and quickly seen.
pub(crate) fn is_loose(path: &str) -> bool {
    let bytes = path.as_bytes();
    let fits = |byte: u8| !(is_between(byte, b'A', b'Z') | (byte == b'%'));
    let stays = |byte: u8, next: u8| (byte != b'.') | (next != b'/');
    every(bytes, fits) && every_next(bytes, stays) && !matches!(bytes.last(), Some(b'/' | b'.'))
}

/// Decodes the escapes left in a segment of a normal form, for comparison with a claim.
pub(crate) fn decode_segment(segment: &str) -> Cow<'_, str> {
    if !segment.bytes().any(|byte| byte == b'%') {
        return Cow::Borrowed(segment);
    }
    Cow::Owned(decode(segment))
}

#[inline(never)]
fn decode(segment: &str) -> String {
    let mut out = Vec::with_capacity(segment.len());
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let (high, low) = (bytes.next().as_ref().and_then(hex), bytes.next().as_ref().and_then(hex));
            out.extend(high.zip(low).map(|(high, low)| high << 4 | low));
        } else {
            out.push(byte);
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests;
