//! Keys that verify: what each may be used for, and how one is picked.

use std::fmt;
use std::sync::Arc;

use hmac::{Hmac, KeyInit as _, Mac};
use jwt_simple::algorithms::{P256PublicKey, P384PublicKey};
use p256::ecdsa::signature::Verifier as _;
use p521::pkcs8::EncodePublicKey as _;
use sha2::{Sha256, Sha384, Sha512};
use superboring::bn::BigNum;
use superboring::hash::MessageDigest;
use superboring::pkey::{PKey, Public};
use superboring::rsa::{Padding, Rsa};
use superboring::sign::Verifier;

use super::crypto::Crypto;
use super::{Algorithm, Window};
use crate::audit::Scrubbed;
use crate::secret::Secret;
use crate::time::UnixTime;

/// How many keys are tried for a token that names none: what an issuer publishes while it rotates, twice over.
const MAX_KEYS_TRIED: usize = 8;

/// How long an RSA modulus may be, in bits: the `rsa` crate takes none that is longer.
const MAX_RSA_BITS: usize = 4096;

/// How long an RSA exponent may be, in bits: those of the Windows CryptoAPI have up to 32, and BoringSSL takes one more. Each
/// bit costs a squaring for every signature.
const MAX_RSA_EXPONENT_BITS: usize = 33;

/// The keys of a provider.
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    keys: Vec<Key>,
}

/// A key, its id and the algorithms it serves.
#[derive(Clone)]
pub struct Key {
    kid: Option<Arc<KeyId>>,
    algorithm: Option<Algorithm>,
    window: Window,
    material: Material,
    /// The key as a DER `SubjectPublicKeyInfo` (RFC 5280 section 4.1), for a host that verifies; empty where none does.
    spki: Vec<u8>,
}

/// What a key is called, and how records say it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct KeyId {
    pub(crate) id: String,
    pub(crate) recorded: Scrubbed,
}

#[derive(Clone)]
enum Material {
    Hmac(Box<HmacKey>),
    Rsa(Box<PKey<Public>>),
    P256(P256PublicKey),
    P384(P384PublicKey),
    P521(Box<p521::ecdsa::VerifyingKey>),
    Ed25519(ed25519_compact::PublicKey),
    /// A secret that is not to be had here: fits its algorithm, verifies nothing.
    Unavailable,
}

/// An HMAC key, with every hash's state already keyed, so that a token costs only its own bytes.
#[derive(Clone)]
struct HmacKey {
    sha256: Hmac<Sha256>,
    sha384: Hmac<Sha384>,
    sha512: Hmac<Sha512>,
    bytes: usize,
}

/// A key that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not the bytes of such a key.
    #[error("not a valid {0} key")]
    Invalid(&'static str),
    /// Not a JSON Web Key at all (RFC 7517 section 4).
    #[error("not a JSON object")]
    NoObject,
    /// A member of a JSON Web Key that has to be there, or has another type there.
    #[error("its `{0}` is missing or malformed")]
    Member(&'static str),
    /// By its `use` or `key_ops` (RFC 7517 sections 4.2 and 4.3).
    #[error("not for verifying signatures, as its `use` or `key_ops` says")]
    NotForSignatures,
    /// A `kty` that serves no algorithm.
    #[error("of a type (`kty`) that is not supported")]
    Type,
    /// A `crv` that serves no algorithm.
    #[error("on a curve (`crv`) that is not supported")]
    Curve,
    /// An `alg` that is not known, or not one of such a key.
    #[error("for an algorithm (`alg`) that is not supported for such a key")]
    Algorithm,
    /// A secret in a set that anybody can read.
    #[error("a secret, which a published set cannot have")]
    Secret,
    /// A private key in such a set.
    #[error("a private key, with its `{0}`, which a published set cannot have: anybody can sign with it")]
    Private(&'static str),
    /// An RSA modulus under 2048 bits (RFC 7518 section 3.3).
    #[error("an RSA key needs at least 2048 bits")]
    RsaTooShort,
    /// An RSA modulus that is dearer to verify with than any in use.
    #[error("an RSA key of more than {MAX_RSA_BITS} bits")]
    RsaTooLong,
    /// An RSA exponent that is none (RFC 8017 section 3.1), or one of which each signature would take long.
    #[error("an RSA exponent that is even, under 3, or of more than {MAX_RSA_EXPONENT_BITS} bits")]
    RsaExponent,
}

impl KeyError {
    /// Whether somebody published what nobody else may have. The other errors are of keys that a set may have for others.
    #[must_use]
    pub const fn is_leak(&self) -> bool {
        matches!(self, Self::Secret | Self::Private(_))
    }
}

/// What a key may be, for pickers and messages.
impl Key {
    fn new(kid: Option<String>, algorithm: Option<Algorithm>, material: Material, spki: Vec<u8>) -> Self {
        let kid = kid.map(|id| Arc::new(KeyId { recorded: Scrubbed::of(&id), id }));
        Self { kid, algorithm, window: Window::ALWAYS, material, spki }
    }

    /// The same key, good only for a time.
    #[must_use]
    pub fn within(self, window: Window) -> Self {
        Self { window, ..self }
    }

    /// An HMAC key. Its length is the caller's to check: [`Key::secret_is_too_short`].
    #[must_use]
    pub fn hmac(kid: Option<String>, algorithm: Option<Algorithm>, secret: &Secret) -> Self {
        // Keys of any length are keys (RFC 2104 section 3): the trait's error is of other constructions.
        let material = HmacKey::new(secret).map_or(Material::Unavailable, |key| Material::Hmac(Box::new(key)));
        Self::new(kid, algorithm, material, Vec::new())
    }

    /// A place for a key whose secret is not known here.
    #[must_use]
    pub fn unavailable(kid: Option<String>, algorithm: Algorithm) -> Self {
        Self::new(kid, Some(algorithm), Material::Unavailable, Vec::new())
    }

    /// An RSA public key from its big-endian modulus and exponent.
    ///
    /// # Errors
    /// [`KeyError`] where it is no such key, has fewer than 2048 bits or more than 4096, or an exponent of more than 33.
    pub fn rsa(kid: Option<String>, algorithm: Option<Algorithm>, n: &[u8], e: &[u8]) -> Result<Self, KeyError> {
        match bits(n) {
            ..2048 => return Err(KeyError::RsaTooShort),
            2048..=MAX_RSA_BITS => {}
            _ => return Err(KeyError::RsaTooLong),
        }
        if !is_odd(e) || !(2..=MAX_RSA_EXPONENT_BITS).contains(&bits(e)) {
            return Err(KeyError::RsaExponent);
        }
        if !is_odd(n) {
            return Err(KeyError::Invalid("RSA"));
        }
        // Not by `jwt-simple`, which takes no other exponent than 65537.
        let number = |bytes: &[u8]| BigNum::from_slice(bytes);
        let key = number(n).and_then(|n| number(e).and_then(|e| Rsa::<Public>::from_public_components(n, e)));
        let key = key.and_then(|key| key.public_key_to_der().and_then(|spki| Ok((PKey::from_rsa(key)?, spki))));
        let (key, spki) = key.map_err(|_| KeyError::Invalid("RSA"))?;
        Ok(Self::new(kid, algorithm, Material::Rsa(Box::new(key)), spki))
    }

    /// A public key on P-256, P-384 or P-521 from its affine coordinates. RFC 7518 section 6.2.1.2 wants them in full
    /// length; some issuers leave leading zeros out, which makes no other number of them.
    ///
    /// # Errors
    /// [`KeyError`] where the point is not on the curve, or a coordinate is too long.
    pub fn ec(kid: Option<String>, curve: &str, x: &[u8], y: &[u8]) -> Result<Self, KeyError> {
        let length = match curve {
            "P-256" => 32,
            "P-384" => 48,
            "P-521" => 66,
            _ => return Err(KeyError::Curve),
        };
        if x.is_empty() || x.len() > length || y.is_empty() || y.len() > length {
            return Err(KeyError::Invalid("EC"));
        }
        let zeros = |coordinate: &[u8]| vec![0; length.saturating_sub(coordinate.len())];
        let point = [&[4], zeros(x).as_slice(), x, &zeros(y), y].concat();
        let invalid = |_| KeyError::Invalid("EC");
        let (material, spki) = match curve {
            "P-256" => {
                let key = P256PublicKey::from_bytes(&point).map_err(invalid)?;
                let spki = key.to_der().map_err(invalid)?;
                (Material::P256(key), spki)
            }
            "P-384" => {
                let key = P384PublicKey::from_bytes(&point).map_err(invalid)?;
                let spki = key.to_der().map_err(invalid)?;
                (Material::P384(key), spki)
            }
            _ => {
                let invalid = KeyError::Invalid("EC");
                let key = p521::ecdsa::VerifyingKey::from_sec1_bytes(&point).map_err(|_| invalid.clone())?;
                let spki = key.to_public_key_der().map_err(|_| invalid)?.into_vec();
                (Material::P521(Box::new(key)), spki)
            }
        };
        Ok(Self::new(kid, None, material, spki))
    }

    /// An Ed25519 public key.
    ///
    /// # Errors
    /// [`KeyError`] where it has not 32 bytes, or is no point of the curve or one of small order.
    pub fn ed25519(kid: Option<String>, algorithm: Option<Algorithm>, x: &[u8]) -> Result<Self, KeyError> {
        let key = ed25519_compact::PublicKey::from_slice(x).and_then(|key| key.validate().map(|()| key));
        let key = key.map_err(|_| KeyError::Invalid("Ed25519"))?;
        Ok(Self::new(kid, algorithm, Material::Ed25519(key), Vec::new()))
    }

    /// The key's id.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_ref().map(|kid| kid.id.as_str())
    }

    pub(crate) const fn key_id(&self) -> Option<&Arc<KeyId>> {
        self.kid.as_ref()
    }

    pub(crate) fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// When the key may be used.
    #[must_use]
    pub const fn window(&self) -> Window {
        self.window
    }

    /// Whether this is an HMAC key with fewer bytes than the hash of an algorithm it serves gives out.
    #[must_use]
    pub fn secret_is_too_short(&self) -> bool {
        match &self.material {
            Material::Hmac(key) => key.bytes < self.algorithm.map_or(32, Algorithm::min_secret_bytes),
            _ => false,
        }
    }

    /// Whether the secret is not known here.
    #[must_use]
    pub const fn is_unavailable(&self) -> bool {
        matches!(self.material, Material::Unavailable)
    }

    /// Whether the key may verify this algorithm: its type, its curve and its own `alg` must fit, whatever a token says.
    #[must_use]
    pub fn fits(&self, algorithm: Algorithm) -> bool {
        use Algorithm::{ES256, ES384, ES512, Ed25519, EdDSA, HS256, HS384, HS512};
        use Algorithm::{PS256, PS384, PS512, RS256, RS384, RS512};
        if self.algorithm.is_some_and(|own| own != algorithm) {
            return false;
        }
        match self.material {
            Material::Unavailable => true,
            Material::Hmac(_) => matches!(algorithm, HS256 | HS384 | HS512),
            Material::Rsa(_) => matches!(algorithm, RS256 | RS384 | RS512 | PS256 | PS384 | PS512),
            Material::P256(_) => algorithm == ES256,
            Material::P384(_) => algorithm == ES384,
            Material::P521(_) => algorithm == ES512,
            // RFC 9864 section 2.2 gives the same signatures a name of their own.
            Material::Ed25519(_) => matches!(algorithm, EdDSA | Ed25519),
        }
    }

    /// Verifies a signature; any failure is `false`. HMAC tags are compared in constant time, ECDSA signatures have
    /// exactly the length of two coordinates (RFC 7518 section 3.4).
    pub(crate) fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8], crypto: Crypto<'_>) -> bool {
        if !self.fits(algorithm) {
            return false;
        }
        crypto
            .verify(algorithm, &self.spki, signature, message)
            .unwrap_or_else(|| self.verify_here(algorithm, message, signature))
    }

    fn verify_here(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        match &self.material {
            Material::Unavailable => false,
            Material::Hmac(key) => key.verify(algorithm, message, signature),
            Material::Rsa(key) => verify_rsa(key, algorithm, message, signature).unwrap_or(false),
            Material::P256(_) | Material::P384(_) | Material::P521(_) | Material::Ed25519(_) => {
                self.verify_on_curve(message, signature)
            }
        }
    }

    #[inline(never)]
    fn verify_on_curve(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.material {
            Material::P256(key) => p256::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.as_ref().verify(message, &signature).is_ok()),
            Material::P384(key) => p384::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.as_ref().verify(message, &signature).is_ok()),
            Material::P521(key) => p521::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            Material::Ed25519(key) => ed25519_compact::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            Material::Unavailable | Material::Hmac(_) | Material::Rsa(_) => false,
        }
    }
}

/// How many bits a big-endian number has.
fn bits(number: &[u8]) -> usize {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let first = number.get(zeros).map_or(0, |byte| byte.leading_zeros() as usize);
    number.len().saturating_sub(zeros).saturating_mul(8).saturating_sub(first)
}

fn is_odd(number: &[u8]) -> bool {
    number.last().is_some_and(|byte| byte % 2 == 1)
}

impl HmacKey {
    fn new(secret: &Secret) -> Option<Self> {
        let key = secret.expose();
        Some(Self {
            sha256: Hmac::new_from_slice(key).ok()?,
            sha384: Hmac::new_from_slice(key).ok()?,
            sha512: Hmac::new_from_slice(key).ok()?,
            bytes: key.len(),
        })
    }

    fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        match algorithm {
            Algorithm::HS256 => verify_mac(&self.sha256, message, signature),
            _ => self.verify_wide(algorithm, message, signature),
        }
    }

    #[inline(never)]
    fn verify_wide(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        match algorithm {
            Algorithm::HS384 => verify_mac(&self.sha384, message, signature),
            _ => verify_mac(&self.sha512, message, signature),
        }
    }
}

/// Whether this is the whole tag of the message. Compared in constant time.
fn verify_mac<M: Mac + Clone>(keyed: &M, message: &[u8], tag: &[u8]) -> bool {
    keyed.clone().chain_update(message).verify_slice(tag).is_ok()
}

#[inline(never)]
fn verify_rsa(key: &PKey<Public>, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> Option<bool> {
    use Algorithm::{PS256, PS384, PS512, RS256, RS384, RS512};
    let (digest, padding) = match algorithm {
        RS256 => (MessageDigest::Sha256, Padding::PKCS1),
        RS384 => (MessageDigest::Sha384, Padding::PKCS1),
        RS512 => (MessageDigest::Sha512, Padding::PKCS1),
        PS256 => (MessageDigest::Sha256, Padding::PKCS1_PSS),
        PS384 => (MessageDigest::Sha384, Padding::PKCS1_PSS),
        PS512 => (MessageDigest::Sha512, Padding::PKCS1_PSS),
        _ => return None,
    };
    let mut verifier = Verifier::new(digest, key).ok()?;
    verifier.set_rsa_padding(padding).ok()?;
    verifier.update(message).ok()?;
    verifier.verify(signature).ok()
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("kid", &self.kid()).field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

impl KeySet {
    /// A set of keys.
    #[must_use]
    pub const fn new(keys: Vec<Key>) -> Self {
        Self { keys }
    }

    /// The keys, in order.
    #[must_use]
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// Whether a key has this id.
    pub(crate) fn has(&self, kid: &str) -> bool {
        self.keys.iter().any(|key| key.kid() == Some(kid))
    }

    /// The keys to try for a token, few and never of the wrong type or out of their time (any time, where `now` is
    /// `None`). A `kid` picks the keys that have it, or else those that have none; without one, any may serve.
    pub(crate) fn candidates<'k>(
        &'k self,
        kid: Option<&'k str>,
        algorithm: Algorithm,
        now: Option<UnixTime>,
    ) -> impl Iterator<Item = &'k Key> {
        let named = kid.filter(|kid| self.has(kid));
        let picked = move |key: &&Key| match (kid, named) {
            (_, Some(kid)) => key.kid() == Some(kid),
            (Some(_), None) => key.kid().is_none(),
            (None, None) => true,
        };
        let usable = move |key: &&Key| key.fits(algorithm) && now.is_none_or(|now| key.window.contains(now));
        self.keys.iter().filter(picked).filter(usable).take(MAX_KEYS_TRIED)
    }
}
