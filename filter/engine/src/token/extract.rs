//! Where tokens are looked for: exactly one place may hold one (RFC 6750 section 2).

use std::borrow::Cow;
use std::fmt;

use crate::cors::is_token_byte;
use crate::decision::DenyReason;
use crate::request::{Lookup, RequestHead, decode_form};
use crate::text::Text;

/// Every place the providers name, and who takes tokens from it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources(pub(crate) Vec<TokenSource>);

/// One place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TokenSource {
    pub(crate) place: Place,
    /// Indices of the providers that take tokens from here.
    pub(crate) providers: Vec<usize>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Header { name: Text, value_prefix: String },
    Cookie(String),
    Param(String),
}

/// A token and where it stood.
#[derive(Clone, Debug)]
pub(crate) struct Extracted<'a> {
    /// As it was sent: one that is known need not be looked at.
    pub(crate) token: Cow<'a, [u8]>,
    pub(crate) source: &'a TokenSource,
    /// Which of the policy's sources that is.
    pub(crate) source_index: usize,
}

impl Extracted<'_> {
    /// The token as text; a character that no token has in the place of what is none.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.token).unwrap_or("\u{fffd}")
    }
}

impl Sources {
    /// The one token of a request.
    pub(crate) fn extract<'a>(&'a self, head: &RequestHead<'a>) -> Result<Option<Extracted<'a>>, DenyReason> {
        let mut found: Option<Extracted<'a>> = None;
        for (source_index, source) in self.0.iter().enumerate() {
            let token = match source.place.find(head) {
                Lookup::Absent => continue,
                Lookup::Many => return Err(DenyReason::TokenMultiple),
                Lookup::One(token) => token,
            };
            if found.is_some() {
                return Err(DenyReason::TokenMultiple);
            }
            found = Some(Extracted { token, source, source_index });
        }
        Ok(found)
    }
}

impl Sources {
    /// The headers that tokens are taken from.
    pub(crate) fn headers(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|source| match &source.place {
            Place::Header { name, .. } => Some(&**name),
            Place::Cookie(_) | Place::Param(_) => None,
        })
    }

    /// Every place where a request has a token, or several.
    pub(crate) fn holding<'a>(&'a self, head: &RequestHead<'_>) -> impl Iterator<Item = &'a TokenSource> {
        self.0.iter().filter(|source| !matches!(source.place.find(head), Lookup::Absent))
    }

    /// Every header that has what is no token here, and may be one to a service; but for `gone`, which is gone whole.
    pub(crate) fn disguised<'a>(
        &'a self,
        head: &RequestHead<'_>,
        gone: Option<&'a TokenSource>,
    ) -> impl Iterator<Item = &'a Place> {
        let others = self.0.iter().filter(move |source| !gone.is_some_and(|gone| std::ptr::eq(gone, *source)));
        others.map(|source| &source.place).filter(|place| match place {
            Place::Header { name, value_prefix } => {
                head.envelope.all(name).any(|value| is_disguised(value, value_prefix))
            }
            Place::Cookie(_) | Place::Param(_) => false,
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header { name, .. } => write!(f, "header `{name}`"),
            Self::Cookie(name) => write!(f, "cookie `{name}`"),
            Self::Param(name) => write!(f, "query parameter `{name}`"),
        }
    }
}

impl Place {
    fn find<'r>(&self, head: &RequestHead<'r>) -> Lookup<Cow<'r, [u8]>> {
        match self {
            // There are no two: such a request is refused before.
            Self::Header { name, value_prefix } if **name == *"authorization" => {
                let token = head.envelope.authorization().and_then(|value| strip_prefix(value, value_prefix));
                token.map_or(Lookup::Absent, |token| Lookup::One(Cow::Borrowed(token)))
            }
            Self::Header { name, value_prefix } => {
                let tokens = head.envelope.all(name).filter_map(|value| strip_prefix(value, value_prefix));
                Lookup::of(tokens.map(Cow::Borrowed))
            }
            Self::Cookie(name) => {
                let pairs = head.envelope.all("cookie").flat_map(cookies);
                let values = pairs.filter_map(|pair| cookie_value(pair, name));
                Lookup::of(values.map(|value| Cow::Borrowed(unquoted(value))))
            }
            Self::Param(name) => head.query_param(name).map(|value| match value {
                Cow::Borrowed(value) => Cow::Borrowed(value.as_bytes()),
                Cow::Owned(value) => Cow::Owned(value.into_bytes()),
            }),
        }
    }
}

/// The credential after the scheme, which is compared without regard to case (RFC 9110 section 11.1) and followed by one
/// or more spaces. `None` where the value is of another scheme, and so no token.
fn strip_prefix<'v>(value: &'v [u8], prefix: &str) -> Option<&'v [u8]> {
    let rest = after_scheme(value, prefix)?;
    if let Some(token) = plain_token(rest, prefix) {
        return Some(token);
    }
    let token = rest.trim_ascii_start();
    let spaces = rest.len() - token.len();
    let separated = !prefix.ends_with(' ') || spaces > 0 || rest.is_empty();
    // A tab is no separator, and an empty header no credential.
    (separated && !value.is_empty() && !rest.iter().take(spaces).any(|byte| *byte != b' ')).then_some(token)
}

/// Whether a value is of the scheme and has no token for all that: a tab, say, stands where a space belongs. A service that is
/// less strict may find one.
fn is_disguised(value: &[u8], prefix: &str) -> bool {
    let Some(rest) = after_scheme(value, prefix).filter(|_| prefix.ends_with(' ')) else { return false };
    plain_token(rest, prefix).is_none()
        && rest.first().is_some_and(|byte| !is_token_byte(*byte))
        && strip_prefix(value, prefix).is_none()
}

fn after_scheme<'v>(value: &'v [u8], prefix: &str) -> Option<&'v [u8]> {
    let spaces = prefix.bytes().rev().take_while(|byte| *byte == b' ').count();
    let (scheme, _) = prefix.as_bytes().split_at_checked(prefix.len().checked_sub(spaces)?)?;
    let (start, rest) = value.split_at_checked(scheme.len())?;
    (start == scheme || start.eq_ignore_ascii_case(scheme)).then_some(rest)
}

/// What nearly all credentials are: the token after one space.
fn plain_token<'v>(after_scheme: &'v [u8], prefix: &str) -> Option<&'v [u8]> {
    let (space, token) = after_scheme.split_first()?;
    let begins = *space == b' ' && token.first().is_some_and(u8::is_ascii_graphic);
    (begins && prefix.ends_with(' ')).then_some(token)
}

/// What stands between the semicolons of a Cookie line (RFC 6265 section 4.2.1). Bytes, of which not all need be text: one
/// cookie that is none, which any site of the same domain may have set, hides no other.
fn cookies(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| *byte == b';').map(<[u8]>::trim_ascii)
}

/// The value, where a pair is of this name.
fn cookie_value<'c>(pair: &'c [u8], name: &str) -> Option<&'c [u8]> {
    let at = pair.iter().position(|byte| *byte == b'=')?;
    let (key, value) = pair.split_at_checked(at)?;
    is_cookie_name(key, name).then_some(value.get(1..).unwrap_or_default())
}

/// Servers trim names, of more than what is a space in ASCII.
fn is_cookie_name(key: &[u8], name: &str) -> bool {
    if key == name.as_bytes() {
        return true;
    }
    let is_space = |byte: &u8| !byte.is_ascii_graphic();
    let mut trimmed = key;
    while let Some((_, rest)) = trimmed.split_first().filter(|(first, _)| is_space(first)) {
        trimmed = rest;
    }
    while let Some((_, rest)) = trimmed.split_last().filter(|(last, _)| is_space(last)) {
        trimmed = rest;
    }
    trimmed == name.as_bytes()
}

fn unquoted(value: &[u8]) -> &[u8] {
    let mut value = value;
    while let [b'"', rest @ ..] | [rest @ .., b'"'] = value {
        value = rest;
    }
    value
}

/// The Cookie line without a cookie, and without those that are no text; `None` where nothing is left.
pub(crate) fn without_cookie(line: &[u8], name: &str) -> Option<String> {
    let goes = |pair: &[u8]| cookie_value(pair, name).is_some() || is_cookie_name(pair, name);
    let kept = cookies(line).filter(|pair| !pair.is_empty() && !goes(pair));
    let kept: Vec<&str> = kept.filter_map(|pair| std::str::from_utf8(pair).ok()).collect();
    (!kept.is_empty()).then(|| kept.join("; "))
}

/// The query without a parameter.
pub(crate) fn without_param(query: &str, name: &str) -> String {
    let is_it = |pair: &&str| decode_form(pair.split_once('=').map_or(*pair, |(key, _)| key)) == name;
    query.split('&').filter(|pair| !pair.is_empty() && !is_it(pair)).collect::<Vec<_>>().join("&")
}
