//! Tokens that were verified before: bounded, keyed by the whole token, never holding one that was refused.
//!
//! Eviction is S3-FIFO (Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023). New tokens stand in a short
//! queue, and those that are used before they reach its end move to a long one, where they stay for as long as they are
//! used. A flood of tokens seen once goes through the short queue without pushing out those in use; a flood of forged ones
//! never gets in; and tokens that nobody uses any more make room.

use std::collections::VecDeque;
use std::rc::Rc;

use crate::hash::{FixedMap, FixedSet};
use crate::session::Session;
use crate::text::is_same;

/// What an entry costs beside the bytes of its token: claims, roles, headers and the map's own share, estimated high.
const ENTRY_OVERHEAD_BYTES: usize = 1024;

/// The short queue's share of all entries is one in so many.
const NEW_SHARE: usize = 10;

/// Limits of a [`TokenCache`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheLimits {
    /// How many tokens are kept; 0 keeps none.
    pub max_entries: usize,
    /// How many bytes they may take, estimated.
    pub max_bytes: usize,
}

impl Default for CacheLimits {
    fn default() -> Self {
        Self { max_entries: 2048, max_bytes: 4 * 1024 * 1024 }
    }
}

/// The tokens verified by one worker under one policy.
#[derive(Debug)]
pub struct TokenCache {
    limits: CacheLimits,
    /// By tag. Of two tokens of one tag, the later is in the place of the earlier.
    entries: FixedMap<u64, Entry>,
    /// The tags of tokens that came once, the oldest first.
    new: VecDeque<u64>,
    /// The tags of those that were used again, the oldest first; in this queue and `new` is every tag once.
    kept: VecDeque<u64>,
    gone: Gone,
    bytes: usize,
    hits: u64,
    misses: u64,
}

#[derive(Debug)]
struct Entry {
    token: Box<[u8]>,
    source: usize,
    session: Rc<Session>,
    used: bool,
}

/// The tags of tokens that left the short queue lately, no more than there are entries: one that comes back is in use.
#[derive(Debug, Default)]
struct Gone {
    tags: FixedSet<u64>,
    order: VecDeque<u64>,
}

impl Gone {
    fn note(&mut self, tag: u64, most: usize) {
        while self.order.len() >= most.max(1) {
            self.order.pop_front().inspect(|oldest| {
                self.tags.remove(oldest);
            });
        }
        if self.tags.insert(tag) {
            self.order.push_back(tag);
        }
    }
}

impl TokenCache {
    /// An empty cache.
    #[must_use]
    pub fn new(limits: CacheLimits) -> Self {
        Self {
            limits,
            entries: FixedMap::default(),
            new: VecDeque::new(),
            kept: VecDeque::new(),
            gone: Gone::default(),
            bytes: 0,
            hits: 0,
            misses: 0,
        }
    }

    /// Look-ups that found a token, and those that did not, since this was last asked.
    pub fn take_counts(&mut self) -> (u64, u64) {
        (std::mem::take(&mut self.hits), std::mem::take(&mut self.misses))
    }

    /// A token that was verified when it came from the same place. Its dates are the caller's to check again.
    pub(crate) fn get(&mut self, source: usize, token: &[u8]) -> Option<Rc<Session>> {
        let entry = self.entries.get_mut(&tag(token));
        let Some(entry) = entry.filter(|entry| entry.source == source && is_same(&entry.token, token)) else {
            self.misses = self.misses.saturating_add(1);
            return None;
        };
        self.hits = self.hits.saturating_add(1);
        entry.used = true;
        Some(Rc::clone(&entry.session))
    }

    /// Keeps a token that was just verified.
    pub(crate) fn insert(&mut self, source: usize, token: &[u8], session: Rc<Session>) {
        let cost = cost(token);
        if self.limits.max_entries == 0 || cost > self.limits.max_bytes {
            return;
        }
        let tag = tag(token);
        let entry = Entry { token: token.into(), source, session, used: false };
        if self.entries.contains_key(&tag) {
            self.forget(tag);
        }
        while self.entries.len() >= self.limits.max_entries || self.bytes.saturating_add(cost) > self.limits.max_bytes {
            self.evict();
        }
        let queue = if self.gone.tags.contains(&tag) { &mut self.kept } else { &mut self.new };
        queue.push_back(tag);
        self.entries.insert(tag, entry);
        self.bytes = self.bytes.saturating_add(cost);
    }

    /// Forgets every token.
    pub(crate) fn clear(&mut self) {
        *self = Self { hits: self.hits, misses: self.misses, ..Self::new(self.limits) };
    }

    /// Forgets a token, such as one that has expired.
    pub(crate) fn remove(&mut self, token: &[u8]) {
        let tag = tag(token);
        if self.entries.get(&tag).is_some_and(|entry| is_same(&entry.token, token)) {
            self.forget(tag);
        }
    }

    /// Looks through the queues, which is dear: but a token expires once, and gets new roles seldom.
    #[inline(never)]
    fn forget(&mut self, tag: u64) {
        self.free(tag);
        self.new.retain(|own| *own != tag);
        self.kept.retain(|own| *own != tag);
    }

    /// Makes room for one more, if there is any entry at all.
    fn evict(&mut self) {
        loop {
            let of_new = self.new.len() * NEW_SHARE > self.entries.len() || self.kept.is_empty();
            let queue = if of_new { &mut self.new } else { &mut self.kept };
            let Some(tag) = queue.pop_front() else { return };
            // Each passes once for every time that it was used, so that this comes to an end.
            match self.entries.get_mut(&tag) {
                Some(entry) if entry.used => {
                    entry.used = false;
                    self.kept.push_back(tag);
                }
                _ => {
                    if of_new {
                        self.gone.note(tag, self.limits.max_entries.min(self.entries.len()));
                    }
                    return self.free(tag);
                }
            }
        }
    }

    fn free(&mut self, tag: u64) {
        if let Some(gone) = self.entries.remove(&tag) {
            self.bytes = self.bytes.saturating_sub(cost(&gone.token));
        }
    }
}

/// The last eight characters of a token: a part of its signature, which nobody chooses. Only says where to look; what is
/// found there is compared whole.
fn tag(token: &[u8]) -> u64 {
    match token.last_chunk() {
        Some(last) => u64::from_be_bytes(*last),
        // No token is that short.
        None => token.iter().fold(0, |tag, byte| tag << 8 | u64::from(*byte)),
    }
}

/// A session's strings are all parts of its token, most of them twice: as claims and as headers or roles.
const fn cost(token: &[u8]) -> usize {
    token.len().saturating_mul(3).saturating_add(ENTRY_OVERHEAD_BYTES)
}

#[cfg(test)]
mod tests;
