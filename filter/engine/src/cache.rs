//! Tokens that were verified before: bounded, keyed by the whole token, never holding one that was refused.
//!
//! Eviction is CLOCK: a hand goes round the slots, passes over those that were used since it last came by, and takes the
//! first that was not. A flood of tokens seen once goes through without pushing out those in use; a flood of forged
//! ones never gets in.

use std::rc::Rc;

use crate::hash::FixedMap;
use crate::session::Session;
use crate::text::is_same;

/// What an entry costs beside the bytes of its token: claims, roles, headers and the map's own share, estimated high.
const ENTRY_OVERHEAD_BYTES: usize = 1024;

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
    /// The slot of a tag. Two tokens of one tag share it, the later in the place of the earlier.
    index: FixedMap<u64, usize>,
    slots: Vec<Slot>,
    hand: usize,
    bytes: usize,
    hits: u64,
    misses: u64,
}

#[derive(Debug)]
struct Slot {
    token: String,
    source: usize,
    session: Rc<Session>,
    used: bool,
}

impl TokenCache {
    /// An empty cache.
    #[must_use]
    pub fn new(limits: CacheLimits) -> Self {
        Self { limits, index: FixedMap::default(), slots: Vec::new(), hand: 0, bytes: 0, hits: 0, misses: 0 }
    }

    /// Look-ups that found a token, and those that did not, since this was last asked.
    pub fn take_counts(&mut self) -> (u64, u64) {
        (std::mem::take(&mut self.hits), std::mem::take(&mut self.misses))
    }

    /// A token that was verified when it came from the same place. Its dates are the caller's to check again.
    pub(crate) fn get(&mut self, source: usize, token: &str) -> Option<Rc<Session>> {
        let slot = self.index.get(&tag(token)).and_then(|slot| self.slots.get_mut(*slot));
        let slot = slot.filter(|slot| slot.source == source && is_same(&slot.token, token));
        let Some(slot) = slot else {
            self.misses = self.misses.saturating_add(1);
            return None;
        };
        self.hits = self.hits.saturating_add(1);
        slot.used = true;
        Some(Rc::clone(&slot.session))
    }

    /// Keeps a token that was just verified.
    pub(crate) fn insert(&mut self, source: usize, token: &str, session: Rc<Session>) {
        let cost = cost(token);
        if self.limits.max_entries == 0 || cost > self.limits.max_bytes {
            return;
        }
        if let Some(slot) = self.index.get(&tag(token)).copied() {
            self.free(slot);
        }
        while self.slots.len() >= self.limits.max_entries || self.bytes.saturating_add(cost) > self.limits.max_bytes {
            self.evict();
        }
        self.index.insert(tag(token), self.slots.len());
        self.slots.push(Slot { token: token.to_owned(), source, session, used: false });
        self.bytes = self.bytes.saturating_add(cost);
    }

    /// Forgets every token.
    pub(crate) fn clear(&mut self) {
        self.index.clear();
        self.slots.clear();
        (self.hand, self.bytes) = (0, 0);
    }

    /// Forgets a token, such as one that has expired.
    pub(crate) fn remove(&mut self, token: &str) {
        let slot = self.index.get(&tag(token)).copied();
        if let Some(slot) = slot.filter(|slot| self.slots.get(*slot).is_some_and(|slot| is_same(&slot.token, token))) {
            self.free(slot);
        }
    }

    fn evict(&mut self) {
        let round = self.slots.len();
        for _ in 0..=round {
            if self.hand >= self.slots.len() {
                self.hand = 0;
            }
            match self.slots.get_mut(self.hand) {
                Some(slot) if slot.used => slot.used = false,
                _ => break,
            }
            self.hand = self.hand.saturating_add(1);
        }
        self.free(self.hand);
    }

    /// Empties a slot; the last one takes its place.
    fn free(&mut self, slot: usize) {
        if slot >= self.slots.len() {
            return;
        }
        let gone = self.slots.swap_remove(slot);
        self.index.remove(&tag(&gone.token));
        self.bytes = self.bytes.saturating_sub(cost(&gone.token));
        if let Some(moved) = self.slots.get(slot) {
            self.index.insert(tag(&moved.token), slot);
        }
    }
}

/// The last eight characters of a token: a part of its signature, which nobody chooses. Only says where to look; what is
/// found there is compared whole.
fn tag(token: &str) -> u64 {
    token.bytes().rev().take(8).fold(0, |tag, byte| tag << 8 | u64::from(byte))
}

/// A session's strings are all parts of its token, most of them twice: as claims and as headers or roles.
const fn cost(token: &str) -> usize {
    token.len().saturating_mul(3).saturating_add(ENTRY_OVERHEAD_BYTES)
}

#[cfg(test)]
mod tests;
