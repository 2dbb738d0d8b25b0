//! What one worker keeps from request to request under one policy.

use std::rc::Rc;

use sha2::{Digest as _, Sha256};

use crate::audit::{Phrases, Sampler};
use crate::cache::TokenCache;
use crate::decision::DenyReason;
use crate::feed::{Feed, FeedError, Feeds, IdentityFeed, OnStale};
use crate::policy::Policy;
use crate::remote::FetchState;
use crate::time::UnixTime;
use crate::token::{JwksError, KeySet, KnownHeaders, Proven};

/// The verified tokens, the fetched keys, and what the host's cryptography was proven to do. Belongs to the policy it was
/// made for and no other.
#[derive(Debug)]
pub struct Worker {
    pub(crate) cache: TokenCache,
    pub(crate) headers: KnownHeaders,
    pub(crate) remote: Vec<RemoteKeys>,
    pub(crate) proven: Proven,
    pub(crate) sampler: Sampler,
    pub(crate) feed: FeedInForce,
    pub(crate) lockout_key: [u8; 32],
    pub(crate) phrases: Phrases,
}

/// The identity feed as this worker knows it.
#[derive(Debug, Default)]
pub(crate) struct FeedInForce {
    feeds: Option<Rc<Feeds>>,
    /// Counts the feeds that were in force; 0 before the first.
    serial: u64,
    good_until: Option<UnixTime>,
}

/// A fetched key set; without keys until the first fetch.
#[derive(Clone, Debug, Default)]
pub(crate) struct RemoteKeys {
    pub(crate) keys: Option<KeySet>,
    generation: u32,
    digest: [u8; 32],
    good_until: Option<UnixTime>,
}

impl Worker {
    /// A worker that has seen nothing yet.
    #[must_use]
    pub fn new(policy: &Policy, proven: Proven) -> Self {
        let remote = vec![RemoteKeys::default(); policy.remote_jwks().len()];
        let cache = TokenCache::new(policy.cache_limits());
        let (sampler, feed, headers) = (Sampler::default(), FeedInForce::default(), KnownHeaders::default());
        Self { cache, headers, remote, proven, sampler, feed, lockout_key: [0; 32], phrases: Phrases::default() }
    }

    /// Says by what random number the allowed requests are picked that are recorded where a policy does not record all;
    /// without one, all are.
    pub const fn seed(&mut self, seed: u64) {
        self.sampler = Sampler::seeded(seed);
    }

    /// The cache, for its counters.
    pub const fn cache(&mut self) -> &mut TokenCache {
        &mut self.cache
    }

    /// Which generation of a fetched set is at hand; 0 is none.
    #[must_use]
    pub fn generation(&self, source: usize) -> u32 {
        self.remote.get(source).map_or(0, |remote| remote.generation)
    }

    /// Whether keys of a fetched set are at hand.
    #[must_use]
    pub fn has_keys(&self, source: usize) -> bool {
        self.remote.get(source).is_some_and(|remote| remote.keys.is_some())
    }

    /// Takes a fetched set in, in the place of the one before. Tokens that a key verified which is no longer there are
    /// forgotten with all others. `true` where the set is another than before.
    ///
    /// # Errors
    /// The document is no usable key set; then the one before stays.
    pub fn learn(
        &mut self,
        policy: &Policy,
        source: usize,
        state: &FetchState,
        document: &[u8],
    ) -> Result<bool, JwksError> {
        let (Some(remote), Some(from)) = (self.remote.get_mut(source), policy.remote_jwks().get(source)) else {
            return Ok(false);
        };
        let digest: [u8; 32] = Sha256::digest(document).into();
        let changed = remote.keys.is_none() || remote.digest != digest;
        if changed {
            remote.keys = Some(KeySet::from_public_jwks(document)?);
            remote.digest = digest;
            self.cache.clear();
        }
        remote.generation = state.generation();
        remote.good_until = Some(from.good_until(state));
        Ok(changed)
    }

    /// Lets go of keys that have become too old, and of everything they verified. `true` where there were any.
    pub fn expire(&mut self, now: UnixTime) -> bool {
        let mut expired = false;
        for remote in &mut self.remote {
            if remote.keys.is_some() && remote.good_until.is_none_or(|until| until <= now) {
                remote.keys = None;
                expired = true;
            }
        }
        if expired {
            self.cache.clear();
        }
        expired
    }
}

impl FeedInForce {
    /// What is in force, and its number.
    ///
    /// # Errors
    /// [`DenyReason::FeedUnavailable`] where there is nothing, or nothing that may still be believed.
    pub(crate) fn ask(&self, source: &IdentityFeed, now: UnixTime) -> Result<(&Rc<Feeds>, u64), DenyReason> {
        let feeds = self.feeds.as_ref().ok_or(DenyReason::FeedUnavailable)?;
        if source.on_stale == OnStale::Deny && self.is_stale(now) {
            return Err(DenyReason::FeedUnavailable);
        }
        Ok((feeds, self.serial))
    }

    fn is_stale(&self, now: UnixTime) -> bool {
        self.good_until.is_none_or(|until| until <= now)
    }
}

impl Worker {
    /// The feed in force.
    #[must_use]
    pub const fn feeds(&self) -> Option<&Rc<Feeds>> {
        self.feed.feeds.as_ref()
    }

    /// Whether there is no feed, or one that is too old.
    #[must_use]
    pub fn feed_is_stale(&self, now: UnixTime) -> bool {
        self.feed.is_stale(now)
    }

    /// Takes a feed in, on what is in force or in its place: a full one or a delta. `at` is when its server last said
    /// that it is the newest.
    ///
    /// # Errors
    /// It is older than what is in force, or does not follow on it; then that stays.
    pub fn take_feed(&mut self, policy: &Policy, feed: Feed, at: UnixTime) -> Result<(), FeedError> {
        let feeds = match &self.feed.feeds {
            None => Feeds::of(feed)?,
            Some(held) => held.followed_by(feed)?,
        };
        self.share_feeds(policy, Rc::new(feeds), at);
        Ok(())
    }

    /// Takes in what another worker of the same thread has in force.
    pub fn share_feeds(&mut self, policy: &Policy, feeds: Rc<Feeds>, at: UnixTime) {
        self.feed.feeds = Some(feeds);
        self.feed.serial = self.feed.serial.saturating_add(1);
        self.confirm_feed(policy, at);
    }

    /// The feed in force was the newest at this time.
    pub fn confirm_feed(&mut self, policy: &Policy, at: UnixTime) {
        let (Some(source), Some(feeds)) = (policy.identity_feed(), &self.feed.feeds) else { return };
        let fresh_until = at.plus(source.stale_after);
        self.feed.good_until = Some(feeds.expires().map_or(fresh_until, |expires| expires.min(fresh_until)));
    }

    /// The key of the digests that lockouts are counted under.
    pub const fn set_lockout_key(&mut self, key: [u8; 32]) {
        self.lockout_key = key;
    }
}

#[cfg(test)]
mod tests;
