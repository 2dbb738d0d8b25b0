//! The request as the filter sees it: parsed once, at the edge.

use std::borrow::Cow;
use std::fmt;

use crate::decision::DenyReason;
use crate::path::NormalizedPath;
use crate::text::{every, every_next, is_between, is_hex, is_letter};

/// The name of a header, in lower case as hosts have it. It is ASCII (RFC 9110 section 5.1): what a server makes of any other is
/// not known, and how many letters it has depends on who reads it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct HeaderName<'a>(&'a [u8]);

impl<'a> HeaderName<'a> {
    /// `None` where it is not ASCII.
    #[must_use]
    pub const fn parse(name: &'a [u8]) -> Option<Self> {
        if name.is_ascii() { Some(Self(name)) } else { None }
    }

    /// As it stands in the message.
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// As text.
    #[must_use]
    pub fn as_str(self) -> &'a str {
        std::str::from_utf8(self.0).unwrap_or_default()
    }
}

impl PartialEq<str> for HeaderName<'_> {
    fn eq(&self, other: &str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl fmt::Debug for HeaderName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// Headers, pseudo-headers included, and their values as bytes: the order and the repetitions of the wire.
pub type Headers<'a> = [(HeaderName<'a>, &'a [u8])];

/// Headers that are held elsewhere, as the engine takes them; `None` where a name is not ASCII.
#[must_use]
pub fn borrow_headers(owned: &[(String, Vec<u8>)]) -> Option<Vec<(HeaderName<'_>, &[u8])>> {
    owned.iter().map(|(name, value)| Some((HeaderName::parse(name.as_bytes())?, value.as_slice()))).collect()
}

/// What can be said of any request, however malformed: enough for a reply and an audit record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Envelope<'a> {
    pub(crate) headers: &'a Headers<'a>,
    pub(crate) method: Method<'a>,
    pub(crate) origin: Option<&'a str>,
    pub(crate) request_id: Option<&'a str>,
    single: Single<'a>,
}

/// Headers that must stand alone in a request. Envoy keeps repeated ones apart or joins them with a comma, depending on
/// the header; a reader that takes the first and one that takes the last would see two different requests.
#[derive(Clone, Copy, Debug, Default)]
struct Single<'a> {
    method: Once<'a>,
    path: Once<'a>,
    authority: Once<'a>,
    host: Once<'a>,
    origin: Once<'a>,
    authorization: Once<'a>,
    content_type: Once<'a>,
    connection: Once<'a>,
    requested_method: Once<'a>,
    request_id: Once<'a>,
    /// One that may not be is there more than once.
    is_repeated: bool,
}

type Once<'a> = Lookup<&'a [u8]>;

/// A request whose head is well formed.
#[derive(Clone, Debug)]
pub(crate) struct RequestHead<'a> {
    pub(crate) envelope: &'a Envelope<'a>,
    pub(crate) path: NormalizedPath<'a>,
    pub(crate) query: Option<&'a str>,
    pub(crate) host: Cow<'a, str>,
}

/// A method token (RFC 9110 section 9.1): case-sensitive, and only the registered ones mean anything here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Method<'a> {
    token: &'a str,
    verb: Verb,
}

/// What a method is (RFC 9110 section 9.3, RFC 5789).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Get,
    Head,
    Options,
    Post,
    Put,
    Patch,
    Delete,
    Connect,
    Trace,
    Unknown,
}

/// What the role table distinguishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Read,
    Write,
    Other,
}

impl Action {
    pub(crate) const COUNT: usize = 3;

    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Other => "other methods",
        }
    }
}

impl<'a> Method<'a> {
    /// No text, where a token is not UTF-8.
    pub(crate) fn of(token: &'a [u8]) -> Self {
        let (verb, token) = match token {
            b"GET" => (Verb::Get, "GET"),
            b"HEAD" => (Verb::Head, "HEAD"),
            b"OPTIONS" => (Verb::Options, "OPTIONS"),
            b"POST" => (Verb::Post, "POST"),
            b"PUT" => (Verb::Put, "PUT"),
            b"PATCH" => (Verb::Patch, "PATCH"),
            b"DELETE" => (Verb::Delete, "DELETE"),
            b"CONNECT" => (Verb::Connect, "CONNECT"),
            b"TRACE" => (Verb::Trace, "TRACE"),
            token => (Verb::Unknown, std::str::from_utf8(token).unwrap_or_default()),
        };
        Self { token, verb }
    }

    pub(crate) const fn as_str(self) -> &'a str {
        self.token
    }

    /// What a server takes the method for that does not mind its case; `None` where that is the method itself.
    pub(crate) fn in_capitals(self) -> Option<String> {
        let minds = self.verb == Verb::Unknown && self.token.bytes().any(|byte| byte.is_ascii_lowercase());
        minds.then(|| self.token.to_ascii_uppercase())
    }

    /// Whether requests of this method are about what is in their body.
    pub(crate) const fn expects_body(self) -> bool {
        matches!(self.verb, Verb::Post | Verb::Put | Verb::Patch)
    }

    pub(crate) const fn action(self) -> Action {
        match self.verb {
            Verb::Get | Verb::Head | Verb::Options => Action::Read,
            Verb::Post | Verb::Put | Verb::Patch | Verb::Delete => Action::Write,
            Verb::Connect | Verb::Trace | Verb::Unknown => Action::Other,
        }
    }

    /// The method as it stands in a record: the client's own word only where it is a registered one.
    pub(crate) const fn recorded(self) -> &'static str {
        match self.verb {
            Verb::Get => r#","method":"GET""#,
            Verb::Head => r#","method":"HEAD""#,
            Verb::Options => r#","method":"OPTIONS""#,
            Verb::Post => r#","method":"POST""#,
            Verb::Put => r#","method":"PUT""#,
            Verb::Patch => r#","method":"PATCH""#,
            Verb::Delete => r#","method":"DELETE""#,
            Verb::Connect => r#","method":"CONNECT""#,
            Verb::Trace => r#","method":"TRACE""#,
            Verb::Unknown if self.token.is_empty() => "",
            Verb::Unknown => r#","method":"other""#,
        }
    }
}

/// A header looked up by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Lookup<T> {
    #[default]
    Absent,
    One(T),
    Many,
}

impl<T> Lookup<T> {
    pub(crate) fn of(mut found: impl Iterator<Item = T>) -> Self {
        match (found.next(), found.next()) {
            (None, _) => Self::Absent,
            (Some(value), None) => Self::One(value),
            (Some(_), Some(_)) => Self::Many,
        }
    }

    pub(crate) fn map<U>(self, change: impl FnOnce(T) -> U) -> Lookup<U> {
        match self {
            Self::Absent => Lookup::Absent,
            Self::One(value) => Lookup::One(change(value)),
            Self::Many => Lookup::Many,
        }
    }

    pub(crate) fn one(self) -> Option<T> {
        match self {
            Self::One(value) => Some(value),
            Self::Absent | Self::Many => None,
        }
    }
}

impl<'a> Envelope<'a> {
    /// Collects what every answer needs, in one pass. Never fails: what is missing or repeated is simply not there.
    pub(crate) fn scan(headers: &'a Headers<'a>) -> Self {
        let mut single = Single::default();
        for (name, value) in headers {
            let (slot, may_repeat) = match name.as_bytes() {
                b":method" => (&mut single.method, false),
                b":path" => (&mut single.path, false),
                b":authority" => (&mut single.authority, false),
                b"host" => (&mut single.host, false),
                b"origin" => (&mut single.origin, false),
                b"authorization" => (&mut single.authorization, false),
                b"content-type" => (&mut single.content_type, false),
                b"connection" => (&mut single.connection, true),
                b"access-control-request-method" => (&mut single.requested_method, false),
                b"x-request-id" => (&mut single.request_id, true),
                _ => continue,
            };
            if matches!(slot, Lookup::Absent) {
                *slot = Lookup::One(value);
            } else {
                *slot = Lookup::Many;
                single.is_repeated |= !may_repeat;
            }
        }
        let text = |once: Once<'a>| once.one().and_then(|value| std::str::from_utf8(value).ok());
        Self {
            headers,
            method: Method::of(single.method.one().unwrap_or_default()),
            origin: text(single.origin),
            request_id: text(single.request_id).filter(|id| is_request_id(id)),
            single,
        }
    }

    /// The value of a header that is there once, and in no other spelling that a server may take for it.
    pub(crate) fn unmistakable(&self, name: &str) -> Option<&'a [u8]> {
        self.spelled(name).one().filter(|(own, _)| *own == name).map(|(_, value)| value)
    }

    /// A header in any spelling that a server may take for its name, and the spelling.
    pub(crate) fn spelled(&self, name: &str) -> Lookup<(&'a str, &'a [u8])> {
        let found = self.headers.iter().filter(|(own, _)| spells(own.as_bytes(), name));
        Lookup::of(found.map(|(own, value)| (own.as_str(), *value)))
    }

    /// `Content-Length`, where it is a number; the host has seen to it that there are no two.
    pub(crate) fn content_length(&self) -> Option<u64> {
        let value = Lookup::of(self.all("content-length")).one()?;
        std::str::from_utf8(value).ok()?.trim().parse().ok()
    }

    /// Whether another protocol is asked for: the host leaves the header in such requests alone, and gives those of HTTP/2 the
    /// form of HTTP/1.1 (RFC 9110 section 7.8, RFC 8441 section 4).
    pub(crate) fn asks_to_upgrade(&self) -> bool {
        self.all("upgrade").next().is_some()
    }

    /// `Authorization`, where it is there once.
    pub(crate) fn authorization(&self) -> Option<&'a [u8]> {
        self.single.authorization.one()
    }

    pub(crate) fn content_type(&self) -> Option<&'a [u8]> {
        self.single.content_type.one()
    }

    /// Whether a body may follow, as far as the head tells: in HTTP/2 it need not.
    pub(crate) fn may_have_body(&self) -> bool {
        match self.content_length() {
            Some(length) => length > 0,
            None => self.all("transfer-encoding").next().is_some() || self.method.expects_body(),
        }
    }

    pub(crate) fn all<'n>(&self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        values(self.headers, name)
    }
}

impl<'a> RequestHead<'a> {
    /// Parses a request head.
    ///
    /// # Errors
    /// The reason for the 400 that answers it.
    pub(crate) fn parse(envelope: &'a Envelope<'a>) -> Result<Self, DenyReason> {
        let single = &envelope.single;
        // Two lines of a header that Envoy joins arrive as one value with a comma, and an origin or a host never has one, nor a
        // media type outside quotes (RFC 9110 section 8.3.1).
        let joined = |once: Once<'a>| once.one().is_some_and(|value| value.contains(&b','));
        let joined = joined(single.origin)
            || joined(single.authority)
            || joined(single.host)
            || single.content_type.one().is_some_and(lists_elements)
            || single.authorization.one().is_some_and(repeats_credentials);
        if joined || single.is_repeated {
            return Err(DenyReason::HeaderDuplicate);
        }
        if envelope.method.token.is_empty() {
            return Err(DenyReason::RequestMalformed);
        }
        let target = single.path.one().ok_or(DenyReason::RequestMalformed)?;
        let (raw_path, query) = if every(target, |byte| byte != b'?') {
            (target, None)
        } else {
            let (path, query) = split_query(target)?;
            (path, Some(query))
        };
        let path = NormalizedPath::parse(raw_path).map_err(|_| DenyReason::PathMalformed)?;
        // HTTP/2 has room for both, and a server behind may go by the one that no route saw (RFC 9113 section 8.3.1).
        if let (Some(authority), Some(host)) = (single.authority.one(), single.host.one())
            && !authority.eq_ignore_ascii_case(host)
        {
            return Err(DenyReason::RequestMalformed);
        }
        if single.connection == Lookup::Many || single.connection.one().is_some_and(takes_headers_away) {
            return Err(DenyReason::RequestMalformed);
        }
        let host = single.authority.one().or(single.host.one()).unwrap_or_default();
        let host = std::str::from_utf8(host).ok().and_then(host_name).ok_or(DenyReason::RequestMalformed)?;
        Ok(Self { envelope, path, query, host })
    }

    /// Whether this is a CORS preflight: OPTIONS with `Origin` and a non-empty `Access-Control-Request-Method`
    /// (Fetch, "CORS-preflight request"). Any other OPTIONS is an ordinary request.
    pub(crate) fn preflight_method(&self) -> Option<&'a str> {
        if self.envelope.method.verb != Verb::Options || self.envelope.single.origin == Lookup::Absent {
            return None;
        }
        let method = self.envelope.single.requested_method.one()?;
        std::str::from_utf8(method).ok().filter(|method| !method.is_empty())
    }

    /// A query parameter, decoded as `application/x-www-form-urlencoded` (URL Standard, section 5.1).
    pub(crate) fn query_param(&self, name: &str) -> Lookup<Cow<'a, str>> {
        Lookup::of(self.query_values(name).map(decode_form))
    }

    /// The same, as it stands there, of a parameter that is judged: `None` within where only some servers find it. They do not
    /// mind case or signs, split at `;`, or make a list or an object of what has brackets (`name[]`). `others` are parameters of
    /// names of their own.
    pub(crate) fn query_spelled(&self, name: &str, others: impl Fn(&str) -> bool) -> Lookup<Option<&'a str>> {
        let pieces =
            self.query.unwrap_or("").split('&').flat_map(|pair| {
                std::iter::once((pair, true)).chain(pair.split(';').skip(1).map(|piece| (piece, false)))
            });
        let pieces = pieces.filter(|(pair, _)| !pair.is_empty());
        Lookup::of(pieces.filter_map(|(pair, is_whole)| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let key = decode_form(key);
            let is_exact = is_whole && key == name;
            (is_exact || may_be_parameter(&key, name) && !(is_whole && others(&key)))
                .then_some(is_exact.then_some(value))
        }))
    }

    fn query_values(&self, name: &str) -> impl Iterator<Item = &'a str> {
        query_pairs(self.query.unwrap_or("")).filter(move |(key, _)| decode_form(key) == name).map(|(_, value)| value)
    }
}

/// Raw `name=value` pairs of a query, in order.
pub(crate) fn query_pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// Whether some server takes one name of a parameter for another.
#[inline(never)]
fn may_be_parameter(name: &str, other: &str) -> bool {
    // PHP makes `_` of dots and spaces, and drops spaces before a name.
    let plain = |byte: u8| if byte.is_ascii_alphanumeric() { byte.to_ascii_lowercase() } else { b'_' };
    let name = name.trim_start_matches(' ');
    let name = name.split_once('[').map_or(name, |(name, _)| name);
    name.len() == other.len() && name.bytes().zip(other.bytes()).all(|(left, right)| plain(left) == plain(right))
}

/// Decodes what is read as text in one way alone; `None` where it is no UTF-8, of which every server makes something else.
pub(crate) fn form_text(value: &str) -> Option<Cow<'_, str>> {
    match form_bytes(value) {
        Cow::Borrowed(_) => Some(Cow::Borrowed(value)),
        Cow::Owned(bytes) => String::from_utf8(bytes).ok().map(Cow::Owned),
    }
}

/// Decodes `+` and percent-escapes; what is no escape stays as it is, what is no UTF-8 becomes U+FFFD.
pub(crate) fn decode_form(text: &str) -> Cow<'_, str> {
    match form_bytes(text) {
        Cow::Borrowed(_) => Cow::Borrowed(text),
        Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
    }
}

/// Borrowed where there is nothing to decode.
fn form_bytes(text: &str) -> Cow<'_, [u8]> {
    if !text.bytes().any(|byte| matches!(byte, b'+' | b'%')) {
        return Cow::Borrowed(text.as_bytes());
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match (byte, tail) {
            (b'+', _) => out.push(b' '),
            (b'%', [high, low, after @ ..]) => match (char::from(*high).to_digit(16), char::from(*low).to_digit(16)) {
                (Some(high), Some(low)) => {
                    out.push(u8::try_from(high << 4 | low).unwrap_or_default());
                    rest = after;
                }
                _ => out.push(byte),
            },
            _ => out.push(byte),
        }
    }
    Cow::Owned(out)
}

/// Whether two `Authorization` lines were joined: Envoy puts a bare comma between them, and what comes after one outside
/// quotes is something other than a further parameter of the same credentials (RFC 9110 section 11.4). A comma with a
/// space after it was in one line from the start, and makes credentials that nobody takes.
fn repeats_credentials(value: &[u8]) -> bool {
    // A token has none, and is long.
    !every(value, |byte| byte != b',') && has_further_credentials(value)
}

#[inline(never)]
fn has_further_credentials(value: &[u8]) -> bool {
    let starts_bare = |element: &&[u8]| element.first().is_some_and(|byte| !byte.is_ascii_whitespace());
    unquoted_elements(value).skip(1).filter(starts_bare).any(|element| !is_parameter(element))
}

/// Whether there is more than one element in a value (RFC 9110 section 5.6.1).
#[inline(never)]
fn lists_elements(value: &[u8]) -> bool {
    unquoted_elements(value).nth(1).is_some()
}

/// What stands between commas that are not quoted (RFC 9110 section 5.6.4).
fn unquoted_elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (mut quoted, mut escaped) = (false, false);
    value.split(move |byte| {
        let separates = *byte == b',' && !quoted;
        match *byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = quoted,
            b'"' => quoted = !quoted,
            _ => {}
        }
        separates
    })
}

/// Whether a `Connection` names headers for the next hop to drop (RFC 9110 section 7.6.1), which may be those that tell
/// the service of its caller. Envoy sends it on with an upgrade.
#[inline(never)]
fn takes_headers_away(value: &[u8]) -> bool {
    const HARMLESS: [&str; 6] = ["", "close", "keep-alive", "upgrade", "te", "http2-settings"];
    value
        .split(|byte| *byte == b',')
        .map(<[u8]>::trim_ascii)
        .any(|option| !HARMLESS.iter().any(|harmless| option.eq_ignore_ascii_case(harmless.as_bytes())))
}

/// `name=value`, with space around the sign or not.
fn is_parameter(element: &[u8]) -> bool {
    let mut sides = element.splitn(2, |byte| *byte == b'=');
    let name = sides.next().unwrap_or_default().trim_ascii();
    sides.next().is_some() && std::str::from_utf8(name).is_ok_and(crate::cors::is_token)
}

/// A path, and its query: visible ASCII without a fragment (RFC 3986 section 3.4, and what browsers leave unescaped).
#[inline(never)]
fn split_query(target: &[u8]) -> Result<(&[u8], &str), DenyReason> {
    let at = target.iter().position(|byte| *byte == b'?').ok_or(DenyReason::RequestMalformed)?;
    let (path, query) = target.split_at(at);
    let query = query.get(1..).unwrap_or_default();
    let visible = query.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'#');
    let query = std::str::from_utf8(query).ok().filter(|_| visible).ok_or(DenyReason::RequestMalformed)?;
    Ok((path, query))
}

/// The host of an authority in lower case, without its port and final dot. `None` where it is not `host` or `host:port`
/// (RFC 9110 section 7.2): another reader may find a host in it that the routes did not see.
fn host_name(authority: &str) -> Option<Cow<'_, str>> {
    match plain_host(authority) {
        Some(host) => Some(Cow::Borrowed(host)),
        None => any_host(authority),
    }
}

/// What nearly all hosts are, before their port: labels in lower case. `None` is for [`any_host`] to decide.
fn plain_host(authority: &str) -> Option<&str> {
    let before = authority.trim_end_matches(|digit: char| digit.is_ascii_digit());
    let host = before.strip_suffix(':').unwrap_or(authority);
    let bytes = host.as_bytes();
    let is_plain = every(bytes, |byte| is_between(byte, b'a', b'z') | (is_between(byte, b'-', b'9') & (byte != b'/')));
    (is_plain && has_labels(bytes)).then_some(host)
}

#[inline(never)]
fn any_host(authority: &str) -> Option<Cow<'_, str>> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => authority.split_at_checked(rest.find(']')?.checked_add(2)?)?,
        None => {
            authority.split_at_checked(authority.bytes().position(|byte| byte == b':').unwrap_or(authority.len()))?
        }
    };
    if !port.is_empty() && !port.strip_prefix(':')?.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let host = host.strip_suffix('.').unwrap_or(host);
    let is_sound = if host.starts_with('[') {
        host.bytes().all(|byte| byte.is_ascii_hexdigit() || b"[]:.".contains(&byte))
    } else {
        is_name(host)
    };
    if !is_sound {
        return None;
    }
    let is_lower = every(host.as_bytes(), |byte| !is_between(byte, b'A', b'Z'));
    Some(if is_lower { Cow::Borrowed(host) } else { Cow::Owned(host.to_ascii_lowercase()) })
}

/// Whether a host is nothing, or labels with dots between them.
fn is_name(host: &str) -> bool {
    let bytes = host.as_bytes();
    // From `-` to `9` there are `.`, `/` and the digits.
    let plain = |byte: u8| is_letter(byte) | (is_between(byte, b'-', b'9') & (byte != b'/'));
    let fits = |byte: u8| plain(byte) | (byte == b'_') | (byte == b'~');
    every(bytes, fits) && has_labels(bytes)
}

/// Whether there is something before, between and after dots.
fn has_labels(host: &[u8]) -> bool {
    let label = |byte: u8, next: u8| (byte != b'.') | (next != b'.');
    host.first() != Some(&b'.') && host.last() != Some(&b'.') && every_next(host, label)
}

/// Whether a server may take one header name for another: CGI and its heirs make `_` of `-` (RFC 3875 section 4.1.18),
/// some of them of all but letters and digits.
pub(crate) fn spells(name: &[u8], other: &str) -> bool {
    name.len() == other.len() && spells_prefix(name, other)
}

/// Whether a name begins like this, as [`spells`] has it.
pub(crate) fn spells_prefix(name: &[u8], prefix: &str) -> bool {
    let plain = |byte: u8| if byte.is_ascii_alphanumeric() { byte } else { b'-' };
    name.len() >= prefix.len()
        && name.iter().copied().zip(prefix.bytes()).all(|(left, right)| plain(left) == plain(right))
}

fn values<'a, 'n>(headers: &'a Headers<'a>, name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
    headers.iter().filter(move |(key, _)| key == name).map(|(_, value)| *value)
}

/// Request ids are Envoy's UUIDs, or hexadecimal ids of a tracer; nothing else that a client may have put there is
/// repeated in a reply or a record.
fn is_request_id(id: &str) -> bool {
    (8..=64).contains(&id.len()) && every(id.as_bytes(), |byte| is_hex(byte) | (byte == b'-'))
}

#[cfg(test)]
mod tests;
