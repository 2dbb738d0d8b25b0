//! Writing the content of a feed. Signing it is the command line's.

use super::layout::{DISABLED, HEAD_BYTES, KEY_BYTES, MAGIC, NO_OWNER, NO_SET, REMOVED, REVOKED_BYTES, SUBJECT_BYTES};
use super::{Digest16, MAX_FEED_BYTES};
use crate::hash::FixedMap;
use crate::ip::Cidr;
use crate::text::has_control;

/// What a feed is to say.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// Of subjects.
    pub subjects: Vec<SubjectEntry>,
    /// Of tokens.
    pub revoked: Vec<RevokedEntry>,
    /// Of API keys.
    pub keys: Vec<KeyEntry>,
}

/// What a feed is to say of a subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectEntry {
    /// [`Digest16::subject`] of it.
    pub digest: Digest16,
    /// The account is switched off.
    pub disabled: bool,
    /// In a delta: as if it were never named.
    pub removed: bool,
    /// Tokens made before this second are void; 0 voids none.
    pub tokens_before: u32,
    /// Its roles; `None` says nothing of them.
    pub roles: Option<Vec<String>>,
}

/// What a feed is to say of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RevokedEntry {
    /// [`Digest16::token`] of its `jti`.
    pub digest: Digest16,
    /// The second from which on it is dead anyway; in a delta 0: it is no longer revoked.
    pub expires: u32,
}

/// What a feed is to say of an API key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyEntry {
    /// [`Digest16::key`] of its id.
    pub digest: Digest16,
    /// SHA-256 of the text of its secret part.
    pub secret_sha256: [u8; 32],
    /// The second from which on it is no good; 0 is never.
    pub expires: u32,
    /// The subject it belongs to; in a delta `None`: the key is gone.
    pub owner: Option<String>,
    /// Its roles.
    pub roles: Option<Vec<String>>,
    /// The networks it may be used from, as addresses or in CIDR notation; `None` is from any.
    pub networks: Option<Vec<String>>,
}

/// Why a draft cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DraftError {
    /// Two entries of one digest.
    #[error("two entries for one {0}")]
    Duplicate(&'static str),
    /// More than a feed can hold.
    #[error("too many {0}")]
    TooMany(&'static str),
    /// A text that has no place in a feed.
    #[error("`{0}` is empty, too long, or has control characters")]
    Text(String),
    /// Not a network.
    #[error("`{0}` is not a network")]
    Network(String),
    /// Longer than a feed may be.
    #[error("{bytes} bytes, {limit} allowed")]
    TooLarge {
        /// How long it would be.
        bytes: usize,
        /// How long it may be.
        limit: usize,
    },
}

/// Texts, each once.
#[derive(Default)]
struct Heap {
    bytes: Vec<u8>,
    known: FixedMap<String, u32>,
}

/// Lists of names, each once, as offsets into the heap.
#[derive(Default)]
struct Sets {
    offsets: Vec<u32>,
    known: FixedMap<u32, u16>,
}

impl Heap {
    fn add(&mut self, text: &str) -> Result<u32, DraftError> {
        if let Some(offset) = self.known.get(text) {
            return Ok(*offset);
        }
        let length = u16::try_from(text.len()).map_err(|_| DraftError::Text(text.chars().take(64).collect()))?;
        let offset = u32::try_from(self.bytes.len()).map_err(|_| DraftError::TooMany("texts"))?;
        self.bytes.extend_from_slice(&length.to_le_bytes());
        self.bytes.extend_from_slice(text.as_bytes());
        self.known.insert(text.to_owned(), offset);
        Ok(offset)
    }
}

impl Sets {
    fn add(&mut self, items: Option<&[String]>, heap: &mut Heap) -> Result<u16, DraftError> {
        let Some(items) = items else { return Ok(NO_SET) };
        items.iter().try_for_each(|item| fits(item))?;
        let offset = heap.add(&items.join("\n"))?;
        if let Some(set) = self.known.get(&offset) {
            return Ok(*set);
        }
        let set = u16::try_from(self.offsets.len()).ok().filter(|set| *set != NO_SET);
        let set = set.ok_or(DraftError::TooMany("different lists of roles or networks"))?;
        self.offsets.push(offset);
        self.known.insert(offset, set);
        Ok(set)
    }
}

fn fits(text: &str) -> Result<(), DraftError> {
    let sound = !text.is_empty() && !has_control(text);
    sound.then_some(()).ok_or_else(|| DraftError::Text(text.chars().take(64).filter(|c| !c.is_control()).collect()))
}

impl Draft {
    /// The content of the feed.
    ///
    /// # Errors
    /// [`DraftError`].
    pub fn encode(mut self) -> Result<Vec<u8>, DraftError> {
        self.subjects.sort_unstable_by_key(|entry| entry.digest);
        self.revoked.sort_unstable_by_key(|entry| entry.digest);
        self.keys.sort_unstable_by_key(|entry| entry.digest);
        distinct(self.subjects.iter().map(|entry| entry.digest), "subject")?;
        distinct(self.revoked.iter().map(|entry| entry.digest), "token")?;
        distinct(self.keys.iter().map(|entry| entry.digest), "API key")?;
        let rows = self.subjects.len().saturating_mul(SUBJECT_BYTES);
        let rows = rows.saturating_add(self.revoked.len().saturating_mul(REVOKED_BYTES));
        let rows = rows.saturating_add(self.keys.len().saturating_mul(KEY_BYTES));
        let (mut heap, mut role_sets, mut network_sets) = (Heap::default(), Sets::default(), Sets::default());
        let mut tables = Vec::with_capacity(rows.min(MAX_FEED_BYTES));
        for entry in &self.subjects {
            tables.extend_from_slice(&entry.digest.0);
            tables.extend_from_slice(&entry.tokens_before.to_le_bytes());
            tables.extend_from_slice(&role_sets.add(entry.roles.as_deref(), &mut heap)?.to_le_bytes());
            let flags = [(entry.disabled, DISABLED), (entry.removed, REMOVED)];
            tables.push(flags.iter().filter(|(set, _)| *set).map(|(_, flag)| flag).sum());
            tables.push(0);
        }
        for entry in &self.revoked {
            tables.extend_from_slice(&entry.digest.0);
            tables.extend_from_slice(&entry.expires.to_le_bytes());
        }
        for entry in &self.keys {
            let owner = match &entry.owner {
                None => NO_OWNER,
                Some(owner) => {
                    fits(owner)?;
                    heap.add(owner)?
                }
            };
            let networks = entry.networks.as_deref();
            if let Some(wrong) = networks.unwrap_or_default().iter().find(|network| Cidr::parse(network).is_err()) {
                return Err(DraftError::Network(wrong.clone()));
            }
            tables.extend_from_slice(&entry.digest.0);
            tables.extend_from_slice(&entry.secret_sha256);
            tables.extend_from_slice(&entry.expires.to_le_bytes());
            tables.extend_from_slice(&owner.to_le_bytes());
            tables.extend_from_slice(&role_sets.add(entry.roles.as_deref(), &mut heap)?.to_le_bytes());
            tables.extend_from_slice(&network_sets.add(networks, &mut heap)?.to_le_bytes());
        }
        let counts = [
            self.subjects.len(),
            self.revoked.len(),
            self.keys.len(),
            role_sets.offsets.len(),
            network_sets.offsets.len(),
            heap.bytes.len(),
        ];
        let mut content = Vec::with_capacity(HEAD_BYTES.saturating_add(tables.len()).saturating_add(heap.bytes.len()));
        content.extend_from_slice(MAGIC);
        for count in counts {
            let count = u32::try_from(count).map_err(|_| DraftError::TooMany("entries"))?;
            content.extend_from_slice(&count.to_le_bytes());
        }
        content.append(&mut tables);
        for offset in role_sets.offsets.iter().chain(&network_sets.offsets) {
            content.extend_from_slice(&offset.to_le_bytes());
        }
        content.append(&mut heap.bytes);
        let limit = MAX_FEED_BYTES.saturating_sub(super::MAX_LINE_BYTES);
        if content.len() > limit {
            return Err(DraftError::TooLarge { bytes: content.len(), limit });
        }
        Ok(content)
    }
}

fn distinct(digests: impl Iterator<Item = Digest16>, what: &'static str) -> Result<(), DraftError> {
    let mut before = None;
    for digest in digests {
        if before.replace(digest) == Some(digest) {
            return Err(DraftError::Duplicate(what));
        }
    }
    Ok(())
}
