//! Counters, in Envoy's `/stats` under `wasmcustom.portcullis…`.

use std::cell::RefCell;

use portcullis_engine::{AllowReason, Decision, DenyReason};

use crate::host;

/// The counters of a plugin. Those of each decision and reason are defined when they are first needed.
pub(crate) struct Metrics {
    prefix: String,
    allowed: Option<u32>,
    denied: Option<u32>,
    dry_run_denied: Option<u32>,
    cors_preflight: Option<u32>,
    token_cache_hit: Option<u32>,
    token_cache_miss: Option<u32>,
    jwks_fetch_success: Option<u32>,
    jwks_fetch_failed: Option<u32>,
    /// By decision and reason: nothing until it is needed, then what the host gave.
    requests: RefCell<Vec<Option<Option<u32>>>>,
}

impl Metrics {
    pub(crate) fn new(stat_prefix: Option<&str>) -> Self {
        let prefix = stat_prefix.map_or_else(|| "portcullis".into(), |prefix| format!("portcullis_{prefix}"));
        let define = |name| host::define_counter(&format!("{prefix}_{name}"));
        Self {
            allowed: define("allowed"),
            denied: define("denied"),
            dry_run_denied: define("dry_run_denied"),
            cors_preflight: define("cors_preflight"),
            token_cache_hit: define("token_cache_hit"),
            token_cache_miss: define("token_cache_miss"),
            jwks_fetch_success: define("jwks_fetch_success"),
            jwks_fetch_failed: define("jwks_fetch_failed"),
            requests: RefCell::new(vec![None; AllowReason::ALL.len() + 2 * DenyReason::ALL.len()]),
            prefix,
        }
    }

    /// Counts a decision.
    pub(crate) fn decided(&self, decision: Decision) {
        let by_decision = match decision {
            Decision::Allow(_) => self.allowed,
            Decision::Deny(_) => self.denied,
            Decision::DryRunDeny(_) => self.dry_run_denied,
        };
        let preflight = self.cors_preflight.filter(|_| decision == Decision::Allow(AllowReason::CorsPreflight));
        let slot = match decision {
            Decision::Allow(reason) => reason as usize,
            Decision::Deny(reason) => AllowReason::ALL.len() + reason as usize,
            Decision::DryRunDeny(reason) => AllowReason::ALL.len() + DenyReason::ALL.len() + reason as usize,
        };
        let define = || {
            let (word, reason) = (decision.as_str(), decision.reason());
            host::define_counter(&format!("{}_requests.decision.{word}.reason.{reason}", self.prefix))
        };
        let by_reason =
            self.requests.try_borrow_mut().ok().and_then(|mut known| *known.get_mut(slot)?.get_or_insert_with(define));
        [by_decision, preflight, by_reason].into_iter().flatten().for_each(host::count);
    }
}

impl Metrics {
    /// Counts a fetch of keys.
    pub(crate) fn fetched(&self, well: bool) {
        let counter = if well { self.jwks_fetch_success } else { self.jwks_fetch_failed };
        counter.into_iter().for_each(host::count);
    }

    /// Counts what the token cache was asked since the last time.
    pub(crate) fn cache_asked(&self, (hits, misses): (u64, u64)) {
        let counters = [(self.token_cache_hit, hits), (self.token_cache_miss, misses)];
        for (counter, _) in counters.into_iter().filter(|(_, asked)| *asked > 0) {
            counter.into_iter().for_each(host::count);
        }
    }
}

/// Counts a policy that was taken or refused. Both counters are defined either way, so that they show before they count.
pub(crate) fn policy(loaded: bool) {
    let counters = [("portcullis_policy_loaded", loaded), ("portcullis_policy_rejected", !loaded)];
    for (name, counts) in counters {
        host::define_counter(name).filter(|_| counts).into_iter().for_each(host::count);
    }
}
