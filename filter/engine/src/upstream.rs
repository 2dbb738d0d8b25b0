//! What the upstream is sent: no identity but the one that was proved, no token it was not to have, one form of the path.

use std::borrow::Cow;
use std::rc::Rc;

use crate::headers::HeaderEdit;
use crate::names::Spellings;
use crate::request::{HeaderName, Headers, RequestHead, spells, spells_prefix};
use crate::token::{Place, Sources, without_cookie, without_param};

/// Headers of ours that no client may set.
pub(crate) const OWN_PREFIX: &str = "x-portcullis-";

/// Headers by which some servers and frameworks take another method or path than the request's: the one that was not
/// decided on.
const OVERRIDES: [&str; 10] = [
    "x-http-method-override",
    "x-http-method",
    "x-method-override",
    "x-original-method",
    "x-forwarded-method",
    "x-original-url",
    "x-original-uri",
    "x-rewrite-url",
    "x-override-url",
    "x-forwarded-uri",
];

/// What says who asks, for what, of whom, and how a message is read belongs into its head (RFC 9110 section 6.5.1).
const HEAD_ONLY: [&str; 13] = [
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "forwarded",
    "host",
    "origin",
    "proxy-authorization",
    "transfer-encoding",
    "upgrade",
    "x-real-ip",
];

/// What proxies, Envoy among them, tell of a client and of what it asked for.
const PROXY_PREFIXES: [&str; 2] = ["x-forwarded-", "x-envoy-"];

/// Headers that tell a service who asks, added to those of a request.
type Identity = Rc<[HeaderEdit]>;

/// Removes every spelling of an identity header, and of those that would make another request of this one. Gives `identity`
/// back where there was none of it, and it can be added as it is; else it is among the edits, in the place of what was there.
pub(crate) fn replace_identity(
    headers: &Headers<'_>,
    forgeable: &Spellings,
    identity: Option<Identity>,
) -> (Vec<HeaderEdit>, Option<Identity>) {
    let edits = strip(headers, |name| is_forged(name, forgeable));
    if edits.is_empty() { (edits, identity) } else { (set_instead(edits, identity.as_deref()), None) }
}

#[inline(never)]
fn set_instead(mut edits: Vec<HeaderEdit>, identity: Option<&[HeaderEdit]>) -> Vec<HeaderEdit> {
    let identity = identity.unwrap_or_default();
    edits.retain(|edit| !identity.iter().any(|own| own.name() == edit.name()));
    edits.extend(identity.iter().map(|own| match own {
        HeaderEdit::Add(name, value) => HeaderEdit::Set(name.clone(), value.clone()),
        other => other.clone(),
    }));
    edits
}

/// Removes from trailers what the head may not have, and what was looked at in the head, of which some servers know no
/// difference. `judged` are the headers that a policy reads.
pub(crate) fn strip_trailers(trailers: &Headers<'_>, forgeable: &Spellings, judged: &[String]) -> Vec<HeaderEdit> {
    strip(trailers, |name| {
        is_forged(name, forgeable)
            || PROXY_PREFIXES.iter().any(|prefix| spells_prefix(name.as_bytes(), prefix))
            || judged.iter().any(|own| spells(name.as_bytes(), own))
            || HEAD_ONLY.iter().any(|own| spells(name.as_bytes(), own))
    })
}

fn is_forged(name: HeaderName<'_>, forgeable: &Spellings) -> bool {
    let name = name.as_bytes();
    forgeable.has(name) || name.first() == Some(&b'x') && spells_prefix(name, OWN_PREFIX)
}

/// The headers that no client may set, those of [`OWN_PREFIX`] aside: `identity` are those by which a service is told who asks.
/// Nor may one send another spelling of those that tokens come in: it was not looked at, and a service may read it.
pub(crate) fn forgeable(identity: Vec<String>, sources: &Sources) -> Spellings {
    let names = OVERRIDES.into_iter().map(str::to_owned).chain(identity).collect();
    // `authorization` has no other: nothing is looked for in requests that bring it.
    let has_others = |name: &&str| name.bytes().any(|byte| !byte.is_ascii_alphanumeric());
    Spellings::of(names).and_others_of(sources.headers().filter(has_others).map(str::to_owned).collect())
}

fn strip(headers: &Headers<'_>, goes: impl Fn(HeaderName<'_>) -> bool) -> Vec<HeaderEdit> {
    let mut edits: Vec<HeaderEdit> = Vec::new();
    for (name, _) in headers {
        if goes(*name) {
            remove_once(name.as_str(), &mut edits);
        }
    }
    edits
}

#[inline(never)]
fn remove_once(name: &str, edits: &mut Vec<HeaderEdit>) {
    if !edits.iter().any(|edit| edit.name() == name) {
        edits.push(HeaderEdit::Remove(name.to_owned().into()));
    }
}

/// Takes tokens away from where they stand, and gives the path its normal form.
pub(crate) struct Stripping<'a> {
    head: &'a RequestHead<'a>,
    edits: &'a mut Vec<HeaderEdit>,
    /// Places within a header that has more than the token.
    within: Vec<&'a Place>,
}

impl<'a> Stripping<'a> {
    pub(crate) const fn of(head: &'a RequestHead<'a>, edits: &'a mut Vec<HeaderEdit>) -> Self {
        Self { head, edits, within: Vec::new() }
    }

    pub(crate) fn take(&mut self, place: &'a Place) {
        match place {
            Place::Header { name, .. } => self.edits.push(HeaderEdit::Remove(name.clone())),
            Place::Cookie(_) | Place::Param(_) => self.within.push(place),
        }
    }

    pub(crate) fn finish(self) {
        if !self.within.is_empty() || self.head.path.is_rewritten() {
            rewrite(self.head, &self.within, self.edits);
        }
    }
}

/// Takes tokens out of cookies and of the query, and gives the path its normal form.
#[inline(never)]
fn rewrite(head: &RequestHead<'_>, places: &[&Place], edits: &mut Vec<HeaderEdit>) {
    let mut cookies: Option<Vec<String>> = None;
    let mut query = head.query.map(Cow::Borrowed);
    let mut rewritten = head.path.is_rewritten();
    for place in places {
        match place {
            Place::Header { .. } => {}
            Place::Cookie(name) => {
                cookies = Some(match cookies {
                    None => head.envelope.all("cookie").filter_map(|line| without_cookie(line, name)).collect(),
                    Some(lines) => lines.iter().filter_map(|line| without_cookie(line.as_bytes(), name)).collect(),
                });
            }
            Place::Param(name) => {
                rewritten = true;
                query =
                    query.map(|query| without_param(&query, name)).filter(|query| !query.is_empty()).map(Cow::Owned);
            }
        }
    }
    match cookies {
        None => {}
        Some(lines) if lines.is_empty() => edits.push(HeaderEdit::remove("cookie")),
        Some(lines) => edits.push(HeaderEdit::Set("cookie".into(), lines.join("; ").into())),
    }
    if rewritten {
        let path = head.path.as_str();
        let target = query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
        edits.push(HeaderEdit::Set(":path".into(), target.into()));
    }
}

#[cfg(test)]
mod tests;
