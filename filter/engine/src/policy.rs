//! A compiled policy: immutable, and made only by [`Policy::compile`](crate::Policy::compile).

use std::rc::Rc;

use crate::audit::{AuditRules, Sinks};
use crate::authz::Roles;
use crate::names::Spellings;
use crate::remote::RemoteJwks;
use crate::response::ResponseRules;
use crate::route::RouteTable;
use crate::token::{Algorithm, Crypto, KeySet, KnownHeaders, Means, Provider, Sources, verify_under};

/// Everything that requests are decided by.
#[derive(Clone, Debug)]
pub struct Policy {
    pub(crate) dry_run: bool,
    pub(crate) providers: Vec<Provider>,
    pub(crate) remote_jwks: Vec<RemoteJwks>,
    pub(crate) portable_crypto: bool,
    pub(crate) identity_feed: Option<crate::feed::IdentityFeed>,
    pub(crate) api_keys: Option<crate::api_key::ApiKeys>,
    pub(crate) lockout: Option<crate::lockout::Lockout>,
    pub(crate) sources: Sources,
    pub(crate) roles: Roles,
    pub(crate) routes: RouteTable,
    pub(crate) response: Rc<ResponseRules>,
    /// Headers that clients cannot set, those of `claim_to_headers` among them.
    pub(crate) forgeable: Spellings,
    /// Headers that tokens, conditions and parameters are read from.
    pub(crate) judged_headers: Vec<String>,
    pub(crate) audit: Rc<AuditRules>,
    pub(crate) digest: String,
    /// The same, as records end with it.
    pub(crate) recorded: Box<str>,
    pub(crate) stat_prefix: Option<String>,
    pub(crate) cache_limits: crate::cache::CacheLimits,
    pub(crate) warnings: Vec<crate::config::PolicyError>,
    pub(crate) advice: Vec<crate::config::PolicyError>,
}

impl Policy {
    /// A short digest of the policy: the same for the same content, whatever the format and the order of members.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Whether some route's bodies are judged, for which the host must let them come while their heads wait.
    #[must_use]
    pub fn judges_bodies(&self) -> bool {
        self.routes.routes().iter().any(|route| route.input.as_ref().is_some_and(|input| input.asks_for_body()))
    }

    /// Where audit records go.
    #[must_use]
    pub fn sinks(&self) -> Sinks {
        self.audit.sinks
    }

    /// Whether something about records is drawn by lot: then each worker needs random numbers to begin with.
    #[must_use]
    pub fn needs_randomness(&self) -> bool {
        self.audit.chain.is_some() || self.audit.sample != crate::audit::Sample::ALL
    }

    /// How much of what was verified may be kept.
    #[must_use]
    pub const fn cache_limits(&self) -> crate::cache::CacheLimits {
        self.cache_limits
    }

    /// The key sets to fetch. Workers and verdicts speak of them by their index.
    #[must_use]
    pub fn remote_jwks(&self) -> &[RemoteJwks] {
        &self.remote_jwks
    }

    /// The identity feed to fetch.
    #[must_use]
    pub const fn identity_feed(&self) -> Option<&crate::feed::IdentityFeed> {
        self.identity_feed.as_ref()
    }

    /// The header that API keys come in.
    #[must_use]
    pub fn api_key_header(&self) -> Option<&str> {
        self.api_keys.as_ref().map(|keys| &*keys.header)
    }

    /// When callers are locked out.
    #[must_use]
    pub const fn lockout(&self) -> Option<&crate::lockout::Lockout> {
        self.lockout.as_ref()
    }

    /// The providers whose keys are fetched, by name, and which of the key sets is theirs.
    pub fn remote_providers(&self) -> impl Iterator<Item = (&str, usize)> {
        self.providers.iter().filter_map(|provider| Some((provider.name.as_str(), provider.remote?)))
    }

    /// The providers whose key set this is, and that allow no algorithm which any of the keys serves: all their tokens are refused.
    pub fn unserved<'p>(&'p self, source: usize, keys: &'p KeySet) -> impl Iterator<Item = &'p str> {
        let is_served = |provider: &Provider| {
            keys.keys().iter().any(|key| provider.verifier.algorithms.iter().any(|algorithm| key.fits(*algorithm)))
        };
        let of_set = self.providers.iter().filter(move |provider| provider.remote == Some(source));
        of_set.filter(move |provider| !is_served(provider)).map(|provider| provider.name.as_str())
    }

    /// The algorithms that the host may be asked to verify, where it proves itself: none where the policy says so.
    #[must_use]
    pub fn algorithms_for_host(&self) -> Vec<Algorithm> {
        let is_allowed = |algorithm: &&Algorithm| {
            self.providers.iter().any(|provider| provider.verifier.algorithms.contains(algorithm))
        };
        Algorithm::ALL.iter().filter(|_| !self.portable_crypto).filter(is_allowed).copied().collect()
    }

    /// The prefix of this policy's metrics.
    #[must_use]
    pub fn stat_prefix(&self) -> Option<&str> {
        self.stat_prefix.as_deref()
    }

    /// What is not wrong but worth a look.
    #[must_use]
    pub fn warnings(&self) -> &[crate::config::PolicyError] {
        &self.warnings
    }

    /// What a reviewer would ask about: it may be meant, and may be a mistake.
    #[must_use]
    pub fn advice(&self) -> &[crate::config::PolicyError] {
        &self.advice
    }

    /// The names of the routes, in the order of the policy.
    pub fn route_names(&self) -> impl Iterator<Item = &str> {
        self.routes.routes().iter().map(|route| route.name.as_ref())
    }

    /// Verifies a token as the filter would, under whichever provider issued it and with the keys that `worker` has
    /// fetched. Gives the provider's name too.
    ///
    /// # Errors
    /// What is wrong with the token.
    pub fn verify_token(
        &self,
        token: &str,
        now: crate::UnixTime,
        worker: &crate::Worker,
    ) -> Result<(&str, crate::token::VerifiedToken), crate::token::TokenError> {
        let all: Vec<usize> = (0..self.providers.len()).collect();
        let means = Means { fetched: &worker.remote, crypto: Crypto::PORTABLE, now };
        let mut payload = Vec::new();
        let verified = verify_under(&self.providers, &all, token, means, &mut KnownHeaders::default(), &mut payload);
        let (index, verified) = verified.map_err(|refusal| refusal.error)?;
        Ok((self.providers.get(index).map_or("", |provider| provider.name.as_str()), verified.into()))
    }
}
