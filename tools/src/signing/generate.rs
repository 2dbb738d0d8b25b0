//! New private keys.

use jwt_simple::algorithms::{RS256KeyPair, RSAKeyPairLike};
use p256::elliptic_curve::Generate;
use p256::pkcs8::{EncodePrivateKey, LineEnding};
use portcullis_engine::token::Algorithm;
use zeroize::Zeroizing;

use super::SigningKey;
use crate::exit::Failure;
use crate::jwk::Kind;

/// How large an RSA key is unless told: the first size with the 128 bits of security that the other kinds have
/// (NIST SP 800-57 part 1, table 2).
pub const DEFAULT_RSA_BITS: u16 = 3072;

impl SigningKey {
    /// A new key that can sign with an algorithm; `rsa_bits` is 2048, 3072 or 4096.
    ///
    /// # Errors
    /// The algorithm signs with a secret, or the system has no randomness.
    pub fn generate(algorithm: Algorithm, rsa_bits: u16) -> Result<Self, Failure> {
        let Some(kind) = Kind::of(algorithm) else {
            return Err(Failure::usage(format!("{algorithm} signs with a secret, not with a private key"))
                .remedy(format!("make one with: {}", secret_command(algorithm))));
        };
        let no_randomness = |error: getrandom::Error| Failure::io(format!("no randomness from the system: {error}"));
        Ok(match kind {
            Kind::Rsa => {
                let key = RS256KeyPair::generate(rsa_bits.into())
                    .map_err(|error| Failure::io(format!("no RSA key could be made: {error}")))?;
                Self::Rsa(Box::new(key.key_pair().as_ref().clone()))
            }
            Kind::P256 => Self::P256(Box::new(Generate::try_generate().map_err(no_randomness)?)),
            Kind::P384 => Self::P384(Box::new(Generate::try_generate().map_err(no_randomness)?)),
            Kind::P521 => Self::P521(Box::new(Generate::try_generate().map_err(no_randomness)?)),
            Kind::Ed25519 => {
                let mut seed = Zeroizing::new([0; ed25519_compact::Seed::BYTES]);
                getrandom::fill(&mut *seed).map_err(no_randomness)?;
                let key = ed25519_compact::KeyPair::try_from_seed(ed25519_compact::Seed::new(*seed));
                Self::Ed25519(Box::new(key.map_err(|error| Failure::io(format!("no key could be made: {error}")))?.sk))
            }
        })
    }

    /// The key in PKCS#8 PEM, as [`SigningKey::from_pem`] reads it; `None` for a secret.
    ///
    /// # Errors
    /// It cannot be written so.
    pub fn to_pem(&self) -> Result<Option<Zeroizing<String>>, Failure> {
        let failure = || Failure::io("the key could not be written in PEM form");
        Ok(Some(match self {
            Self::Hmac(_) => return Ok(None),
            Self::Rsa(key) => {
                let pem = key.private_key_to_pem().map_err(|_| failure())?;
                Zeroizing::new(String::from_utf8(pem).map_err(|_| failure())?)
            }
            Self::P256(key) => key.to_pkcs8_pem(LineEnding::LF).map_err(|_| failure())?,
            Self::P384(key) => key.to_pkcs8_pem(LineEnding::LF).map_err(|_| failure())?,
            Self::P521(key) => key.to_pkcs8_pem(LineEnding::LF).map_err(|_| failure())?,
            Self::Ed25519(key) => Zeroizing::new(key.to_pem()),
        }))
    }
}

const fn secret_command(algorithm: Algorithm) -> &'static str {
    if algorithm.min_secret_bytes() > 32 {
        "portcullis secret generate --bits 512"
    } else {
        "portcullis secret generate"
    }
}
