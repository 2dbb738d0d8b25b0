//! Callers that nobody proved: for tests of policies, and nowhere else.
//!
//! Only the command line turns this on. A policy whose keys are fetched, or whose secrets are not at hand, can then be
//! tested all the same. The credential is a placeholder that means something to a single decision: it stands where the
//! provider looks for tokens, and everything but its verification is what it is for a real one.

#[cfg(target_arch = "wasm32")]
compile_error!("`assumed-identity` lets callers in without a proof; it has no place in the filter");

use std::rc::Rc;

use serde_json::{Map, Number, Value};

use crate::cache::{CacheLimits, TokenCache};
use crate::json::{Json, Members};
use crate::pipeline::{Facts, Trace, Verdict};
use crate::policy::Policy;
use crate::request::borrow_headers;
use crate::session::Session;
use crate::time::UnixTime;
use crate::token::{ClaimRules, Place, TokenTimes};
use crate::worker::Worker;

/// What stands where a token would. No token looks like it.
const PLACEHOLDER: &str = "assumed-identity";

/// Who a caller is taken to be.
#[derive(Clone, Debug, PartialEq)]
pub struct AssumedIdentity {
    /// The provider that is taken to have issued the claims.
    pub provider: String,
    /// The claims, believed as they are: no rule of the provider is applied to them, and none of the registered ones is
    /// required.
    pub claims: Map<String, Value>,
}

impl Policy {
    /// The names of the providers, in the order of the policy.
    pub fn assumable_providers(&self) -> impl Iterator<Item = &str> {
        self.providers.iter().map(|provider| provider.name.as_str())
    }

    /// Decides a request as [`Policy::decide`] does, believing without any proof that the caller is this one. The
    /// placeholder is added to `headers`; the worker keeps nothing of it. `None` where the policy has no such provider.
    ///
    /// Dangerous: nothing that a client sends may ever lead here.
    pub fn dangerously_decide_without_proof(
        &self,
        identity: &AssumedIdentity,
        headers: &mut Vec<(String, Vec<u8>)>,
        facts: &impl Facts,
        worker: &mut Worker,
        trace: &mut impl Trace,
    ) -> Option<Verdict> {
        let (index, provider) =
            self.providers.iter().enumerate().find(|(_, provider)| provider.name == identity.provider)?;
        let (source_index, source) =
            self.sources.0.iter().enumerate().find(|(_, source)| source.providers.contains(&index))?;
        let claims = Members::from(&identity.claims);
        let (times, masks) = (times(facts.now()), &self.audit.masks);
        let session = Session::dangerously_assume(index, provider, claims, times, &self.roles, masks);
        let mut cache = TokenCache::new(CacheLimits::default());
        cache.insert(source_index, PLACEHOLDER.as_bytes(), Rc::new(session));
        present(&source.place, headers);

        let kept = std::mem::replace(&mut worker.cache, cache);
        let verdict = self.decide(&borrow_headers(headers).unwrap_or_default(), facts, worker, trace);
        worker.cache = kept;
        Some(verdict)
    }
}

/// Dates that are good now under any rules, however short a lifetime these allow.
fn times(now: UnixTime) -> TokenTimes {
    let rules = ClaimRules {
        issuer: None,
        audiences: Vec::new(),
        clock_skew: 0.0,
        require_expiration: true,
        max_lifetime: None,
    };
    let soon = now.seconds() + 0.001;
    let mut dates = Members::default();
    dates.set("exp", Number::from_f64(soon).map(Json::Number));
    rules.check(&dates, now).unwrap_or_default()
}

/// Puts the placeholder where a token would stand, beside whatever stands there already.
fn present(place: &Place, headers: &mut Vec<(String, Vec<u8>)>) {
    match place {
        Place::Header { name, value_prefix } => {
            headers.push((name.to_string(), format!("{value_prefix}{PLACEHOLDER}").into_bytes()));
        }
        Place::Cookie(name) => headers.push(("cookie".to_owned(), format!("{name}={PLACEHOLDER}").into_bytes())),
        Place::Param(name) => {
            for (_, target) in headers.iter_mut().filter(|(header, _)| header == ":path") {
                let joint = if target.contains(&b'?') { '&' } else { '?' };
                target.extend_from_slice(format!("{joint}{name}={PLACEHOLDER}").as_bytes());
            }
        }
    }
}

#[cfg(test)]
mod tests;
