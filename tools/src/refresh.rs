//! Refresh tokens: `rt_<id>_<secret><check>`, all in lower-case hexadecimal.
//!
//! The id, 128 random bits, names the family: all that one sign-in led to. It stays; the secret, 256 random bits, is new with
//! every use. Of both only digests are kept, and of the secret only that of the last token given out: a token with
//! a right id and any other secret is an old one, or made by someone who has seen an old one. So a family needs one row
//! however often it is refreshed, and no old token is ever forgotten.
//!
//! The last eight digits are a checksum, so that a mistyped or shortened token is told from an old one and ends nothing.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::exit::Failure;
use crate::random;

#[cfg(test)]
mod tests;

const PREFIX: &str = "rt_";
const ID_BYTES: usize = 16;
const SECRET_BYTES: usize = 32;
const CHECK_BYTES: usize = 4;

/// A refresh token, taken apart. Nothing prints it but [`RefreshToken::expose`].
pub struct RefreshToken {
    id: Zeroizing<[u8; ID_BYTES]>,
    secret: Zeroizing<[u8; SECRET_BYTES]>,
}

impl RefreshToken {
    /// The first token of a new family.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn generate() -> Result<Self, Failure> {
        Ok(Self { id: random::bytes()?, secret: random::bytes()? })
    }

    /// The token that takes the place of this one.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn next(&self) -> Result<Self, Failure> {
        Ok(Self { id: self.id.clone(), secret: random::bytes()? })
    }

    /// Reads a token; `None` for anything that was never given out whole.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (id, rest) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let (secret, check) = rest.split_at_checked(2 * SECRET_BYTES)?;
        let token = Self { id: decode(id)?, secret: decode(secret)? };
        let check: Zeroizing<[u8; CHECK_BYTES]> = decode(check)?;
        (*check == token.check()).then_some(token)
    }

    /// The token's text, for its owner alone.
    #[must_use]
    pub fn expose(&self) -> Zeroizing<String> {
        let bytes = ID_BYTES + SECRET_BYTES + CHECK_BYTES;
        let mut text = Zeroizing::new(String::with_capacity(PREFIX.len() + 1 + 2 * bytes));
        text.push_str(PREFIX);
        encode(&*self.id, &mut text);
        text.push('_');
        encode(&*self.secret, &mut text);
        encode(&self.check(), &mut text);
        text
    }

    /// What the family is found by.
    #[must_use]
    pub fn family(&self) -> [u8; 32] {
        Sha256::new().chain_update(b"portcullis refresh family\0").chain_update(*self.id).finalize().into()
    }

    /// What is kept of the last token given out.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let hash = Sha256::new().chain_update(b"portcullis refresh token\0").chain_update(*self.id);
        hash.chain_update(*self.secret).finalize().into()
    }

    /// Whether this is the token that was kept; in constant time.
    #[must_use]
    pub fn is(&self, kept: &[u8]) -> bool {
        self.digest().ct_eq(kept).into()
    }

    fn check(&self) -> [u8; CHECK_BYTES] {
        let hash = Sha256::new().chain_update(b"portcullis refresh check\0").chain_update(*self.id);
        let hash: [u8; 32] = hash.chain_update(*self.secret).finalize().into();
        hash.first_chunk().copied().unwrap_or_default()
    }
}

fn encode(bytes: &[u8], text: &mut String) {
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            text.extend(char::from_digit(u32::from(digit), 16));
        }
    }
}

/// Exactly so many bytes, and one text for each: upper case is not what was given out.
fn decode<const N: usize>(text: &str) -> Option<Zeroizing<[u8; N]>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() || pairs.len() != N {
        return None;
    }
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = Zeroizing::new([0; N]);
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}
