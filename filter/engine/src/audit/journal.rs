//! What one worker writes under one policy: each record once, in its place in the chain.

use std::rc::Rc;
use std::time::Duration;

use super::burst::{Bursts, Counted, Group, Turn};
use super::chain::Chain;
use super::{AuditRecord, AuditRules};
use crate::decision::Decision;
use crate::policy::Policy;
use crate::remote::is_ahead;
use crate::time::UnixTime;

/// How late a summary may come after its interval's end.
const MAX_DELAY: Duration = Duration::from_secs(1);

/// The lines of one worker under one policy.
#[derive(Debug)]
pub struct Journal {
    rules: Rc<AuditRules>,
    policy: String,
    chain: Option<Chain>,
    told_at: UnixTime,
    bursts: Option<Bursts>,
}

/// What is to be written when a request has ended.
#[derive(Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its record, for the policy's sinks; `None` where it was counted among others like it.
    pub line: Option<String>,
    /// What was counted until now, for the proxy's log, and before the record.
    pub summary: Option<String>,
}

impl Journal {
    /// Begins to write. The id is 16 random bytes: no two journals may have the same.
    #[must_use]
    pub fn new(policy: &Policy, id: [u8; 16]) -> Self {
        let rules = Rc::clone(&policy.audit);
        Self {
            policy: policy.digest.clone(),
            chain: rules.chain.as_ref().and_then(|chain| Some(Chain::new(chain.key.clone()?, id))),
            told_at: UnixTime::EPOCH,
            bursts: rules.burst.map(Bursts::new),
            rules,
        }
    }

    /// How often [`Journal::due`] has to be asked; `None` for never.
    #[must_use]
    pub fn attention(&self) -> Option<Duration> {
        let checkpoints = self.rules.chain.as_ref().map(|chain| chain.checkpoint);
        let bursts = self.rules.burst.map(|burst| burst.interval.min(MAX_DELAY));
        checkpoints.into_iter().chain(bursts).min()
    }

    /// Takes in the record of a request that has ended.
    #[must_use]
    pub fn enter(&mut self, record: AuditRecord, status: Option<u16>) -> Entry {
        let denied = !matches!(record.group.decision, Decision::Allow(_));
        let turn = match self.bursts.as_mut().filter(|_| denied) {
            Some(bursts) => bursts.denied(&record.group, record.action, record.timestamp),
            None => Turn::Line(None),
        };
        let Turn::Line(counted) = turn else { return Entry { line: None, summary: None } };
        let summary = counted.map(|counted| self.summary(&record.group, counted, record.timestamp));
        let line = record.line(status);
        Entry { line: Some(self.seal(line)), summary }
    }

    /// What is to be written to the proxy's log by now: summaries of intervals that are over, and a checkpoint.
    #[must_use]
    pub fn due(&mut self, now: UnixTime) -> Vec<String> {
        let mut lines = self.summaries(Some(now), now);
        let interval = self.rules.chain.as_ref().map(|chain| chain.checkpoint);
        if interval.is_some_and(|interval| !is_ahead(self.told_at.plus(interval), interval, now)) {
            lines.extend(self.checkpoint(now));
        }
        lines
    }

    /// All that is still to be written: another policy takes over, or the worker ends.
    #[must_use]
    pub fn close(&mut self, now: UnixTime) -> Vec<String> {
        let mut lines = self.summaries(None, now);
        lines.extend(self.checkpoint(now));
        lines
    }

    fn checkpoint(&mut self, now: UnixTime) -> Option<String> {
        self.told_at = now;
        self.chain.as_mut()?.checkpoint(now, &self.policy)
    }

    fn summaries(&mut self, until: Option<UnixTime>, now: UnixTime) -> Vec<String> {
        let over = self.bursts.as_mut().map(|bursts| bursts.over(until)).unwrap_or_default();
        over.iter().map(|(group, counted)| self.summary(group, *counted, now)).collect()
    }

    /// A summary is a line of the chain only where the chain's lines go to the proxy's log.
    fn summary(&mut self, group: &Group, counted: Counted, now: UnixTime) -> String {
        let line = super::summary(group, counted, now, &self.rules.masks, &self.policy);
        if self.rules.sinks.log { self.seal(line) } else { line }
    }

    fn seal(&mut self, line: String) -> String {
        match &mut self.chain {
            Some(chain) => chain.seal(line),
            None => line,
        }
    }
}

#[cfg(test)]
mod tests;
