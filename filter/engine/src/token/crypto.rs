//! Signatures that the host verifies, where it was seen to do so rightly.

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
        let order = match algorithm {
            Algorithm::ES256 => P256_ORDER.as_slice(),
            Algorithm::ES384 => &P384_ORDER,
            Algorithm::ES512 => &P521_ORDER,
            _ => return host.verify_signature(&SignatureCheck { hash, public_key, signature, message }),
        };
        // Of the wrong length or out of range: bad, whoever verifies.
        let Some(signature) = ecdsa_sig_value(signature, order) else { return Some(false) };
        host.verify_signature(&SignatureCheck { hash, public_key, signature: &signature, message })
    }
}

/// What the curves count by (NIST SP 800-186 section 3.2.1): a signature's numbers are below it.
pub(super) const P256_ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa,
    0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];
pub(super) const P384_ORDER: [u8; 48] = [
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xc7, 0x63, 0x4d, 0x81, 0xf4, 0x37, 0x2d, 0xdf, 0x58, 0x1a, 0x0d, 0xb2, 0x48, 0xb0,
    0xa7, 0x7a, 0xec, 0xec, 0x19, 0x6a, 0xcc, 0xc5, 0x29, 0x73,
];
pub(super) const P521_ORDER: [u8; 66] = [
    0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfa, 0x51, 0x86, 0x87, 0x83,
    0xbf, 0x2f, 0x96, 0x6b, 0x7f, 0xcc, 0x01, 0x48, 0xf7, 0x09, 0xa5, 0xd0, 0x3b, 0xb5, 0xc9, 0xb8, 0x89, 0x9c, 0x47,
    0xae, 0xbb, 0x6f, 0xb7, 0x1e, 0x91, 0x38, 0x64, 0x09,
];

/// The DER `Ecdsa-Sig-Value` (RFC 3279 section 2.2.3) of a signature as JWS has it: two numbers as long as the order of the
/// curve (RFC 7518 section 3.4). `None` for any other length, and for numbers that no good signature has: zero, and those
/// that are not below the order.
pub(super) fn ecdsa_sig_value(signature: &[u8], order: &[u8]) -> Option<Vec<u8>> {
    let (r, s) = signature.split_at_checked(order.len()).filter(|(_, s)| s.len() == order.len())?;
    if r >= order || s >= order {
        return None;
    }
    let significant = |number: &'_ [u8]| number.iter().position(|digit| *digit != 0);
    let integers = [r.get(significant(r)?..)?, s.get(significant(s)?..)?];
    // A leading 1 would make it negative.
    let sign = |integer: &[u8]| integer.first().is_some_and(|digit| *digit >= 0x80);
    let size = |integer: &[u8]| integer.len() + usize::from(sign(integer));
    let content = integers.iter().map(|integer| 2 + size(integer)).sum::<usize>();
    let mut der = Vec::with_capacity(content + 3);
    der.push(0x30);
    if content >= 0x80 {
        der.push(0x81);
    }
    der.push(u8::try_from(content).ok()?);
    for integer in integers {
        der.extend([0x02, u8::try_from(size(integer)).ok()?]);
        der.extend(sign(integer).then_some(0));
        der.extend_from_slice(integer);
    }
    Some(der)
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
