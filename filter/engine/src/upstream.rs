//! What the upstream is sent: no identity but the one that was proved, no token it was not to have, one form of the path.

use std::borrow::Cow;

use crate::authz::Principal;
use crate::headers::HeaderEdit;
use crate::request::{Envelope, RequestHead, spells, spells_prefix};
use crate::token::{Place, without_cookie, without_param};

/// Headers of ours that no client may set.
pub(crate) const OWN_PREFIX: &str = "x-portcullis-";

/// Removes every spelling of an identity header.
pub(crate) fn strip_identity(envelope: Envelope<'_>, identity_headers: &[String]) -> Vec<HeaderEdit> {
    let mut edits: Vec<HeaderEdit> = Vec::with_capacity(8);
    for (name, _) in envelope.headers {
        let is_identity = spells_prefix(name, OWN_PREFIX) || identity_headers.iter().any(|own| spells(name, own));
        if is_identity && !edits.iter().any(|edit| edit.name() == name) {
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

/// Sets the headers of `claim_to_headers`, in the place of any removal.
pub(crate) fn identify(principal: &Principal<'_>, edits: &mut Vec<HeaderEdit>) {
    for (header, value) in &principal.session.headers {
        edits.retain(|edit| edit.name() != &**header);
        edits.push(HeaderEdit::Set(header.clone(), value.clone()));
    }
}

#[cfg(test)]
mod tests;
