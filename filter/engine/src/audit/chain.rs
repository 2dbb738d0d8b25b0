//! Tamper evidence: each line of a worker carries a MAC over itself and the line before it.
//!
//! One chain has an id, and counts its lines from 1. The MAC of a line is taken over the MAC before it (zeros before the
//! first) and the line up to where its own MAC begins. A checkpoint is a line beside the chain that says how far it had
//! come, so that an end that is cut off is missed. Writing and verifying are both here: there is one implementation.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::secret::Secret;
use crate::time::UnixTime;

/// A MAC of the chain.
pub type ChainMac = [u8; 32];

/// What the first line of a chain takes for the MAC before it.
pub const BEFORE_FIRST: ChainMac = [0; 32];

/// What the key of the chain is derived by, so that the same secret may serve elsewhere.
const DERIVATION: &[u8] = b"portcullis audit chain";

/// Keeps the MAC of a checkpoint from being that of a line.
const CHECKPOINT: &[u8] = b"checkpoint";

const ID_CHARS: usize = 22;
const MAC_CHARS: usize = 43;
const CHAIN_MEMBER: &[u8] = b",\"chain\":\"";
const SEQ_MEMBER: &[u8] = b"\",\"seq\":";
const MAC_MEMBER: &[u8] = b",\"mac\":\"";
const END: &[u8] = b"\"}";

/// The key of chains, with the state of its hash already keyed: a line costs its own bytes and no more.
#[derive(Clone)]
pub struct ChainKey(Hmac<Sha256>);

impl ChainKey {
    /// The key that a secret gives.
    #[must_use]
    pub fn new(secret: &Secret) -> Self {
        Self(hmac(&mac(&hmac(secret.expose()), &[DERIVATION])))
    }

    /// The MAC of a line, given that of the line before. `body` is the line up to its member `mac`, without the comma.
    #[must_use]
    pub fn link(&self, before: &ChainMac, body: &[u8]) -> ChainMac {
        mac(&self.0, &[before, body])
    }

    /// The MAC of a checkpoint that says that a chain had come to the line with the MAC `reached`.
    #[must_use]
    pub fn checkpoint(&self, reached: &ChainMac, body: &[u8]) -> ChainMac {
        mac(&self.0, &[CHECKPOINT, reached, body])
    }
}

impl std::fmt::Debug for ChainKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ChainKey(redacted)")
    }
}

/// A keyed hash. Keys of any length are keys (RFC 2104 section 3): the trait's error is of other constructions.
pub(super) fn hmac(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).unwrap_or_else(|_| Hmac::new(&Default::default()))
}

/// The keyed hash of all parts together.
pub(super) fn mac(keyed: &Hmac<Sha256>, parts: &[&[u8]]) -> ChainMac {
    let mut mac = keyed.clone();
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// A chain that is being written.
#[derive(Clone, Debug)]
pub struct Chain {
    key: ChainKey,
    id: String,
    seq: u64,
    mac: ChainMac,
    /// How far the last checkpoint says that it had come.
    told: u64,
}

impl Chain {
    /// A new chain. Its id is 16 random bytes: no two chains may have the same.
    #[must_use]
    pub fn new(key: ChainKey, id: [u8; 16]) -> Self {
        Self { key, id: URL_SAFE_NO_PAD.encode(id), seq: 0, mac: BEFORE_FIRST, told: 0 }
    }

    /// A chain that is written on with, after the line that was its last.
    #[must_use]
    pub fn resume(key: ChainKey, last: &SealedLine<'_>) -> Self {
        Self { key, id: last.chain.to_owned(), seq: last.seq, mac: last.mac, told: last.seq }
    }

    /// Makes the line the next of the chain. It must be an object with a member, without a line break.
    #[must_use]
    pub fn seal(&mut self, line: String) -> String {
        self.seq = self.seq.saturating_add(1);
        let body = self.extend(line);
        self.mac = self.key.link(&self.mac, body.as_bytes());
        close(body, &self.mac)
    }

    /// A line that says how far the chain has come; `None` where the one before said the same.
    pub fn checkpoint(&mut self, now: UnixTime, policy: &str) -> Option<String> {
        if self.told == self.seq {
            return None;
        }
        self.told = self.seq;
        let mut line = String::with_capacity(300);
        line.push_str(r#"{"timestamp":""#);
        line.push_str(&now.rfc3339());
        line.push_str(r#"","event":"admin","action":"checkpoint","decision":"allow","reason":"checkpoint","policy":""#);
        line.push_str(policy);
        line.push_str(r#""}"#);
        let body = self.extend(line);
        let mac = self.key.checkpoint(&self.mac, body.as_bytes());
        Some(close(body, &mac))
    }

    /// The line with chain and seq, as far as its MAC is taken over.
    fn extend(&self, mut line: String) -> String {
        if line.ends_with('}') {
            line.pop();
        }
        line.push_str(",\"chain\":\"");
        line.push_str(&self.id);
        line.push_str("\",\"seq\":");
        push_number(&mut line, self.seq);
        line
    }
}

fn close(mut body: String, mac: &ChainMac) -> String {
    body.push_str(",\"mac\":\"");
    URL_SAFE_NO_PAD.encode_string(mac, &mut body);
    body.push_str("\"}");
    body
}

/// Writes a number without the cost of formatting: this is on the way of every request.
pub(super) fn push_number(text: &mut String, number: u64) {
    let mut divisor: u64 = 1;
    while number / divisor >= 10 {
        divisor = divisor.saturating_mul(10);
    }
    while divisor > 0 {
        text.push(char::from(b'0' + u8::try_from(number / divisor % 10).unwrap_or_default()));
        divisor /= 10;
    }
}

/// A line as a chain sealed it, taken apart from its end: nothing that is in the record is looked at for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealedLine<'a> {
    /// The chain's id.
    pub chain: &'a str,
    /// The place in the chain; of a checkpoint, the last that it knows of.
    pub seq: u64,
    /// The MAC that the line gives.
    pub mac: ChainMac,
    /// What the MAC is taken over, beside the MAC before.
    pub body: &'a [u8],
}

impl<'a> SealedLine<'a> {
    /// Takes a line apart, without its line break. `None` where it does not end as a sealed one does: exactly so, in
    /// canonical form.
    #[must_use]
    pub fn parse(line: &'a [u8]) -> Option<Self> {
        let (rest, mac) = split_tail(line.strip_suffix(END)?, MAC_CHARS)?;
        let mac = URL_SAFE_NO_PAD.decode(mac).ok()?.try_into().ok()?;
        let body = rest.strip_suffix(MAC_MEMBER)?;
        let digits = body.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        let (rest, seq) = split_tail(body, digits)?;
        let seq = std::str::from_utf8(seq).ok().filter(|seq| !seq.starts_with('0'))?.parse().ok()?;
        let (rest, chain) = split_tail(rest.strip_suffix(SEQ_MEMBER)?, ID_CHARS)?;
        let id: [u8; 16] = URL_SAFE_NO_PAD.decode(chain).ok()?.try_into().ok()?;
        let _ = (rest.strip_suffix(CHAIN_MEMBER)?, id);
        Some(Self { chain: std::str::from_utf8(chain).ok()?, seq, mac, body })
    }

    /// Whether this is a checkpoint and no link of its chain. Nothing that a client chooses comes before what is looked
    /// at.
    #[must_use]
    pub fn is_checkpoint(&self) -> bool {
        const BEFORE: usize = r#"{"timestamp":"0000-00-00T00:00:00.000Z""#.len();
        let rest = self.body.get(BEFORE..);
        rest.is_some_and(|rest| rest.starts_with(br#","event":"admin","action":"checkpoint","#))
    }

    /// Whether the line follows the one whose MAC this is. Of a checkpoint: whether that is the line it tells of.
    #[must_use]
    pub fn follows(&self, key: &ChainKey, before: &ChainMac) -> bool {
        let mac = if self.is_checkpoint() { key.checkpoint(before, self.body) } else { key.link(before, self.body) };
        // In constant time, though whoever verifies has the key: it costs nothing.
        mac.iter().zip(self.mac).fold(0, |differ, (own, given)| differ | (own ^ given)) == 0
    }
}

fn split_tail(text: &[u8], length: usize) -> Option<(&[u8], &[u8])> {
    text.split_at_checked(text.len().checked_sub(length)?)
}

#[cfg(test)]
mod tests;
