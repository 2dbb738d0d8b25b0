//! `local_jwks`.

use super::super::decode::{Fields, Findings, text};
use super::super::error::Path;
use super::super::node::Node;
use crate::hash::FixedSet;
use crate::token::{Algorithm, JwksError, KeyKind, KeySet, LocalEntry};

pub(super) fn local_jwks(
    node: &Node,
    path: &Path<'_>,
    allowed: Option<&[Algorithm]>,
    findings: &mut Findings,
) -> Option<KeySet> {
    let mut fields = Fields::of(node, path, findings)?;
    let inline = fields.required("inline", "put the JSON Web Key Set here, as text", findings);
    let path = path.field("inline");
    let document = inline.and_then(|node| text(node, &path, findings).map(|text| (node.line, text)));
    fields.finish(findings);
    let (line, document) = document?;
    if let Ok(entries) = LocalEntry::all(document.as_bytes()) {
        check_entries(&entries, &path.field("keys"), line, findings);
    }
    match KeySet::from_jwks(document.as_bytes(), false) {
        Ok(keys) => {
            let fits = |algorithm: &Algorithm| keys.keys().iter().any(|key| key.fits(*algorithm));
            if allowed.is_some_and(|allowed| !allowed.iter().any(fits)) {
                let message = "no key of the set fits any of `allowed_algorithms`";
                findings.error(&path, line, message, "allow the algorithm of a key, or put in other keys");
            }
            Some(keys)
        }
        Err(error) => {
            let remedy = match error {
                JwksError::SecretTooShort => "make a longer secret: `portcullis secret generate`",
                _ => "put in a key set with public keys for signatures (RFC 7517)",
            };
            findings.error(&path, line, error.to_string(), remedy);
            None
        }
    }
}

/// Nobody else sees to it that these keys are good: where a fetched one is passed over, its issuer will have others.
fn check_entries(entries: &[LocalEntry], path: &Path<'_>, line: Option<u32>, findings: &mut Findings) {
    let mut kids = FixedSet::default();
    for (index, LocalEntry { kind, key }) in entries.iter().enumerate() {
        let path = path.index(index);
        match (kind, key) {
            (KeyKind::Secret, _) => {
                let message = "a secret: whoever reads the policy can sign tokens";
                findings.warn(&path, line, message, "put it into the environment, and name it in `keys`");
            }
            (KeyKind::Private(member), _) => {
                let message = format!("a private key, with its `{member}`: whoever reads the policy can sign tokens");
                findings.warn(&path, line, message, "put in the public key alone: `portcullis key jwks FILE`");
            }
            (KeyKind::Public, Err(reason)) => {
                let message = format!("passed over, and its tokens refused: {reason}");
                findings.warn(&path, line, message, "put in another key, or remove it");
            }
            (KeyKind::Public, Ok(_)) => {}
        }
        let kid = key.as_ref().ok().and_then(|key| key.kid());
        if let Some(kid) = kid
            && !kids.insert(kid)
        {
            let message = format!("two keys have the kid `{kid}`");
            findings.warn(&path, line, message, "give every key a kid of its own");
        }
    }
}
