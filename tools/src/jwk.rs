//! Public keys as JSON Web Keys (RFC 7517), and the thumbprints that name them (RFC 7638).

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_simple::algorithms::RSAPublicKey;
use p256::pkcs8::DecodePublicKey;
use portcullis_engine::token::{Algorithm, KeySet};
use serde_json::{Map, Value, json};

use crate::exit::Failure;

pub mod read;
pub mod set;
#[cfg(test)]
mod tests;

/// The members of a JWK that nobody else may see (RFC 7518 sections 6.2.2, 6.3.2 and 6.4, RFC 8037 section 2), and
/// that of the types registered since.
const PRIVATE_MEMBERS: [&str; 9] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"];

/// Whether a JWK has anything to keep to oneself.
#[must_use]
pub fn is_private(jwk: &Map<String, Value>) -> bool {
    PRIVATE_MEMBERS.iter().any(|member| jwk.contains_key(*member))
}

/// A kind of key pair that signs tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// RSA.
    Rsa,
    /// ECDSA on P-256.
    P256,
    /// ECDSA on P-384.
    P384,
    /// ECDSA on P-521.
    P521,
    /// Ed25519.
    Ed25519,
}

impl Kind {
    const ALL: [Self; 5] = [Self::Rsa, Self::P256, Self::P384, Self::P521, Self::Ed25519];

    /// The kind that an algorithm signs with; `None` for those that sign with a secret.
    #[must_use]
    pub fn of(algorithm: Algorithm) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.algorithms().contains(&algorithm))
    }

    /// What it can sign with, its usual algorithm first.
    #[must_use]
    pub const fn algorithms(self) -> &'static [Algorithm] {
        use Algorithm as A;
        match self {
            Self::Rsa => &[A::RS256, A::RS384, A::RS512, A::PS256, A::PS384, A::PS512],
            Self::P256 => &[A::ES256],
            Self::P384 => &[A::ES384],
            Self::P521 => &[A::ES512],
            Self::Ed25519 => &[A::EdDSA, A::Ed25519],
        }
    }

    /// How many bytes each coordinate of a point on a NIST curve has in a JWK (RFC 7518 section 6.2.1.2).
    const fn coordinate_bytes(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
            Self::Rsa | Self::Ed25519 => 0,
        }
    }

    /// `kty` and `crv`.
    const fn names(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Rsa => ("RSA", None),
            Self::P256 => ("EC", Some("P-256")),
            Self::P384 => ("EC", Some("P-384")),
            Self::P521 => ("EC", Some("P-521")),
            Self::Ed25519 => ("OKP", Some("Ed25519")),
        }
    }
}

/// The half of a key pair that everybody may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    kind: Kind,
    /// The members a JWK of this kind must have, which are those its thumbprint is of (RFC 7638 section 3.2).
    members: BTreeMap<&'static str, String>,
}

impl PublicKey {
    fn new(kind: Kind, numbers: &[(&'static str, &[u8])]) -> Self {
        let (kty, crv) = kind.names();
        let mut members: BTreeMap<_, _> =
            numbers.iter().map(|(name, bytes)| (*name, URL_SAFE_NO_PAD.encode(bytes))).collect();
        members.insert("kty", kty.to_owned());
        members.extend(crv.map(|crv| ("crv", crv.to_owned())));
        Self { kind, members }
    }

    /// An RSA key from its big-endian modulus and exponent, which a JWK has without leading zeros (RFC 7518 section 2).
    #[must_use]
    pub fn rsa(n: &[u8], e: &[u8]) -> Self {
        Self::new(Kind::Rsa, &[("n", without_zeros(n)), ("e", without_zeros(e))])
    }

    /// A key on a NIST curve from its uncompressed point: 4, then the two coordinates (SEC 1 section 2.3.3).
    #[must_use]
    pub fn ec(kind: Kind, point: &[u8]) -> Self {
        let (x, y) = point.split_first().map(|(_, xy)| xy.split_at(xy.len() / 2)).unwrap_or_default();
        Self::new(kind, &[("x", x), ("y", y)])
    }

    /// An Ed25519 key.
    #[must_use]
    pub fn ed25519(x: &[u8]) -> Self {
        Self::new(Kind::Ed25519, &[("x", x)])
    }

    /// Reads a public key in SPKI PEM, the form in which OpenSSL writes it.
    ///
    /// # Errors
    /// It is a kind or size of key that the filter does not verify with.
    pub fn from_spki(pem: &str, name: &str) -> Result<Self, Failure> {
        let key = if let Ok(key) = p256::ecdsa::VerifyingKey::from_public_key_pem(pem) {
            Self::ec(Kind::P256, key.to_sec1_point(false).as_bytes())
        } else if let Ok(key) = p384::ecdsa::VerifyingKey::from_public_key_pem(pem) {
            Self::ec(Kind::P384, key.to_sec1_point(false).as_bytes())
        } else if let Ok(key) = p521::ecdsa::VerifyingKey::from_public_key_pem(pem) {
            Self::ec(Kind::P521, key.to_sec1_point(false).as_bytes())
        } else if let Ok(key) = ed25519_compact::PublicKey::from_pem(pem) {
            Self::ed25519(&*key)
        } else if let Ok(key) = RSAPublicKey::from_pem(pem) {
            let numbers = key.to_components();
            Self::rsa(&numbers.n, &numbers.e)
        } else {
            return Err(Failure::invalid(format!("{name} is not a kind or size of key that verifies tokens here"))
                .remedy(USABLE_KEYS));
        };
        key.accepted_by_the_filter(name)
    }

    /// Takes the public half of a JWK, whatever else is in it.
    ///
    /// # Errors
    /// It is a secret, a key for something else, or a kind or size of key that the filter does not verify with.
    pub fn from_jwk(jwk: &Map<String, Value>, name: &str) -> Result<Self, Failure> {
        let text = |member: &str| jwk.get(member).and_then(Value::as_str).unwrap_or_default();
        if text("kty") == "oct" {
            return Err(Failure::invalid(format!("{name} is a secret (`oct`), and has no half to publish"))
                .remedy("share it with whoever verifies as `secret: {env: …}` in the policy, or use a key pair"));
        }
        let for_tokens = jwk.get("use").is_none_or(|usage| usage == "sig");
        let for_signatures = |all: &Vec<Value>| all.iter().any(|one| one == "sign" || one == "verify");
        let operations = jwk.get("key_ops").is_none_or(|all| all.as_array().is_some_and(for_signatures));
        if !for_tokens || !operations {
            return Err(Failure::invalid(format!("{name} is not for signatures, by its `use` or `key_ops`"))
                .remedy("take it out, or name a key whose `use` is `sig`"));
        }
        let crv = jwk.get("crv").map(|crv| crv.as_str().unwrap_or_default());
        let crv = match text("kty") {
            "RSA" => None,
            // As the engine does, and Envoy's own library.
            "EC" => crv.or_else(|| Kind::of(Algorithm::from_name(text("alg"))?)?.names().1),
            _ => crv,
        };
        let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.names() == (text("kty"), crv)) else {
            return Err(
                Failure::invalid(format!("{name} is not a kind of key that verifies tokens here")).remedy(USABLE_KEYS)
            );
        };
        let bytes = |member: &str| {
            URL_SAFE_NO_PAD.decode(text(member)).ok().filter(|bytes| !bytes.is_empty()).ok_or_else(|| {
                Failure::invalid(format!("{name} has no `{member}` in unpadded base64url"))
                    .remedy("take the key from its owner again")
            })
        };
        let key = match kind {
            Kind::Rsa => Self::rsa(&bytes("n")?, &bytes("e")?),
            Kind::Ed25519 => Self::ed25519(&bytes("x")?),
            // Some issuers leave leading zeros out. The engine verifies with such a key; a thumbprint is of it in full.
            Kind::P256 | Kind::P384 | Kind::P521 => {
                let full = |member: &str| bytes(member).map(|number| with_zeros(number, kind.coordinate_bytes()));
                Self::new(kind, &[("x", &full("x")?), ("y", &full("y")?)])
            }
        };
        key.accepted_by_the_filter(name)
    }

    /// Asks the engine: what it would pass over in a key set is not worth publishing.
    fn accepted_by_the_filter(self, name: &str) -> Result<Self, Failure> {
        let set = json!({"keys": [self.members]}).to_string();
        match KeySet::from_jwks(set.as_bytes(), false) {
            Ok(_) => Ok(self),
            Err(error) => Err(Failure::invalid(format!("{name}: {error}")).remedy(USABLE_KEYS)),
        }
    }

    /// What it can verify, its usual algorithm first.
    #[must_use]
    pub const fn algorithms(&self) -> &'static [Algorithm] {
        self.kind.algorithms()
    }

    /// The algorithm to publish it for: the one asked for, or the usual one. None of its own for RSA, whose algorithms are not one
    /// by several names.
    ///
    /// # Errors
    /// It cannot verify the one asked for.
    pub fn algorithm(&self, wanted: Option<Algorithm>, name: &str) -> Result<Option<Algorithm>, Failure> {
        match (wanted, self.algorithms()) {
            (Some(wanted), possible) if !possible.contains(&wanted) => {
                let names: Vec<_> = possible.iter().map(|algorithm| algorithm.name()).collect();
                Err(Failure::usage(format!("{name} is not a key for {wanted}"))
                    .remedy(format!("it is one for {}", names.join(", "))))
            }
            (None, [usual, ..]) if self.kind != Kind::Rsa => Ok(Some(*usual)),
            (wanted, _) => Ok(wanted),
        }
    }

    /// How many bits an RSA modulus has.
    #[must_use]
    pub fn rsa_bits(&self) -> Option<usize> {
        self.members.get("n").and_then(|n| URL_SAFE_NO_PAD.decode(n).ok()).map(|n| n.len() * 8)
    }

    /// RFC 7638 section 3: SHA-256 of the required members in their order, with nothing between them, in base64url.
    #[must_use]
    pub fn thumbprint(&self) -> String {
        let text = serde_json::to_string(&self.members).unwrap_or_default();
        URL_SAFE_NO_PAD.encode(hmac_sha256::Hash::hash(text.as_bytes()))
    }

    /// The JWK to publish: nothing but what verifying takes.
    #[must_use]
    pub fn to_jwk(&self, kid: &str, algorithm: Option<Algorithm>) -> Map<String, Value> {
        let mut jwk: Map<_, _> =
            self.members.iter().map(|(name, value)| ((*name).to_owned(), value.as_str().into())).collect();
        jwk.insert("use".to_owned(), "sig".into());
        jwk.insert("kid".to_owned(), kid.into());
        if let Some(algorithm) = algorithm {
            jwk.insert("alg".to_owned(), algorithm.name().into());
        }
        jwk
    }
}

const USABLE_KEYS: &str = "use an RSA key of 2048 to 4096 bits, a P-256, P-384 or P-521 key, or an Ed25519 key";

fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

/// A number in at least this many bytes.
fn with_zeros(mut number: Vec<u8>, bytes: usize) -> Vec<u8> {
    let missing = bytes.saturating_sub(number.len());
    number.splice(..0, std::iter::repeat_n(0, missing));
    number
}
