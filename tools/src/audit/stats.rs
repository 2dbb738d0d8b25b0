//! Records counted: who and what was refused most, and when.

use std::collections::{BTreeMap, HashMap};

use portcullis_engine::UnixTime;

use super::record::{Record, text};

pub mod page;
mod timeline;

pub use timeline::{Timeline, sparkline};

#[cfg(test)]
mod tests;

/// How many different values of a field are counted. Of more, the rarest are forgotten, and what is said is approximate.
const MAX_VALUES: usize = 100_000;

/// Values of a field, and how often each was seen.
#[derive(Clone, Debug, Default)]
pub struct Counter {
    counts: HashMap<String, u64>,
    /// By how much a count may be too low.
    pub short_by: u64,
}

impl Counter {
    fn add(&mut self, value: &str, count: u64) {
        if value.is_empty() {
            return;
        }
        match self.counts.get_mut(value) {
            Some(known) => *known = known.saturating_add(count),
            None => {
                self.counts.insert(value.to_owned(), count);
            }
        }
        if self.counts.len() > MAX_VALUES {
            self.forget_rarest();
        }
    }

    /// Forgets about half: lossy counting (Manku and Motwani, "Approximate Frequency Counts over Data Streams").
    fn forget_rarest(&mut self) {
        let mut counts: Vec<u64> = self.counts.values().copied().collect();
        let middle = counts.len() / 2;
        let (_, median, _) = counts.select_nth_unstable(middle);
        let least = *median;
        self.counts.retain(|_, count| *count > least);
        self.short_by = self.short_by.saturating_add(least);
    }

    fn merge(&mut self, other: Self) {
        self.short_by = self.short_by.saturating_add(other.short_by);
        for (value, count) in other.counts {
            self.add(&value, count);
        }
    }

    /// The most frequent, first by count and then by name.
    #[must_use]
    pub fn top(&self, most: usize) -> Vec<(&str, u64)> {
        let mut all: Vec<_> = self.counts.iter().map(|(value, count)| (value.as_str(), *count)).collect();
        all.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        all.truncate(most);
        all
    }

    /// How many different ones there are.
    #[must_use]
    pub fn distinct(&self) -> usize {
        self.counts.len()
    }
}

/// Everything that is counted.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Requests, and what a command did.
    pub requests: u64,
    /// By decision.
    pub decisions: BTreeMap<String, u64>,
    /// Users that were refused.
    pub users: Counter,
    /// Addresses that were refused.
    pub addresses: Counter,
    /// Routes on which was refused.
    pub routes: Counter,
    /// Why.
    pub reasons: Counter,
    /// When.
    pub timeline: Timeline,
    /// The earliest record.
    pub first: Option<String>,
    /// The latest.
    pub last: Option<String>,
}

impl Tally {
    /// Counts a record.
    pub fn add(&mut self, record: &Record<'_>) {
        let count = record.requests();
        self.requests = self.requests.saturating_add(count);
        let decision = record.decision.as_str();
        // A closed list, unless somebody else writes to the file.
        let decision = if matches!(decision, "allow" | "deny" | "dry_run_deny") { decision } else { "other" };
        let known = self.decisions.entry(decision.to_owned()).or_default();
        *known = known.saturating_add(count);
        let refused = decision != "allow";
        if refused {
            self.users.add(text(&record.user_id), count);
            self.addresses.add(text(&record.ip_address), count);
            self.routes.add(text(&record.route), count);
            self.reasons.add(record.reason.as_str(), count);
        }
        let at = record.timestamp.as_str();
        if let Some(time) = UnixTime::parse_rfc3339(at) {
            self.timeline.add(time.millis().div_euclid(1000), count, if refused { count } else { 0 });
            // A summary is written after what it stands for.
            let first = record.since.as_ref().map_or(at, |since| at.min(since.as_str()));
            keep(&mut self.first, first, |new, old| new < old);
            keep(&mut self.last, at, |new, old| new > old);
        }
    }

    /// Adds what was counted elsewhere.
    pub fn merge(&mut self, other: Self) {
        self.requests = self.requests.saturating_add(other.requests);
        for (decision, count) in other.decisions {
            let known = self.decisions.entry(decision).or_default();
            *known = known.saturating_add(count);
        }
        self.users.merge(other.users);
        self.addresses.merge(other.addresses);
        self.routes.merge(other.routes);
        self.reasons.merge(other.reasons);
        self.timeline.merge(&other.timeline);
        if let Some(first) = other.first {
            keep(&mut self.first, &first, |new, old| new < old);
        }
        if let Some(last) = other.last {
            keep(&mut self.last, &last, |new, old| new > old);
        }
    }

    /// What was refused, or would have been.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.decisions.iter().filter(|(decision, _)| *decision != "allow").fold(0, |sum, (_, n)| sum.saturating_add(*n))
    }

    /// What is listed, and under which name.
    #[must_use]
    pub const fn lists(&self) -> [(&'static str, &'static str, &Counter); 4] {
        [
            ("users", "refused users", &self.users),
            ("addresses", "refused addresses", &self.addresses),
            ("routes", "routes that refused", &self.routes),
            ("reasons", "reasons", &self.reasons),
        ]
    }
}

fn keep(kept: &mut Option<String>, new: &str, better: impl Fn(&str, &str) -> bool) {
    if kept.as_deref().is_none_or(|old| better(new, old)) {
        *kept = Some(new.to_owned());
    }
}
