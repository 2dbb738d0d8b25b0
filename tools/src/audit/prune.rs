//! Which lines of a file are too old, and what has to stand in their place.

use std::collections::{HashMap, HashSet};

use portcullis_engine::audit::SealedLine;

use super::record::Record;
use super::seal::{self, Reached};
use super::source::object;

#[cfg(test)]
mod tests;

/// Goes through a file line by line, and then once more to write what is kept.
#[derive(Default)]
pub struct Pruning {
    /// Records before this moment go.
    cutoff: String,
    /// How far each chain had come whose first lines go.
    gone: HashMap<String, Reached>,
    /// Chains of which a line is kept: all after it are, too.
    kept: HashSet<String>,
    any_kept: bool,
    /// How many records go.
    pub removed: u64,
    /// How many lines stay.
    pub left: u64,
    /// Whether a line of a chain goes.
    pub sealed: bool,
}

impl Pruning {
    /// Records from before this moment go: RFC 3339 in UTC with milliseconds.
    #[must_use]
    pub fn new(cutoff: &str) -> Self {
        Self { cutoff: cutoff.to_owned(), ..Self::default() }
    }

    /// Whether the next line is kept.
    pub fn keeps(&mut self, text: &[u8]) -> bool {
        let whole = object(text).unwrap_or(text);
        let keep = match SealedLine::parse(whole) {
            Some(sealed) => match seal::pruned(&sealed).filter(|_| sealed.is_checkpoint()) {
                Some(mac) => {
                    // What stood in the place of lines before: one line for all of them takes its place.
                    self.go(&sealed, mac, seal::timestamp(sealed.body).unwrap_or_default());
                    return false;
                }
                None => self.keeps_sealed(&sealed),
            },
            None => match Record::parse(whole) {
                Some(record) => record.timestamp.as_str() >= self.cutoff.as_str(),
                // Other lines of a log go with the records before which they stand.
                None => self.any_kept,
            },
        };
        self.any_kept |= keep;
        if keep {
            self.left = self.left.saturating_add(1);
        } else {
            self.removed = self.removed.saturating_add(1);
        }
        keep
    }

    fn keeps_sealed(&mut self, sealed: &SealedLine<'_>) -> bool {
        let timestamp = seal::timestamp(sealed.body);
        let old = timestamp.is_some_and(|timestamp| timestamp < self.cutoff.as_str());
        if !old || self.kept.contains(sealed.chain) {
            if !sealed.is_checkpoint() {
                self.kept.insert(sealed.chain.to_owned());
            }
            return true;
        }
        self.sealed = true;
        if !sealed.is_checkpoint() {
            self.go(sealed, sealed.mac, timestamp.unwrap_or_default());
        }
        false
    }

    fn go(&mut self, sealed: &SealedLine<'_>, mac: portcullis_engine::audit::ChainMac, last: &str) {
        let reached = Reached { chain: sealed.chain.to_owned(), seq: sealed.seq, mac, last: last.to_owned() };
        let known = self.gone.get(sealed.chain).is_some_and(|known| known.seq >= sealed.seq);
        if !known {
            self.gone.insert(sealed.chain.to_owned(), reached);
        }
    }

    /// How far the chains had come of which lines go, or had gone before.
    #[must_use]
    pub fn gone(&self) -> Vec<&Reached> {
        let mut gone: Vec<_> = self.gone.values().collect();
        gone.sort_unstable_by(|a, b| a.chain.cmp(&b.chain));
        gone
    }
}
