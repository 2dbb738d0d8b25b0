//! Whether an input has records at all: a search of something else finds as little as one for nobody.

use std::sync::atomic::{AtomicBool, Ordering};

use memchr::memchr_iter;

use super::record::Record;
use super::source::object;

/// What to do where an input has lines and no record.
pub const NO_RECORDS_REMEDY: &str =
    "name a file that records are written to; `portcullis audit schema` has their fields, one object a line";

/// Whether lines were seen, and whether one of them is a record. Lines that are none are no mistake by themselves: in the
/// proxy's own log records stand among others.
#[derive(Debug, Default)]
pub struct Seen {
    lines: AtomicBool,
    records: AtomicBool,
}

impl Seen {
    /// Looks at a block of whole lines, up to the first record of all.
    pub fn look(&self, block: &[u8]) {
        if self.records.load(Ordering::Relaxed) || block.trim_ascii().is_empty() {
            return;
        }
        self.lines.store(true, Ordering::Relaxed);
        let mut start = 0;
        for end in memchr_iter(b'\n', block).chain([block.len()]) {
            let line = block.get(start..end).unwrap_or_default();
            if object(line).and_then(Record::parse).is_some() {
                self.records.store(true, Ordering::Relaxed);
                return;
            }
            start = end.saturating_add(1);
        }
    }

    /// Whether there were lines, and none of them is a record.
    pub fn is_something_else(&self) -> bool {
        self.lines.load(Ordering::Relaxed) && !self.records.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::Seen;
    use crate::audit::testing::{START, record};

    #[test]
    fn records_are_told_from_other_lines() {
        let record = record(START, "alice", true);
        let proxy = format!("[2026][12][info] wasm log: {record}");
        for (blocks, expected, message) in [
            (&[][..], false, "nothing"),
            (&["\n \n"], false, "empty lines"),
            (&["noise\n"], true, "other lines"),
            (&["{}\n[1]"], true, "other JSON"),
            (&[record.as_str()], false, "a record without a line break"),
            (&["noise\n", "\n", &proxy], false, "a record after other lines"),
            (&[&record, "noise\n"], false, "a record before other lines"),
            (&[&record.replace("\"decision\"", "\"x\"")], true, "half a record"),
        ] {
            let seen = Seen::default();
            for block in blocks {
                seen.look(block.as_bytes());
            }
            assert_eq!(seen.is_something_else(), expected, "{message}");
        }
    }
}
