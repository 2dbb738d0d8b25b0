//! API keys: `pk_<id>_<secret>`.
//!
//! The id, 12 random lower-case letters and digits, names the key in lists, records and feeds; the secret is 256 random bits in
//! base64url. Nothing keeps the secret: the store and the feed have SHA-256 of its text, and so much randomness
//! needs no slower hash.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::exit::Failure;
use crate::random;

#[cfg(test)]
mod tests;

const PREFIX: &str = "pk_";
/// How many characters an id has.
pub const ID_CHARACTERS: usize = 12;
const ID_ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
const SECRET_BYTES: usize = 32;

/// A new key. Nothing prints it but [`NewApiKey::expose`].
pub struct NewApiKey {
    /// What it is called.
    pub id: String,
    secret: Zeroizing<String>,
}

impl NewApiKey {
    /// A key that nobody has yet.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn generate() -> Result<Self, Failure> {
        let secret = random::bytes::<SECRET_BYTES>()?;
        Ok(Self { id: id()?, secret: Zeroizing::new(URL_SAFE_NO_PAD.encode(*secret)) })
    }

    /// The text of the key, for its owner alone.
    #[must_use]
    pub fn expose(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(PREFIX.len() + ID_CHARACTERS + 1 + self.secret.len()));
        text.push_str(PREFIX);
        text.push_str(&self.id);
        text.push('_');
        text.push_str(&self.secret);
        text
    }

    /// What is kept of the secret.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.secret.as_bytes()).into()
    }
}

/// Whether a text can be the id of a key.
#[must_use]
pub fn is_id(text: &str) -> bool {
    text.len() == ID_CHARACTERS && text.bytes().all(|byte| ID_ALPHABET.contains(&byte))
}

/// Reads the id of a key that a command is to work on.
///
/// # Errors
/// It is something else. What it is goes unsaid: it may be a whole key, in the wrong place.
pub fn parse_id(text: &str) -> Result<&str, Failure> {
    if is_id(text) {
        return Ok(text);
    }
    Err(Failure::usage("that is no id of an API key").remedy(
        "give the 12 characters between `pk_` and the next `_`, and never the key itself: it would stay in the shell's history",
    ))
}

/// So many characters, each as likely as the others.
fn id() -> Result<String, Failure> {
    // The largest multiple of 36 that a byte can be below.
    const EVEN: u8 = 252;
    let mut id = String::with_capacity(ID_CHARACTERS);
    while id.len() < ID_CHARACTERS {
        let drawn = random::bytes::<32>()?;
        let fair = drawn.iter().filter(|byte| **byte < EVEN);
        let characters = fair.filter_map(|byte| ID_ALPHABET.get(usize::from(*byte) % ID_ALPHABET.len()));
        id.extend(characters.take(ID_CHARACTERS - id.len()).map(|byte| char::from(*byte)));
    }
    Ok(id)
}
