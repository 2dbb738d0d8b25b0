//! What is known of chains, sealed so that it can be kept beside them: in a state, and at the head of a pruned file.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use memchr::memmem;
use portcullis_engine::UnixTime;
use portcullis_engine::audit::{ChainKey, ChainMac, SealedLine};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::exit::Failure;
use crate::input::Secret;

#[cfg(test)]
mod tests;

/// The least that an HMAC key may have: RFC 2104 section 3, of the hash's output.
const MIN_KEY_BYTES: usize = 32;

/// What the key of states is derived by.
const STATE_PURPOSE: &str = "portcullis audit state";

/// What a line says that stands for pruned ones.
const PRUNED: &[u8] = b",\"decision\":\"allow\",\"reason\":\"pruned\",\"link\":\"";

/// The keys that a secret gives.
pub struct Keys {
    /// For lines and checkpoints.
    pub chain: ChainKey,
    state: [u8; 32],
}

impl Keys {
    /// Derives them.
    ///
    /// # Errors
    /// The secret is too short.
    pub fn new(secret: &Secret, name: &str) -> Result<Self, Failure> {
        if secret.expose().len() < MIN_KEY_BYTES {
            return Err(Failure::invalid(format!("the key in `{name}` has fewer than {MIN_KEY_BYTES} bytes")).remedy(
                "take the one that the policy's `audit.chain.key` names; `portcullis secret generate` makes one",
            ));
        }
        let chain = ChainKey::new(&portcullis_engine::Secret::new(secret.expose().to_vec()));
        Ok(Self { chain, state: hmac_sha256::HMAC::mac(STATE_PURPOSE, secret.expose()) })
    }

    fn seal(&self, body: &str) -> String {
        URL_SAFE_NO_PAD.encode(hmac_sha256::HMAC::mac(body, self.state))
    }

    /// A line that stands for the lines of a chain that were pruned, up to and with the one of this MAC.
    #[must_use]
    pub fn pruned_line(&self, chain: &Reached, now: UnixTime) -> String {
        let body = format!(
            "{{\"timestamp\":\"{}\",\"event\":\"admin\",\"action\":\"checkpoint\"{}{}\",\"chain\":\"{}\",\"seq\":{}",
            now.rfc3339(),
            String::from_utf8_lossy(PRUNED),
            URL_SAFE_NO_PAD.encode(chain.mac),
            chain.chain,
            chain.seq
        );
        let mac = URL_SAFE_NO_PAD.encode(self.chain.checkpoint(&chain.mac, body.as_bytes()));
        format!("{body},\"mac\":\"{mac}\"}}")
    }
}

/// The MAC of the last pruned line, of a checkpoint that stands for pruned ones. Nothing is verified yet.
#[must_use]
pub fn pruned(checkpoint: &SealedLine<'_>) -> Option<ChainMac> {
    let at = memmem::find(checkpoint.body, PRUNED)?;
    let link = checkpoint.body.get(at.checked_add(PRUNED.len())?..)?.get(..43)?;
    URL_SAFE_NO_PAD.decode(link).ok()?.try_into().ok()
}

/// When a record says that it was written, without reading all of it.
#[must_use]
pub fn timestamp(object: &[u8]) -> Option<&str> {
    const LENGTH: usize = "2026-11-24T03:48:57.824Z".len();
    let text = object.strip_prefix(b"{\"timestamp\":\"")?;
    text.get(LENGTH).filter(|end| **end == b'"')?;
    std::str::from_utf8(text.get(..LENGTH)?).ok()
}

/// How far a chain had come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reached {
    /// Its id.
    pub chain: String,
    /// Its last line.
    pub seq: u64,
    /// That line's MAC.
    #[serde(serialize_with = "write_mac", deserialize_with = "read_mac")]
    pub mac: ChainMac,
    /// When that was written.
    pub last: String,
}

fn write_mac<S: serde::Serializer>(mac: &ChainMac, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&URL_SAFE_NO_PAD.encode(mac))
}

fn read_mac<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<ChainMac, D::Error> {
    let text = String::deserialize(deserializer)?;
    let mac = URL_SAFE_NO_PAD.decode(text).ok().and_then(|mac| mac.try_into().ok());
    mac.ok_or_else(|| serde::de::Error::custom("no MAC"))
}

/// What `audit checkpoint` keeps for the next `audit verify`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    version: u8,
    timestamp: String,
    chains: Vec<Reached>,
}

/// Where the seal of a state begins.
const SEAL: &str = ",\"seal\":\"";

impl State {
    /// The state of these chains.
    #[must_use]
    pub fn new(mut chains: Vec<Reached>, now: UnixTime) -> Self {
        chains.sort_unstable_by(|a, b| a.chain.cmp(&b.chain));
        chains.dedup_by(|a, b| a.chain == b.chain);
        Self { version: 1, timestamp: now.rfc3339(), chains }
    }

    /// The chains.
    #[must_use]
    pub fn chains(&self) -> &[Reached] {
        &self.chains
    }

    /// The chain of this id.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<&Reached> {
        let at = self.chains.binary_search_by(|chain| chain.chain.as_str().cmp(id)).ok()?;
        self.chains.get(at)
    }

    /// The state as a file.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    pub fn sealed(&self, keys: &Keys) -> Result<String, Failure> {
        let mut body = serde_json::to_string(self).map_err(|error| Failure::io(error.to_string()))?;
        body.pop();
        let seal = keys.seal(&body);
        Ok(format!("{body}{SEAL}{seal}\"}}\n"))
    }

    /// Reads a state.
    ///
    /// # Errors
    /// It is none, was changed, or was sealed with another key.
    pub fn open(text: &str, keys: &Keys, name: &str) -> Result<Self, Failure> {
        let problem = |what: &str| {
            Failure::invalid(format!("{name} {what}"))
                .remedy("take a state that `portcullis audit checkpoint` wrote with the same key, unchanged")
        };
        let (body, seal) = text.trim_end().rsplit_once(SEAL).ok_or_else(|| problem("is no state"))?;
        let seal = seal.strip_suffix("\"}").ok_or_else(|| problem("is no state"))?;
        if !bool::from(keys.seal(body).as_bytes().ct_eq(seal.as_bytes())) {
            return Err(problem("does not fit its seal"));
        }
        let mut state: Self = serde_json::from_str(&format!("{body}}}")).map_err(|_| problem("is no state"))?;
        state.chains.sort_unstable_by(|a, b| a.chain.cmp(&b.chain));
        Ok(state)
    }
}
