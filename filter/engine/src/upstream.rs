//! What the upstream is sent: no identity but the one that was proved, no token it was not to have, one form of the path.

use std::borrow::Cow;

use serde_json::Value;

use crate::authz::{Principal, scalar_text};
use crate::headers::HeaderEdit;
use crate::request::{Envelope, RequestHead};
use crate::token::{Place, without_cookie, without_param};

/// Headers of ours that no client may set.
const OWN_PREFIX: &str = "x-portcullis-";

/// Removes every spelling of an identity header: many servers read `_` and `-` as the same (RFC 3875 section 4.1.18).
pub(crate) fn strip_identity(envelope: Envelope<'_>, identity_headers: &[String]) -> Vec<HeaderEdit> {
    let is_identity = |name: &str| {
        let name = name.replace('_', "-");
        name.starts_with(OWN_PREFIX) || identity_headers.contains(&name)
    };
    let mut edits: Vec<HeaderEdit> = Vec::new();
    for (name, _) in envelope.headers {
        if is_identity(name) && !edits.iter().any(|edit| edit.name() == name) {
            edits.push(HeaderEdit::Remove(name.clone().into()));
        }
    }
    edits
}

/// Takes the token away, and gives the path its normal form.
pub(crate) fn strip_token(head: &RequestHead<'_>, place: Option<&Place>, edits: &mut Vec<HeaderEdit>) {
    let mut query = head.query.map(Cow::Borrowed);
    let mut rewritten = head.path.is_rewritten();
    match place {
        None => {}
        Some(Place::Header { name, .. }) => edits.push(HeaderEdit::Remove(name.clone().into())),
        Some(Place::Cookie(name)) => {
            let lines: Vec<String> = head
                .envelope
                .all("cookie")
                .filter_map(|line| without_cookie(std::str::from_utf8(line).unwrap_or_default(), name))
                .collect();
            edits.push(if lines.is_empty() {
                HeaderEdit::remove("cookie")
            } else {
                HeaderEdit::Set("cookie".into(), lines.join("; ").into())
            });
        }
        Some(Place::Param(name)) => {
            rewritten = true;
            query = query.map(|query| without_param(&query, name)).filter(|query| !query.is_empty()).map(Cow::Owned);
        }
    }
    if rewritten {
        let path = head.path.as_str();
        let target = query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
        edits.push(HeaderEdit::Set(":path".into(), target.into()));
    }
}

/// Sets the headers of `claim_to_headers` whose claims are there.
pub(crate) fn identify(principal: &Principal<'_>, edits: &mut Vec<HeaderEdit>) {
    for (path, header) in &principal.provider.claim_to_headers {
        let value = path.lookup(principal.token.claims()).and_then(header_value);
        if let Some(value) = value {
            edits.retain(|edit| edit.name() != header);
            edits.push(HeaderEdit::Set(header.clone().into(), value.into()));
        }
    }
}

/// A claim as the value of a header: scalars as they are, arrays joined with commas. Nothing where it would not be
/// one value, or where an element has a comma in it and would be read as two.
fn header_value(claim: &Value) -> Option<String> {
    let value = match claim {
        Value::Array(items) => {
            let items: Option<Vec<_>> =
                items.iter().map(|item| scalar_text(item).filter(|text| !text.contains(','))).collect();
            items?.join(",")
        }
        scalar => scalar_text(scalar)?.into_owned(),
    };
    let fits = !value.is_empty() && value.trim() == value && !value.chars().any(char::is_control);
    fits.then_some(value)
}

#[cfg(test)]
mod tests;
