//! Signatures that the host verifies, where it was seen to do so rightly.

use p256::ecdsa::Signature as P256Signature;
use p384::ecdsa::Signature as P384Signature;
use p521::ecdsa::Signature as P521Signature;
use serde_json::Value;

use super::jws::CompactJws;
use super::{Algorithm, KeySet};

/// A key of each type that hosts verify with, and a good token of each algorithm. The private keys are gone.
const SELF_TEST: &str = include_str!("self_test.json");

/// A signature to verify: RSA with PKCS#1 v1.5 padding or ECDSA, as the type of the key says.
#[derive(Clone, Copy, Debug)]
pub struct SignatureCheck<'a> {
    /// The hash function, as the host names it: `sha256`, `sha384`, `sha512`.
    pub hash: &'static str,
    /// The key, a DER `SubjectPublicKeyInfo` (RFC 5280 section 4.1).
    pub public_key: &'a [u8],
    /// The signature; of ECDSA, a DER `Ecdsa-Sig-Value` (RFC 3279 section 2.2.3).
    pub signature: &'a [u8],
    /// What was signed.
    pub message: &'a [u8],
}

/// What a host may do for the engine, far faster than any code in a virtual machine. By default, nothing.
pub trait HostCrypto {
    /// Verifies a signature; `None` where the host cannot.
    fn verify_signature(&self, check: &SignatureCheck<'_>) -> Option<bool> {
        let _ = check;
        None
    }
}

/// The algorithms whose signatures a host was seen to verify rightly. Only [`Proven::by`] finds any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Proven(u16);

impl Proven {
    /// None: every signature is verified here.
    pub const NOTHING: Self = Self(0);

    /// Puts the host to the test: for each of these algorithms, a good signature must be good and a bad one bad.
    #[must_use]
    pub fn by(host: &dyn HostCrypto, algorithms: &[Algorithm]) -> Self {
        let offered = algorithms.iter().copied().filter(|algorithm| hash(*algorithm).is_some());
        offered.filter(|algorithm| passes(host, *algorithm).unwrap_or(false)).fold(Self::NOTHING, Self::with)
    }

    /// Whether the host verifies these.
    #[must_use]
    pub const fn contains(self, algorithm: Algorithm) -> bool {
        self.0 & (1 << algorithm as u16) != 0
    }

    const fn with(self, algorithm: Algorithm) -> Self {
        Self(self.0 | 1 << algorithm as u16)
    }
}

fn passes(host: &dyn HostCrypto, algorithm: Algorithm) -> Option<bool> {
    let known: Value = serde_json::from_str(SELF_TEST).ok()?;
    let keys = KeySet::from_jwks(known.get("jwks")?.to_string().as_bytes(), false).ok()?;
    let jws = CompactJws::parse(known.get("tokens")?.get(algorithm.name())?.as_str()?).ok()?;
    let key = keys.candidates(jws.header.kid.as_deref(), algorithm, None).next()?;
    let crypto = Crypto { host: Some((host, Proven::NOTHING.with(algorithm))) };
    let judge = |message: &[u8]| crypto.verify(algorithm, key.spki(), &jws.signature, message);
    let other = [jws.signing_input, b"x"].concat();
    let (good, bad) = (judge(jws.signing_input)?, judge(&other)?);
    Some(good && !bad)
}

/// Who verifies signatures: the host, as far as it is proven, or the engine itself.
#[derive(Clone, Copy)]
pub(crate) struct Crypto<'h> {
    host: Option<(&'h dyn HostCrypto, Proven)>,
}

impl<'h> Crypto<'h> {
    pub(crate) const PORTABLE: Self = Self { host: None };

    pub(crate) const fn new(host: &'h dyn HostCrypto, proven: Proven) -> Self {
        Self { host: Some((host, proven)) }
    }

    /// The host's verdict; `None` where the engine has to come to its own.
    pub(crate) fn verify(
        self,
        algorithm: Algorithm,
        public_key: &[u8],
        signature: &[u8],
        message: &[u8],
    ) -> Option<bool> {
        let (host, _) = self.host.filter(|(_, proven)| proven.contains(algorithm))?;
        let hash = hash(algorithm)?;
        let der = match algorithm {
            Algorithm::ES256 => P256Signature::from_slice(signature).ok().map(|own| own.to_der().as_bytes().to_vec()),
            Algorithm::ES384 => P384Signature::from_slice(signature).ok().map(|own| own.to_der().as_bytes().to_vec()),
            Algorithm::ES512 => P521Signature::from_slice(signature).ok().map(|own| own.to_der().as_bytes().to_vec()),
            _ => return host.verify_signature(&SignatureCheck { hash, public_key, signature, message }),
        };
        // Of the wrong length or out of range: bad, whoever verifies.
        let Some(signature) = der else { return Some(false) };
        host.verify_signature(&SignatureCheck { hash, public_key, signature: &signature, message })
    }
}

/// The hash function of the algorithms that hosts verify.
const fn hash(algorithm: Algorithm) -> Option<&'static str> {
    match algorithm {
        Algorithm::RS256 | Algorithm::ES256 => Some("sha256"),
        Algorithm::RS384 | Algorithm::ES384 => Some("sha384"),
        Algorithm::RS512 | Algorithm::ES512 => Some("sha512"),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
