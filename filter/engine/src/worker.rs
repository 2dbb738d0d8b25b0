//! What one worker keeps from request to request under one policy.

use sha2::{Digest as _, Sha256};

use crate::audit::Sampler;
use crate::cache::TokenCache;
use crate::policy::Policy;
use crate::remote::FetchState;
use crate::time::UnixTime;
use crate::token::{JwksError, KeySet, Proven};

/// The verified tokens, the fetched keys, and what the host's cryptography was proven to do. Belongs to the policy it was
/// made for and no other.
#[derive(Debug)]
pub struct Worker {
    pub(crate) cache: TokenCache,
    pub(crate) remote: Vec<RemoteKeys>,
    pub(crate) proven: Proven,
    pub(crate) sampler: Sampler,
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
        Self { cache: TokenCache::new(policy.cache_limits()), remote, proven, sampler: Sampler::default() }
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

#[cfg(test)]
mod tests;
