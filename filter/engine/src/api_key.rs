//! API keys: `pk_<id>_<secret>`, known by their id, proved by their secret.

use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::text::Text;
use crate::token::ClaimPath;

/// Characters of an id: lower-case letters and digits.
const ID_CHARS: usize = 12;

/// Characters of a secret: 32 random bytes in base64url.
const SECRET_CHARS: usize = 43;

/// Where API keys come in, and what is said of their owners.
#[derive(Clone, Debug)]
pub(crate) struct ApiKeys {
    pub(crate) header: Text,
    /// Those of all providers, the first for each header.
    pub(crate) claim_to_headers: Vec<(ClaimPath, Text)>,
    /// The claims that the roles of a key are in, as if a token had them.
    pub(crate) role_claims: Vec<String>,
}

/// A key as a request has it. Nothing in it may be believed.
pub(crate) struct ApiKey<'k> {
    pub(crate) id: &'k str,
    secret: &'k str,
}

impl<'k> ApiKey<'k> {
    /// Reads a key; `None` where it is of another form.
    pub(crate) fn parse(text: &'k [u8]) -> Option<Self> {
        let (id, secret) = std::str::from_utf8(text).ok()?.strip_prefix("pk_")?.split_once('_')?;
        let of_id = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let of_secret = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let fits = id.len() == ID_CHARS
            && secret.len() == SECRET_CHARS
            && id.bytes().all(of_id)
            && secret.bytes().all(of_secret);
        fits.then_some(Self { id, secret })
    }

    /// Whether its secret is the one of this digest, in a time that does not tell how nearly.
    pub(crate) fn is_proved_by(&self, sha256: &[u8; 32]) -> bool {
        let own: [u8; 32] = Sha256::digest(self.secret.as_bytes()).into();
        let differences =
            own.iter().zip(sha256).fold(0, |all, (left, right)| std::hint::black_box(all | (left ^ right)));
        differences == 0
    }
}

impl fmt::Debug for ApiKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKey").field("id", &self.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
