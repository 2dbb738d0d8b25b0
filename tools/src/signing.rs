//! Signing tokens. The engine only verifies; nothing outside this file signs.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_simple::algorithms::{RS256KeyPair, RSAKeyPairLike};
use p256::ecdsa::signature::Signer as _;
use portcullis_engine::token::Algorithm;
use serde_json::{Map, Value};
use superboring::hash::MessageDigest;
use superboring::pkey::{PKey, Private};
use superboring::rsa::{Padding, Rsa};
use superboring::sign::Signer;

use crate::exit::Failure;
use crate::input::Secret;
use crate::jwk::{Kind, PublicKey};

mod generate;
#[cfg(test)]
mod tests;

pub use generate::DEFAULT_RSA_BITS;

/// A key to sign with.
pub enum SigningKey {
    /// A secret that signs and verifies.
    Hmac(Secret),
    /// RSA, 2048 to 4096 bits.
    Rsa(Box<Rsa<Private>>),
    /// ECDSA on P-256.
    P256(Box<p256::ecdsa::SigningKey>),
    /// ECDSA on P-384.
    P384(Box<p384::ecdsa::SigningKey>),
    /// ECDSA on P-521.
    P521(Box<p521::ecdsa::SigningKey>),
    /// Ed25519.
    Ed25519(Box<ed25519_compact::SecretKey>),
}

impl SigningKey {
    /// Reads a private key in PKCS#8 PEM.
    ///
    /// # Errors
    /// It is something else, or a kind or size of key that the filter does not verify.
    pub fn from_pem(text: &str, name: &str) -> Result<Self, Failure> {
        let pem = text.trim();
        let label = pem.strip_prefix("-----BEGIN ").and_then(|rest| rest.split_once("-----")).map(|(label, _)| label);
        let pkcs8 = "convert it with: openssl pkcs8 -topk8 -nocrypt -in FILE -out NEW_FILE";
        match label {
            Some("PRIVATE KEY") => {}
            Some("ENCRYPTED PRIVATE KEY") => {
                return Err(Failure::invalid(format!("{name} is an encrypted private key")).remedy(pkcs8));
            }
            Some("RSA PRIVATE KEY" | "EC PRIVATE KEY" | "EC PARAMETERS") => {
                return Err(Failure::invalid(format!("{name} is a private key, but not in PKCS#8 form")).remedy(pkcs8));
            }
            Some(label) if label.contains("PUBLIC KEY") || label == "CERTIFICATE" => {
                return Err(Failure::invalid(format!("{name} holds a public key, which cannot sign"))
                    .remedy("name the private key that belongs to it"));
            }
            _ => {
                return Err(Failure::invalid(format!("{name} is not a private key in PEM form"))
                    .remedy("for a shared secret, use --secret-file or --secret-env"));
            }
        }
        Self::from_pkcs8(pem).map_err(|cause| {
            Failure::invalid(format!("{name} {cause}"))
                .remedy("use an RSA key of 2048 to 4096 bits, a P-256, P-384 or P-521 key, or an Ed25519 key")
        })
    }

    fn from_pkcs8(pem: &str) -> Result<Self, &'static str> {
        use p256::pkcs8::DecodePrivateKey;
        if let Ok(key) = p256::ecdsa::SigningKey::from_pkcs8_pem(pem) {
            return Ok(Self::P256(Box::new(key)));
        }
        if let Ok(key) = p384::ecdsa::SigningKey::from_pkcs8_pem(pem) {
            return Ok(Self::P384(Box::new(key)));
        }
        if let Ok(key) = p521::ecdsa::SigningKey::from_pkcs8_pem(pem) {
            return Ok(Self::P521(Box::new(key)));
        }
        if let Ok(key) = ed25519_compact::SecretKey::from_pem(pem) {
            return Ok(Self::Ed25519(Box::new(key)));
        }
        // jwt-simple holds RSA keys to 2048 to 4096 bits and the exponent 65537.
        let key = RS256KeyPair::from_pem(pem).map_err(|_| "is not a kind or size of key that can sign tokens here")?;
        Ok(Self::Rsa(Box::new(key.key_pair().as_ref().clone())))
    }

    /// The half to publish; a secret has none.
    #[must_use]
    pub fn public(&self) -> Option<PublicKey> {
        match self {
            Self::Hmac(_) => None,
            Self::Rsa(key) => Some(PublicKey::rsa(&key.n().to_vec(), &key.e().to_vec())),
            Self::P256(key) => Some(PublicKey::ec(Kind::P256, key.verifying_key().to_sec1_point(false).as_bytes())),
            Self::P384(key) => Some(PublicKey::ec(Kind::P384, key.verifying_key().to_sec1_point(false).as_bytes())),
            Self::P521(key) => Some(PublicKey::ec(Kind::P521, key.verifying_key().to_sec1_point(false).as_bytes())),
            Self::Ed25519(key) => Some(PublicKey::ed25519(&*key.public_key())),
        }
    }

    /// What the key can sign with, its usual algorithm first.
    const fn algorithms(&self) -> &'static [Algorithm] {
        match self {
            Self::Hmac(_) => &[Algorithm::HS256, Algorithm::HS384, Algorithm::HS512],
            Self::Rsa(_) => Kind::Rsa.algorithms(),
            Self::P256(_) => Kind::P256.algorithms(),
            Self::P384(_) => Kind::P384.algorithms(),
            Self::P521(_) => Kind::P521.algorithms(),
            Self::Ed25519(_) => Kind::Ed25519.algorithms(),
        }
    }

    /// The algorithm to sign with: the one asked for if the key can do it, else the key's usual one.
    ///
    /// # Errors
    /// The key cannot sign with the algorithm asked for, or is too short for it.
    pub fn algorithm(&self, wanted: Option<Algorithm>) -> Result<Algorithm, Failure> {
        let possible = self.algorithms();
        let algorithm = match wanted {
            None => possible.first().copied().unwrap_or(Algorithm::HS256),
            Some(wanted) if possible.contains(&wanted) => wanted,
            Some(wanted) => {
                let names: Vec<_> = possible.iter().map(|algorithm| algorithm.name()).collect();
                return Err(Failure::usage(format!("this key cannot sign with {}", wanted.name()))
                    .remedy(format!("it can sign with {}", names.join(", "))));
            }
        };
        if let Self::Hmac(secret) = self {
            check_secret(secret, algorithm)?;
        }
        Ok(algorithm)
    }

    fn sign(&self, algorithm: Algorithm, input: &[u8]) -> Result<Vec<u8>, Failure> {
        let failure = || Failure::io("the key could not sign");
        Ok(match self {
            Self::Hmac(secret) => hmac(algorithm, secret, input),
            Self::Rsa(key) => rsa(algorithm, key, input).map_err(|_| failure())?,
            Self::P256(key) => {
                let signature: p256::ecdsa::Signature = key.try_sign(input).map_err(|_| failure())?;
                signature.to_bytes().to_vec()
            }
            Self::P384(key) => {
                let signature: p384::ecdsa::Signature = key.try_sign(input).map_err(|_| failure())?;
                signature.to_bytes().to_vec()
            }
            Self::P521(key) => {
                let signature: p521::ecdsa::Signature = key.try_sign(input).map_err(|_| failure())?;
                signature.to_bytes().to_vec()
            }
            Self::Ed25519(key) => key.sign(input, None).to_vec(),
        })
    }
}

/// RFC 7518 section 3.2: a key of the size of the hash output or larger.
///
/// # Errors
/// The secret is shorter.
pub fn check_secret(secret: &Secret, algorithm: Algorithm) -> Result<(), Failure> {
    let (bytes, min) = (secret.expose().len(), algorithm.min_secret_bytes());
    if bytes >= min {
        return Ok(());
    }
    let bits = if min > 32 { " --bits 512" } else { "" };
    Err(Failure::invalid(format!("the secret has {bytes} bytes and {algorithm} needs at least {min}"))
        .remedy(format!("make one with: portcullis secret generate{bits}")))
}

fn hmac(algorithm: Algorithm, secret: &Secret, input: &[u8]) -> Vec<u8> {
    let key = secret.expose();
    match algorithm {
        Algorithm::HS384 => hmac_sha512::sha384::HMAC::mac(input, key).to_vec(),
        Algorithm::HS512 => hmac_sha512::HMAC::mac(input, key).to_vec(),
        _ => hmac_sha256::HMAC::mac(input, key).to_vec(),
    }
}

fn rsa(algorithm: Algorithm, key: &Rsa<Private>, input: &[u8]) -> Result<Vec<u8>, superboring::error::ErrorStack> {
    use Algorithm as A;
    let (digest, padding) = match algorithm {
        A::RS384 => (MessageDigest::sha384(), Padding::PKCS1),
        A::RS512 => (MessageDigest::sha512(), Padding::PKCS1),
        A::PS256 => (MessageDigest::sha256(), Padding::PKCS1_PSS),
        A::PS384 => (MessageDigest::sha384(), Padding::PKCS1_PSS),
        A::PS512 => (MessageDigest::sha512(), Padding::PKCS1_PSS),
        _ => (MessageDigest::sha256(), Padding::PKCS1),
    };
    let key = PKey::from_rsa(key.clone())?;
    let mut signer = Signer::new(digest, &key)?;
    signer.set_rsa_padding(padding)?;
    signer.update(input)?;
    signer.sign_to_vec()
}

/// A token and what went into it.
pub struct Signed {
    /// The compact serialization of RFC 7515 section 7.1.
    pub token: String,
    /// The header.
    pub header: Value,
}

/// Signs claims: `{"alg":…,"typ":"JWT","kid":…}` and the claims as they are.
///
/// # Errors
/// The key could not sign.
pub fn sign(
    key: &SigningKey,
    algorithm: Algorithm,
    kid: Option<&str>,
    claims: &Map<String, Value>,
) -> Result<Signed, Failure> {
    let mut header = Map::new();
    header.insert("alg".to_owned(), algorithm.name().into());
    header.insert("typ".to_owned(), "JWT".into());
    if let Some(kid) = kid {
        header.insert("kid".to_owned(), kid.into());
    }
    let header = Value::Object(header);
    let token = compact(key, algorithm, &header.to_string(), &Value::Object(claims.clone()).to_string())?;
    Ok(Signed { token, header })
}

/// Signs a payload under a header, which names the algorithm: the compact serialization of RFC 7515 section 7.1.
///
/// # Errors
/// The key could not sign.
pub fn compact(key: &SigningKey, algorithm: Algorithm, header: &str, payload: &str) -> Result<String, Failure> {
    let mut text = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let signature = key.sign(algorithm, text.as_bytes())?;
    text.push('.');
    URL_SAFE_NO_PAD.encode_string(&signature, &mut text);
    Ok(text)
}
