//! What files say, of those who keep accounts elsewhere.

use std::collections::HashSet;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_engine::feed::{Digest16, Draft, KeyEntry, RevokedEntry, SubjectEntry};
use serde_json::Value;

use crate::api_key;
use crate::exit::Failure;
use crate::network::Network;
use crate::records::{self, Members};
use crate::terminal::Bar;
use crate::time;

#[cfg(test)]
mod tests;

/// How long a token is named past its `exp`: more than any clock is off.
pub const GRACE: i64 = 24 * 60 * 60;

/// The most that a subject, an id or a role has.
const MAX_NAME_BYTES: usize = 1024;

const SUBJECT_COLUMNS: [&str; 4] = ["subject", "disabled", "tokens_before", "roles"];
const REVOKED_COLUMNS: [&str; 2] = ["jti", "expires"];
const KEY_COLUMNS: [&str; 6] = ["id", "secret_sha256", "owner", "roles", "expires", "cidrs"];

/// The files there are.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sources<'a> {
    /// Of subjects.
    pub subjects: Option<&'a Path>,
    /// Of revoked tokens.
    pub revoked: Option<&'a Path>,
    /// Of API keys.
    pub api_keys: Option<&'a Path>,
}

impl Sources<'_> {
    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.subjects.is_none() && self.revoked.is_none() && self.api_keys.is_none()
    }
}

/// Adds what files say to what is known already; nobody is named twice.
///
/// # Errors
/// A file cannot be read, or everything in one that is wrong, by line.
pub fn read_files(sources: Sources<'_>, draft: &mut Draft, now: i64, bar: &mut Bar) -> Result<(), Failure> {
    if let Some(path) = sources.subjects {
        let mut named: HashSet<Digest16> = draft.subjects.iter().map(|entry| entry.digest).collect();
        records::read(path, &SUBJECT_COLUMNS, bar, |_, members| {
            let entry = subject(members)?;
            once(&mut named, entry.digest, "/subject")?;
            draft.subjects.push(entry);
            Ok(())
        })?;
    }
    if let Some(path) = sources.revoked {
        let mut named: HashSet<Digest16> = draft.revoked.iter().map(|entry| entry.digest).collect();
        records::read(path, &REVOKED_COLUMNS, bar, |_, members| {
            let entry = revoked(members)?;
            once(&mut named, entry.digest, "/jti")?;
            if i64::from(entry.expires) > now.saturating_sub(GRACE) {
                draft.revoked.push(entry);
            }
            Ok(())
        })?;
    }
    if let Some(path) = sources.api_keys {
        let mut named: HashSet<Digest16> = draft.keys.iter().map(|entry| entry.digest).collect();
        records::read(path, &KEY_COLUMNS, bar, |_, members| {
            let entry = key(members)?;
            once(&mut named, entry.digest, "/id")?;
            draft.keys.push(entry);
            Ok(())
        })?;
    }
    Ok(())
}

fn once(named: &mut HashSet<Digest16>, digest: Digest16, pointer: &str) -> Result<(), String> {
    if named.insert(digest) { Ok(()) } else { Err(format!("{pointer}: is named before, in this file or in the store")) }
}

fn subject(members: &Members) -> Result<SubjectEntry, String> {
    let subject = name(members.needed("subject")?, "/subject")?;
    let disabled = match members.value("disabled") {
        None => false,
        Some(Value::Bool(disabled)) => *disabled,
        Some(Value::String(text)) if text == "true" => true,
        Some(Value::String(text)) if text == "false" => false,
        Some(_) => return Err("/disabled: must be true or false".to_owned()),
    };
    Ok(SubjectEntry {
        digest: Digest16::subject(subject),
        disabled,
        removed: false,
        tokens_before: moment(members, "tokens_before")?.unwrap_or_default(),
        roles: roles(members)?,
    })
}

fn revoked(members: &Members) -> Result<RevokedEntry, String> {
    let jti = name(members.needed("jti")?, "/jti")?;
    let expires = moment(members, "expires")?.filter(|at| *at > 0);
    Ok(RevokedEntry { digest: Digest16::token(jti), expires: expires.ok_or("/expires: must be there")? })
}

fn key(members: &Members) -> Result<KeyEntry, String> {
    let id = members.needed("id")?;
    if !api_key::is_id(id) {
        return Err("/id: must be 12 lower-case letters and digits, those between `pk_` and the next `_`".to_owned());
    }
    let owner = name(members.needed("owner")?, "/owner")?;
    let networks = members.list("cidrs")?;
    if networks.as_ref().is_some_and(Vec::is_empty) {
        return Err("/cidrs: must have at least 1 item; leave it out for a key that may come from anywhere".to_owned());
    }
    let networks = networks.map(|texts| {
        let read = texts.iter().map(|text| text.parse::<Network>().map(|network| network.to_string()));
        read.collect::<Result<Vec<_>, _>>().map_err(|problem| format!("/cidrs: {problem}"))
    });
    Ok(KeyEntry {
        digest: Digest16::key(id),
        secret_sha256: digest(members.needed("secret_sha256")?)?,
        // 0 would be never.
        expires: moment(members, "expires")?.map_or(0, |at| at.max(1)),
        owner: Some(owner.to_owned()),
        roles: roles(members)?,
        networks: networks.transpose()?,
    })
}

/// SHA-256 in hexadecimal, or in base64url without padding.
fn digest(text: &str) -> Result<[u8; 32], String> {
    let problem =
        || "/secret_sha256: must be SHA-256 of what follows `pk_<id>_`, in hexadecimal or base64url".to_owned();
    let bytes = match text.len() {
        64 => {
            let (pairs, _) = text.as_bytes().as_chunks::<2>();
            let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
        }
        43 => URL_SAFE_NO_PAD.decode(text).ok(),
        _ => None,
    };
    bytes.and_then(|bytes: Vec<u8>| bytes.try_into().ok()).ok_or_else(problem)
}

fn name<'t>(text: &'t str, pointer: &str) -> Result<&'t str, String> {
    if text.len() > MAX_NAME_BYTES {
        return Err(format!("{pointer}: must have at most {MAX_NAME_BYTES} bytes"));
    }
    if text.chars().any(char::is_control) {
        return Err(format!("{pointer}: must have no control characters"));
    }
    Ok(text)
}

fn roles(members: &Members) -> Result<Option<Vec<String>>, String> {
    let Some(mut roles) = members.list("roles")? else { return Ok(None) };
    for role in &roles {
        if role.is_empty() {
            return Err("/roles: must have no empty items".to_owned());
        }
        name(role, "/roles")?;
    }
    // So that the same roles are one set, however they are written.
    roles.sort_unstable();
    roles.dedup();
    Ok(Some(roles))
}

/// Seconds since 1970, as a number or as text, or RFC 3339.
fn moment(members: &Members, name: &str) -> Result<Option<u32>, String> {
    let seconds = match members.value(name) {
        None => return Ok(None),
        Some(Value::Number(number)) => number.as_u64(),
        Some(Value::String(text)) => time::parse_moment(text).ok().and_then(|at| u64::try_from(at).ok()),
        Some(_) => None,
    };
    let seconds = seconds.and_then(|seconds| u32::try_from(seconds).ok());
    let problem = "must be seconds since 1970, or RFC 3339, and not after February 2106";
    seconds.map(Some).ok_or_else(|| format!("/{name}: {problem}"))
}
