//! Counters, in Envoy's `/stats` under `wasmcustom.portcullis…`.

use std::cell::RefCell;
use std::time::Duration;

use portcullis_engine::{AllowReason, Decision, Policy};

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
    /// Where there is an identity feed.
    feed: Option<FeedMetrics>,
    /// By decision and reason: nothing until it is needed, then what the host gave.
    requests: RefCell<Vec<Option<Option<u32>>>>,
}

/// What is told of an identity feed.
struct FeedMetrics {
    fetch_success: Option<u32>,
    fetch_failed: Option<u32>,
    rejected: Option<u32>,
    applied: Option<u32>,
    version: Option<u32>,
    age_seconds: Option<u32>,
}

#[inline(never)]
fn define(prefix: &str, name: &str) -> Option<u32> {
    host::define_counter(&format!("{prefix}_{name}"))
}

impl Metrics {
    pub(crate) fn new(policy: &Policy) -> Self {
        let prefix = policy.stat_prefix().map_or_else(|| "portcullis".into(), |prefix| format!("portcullis_{prefix}"));
        let define = |name| define(&prefix, name);
        Self {
            allowed: define("allowed"),
            denied: define("denied"),
            dry_run_denied: define("dry_run_denied"),
            cors_preflight: define("cors_preflight"),
            token_cache_hit: define("token_cache_hit"),
            token_cache_miss: define("token_cache_miss"),
            jwks_fetch_success: define("jwks_fetch_success"),
            jwks_fetch_failed: define("jwks_fetch_failed"),
            feed: policy.identity_feed().map(|_| FeedMetrics {
                fetch_success: define("feed_fetch_success"),
                fetch_failed: define("feed_fetch_failed"),
                rejected: define("feed_rejected"),
                applied: define("feed_applied"),
                version: host::define_gauge(&format!("{prefix}_feed_version")),
                age_seconds: host::define_gauge(&format!("{prefix}_feed_age_seconds")),
            }),
            requests: RefCell::new(vec![None; Decision::COUNT]),
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
        let define = || {
            let (word, reason) = (decision.as_str(), decision.reason());
            host::define_counter(&format!("{}_requests.decision.{word}.reason.{reason}", self.prefix))
        };
        let by_reason = self
            .requests
            .try_borrow_mut()
            .ok()
            .and_then(|mut known| *known.get_mut(decision.index())?.get_or_insert_with(define));
        [by_decision, preflight, by_reason].into_iter().flatten().for_each(host::count);
    }
}

impl Metrics {
    /// Counts a fetch of keys.
    pub(crate) fn fetched(&self, well: bool) {
        let counter = if well { self.jwks_fetch_success } else { self.jwks_fetch_failed };
        counter.into_iter().for_each(host::count);
    }

    /// Counts a fetch of the identity feed.
    pub(crate) fn feed_fetched(&self, well: bool) {
        let counter = |feed: &FeedMetrics| if well { feed.fetch_success } else { feed.fetch_failed };
        self.feed.iter().filter_map(counter).for_each(host::count);
    }

    /// Counts an identity feed that was refused.
    pub(crate) fn feed_rejected(&self) {
        self.feed.iter().filter_map(|feed| feed.rejected).for_each(host::count);
    }

    /// Counts an identity feed that came into force.
    pub(crate) fn feed_applied(&self) {
        self.feed.iter().filter_map(|feed| feed.applied).for_each(host::count);
    }

    /// Shows the version in force, and for how long nobody has said that it is the newest. No age without a version.
    pub(crate) fn feed_is(&self, version: u64, age: Duration) {
        let Some(feed) = self.feed.as_ref().filter(|_| version > 0) else { return };
        let gauges = [(feed.version, version), (feed.age_seconds, age.as_secs())];
        gauges.into_iter().for_each(|(gauge, value)| gauge.into_iter().for_each(|gauge| host::set_gauge(gauge, value)));
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
