//! The public keys in a file, whatever form they are in.

use std::path::Path;

use portcullis_engine::token::{Algorithm, JwksError, KeySet};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::PublicKey;
use crate::exit::Failure;
use crate::input;
use crate::signing::SigningKey;

/// A public key, and what the file it came from says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedKey {
    /// What to call it in a message.
    pub name: String,
    /// The key.
    pub key: PublicKey,
    /// Its own `kid`.
    pub kid: Option<String>,
    /// Its own `alg`.
    pub algorithm: Option<Algorithm>,
}

/// Reads a private key in PKCS#8 PEM, a public key in SPKI PEM, a JWK or a JWK set. Nothing private is kept.
///
/// # Errors
/// The file cannot be read, or a key in it is none that verifies tokens here.
pub fn read(path: &Path) -> Result<Vec<NamedKey>, Failure> {
    parse(&input::key_text(path)?, &input::describe(path))
}

/// Reads keys from the text of a file.
///
/// # Errors
/// As [`read`].
pub fn parse(text: &str, name: &str) -> Result<Vec<NamedKey>, Failure> {
    if text.trim_start().starts_with('{') { json(text, name) } else { pem(text, name).map(|key| vec![key]) }
}

fn pem(text: &str, name: &str) -> Result<NamedKey, Failure> {
    let text = text.trim();
    let label = text.strip_prefix("-----BEGIN ").and_then(|rest| rest.split_once("-----")).map(|(label, _)| label);
    let key = match label {
        Some("PUBLIC KEY") => PublicKey::from_spki(text, name)?,
        Some("CERTIFICATE") => {
            return Err(Failure::invalid(format!("{name} is a certificate"))
                .remedy("take the key out of it with: openssl x509 -noout -pubkey -in FILE > NEW_FILE"));
        }
        Some("RSA PUBLIC KEY") => {
            return Err(Failure::invalid(format!("{name} is a public key, but not in SPKI form"))
                .remedy("convert it with: openssl rsa -RSAPublicKey_in -pubout -in FILE -out NEW_FILE"));
        }
        Some(_) => {
            let key = SigningKey::from_pem(text, name)?;
            key.public().ok_or_else(|| Failure::invalid(format!("{name} has no public half")))?
        }
        None => {
            return Err(Failure::invalid(format!("{name} is neither a key in PEM form nor a JSON Web Key"))
                .remedy("make a key with: portcullis key generate --out FILE"));
        }
    };
    Ok(NamedKey { name: name.to_owned(), key, kid: None, algorithm: None })
}

fn json(text: &str, name: &str) -> Result<Vec<NamedKey>, Failure> {
    let document = object(text, name)?;
    let Some(keys) = document.get("keys") else {
        return jwk(&document, name.to_owned()).map(|key| vec![key]);
    };
    let keys = keys.as_array().map(Vec::as_slice).unwrap_or_default();
    let name_of = |index: usize| format!("{name}: key {}", index.saturating_add(1));
    let each = keys.iter().enumerate().map(|(index, key)| match key {
        Value::Object(key) => jwk(key, name_of(index)),
        _ => Err(Failure::invalid(format!("{} is not a JSON object", name_of(index)))),
    });
    each.collect()
}

fn jwk(jwk: &Map<String, Value>, name: String) -> Result<NamedKey, Failure> {
    let key = PublicKey::from_jwk(jwk, &name)?;
    let text = |member: &str| match jwk.get(member) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str())),
        Some(_) => Err(Failure::invalid(format!("{name} has a `{member}` that is not text"))),
    };
    let kid = text("kid")?.map(str::to_owned);
    let algorithm = match text("alg")? {
        None => None,
        Some(alg) => {
            let known = Algorithm::from_name(alg).filter(|algorithm| key.algorithms().contains(algorithm));
            Some(known.ok_or_else(|| {
                let names: Vec<_> = key.algorithms().iter().map(|algorithm| algorithm.name()).collect();
                Failure::invalid(format!("{name} says that it is for another algorithm than it can verify"))
                    .remedy(format!("make its `alg` one of {}, or leave it out", names.join(", ")))
            })?)
        }
    };
    Ok(NamedKey { name, key, kid, algorithm })
}

/// The JSON object of a JWK or a set, as strictly as the filter reads one: readers differ on which of two members of
/// the same name counts.
///
/// # Errors
/// It is none.
pub fn object(text: &str, name: &str) -> Result<Map<String, Value>, Failure> {
    let invalid = |cause: &dyn std::fmt::Display| {
        Failure::invalid(format!("{name}: {cause}"))
            .remedy("a key set is {\"keys\": […]} with public keys for signatures (RFC 7517)")
    };
    let Ok(Value::Object(document)) = serde_json::from_str(text) else { return Err(invalid(&JwksError::NotJson)) };
    let set = if document.contains_key("keys") {
        KeySet::from_jwks(text.as_bytes(), true)
    } else {
        KeySet::from_jwks(Zeroizing::new(format!("{{\"keys\":[{text}]}}")).as_bytes(), true)
    };
    match set {
        // Which keys are good is looked at key by key.
        Ok(_) | Err(JwksError::NothingUsable(_) | JwksError::SecretTooShort) => Ok(document),
        Err(error) => Err(invalid(&error)),
    }
}
