//! A published key set that is edited: what is kept of it stays as it was written.

use std::collections::{BTreeMap, BTreeSet};

use portcullis_engine::token::{Algorithm, KeySet};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::read::{NamedKey, object};
use super::{PublicKey, is_private};
use crate::exit::Failure;
use crate::terminal::visible;

/// A JWK set (RFC 7517 section 5), its keys newest first.
#[derive(Clone, Debug, Default)]
pub struct PublishedSet {
    keys: Vec<PublishedKey>,
    /// Members beside `keys`.
    others: BTreeMap<String, Box<RawValue>>,
}

/// One key of the set, in its own words.
#[derive(Clone, Debug)]
pub struct PublishedKey {
    text: Box<RawValue>,
    /// Its `kid`, or the thumbprint where it has none; `None` where that cannot be computed either.
    pub label: Option<String>,
    /// Whether the engine would verify with it. Keys for something else are none of ours.
    verifies: bool,
}

/// What rotating does to a set.
#[derive(Clone, Debug)]
pub struct Rotated {
    /// The set afterwards.
    pub set: PublishedSet,
    /// What was there before and still is.
    pub kept: Vec<Option<String>>,
    /// What was there before and is not any more.
    pub dropped: Vec<Option<String>>,
    /// The newest of those kept that verify: what the tokens in flight are signed with.
    pub previous: Option<String>,
}

impl PublishedSet {
    /// Reads a set that is published: only public keys, no two of the same name.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str, name: &str) -> Result<Self, Failure> {
        let invalid =
            |cause: String, remedy: &str| Failure::invalid(format!("{name}{cause}")).remedy(remedy.to_owned());
        object(text, name)?;
        let mut others: BTreeMap<String, Box<RawValue>> =
            serde_json::from_str(text).map_err(|error| invalid(format!(": {error}"), "correct the file"))?;
        let keys = others.remove("keys").and_then(|keys| serde_json::from_str::<Vec<Box<RawValue>>>(keys.get()).ok());
        let keys = keys.ok_or_else(|| {
            invalid(" has no `keys` array".to_owned(), "make a set of a single key with: portcullis key jwks FILE")
        })?;
        let mut labels = BTreeSet::new();
        let mut published = Vec::new();
        for (index, text) in keys.into_iter().enumerate() {
            let place = format!(": key {}", index.saturating_add(1));
            let jwk: Map<String, Value> = serde_json::from_str(text.get())
                .map_err(|_| invalid(format!("{place} is not a JSON object"), "correct the file"))?;
            if is_private(&jwk) {
                return Err(invalid(
                    format!("{place} is private, and a key set is there to be published"),
                    "if it was published already, replace the key; `portcullis key jwks FILE` drops what is private",
                ));
            }
            let key = PublishedKey::new(text, &jwk);
            if let Some(label) = key.label.as_ref().filter(|label| !labels.insert((*label).clone())) {
                return Err(invalid(
                    format!(" has two keys of the name `{}`", visible(label)),
                    "take one of them out, or give it another `kid`",
                ));
            }
            published.push(key);
        }
        Ok(Self { keys: published, others })
    }

    /// The newest key that verifies tokens here.
    #[must_use]
    pub fn newest(&self) -> Option<NamedKey> {
        let mut verifying = self.keys.iter().filter(|key| key.verifies);
        verifying.find_map(|key| super::read::parse(key.text.get(), "").ok()?.pop())
    }

    /// Looks whether the set has a key of each of these names.
    ///
    /// # Errors
    /// One that no key has.
    pub fn check_names(&self, names: &[String]) -> Result<(), Failure> {
        let labels: Vec<_> = self.keys.iter().filter_map(|key| key.label.as_deref()).collect();
        let Some(unknown) = names.iter().find(|name| !labels.contains(&name.as_str())) else { return Ok(()) };
        let remedy = match labels.as_slice() {
            [] => "it has no key with a name at all".to_owned(),
            labels => format!("it has: {}", visible(&labels.join(", "))),
        };
        Err(Failure::usage(format!("the set has no key `{unknown}`")).remedy(remedy))
    }

    /// Puts a new key first, takes out those that are named, and of the others keeps the newest so that there are at
    /// most `keep` in all. Keys that verify no token stay and do not count.
    ///
    /// # Errors
    /// A name that no key has, or nothing would be left that verifies a token.
    pub fn rotate(&self, new: Option<&Map<String, Value>>, keep: usize, retire: &[String]) -> Result<Rotated, Failure> {
        self.check_names(retire)?;
        let mut rotated = Rotated {
            set: Self { keys: Vec::new(), others: self.others.clone() },
            kept: Vec::new(),
            dropped: Vec::new(),
            previous: None,
        };
        let mut verifying = 0;
        if let Some(jwk) = new {
            let text = serde_json::value::to_raw_value(jwk).map_err(|error| Failure::io(error.to_string()))?;
            rotated.set.keys.push(PublishedKey::new(text, jwk));
            verifying += 1;
        }
        for key in &self.keys {
            let named = key.label.as_ref().is_some_and(|label| retire.contains(label));
            if named || (key.verifies && verifying >= keep) {
                rotated.dropped.push(key.label.clone());
                continue;
            }
            if key.verifies {
                verifying += 1;
                rotated.previous = rotated.previous.or_else(|| key.label.clone());
            }
            rotated.kept.push(key.label.clone());
            rotated.set.keys.push(key.clone());
        }
        if verifying == 0 {
            return Err(Failure::usage("no key would be left to verify tokens with")
                .remedy("put a new one in first: name a file for it with --out"));
        }
        Ok(rotated)
    }

    /// The text of the file: one line a key of ours, and what was there as it was.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    pub fn to_text(&self) -> Result<String, Failure> {
        let mut text = serde_json::to_string_pretty(self).map_err(|error| Failure::io(error.to_string()))?;
        text.push('\n');
        Ok(text)
    }
}

impl PublishedKey {
    fn new(text: Box<RawValue>, jwk: &Map<String, Value>) -> Self {
        let kid = jwk.get("kid").and_then(Value::as_str).map(str::to_owned);
        let label = kid.or_else(|| PublicKey::from_jwk(jwk, "").ok().map(|key| key.thumbprint()));
        let alone = format!("{{\"keys\":[{}]}}", text.get());
        let verifies = KeySet::from_public_jwks(alone.as_bytes()).is_ok();
        Self { text, label, verifies }
    }
}

impl Serialize for PublishedSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let keys: Vec<&RawValue> = self.keys.iter().map(|key| &*key.text).collect();
        map.serialize_entry("keys", &keys)?;
        for (name, value) in &self.others {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// What a new key should be to be like the newest of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Likeness {
    /// What it signs with.
    pub algorithm: Algorithm,
    /// What its JWK says it is for.
    pub published: Option<Algorithm>,
    /// How large it is if it is an RSA key.
    pub rsa_bits: Option<u16>,
}

impl PublishedSet {
    /// The like of the newest key; ES256 where there is none.
    #[must_use]
    pub fn likeness(&self) -> Likeness {
        let Some(newest) = self.newest() else {
            return Likeness { algorithm: Algorithm::ES256, published: Some(Algorithm::ES256), rsa_bits: None };
        };
        let own = newest.algorithm.or_else(|| newest.key.algorithm(None, "").ok().flatten());
        let usual = newest.key.algorithms().first().copied().unwrap_or(Algorithm::ES256);
        let rsa_bits = newest.key.rsa_bits().and_then(|bits| u16::try_from(bits).ok());
        Likeness {
            algorithm: own.unwrap_or(usual),
            published: own,
            rsa_bits: rsa_bits.filter(|bits| matches!(bits, 2048 | 3072 | 4096)),
        }
    }
}
