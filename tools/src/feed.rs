//! The identity feed, on the side of whoever writes it: what it is to say, from the store and from files, and signing it.
//!
//! The format and its reader are the engine's; docs/identity-feed.md describes it.

mod delta;
mod keys;
mod lines;
mod stored;

use std::path::Path;

use portcullis_engine::feed::{DraftError, Feed, FeedClaims, FeedError, read, signing_header};
use portcullis_engine::token::{Algorithm, KeySet};

use crate::exit::Failure;
use crate::input;
use crate::signing::{self, SigningKey};

#[cfg(test)]
mod tests;

pub use delta::difference;
pub use keys::{own_keys, public_keys};
pub use lines::{Sources, read_files};
pub use stored::collect;

/// What signs a feed.
pub struct Signer {
    /// The private key.
    pub key: SigningKey,
    /// An algorithm that fits it.
    pub algorithm: Algorithm,
    /// The key's name.
    pub kid: Option<String>,
}

impl Signer {
    /// A feed: the signed line, and the content after it.
    ///
    /// # Errors
    /// The key could not sign.
    pub fn seal(&self, claims: &FeedClaims, content: &[u8]) -> Result<Vec<u8>, Failure> {
        let header = signing_header(self.algorithm, self.kid.as_deref());
        let line = signing::compact(&self.key, self.algorithm, &header, &claims.to_json())?;
        let mut file = Vec::with_capacity(line.len().saturating_add(1).saturating_add(content.len()));
        file.extend_from_slice(line.as_bytes());
        file.push(b'\n');
        file.extend_from_slice(content);
        Ok(file)
    }
}

/// What a feed says that nobody vouches for, with the header of its signature. The signature is made anew with a key of the
/// moment, so that everything else is read as strictly as ever.
///
/// # Errors
/// It is no feed.
pub fn read_unverified(file: &[u8]) -> Result<(Feed, serde_json::Value), String> {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let end = file.iter().position(|byte| *byte == b'\n').ok_or("it has no first line")?;
    let (line, content) = file.split_at(end);
    let content = content.get(1..).unwrap_or_default();
    let line = std::str::from_utf8(line).map_err(|_| "its first line is not text")?;
    let parts: Vec<&str> = line.split('.').collect();
    let [header, payload, _signature] = parts.as_slice() else {
        return Err("its first line is not a compact JWS".to_owned());
    };
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| "its first line is not base64url".to_owned());
    let header: serde_json::Value =
        serde_json::from_slice(&decode(header)?).map_err(|_| "the header of its first line is not JSON")?;
    if header.get("typ").and_then(serde_json::Value::as_str) != Some(portcullis_engine::feed::TYP) {
        return Err(FeedError::Line("its `typ` is not `portcullis-feed+jws`").to_string());
    }
    let claims = FeedClaims::from_json(&decode(payload)?).map_err(|error| error.to_string())?;
    let problem = |failure: Failure| failure.cause;
    let key = SigningKey::generate(Algorithm::EdDSA, 0).map_err(problem)?;
    let signer = Signer { key, algorithm: Algorithm::EdDSA, kid: None };
    let keys = own_keys(&signer).map_err(problem)?;
    let file = signer.seal(&claims, content).map_err(problem)?;
    let feed = read(file, &keys).map_err(|error| error.to_string())?;
    Ok((feed, header))
}

/// Reads a feed and verifies it.
///
/// # Errors
/// It cannot be read, or what is wrong with it.
pub fn read_verified(path: &Path, keys: &KeySet) -> Result<Result<Feed, FeedError>, Failure> {
    let mut bytes = input::read(path)?;
    Ok(read(std::mem::take(&mut *bytes), keys))
}

/// That a feed cannot be written.
#[must_use]
pub fn unwritable(error: &DraftError) -> Failure {
    let failure = Failure::invalid(format!("the feed cannot be written: {error}"));
    match error {
        DraftError::TooLarge { .. } => failure.remedy(
            "leave out what is not needed: roles of users that no policy takes from the feed (--no-roles), and tokens that have expired",
        ),
        DraftError::Duplicate(_) => failure.remedy("name each once, in the store or in one file"),
        _ => failure.remedy("correct what the files or the store say"),
    }
}
