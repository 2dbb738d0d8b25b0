//! Hashes that other systems made: verified, so that their users can sign in once, and never made.

use std::fmt;

use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::engine::{DecodePaddingMode, general_purpose};
use hmac::{EagerHash, Hmac};
use zeroize::Zeroizing;

use crate::exit::Failure;
use crate::input::Secret;

#[cfg(test)]
mod tests;

/// About ten seconds; as with Argon2, a hash that comes from elsewhere must not keep the machine busy for longer.
const MAX_BCRYPT_COST: u32 = 17;
const MAX_PBKDF2_ITERATIONS: u32 = 20_000_000;

/// Less than any framework makes: a tag that short would match by chance.
const MIN_TAG_BYTES: usize = 16;
const MAX_TAG_BYTES: usize = 128;

/// A hash of bcrypt.
#[derive(Clone)]
pub struct Bcrypt {
    text: Zeroizing<String>,
    cost: u32,
}

impl Bcrypt {
    /// Reads `$2b$12$` and 53 characters; `$2a$`, `$2x$` and `$2y$` are older names.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let parts: bcrypt::HashParts =
            text.parse().map_err(|_| "it is not a hash of bcrypt: `$2b$12$` and 53 characters")?;
        let cost = parts.get_cost();
        if !(4..=MAX_BCRYPT_COST).contains(&cost) {
            return Err(format!("its cost is not between 4 and {MAX_BCRYPT_COST}"));
        }
        Ok(Self { text: Zeroizing::new(text.to_owned()), cost })
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) const fn cost(&self) -> u32 {
        self.cost
    }

    /// As every bcrypt does, only the first 72 bytes count.
    pub(super) fn verify(&self, password: &Secret) -> bool {
        bcrypt::verify(password.expose(), &self.text).unwrap_or(false)
    }
}

impl fmt::Debug for Bcrypt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bcrypt").field("cost", &self.cost).finish_non_exhaustive()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Digest {
    Sha1,
    Sha256,
    Sha512,
}

/// A hash of PBKDF2 (RFC 8018).
#[derive(Clone)]
pub struct Pbkdf2 {
    text: Zeroizing<String>,
    digest: Digest,
    iterations: u32,
    salt: Vec<u8>,
    tag: Vec<u8>,
}

impl Pbkdf2 {
    /// Reads what these write:
    ///
    /// - Django: `pbkdf2_sha256$iterations$salt$base64`;
    /// - Werkzeug: `pbkdf2:sha256:iterations$salt$hex`;
    /// - passlib: `$pbkdf2-sha256$iterations$ab64$ab64`, and `$pbkdf2$…` for SHA-1;
    /// - the PHC format: `$pbkdf2-sha256$i=iterations,l=32$base64$base64`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let problem = || {
            "it is not a hash of PBKDF2 as Django (`pbkdf2_sha256$600000$salt$…`), Werkzeug (`pbkdf2:sha256:600000$salt$…`), \
             passlib or the PHC format (`$pbkdf2-sha256$…`) write it"
                .to_owned()
        };
        let parts: Vec<&str> = text.split('$').collect();
        let (digest, iterations, salt, tag) = match *parts.as_slice() {
            ["", scheme, parameters, salt, tag] => {
                let digest = scheme.strip_prefix("pbkdf2-").or((scheme == "pbkdf2").then_some("sha1"));
                let iterations = match parameters.strip_prefix("i=") {
                    Some(rest) => rest.split_once(",l=").map_or(rest, |(iterations, _)| iterations),
                    None => parameters,
                };
                (digest, iterations, ab64(salt), ab64(tag))
            }
            [scheme, iterations, salt, tag] => {
                (scheme.strip_prefix("pbkdf2_"), iterations, Some(salt.as_bytes().to_vec()), ab64(tag))
            }
            [method, salt, tag] => {
                let mut method = method.split(':').skip(1);
                (method.next(), method.next().unwrap_or_default(), Some(salt.as_bytes().to_vec()), hex(tag))
            }
            _ => return Err(problem()),
        };
        let digest = match digest {
            Some("sha1") => Digest::Sha1,
            Some("sha256") => Digest::Sha256,
            Some("sha512") => Digest::Sha512,
            _ => return Err(problem()),
        };
        let digits = iterations.bytes().all(|b| b.is_ascii_digit());
        let iterations = iterations.parse().ok().filter(|_| digits).ok_or_else(problem)?;
        if !(1..=MAX_PBKDF2_ITERATIONS).contains(&iterations) {
            return Err(format!("its iterations are not between 1 and {MAX_PBKDF2_ITERATIONS}"));
        }
        let (salt, tag) = salt.zip(tag).ok_or_else(problem)?;
        if !(MIN_TAG_BYTES..=MAX_TAG_BYTES).contains(&tag.len()) {
            return Err(format!("what it compares with has not between {MIN_TAG_BYTES} and {MAX_TAG_BYTES} bytes"));
        }
        Ok(Self { text: Zeroizing::new(text.to_owned()), digest, iterations, salt, tag })
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn tag(&self) -> &[u8] {
        &self.tag
    }

    pub(super) fn compute(&self, password: &Secret) -> Result<Zeroizing<Vec<u8>>, Failure> {
        match self.digest {
            Digest::Sha1 => self.with::<sha1::Sha1>(password),
            Digest::Sha256 => self.with::<sha2::Sha256>(password),
            Digest::Sha512 => self.with::<sha2::Sha512>(password),
        }
    }

    fn with<D>(&self, password: &Secret) -> Result<Zeroizing<Vec<u8>>, Failure>
    where
        D: EagerHash,
        Hmac<D>: hmac::KeyInit + hmac::Mac + Clone + Sync,
    {
        let mut tag = Zeroizing::new(vec![0; self.tag.len()]);
        pbkdf2::pbkdf2::<Hmac<D>>(password.expose(), &self.salt, self.iterations, &mut tag)
            .map_err(|_| Failure::invalid("malformed hash: PBKDF2 cannot run with it"))?;
        Ok(tag)
    }
}

impl fmt::Display for Pbkdf2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digest = match self.digest {
            Digest::Sha1 => "SHA-1",
            Digest::Sha256 => "SHA-256",
            Digest::Sha512 => "SHA-512",
        };
        write!(f, "PBKDF2 {digest}, {} iterations", self.iterations)
    }
}

impl fmt::Debug for Pbkdf2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pbkdf2")
            .field("digest", &self.digest)
            .field("iterations", &self.iterations)
            .finish_non_exhaustive()
    }
}

/// Standard base64 with or without padding, and passlib's, which writes `.` for `+`.
fn ab64(text: &str) -> Option<Vec<u8>> {
    const CONFIG: GeneralPurposeConfig =
        general_purpose::NO_PAD.with_decode_padding_mode(DecodePaddingMode::Indifferent);
    GeneralPurpose::new(&alphabet::STANDARD, CONFIG).decode(text.replace('.', "+")).ok()
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let bytes = pairs.iter().map(|&[high, low]| Some(digit(high)? << 4 | digit(low)?)).collect::<Option<Vec<_>>>();
    bytes.filter(|_| rest.is_empty())
}
