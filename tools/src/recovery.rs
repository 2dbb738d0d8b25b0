//! Recovery codes: what lets a person in once who has lost the authenticator app.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::exit::Failure;
use crate::random;

#[cfg(test)]
mod tests;

/// How many a person is given.
pub const CODES: usize = 10;

/// Characters of five bits: 80 bits, which nobody guesses and no stolen digest gives away.
const CHARACTERS: usize = 16;

/// Crockford's base 32: without the letters that are taken for digits, or for each other.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A code, in the form that is hashed.
pub struct RecoveryCode(Zeroizing<String>);

impl RecoveryCode {
    /// A random one.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn generate() -> Result<Self, Failure> {
        let random = random::bytes::<CHARACTERS>()?;
        let characters = random.iter().filter_map(|byte| ALPHABET.get(usize::from(byte % 32)));
        Ok(Self(Zeroizing::new(characters.copied().map(char::from).collect())))
    }

    /// Reads what a person typed: in any case, with or without hyphens and spaces, `o` for `0`, `i` and `l` for `1`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut code = Zeroizing::new(String::with_capacity(CHARACTERS));
        for c in text.chars().filter(|c| !matches!(c, '-' | ' ')) {
            let c = match c.to_ascii_lowercase() {
                'o' => '0',
                'i' | 'l' => '1',
                other => other,
            };
            if code.len() == CHARACTERS || !u8::try_from(c).is_ok_and(|byte| ALPHABET.contains(&byte)) {
                return None;
            }
            code.push(c);
        }
        (code.len() == CHARACTERS).then_some(Self(code))
    }

    /// The code for its owner to keep: `xxxx-xxxx-xxxx-xxxx`.
    #[must_use]
    pub fn expose(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(CHARACTERS + 3));
        for (index, c) in self.0.chars().enumerate() {
            if index > 0 && index.is_multiple_of(4) {
                text.push('-');
            }
            text.push(c);
        }
        text
    }

    /// What is kept of it. The user's id goes in, so that a digest is worth nothing in another's place.
    #[must_use]
    pub fn digest(&self, user: &[u8]) -> [u8; 32] {
        let hash = Sha256::new().chain_update(b"portcullis recovery code\0").chain_update(user);
        hash.chain_update(self.0.as_bytes()).finalize().into()
    }
}

/// Whether this digest is one of those kept; every one is looked at, in constant time.
#[must_use]
pub fn is_kept(kept: &[Vec<u8>], digest: &[u8; 32]) -> bool {
    kept.iter().fold(false, |found, kept| found | bool::from(kept.ct_eq(&digest[..])))
}
