//! JSON Web Key Sets (RFC 7517 section 5).

use serde_json::{Map, Value};

use super::{Algorithm, Key, KeyError, KeySet, jws};
use crate::json;
use crate::secret::Secret;

/// How many keys a set may have.
const MAX_KEYS: usize = 100;

const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "priv"];

/// Why a document is no usable key set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwksError {
    /// Not JSON, or JSON with repeated members.
    #[error("not a JSON object without repeated members")]
    NotJson,
    /// No `keys` array.
    #[error("no `keys` array")]
    NoKeys,
    /// More keys than anyone publishes.
    #[error("more than {MAX_KEYS} keys")]
    TooManyKeys,
    /// No key that verifies signatures; carries the reasons, each once, and none where there are no keys.
    #[error("{}", nothing_usable(.0))]
    NothingUsable(Vec<KeyError>),
    /// An HMAC key shorter than its hash (RFC 7518 section 3.2).
    #[error("an HMAC key is shorter than its hash")]
    SecretTooShort,
}

impl KeySet {
    /// Reads a key set. Keys that are not for verifying signatures, of unknown types or broken are passed over
    /// (RFC 7517 section 5); a set with nothing left is refused.
    ///
    /// # Errors
    /// [`JwksError`] where nothing usable is there, or (unless `allow_short_secrets`) an HMAC key is too short.
    pub fn from_jwks(document: &[u8], allow_short_secrets: bool) -> Result<Self, JwksError> {
        let (set, _) = Self::of_usable(entries(document)?.iter().map(from_entry))?;
        if !allow_short_secrets && set.keys().iter().any(Key::secret_is_too_short) {
            return Err(JwksError::SecretTooShort);
        }
        Ok(set)
    }

    /// Reads a key set that anybody can read too: secrets in it are none, and with a private key anybody can sign. Both are passed
    /// over like keys of unknown types.
    ///
    /// # Errors
    /// [`JwksError`] where nothing usable is there.
    pub fn from_public_jwks(document: &[u8]) -> Result<Self, JwksError> {
        Self::from_fetched_jwks(document).map(|(set, _)| set)
    }

    /// The same, and why keys were passed over: the reasons, each once.
    pub(crate) fn from_fetched_jwks(document: &[u8]) -> Result<(Self, Vec<KeyError>), JwksError> {
        Self::of_usable(entries(document)?.iter().map(public))
    }

    /// The set of those that are usable, and why the others are not.
    fn of_usable(read: impl Iterator<Item = Result<Key, KeyError>>) -> Result<(Self, Vec<KeyError>), JwksError> {
        let (mut keys, mut reasons) = (Vec::new(), Vec::new());
        for key in read {
            match key {
                Ok(key) => keys.push(key),
                Err(reason) if reasons.contains(&reason) => {}
                Err(reason) => reasons.push(reason),
            }
        }
        if keys.is_empty() { Err(JwksError::NothingUsable(reasons)) } else { Ok((Self::new(keys), reasons)) }
    }
}

/// One key of a set that somebody wrote into a policy.
pub(crate) struct LocalEntry {
    pub(crate) kind: KeyKind,
    pub(crate) key: Result<Key, KeyError>,
}

/// Whom a key may be shown to.
pub(crate) enum KeyKind {
    Public,
    /// It has this member, which only whoever signs may know.
    Private(&'static str),
    /// Whoever verifies can sign.
    Secret,
}

impl LocalEntry {
    /// The keys of a set, those that cannot be used included.
    pub(crate) fn all(document: &[u8]) -> Result<Vec<Self>, JwksError> {
        Ok(entries(document)?.iter().map(Self::read).collect())
    }

    fn read(entry: &Value) -> Self {
        let kind = match private_member(entry) {
            _ if entry.get("kty").is_some_and(|kty| kty == "oct") => KeyKind::Secret,
            Some(member) => KeyKind::Private(member),
            None => KeyKind::Public,
        };
        Self { kind, key: from_entry(entry) }
    }
}

/// The first member of a JWK that is private (RFC 7518 sections 6.2.2 and 6.3.2; RFC 8037 section 2; `priv` of newer types).
pub(crate) fn private_member(entry: &Value) -> Option<&'static str> {
    PRIVATE_MEMBERS.iter().copied().find(|name| entry.get(name).is_some())
}

fn nothing_usable(reasons: &[KeyError]) -> String {
    let reasons: Vec<String> = reasons.iter().map(KeyError::to_string).collect();
    if reasons.is_empty() { "no keys".to_owned() } else { format!("no usable key: {}", reasons.join("; ")) }
}

fn entries(document: &[u8]) -> Result<Vec<Value>, JwksError> {
    let Some(Value::Object(mut document)) = json::parse(document) else { return Err(JwksError::NotJson) };
    let Some(Value::Array(entries)) = document.remove("keys") else { return Err(JwksError::NoKeys) };
    if entries.len() > MAX_KEYS {
        return Err(JwksError::TooManyKeys);
    }
    Ok(entries)
}

fn public(entry: &Value) -> Result<Key, KeyError> {
    match private_member(entry) {
        _ if entry.get("kty").is_some_and(|kty| kty == "oct") => Err(KeyError::Secret),
        Some(member) => Err(KeyError::Private(member)),
        None => from_entry(entry),
    }
}

fn from_entry(entry: &Value) -> Result<Key, KeyError> {
    from_jwk(entry.as_object().ok_or(KeyError::NoObject)?)
}

fn from_jwk(jwk: &Map<String, Value>) -> Result<Key, KeyError> {
    let text = |name: &'static str| match jwk.get(name) {
        None => Ok(None),
        Some(Value::String(value)) => Ok(Some(value.as_str())),
        Some(_) => Err(KeyError::Member(name)),
    };
    let bytes = |name: &'static str| text(name)?.and_then(jws::decode).ok_or(KeyError::Member(name));
    let for_verifying = text("use")?.is_none_or(|usage| usage == "sig")
        && jwk.get("key_ops").is_none_or(|ops| ops.as_array().is_some_and(|ops| ops.iter().any(|op| op == "verify")));
    if !for_verifying {
        return Err(KeyError::NotForSignatures);
    }
    let algorithm = match text("alg")? {
        None => None,
        Some(name) => Some(Algorithm::from_name(name).ok_or(KeyError::Algorithm)?),
    };
    let kid = text("kid")?.map(str::to_owned);
    let key = match text("kty")?.unwrap_or_default() {
        "oct" => Key::hmac(kid, algorithm, &Secret::new(bytes("k")?)),
        "RSA" => Key::rsa(kid, algorithm, &bytes("n")?, &bytes("e")?)?,
        // RFC 7518 section 6.2.1.1 wants a `crv`; Envoy's own library takes it from `alg` where it is missing.
        "EC" => {
            let curve = text("crv")?.or(algorithm.and_then(Algorithm::curve)).unwrap_or_default();
            Key::ec(kid, curve, &bytes("x")?, &bytes("y")?)?
        }
        "OKP" if text("crv")? == Some("Ed25519") => Key::ed25519(kid, algorithm, &bytes("x")?)?,
        "OKP" => return Err(KeyError::Curve),
        _ => return Err(KeyError::Type),
    };
    match algorithm {
        Some(algorithm) if !key.fits(algorithm) => Err(KeyError::Algorithm),
        _ => Ok(key),
    }
}
