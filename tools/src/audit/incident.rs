//! The evidence about a user, gathered.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::record::{Record, text};

pub mod summary;
pub mod zip;

#[cfg(test)]
mod tests;

/// How many records are kept. More are counted, and left out of the timeline.
const MAX_RECORDS: usize = 50_000;

/// How many different addresses, routes and sessions are kept.
const MAX_VALUES: usize = 10_000;

/// What was seen of something.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Seen {
    /// How many requests.
    pub requests: u64,
    /// How many of them were refused.
    pub refused: u64,
    /// The first.
    pub first: String,
    /// The last.
    pub last: String,
}

impl Seen {
    fn add(&mut self, record: &Record<'_>) {
        let at = record.timestamp.as_str();
        self.requests = self.requests.saturating_add(record.requests());
        if record.is_denial() {
            self.refused = self.refused.saturating_add(record.requests());
        }
        if self.first.is_empty() || at < self.first.as_str() {
            at.clone_into(&mut self.first);
        }
        if at > self.last.as_str() {
            at.clone_into(&mut self.last);
        }
    }
}

/// A session: what was done with one token.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Session {
    /// When and how much.
    #[serde(flatten)]
    pub seen: Seen,
    /// From where.
    pub addresses: BTreeSet<String>,
    /// The key that verified the token.
    pub kids: BTreeSet<String>,
}

/// Everything that was gathered.
#[derive(Debug, Default, Serialize)]
pub struct Evidence {
    /// Whom it is about.
    pub user: String,
    /// The other names the user has in records.
    pub also: Vec<String>,
    /// From when.
    pub since: Option<String>,
    /// Until when.
    pub until: Option<String>,
    /// When it was gathered.
    pub made: String,
    /// By whom.
    pub made_by: String,
    /// Out of which files.
    pub files: Vec<String>,
    /// All requests.
    pub all: Seen,
    /// By address.
    pub addresses: BTreeMap<String, Seen>,
    /// By route.
    pub routes: BTreeMap<String, Seen>,
    /// By reason, what was not simply allowed.
    pub reasons: BTreeMap<String, Seen>,
    /// By the digest of the token's id.
    pub sessions: BTreeMap<String, Session>,
    /// What was done to the account with this command.
    pub admin: Vec<Value>,
    /// The records, as they stand in the files.
    pub timeline: Vec<Value>,
    /// How many records are left out of the timeline.
    pub left_out: u64,
    /// Whether the files verify; absent where there was no key.
    pub verify: Option<Value>,
    /// The account's history; absent where there was no store.
    pub store: Option<Value>,
}

impl Evidence {
    /// Adds a record of the user's.
    pub fn add(&mut self, object: &[u8], record: &Record<'_>) {
        self.all.add(record);
        count(&mut self.addresses, text(&record.ip_address), |seen| seen.add(record));
        count(&mut self.routes, text(&record.route), |seen| seen.add(record));
        if record.decision.as_str() != "allow" {
            count(&mut self.reasons, record.reason.as_str(), |seen| seen.add(record));
        }
        count(&mut self.sessions, text(&record.token_id), |session| {
            session.seen.add(record);
            for (set, value) in [(&mut session.addresses, &record.ip_address), (&mut session.kids, &record.kid)] {
                let value = text(value);
                if !value.is_empty() && set.len() < MAX_VALUES {
                    set.insert(value.to_owned());
                }
            }
        });
        keep(&mut self.timeline, &mut self.left_out, object);
    }

    /// Adds what was done to the account.
    pub fn add_admin(&mut self, object: &[u8]) {
        keep(&mut self.admin, &mut self.left_out, object);
    }

    /// The records one behind the other, in the order of time: several files may overlap.
    pub fn sort(&mut self) {
        let at = |value: &Value| value.get("timestamp").and_then(Value::as_str).unwrap_or_default().to_owned();
        self.timeline.sort_by_key(at);
        self.admin.sort_by_key(at);
    }
}

fn count<T: Default>(map: &mut BTreeMap<String, T>, value: &str, add: impl FnOnce(&mut T)) {
    if !value.is_empty() && (map.len() < MAX_VALUES || map.contains_key(value)) {
        add(map.entry(value.to_owned()).or_default());
    }
}

fn keep(list: &mut Vec<Value>, left_out: &mut u64, object: &[u8]) {
    match serde_json::from_slice(object) {
        Ok(value) if list.len() < MAX_RECORDS => list.push(value),
        _ => *left_out = left_out.saturating_add(1),
    }
}
