//! `local_jwks`.

use super::super::decode::{Fields, Findings, text};
use super::super::error::Path;
use super::super::node::Node;
use crate::hash::FixedSet;
use crate::token::{Algorithm, KeyError, KeySet, PublicEntry};

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
    let found_before = findings.errors.len();
    let keys = PublicEntry::all(document.as_bytes()).and_then(|entries| {
        check_entries(&entries, &path.field("keys"), line, findings);
        KeySet::of_usable(entries.into_iter().map(|entry| entry.key))
    });
    match keys {
        Ok(keys) => {
            let fits = |algorithm: &Algorithm| keys.keys().iter().any(|key| key.fits(*algorithm));
            if allowed.is_some_and(|allowed| !allowed.iter().any(fits)) {
                let message = "no key of the set fits any of `allowed_algorithms`";
                findings.error(&path, line, message, "allow the algorithm of a key, or put in other keys");
            }
            Some(keys)
        }
        // Of a set of secrets, that they are such is all there is to say.
        Err(_) if findings.errors.len() > found_before => None,
        Err(error) => {
            let remedy = "put in a key set with public keys for signatures (RFC 7517)";
            findings.error(&path, line, error.to_string(), remedy);
            None
        }
    }
}

/// Nobody else sees to it that these keys are good: where a fetched one is passed over, its issuer will have others.
fn check_entries(entries: &[PublicEntry], path: &Path<'_>, line: Option<u32>, findings: &mut Findings) {
    let mut kids = FixedSet::default();
    for (index, PublicEntry { private, key }) in entries.iter().enumerate() {
        let path = path.index(index);
        match (key, private) {
            (Err(KeyError::Secret), _) => {
                let message = "a secret: a policy names secrets and holds none";
                findings.error(&path, line, message, "put it into the environment, and name it in `keys`");
            }
            (_, Some(member)) => {
                let message = format!("a private key, with its `{member}`: whoever reads the policy could sign tokens");
                findings.error(&path, line, message, "put in the public key alone: `portcullis key jwks FILE`");
            }
            (Err(reason), None) => {
                let message = format!("passed over, and its tokens refused: {reason}");
                findings.warn(&path, line, message, "put in another key, or remove it");
            }
            (Ok(_), None) => {}
        }
        let kid = key.as_ref().ok().and_then(|key| key.kid());
        if let Some(kid) = kid
            && !kids.insert(kid)
        {
            let message = format!("two keys have the kid `{kid}`");
            findings.error(&path, line, message, "give every key a kid of its own");
        }
    }
}
