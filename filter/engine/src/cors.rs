//! CORS (Fetch, section 3.3): who may read a response from script.

use crate::decision::DenyReason;
use crate::hash::FixedSet;
use crate::headers::HeaderEdit;
use crate::request::{HeaderName, Headers, RequestHead};
use crate::text::{Header, Text};

/// Most empty elements tolerated in `Access-Control-Request-Headers`: RFC 9110 section 5.6.1 asks for "a reasonable
/// number", and browsers send none.
const MAX_EMPTY_ELEMENTS: usize = 16;

/// What the names of all headers of CORS begin with, those of tomorrow too. An upstream's own are removed where a CORS block applies.
const ACCESS_CONTROL: &str = "access-control-";

/// Who may read a response depends on who asks (Fetch, "CORS protocol and HTTP caches").
pub(crate) const VARY: Header = (Text::Static("vary"), Text::Static("Origin"));

/// A compiled `cors` block.
#[derive(Clone, Debug)]
pub(crate) struct CorsPolicy {
    pub(crate) origins: Origins,
    pub(crate) methods: Names,
    pub(crate) headers: Names,
    pub(crate) expose_headers: Vec<String>,
    pub(crate) credentials: bool,
    /// Seconds.
    pub(crate) max_age: u64,
}

/// The origins allowed.
#[derive(Clone, Debug)]
pub(crate) enum Origins {
    Any,
    Listed { exact: FixedSet<String>, subdomains: Vec<Subdomains> },
}

/// `https://*.example.com`: any name below, however deep, but not the name itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subdomains {
    /// `https://`
    pub(crate) scheme: String,
    /// `.example.com`, with a port where the pattern has one.
    pub(crate) suffix: String,
}

/// Methods or headers, and whether `*` stands beside them: it does not cover all that can be listed.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    pub(crate) any: bool,
    pub(crate) listed: Vec<String>,
}

impl Names {
    fn lists(&self, name: &str) -> bool {
        self.listed.iter().any(|listed| listed == name)
    }

    fn join(&self) -> String {
        let star = self.any.then_some("*").into_iter();
        star.chain(self.listed.iter().map(String::as_str)).collect::<Vec<_>>().join(", ")
    }
}

impl Origins {
    fn allow(&self, origin: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Listed { exact, subdomains } => {
                exact.contains(origin) || subdomains.iter().any(|pattern| pattern.matches(origin))
            }
        }
    }
}

impl Subdomains {
    fn matches(&self, origin: &str) -> bool {
        origin
            .strip_prefix(&self.scheme)
            .and_then(|host| host.strip_suffix(&self.suffix))
            .is_some_and(|labels| labels.split('.').all(is_label))
    }
}

/// A label as browsers write them in an origin: lower case, punycode for the rest.
fn is_label(label: &str) -> bool {
    !label.is_empty()
        && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_'))
}

impl CorsPolicy {
    /// `Access-Control-Allow-Origin` and its companions for a response that script at `origin` may read; empty where it
    /// may not.
    fn grant(&self, origin: Option<&str>) -> Vec<Header> {
        let allowed = match (&self.origins, origin) {
            (Origins::Any, _) => Text::Static("*"),
            (Origins::Listed { .. }, Some(origin)) if self.origins.allow(origin) => Text::Shared(origin.into()),
            _ => return Vec::new(),
        };
        let mut headers = vec![("access-control-allow-origin".into(), allowed)];
        if self.credentials {
            headers.push(("access-control-allow-credentials".into(), "true".into()));
        }
        headers
    }

    /// What script at `origin` may read of a response; empty where it may not.
    pub(crate) fn grant_and_expose(&self, origin: Option<&str>) -> Vec<Header> {
        let mut headers = self.grant(origin);
        if !headers.is_empty() && !self.expose_headers.is_empty() {
            headers.push(("access-control-expose-headers".into(), self.expose_headers.join(", ").into()));
        }
        headers
    }

    /// Whether the edits of an upstream's response go by a header of this name, beside [`VARY`].
    pub(crate) fn weighs(name: HeaderName<'_>) -> bool {
        name.as_bytes().starts_with(ACCESS_CONTROL.as_bytes())
    }

    /// The edits of a response without any of those, whoever asks.
    pub(crate) fn usual(&self) -> Vec<HeaderEdit> {
        // Where any origin may, it does not matter which asks.
        let headers = self.grant_and_expose(None).into_iter().chain([VARY]);
        headers.map(|(name, value)| HeaderEdit::Add(name, value)).collect()
    }

    /// What comes to those where script at `origin` asks.
    #[inline(never)]
    pub(crate) fn allow(&self, origin: &str, edits: &mut Vec<HeaderEdit>) {
        if matches!(self.origins, Origins::Listed { .. }) {
            let ours = self.grant_and_expose(Some(origin));
            edits.extend(ours.into_iter().map(|(name, value)| HeaderEdit::Add(name, value)));
        }
    }

    /// The edits of an upstream's response with these headers: its own CORS headers go, ours come.
    pub(crate) fn response_edits(&self, origin: Option<&str>, upstream: &Headers<'_>, edits: &mut Vec<HeaderEdit>) {
        let ours = self.grant_and_expose(origin);
        for (index, (name, _)) in upstream.iter().enumerate() {
            let name = name.as_str();
            let foreign = name.starts_with(ACCESS_CONTROL) && !ours.iter().any(|(set, _)| **set == *name);
            if foreign && !upstream.iter().take(index).any(|(earlier, _)| earlier == name) {
                edits.push(HeaderEdit::Remove(name.to_owned().into()));
            }
        }
        edits.extend(ours.into_iter().map(|(name, value)| HeaderEdit::Set(name, value)));
        let (vary, origin) = VARY;
        if !upstream.iter().any(|(name, value)| *name == *vary && lists_origin(value)) {
            edits.push(HeaderEdit::Append(vary, origin));
        }
    }

    /// Answers a preflight for `method`: the headers of the 204, or why it is refused.
    pub(crate) fn preflight(&self, head: &RequestHead<'_>, method: &str) -> Result<Vec<Header>, DenyReason> {
        let mut headers = self.grant(head.envelope.origin);
        if headers.is_empty() {
            return Err(DenyReason::CorsOrigin);
        }
        // CORS-safelisted methods are always allowed (Fetch, "CORS-safelisted method"): scripts may send them unasked.
        if !(matches!(method, "GET" | "HEAD" | "POST") || self.methods.any || self.methods.lists(method)) {
            return Err(DenyReason::CorsMethod);
        }
        let mut any_requested = false;
        let mut empty = 0_usize;
        for line in head.envelope.all("access-control-request-headers") {
            for element in line.split(|byte| *byte == b',') {
                let name = trim_one(element);
                if name.is_empty() {
                    empty += 1;
                    continue;
                }
                any_requested = true;
                let name = std::str::from_utf8(name).map_err(|_| DenyReason::CorsHeaders)?.to_ascii_lowercase();
                // `*` does not cover Authorization (Fetch, "CORS non-wildcard request-header name").
                let by_wildcard = self.headers.any && name != "authorization";
                if !is_token(&name) || !(by_wildcard || self.headers.lists(&name)) {
                    return Err(DenyReason::CorsHeaders);
                }
            }
        }
        if empty > MAX_EMPTY_ELEMENTS {
            return Err(DenyReason::CorsHeaders);
        }
        headers.push(("access-control-allow-methods".into(), self.methods.join().into()));
        if any_requested {
            headers.push(("access-control-allow-headers".into(), self.headers.join().into()));
        }
        headers.push(("access-control-max-age".into(), self.max_age.to_string().into()));
        headers.push(("vary".into(), "Origin, Access-Control-Request-Method, Access-Control-Request-Headers".into()));
        Ok(headers)
    }
}

fn lists_origin(vary: &[u8]) -> bool {
    let names = vary.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    names.into_iter().any(|name| name == b"*" || name.eq_ignore_ascii_case(b"origin"))
}

/// Takes at most one space or tab from each side: more is no browser's doing, and then is part of no header name.
fn trim_one(element: &[u8]) -> &[u8] {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
    let element = element.split_first().filter(|(first, _)| is_space(first)).map_or(element, |(_, rest)| rest);
    element.split_last().filter(|(last, _)| is_space(last)).map_or(element, |(_, rest)| rest)
}

/// A token of RFC 9110 section 5.6.2.
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
}

pub(crate) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests;
