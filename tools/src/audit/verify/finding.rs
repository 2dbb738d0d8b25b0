//! What is wrong with a file, and where.

use serde_json::{Value, json};

/// How many findings are kept. More are counted, and say no more than these.
const MAX_FINDINGS: usize = 10_000;

/// A line of one of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Which file, counted from 0.
    pub file: usize,
    /// Which line, counted from 1.
    pub line: u64,
}

impl Place {
    /// The place in words.
    #[must_use]
    pub fn name(self, files: &[String]) -> String {
        format!("{}:{}", files.get(self.file).map(String::as_str).unwrap_or_default(), self.line)
    }
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The line is not what was written.
    Changed,
    /// The line's own MAC was changed; what it says is as it was.
    MacChanged,
    /// The line belongs to no place of its chain.
    Inserted,
    /// The line stands here for the second time.
    Repeated,
    /// The line is good, and stands where it does not belong.
    OutOfOrder,
    /// Lines are missing before this one.
    Missing {
        /// The first that is missing.
        from: u64,
        /// The last.
        to: u64,
    },
    /// The end is missing.
    CutOff {
        /// How far the chain had come.
        reached: u64,
        /// The checkpoint that says so; else the state does.
        told: Option<Place>,
    },
    /// A checkpoint that does not fit the line it tells of.
    Checkpoint,
    /// A record without a seal.
    Unsealed,
    /// No whole record.
    Broken,
    /// A good chain that is not the one the state knows of.
    Other,
}

impl Problem {
    /// The word for programs.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Changed | Self::MacChanged => "changed",
            Self::Inserted => "inserted",
            Self::Repeated => "repeated",
            Self::OutOfOrder => "reordered",
            Self::Missing { .. } => "removed",
            Self::CutOff { .. } => "cut_off",
            Self::Checkpoint => "checkpoint_changed",
            Self::Unsealed => "unsealed",
            Self::Broken => "broken",
            Self::Other => "other_chain",
        }
    }

    /// What is wrong, in words.
    #[must_use]
    pub fn words(self, files: &[String]) -> String {
        match self {
            Self::Changed => "changed: it does not fit its MAC and the line before".to_owned(),
            Self::MacChanged => "changed: its MAC is not the one it was written with".to_owned(),
            Self::Inserted => "inserted: it follows no line of its chain".to_owned(),
            Self::Repeated => "repeated: it stands before already".to_owned(),
            Self::OutOfOrder => "reordered: it is good, and belongs elsewhere in its chain".to_owned(),
            Self::Missing { from, to } if from == to => format!("removed: {from} is missing before it"),
            Self::Missing { from, to } => format!("removed: {from} to {to} are missing before it"),
            Self::CutOff { reached, told } => {
                let who = told
                    .map_or_else(|| "the state".to_owned(), |place| format!("the checkpoint at {}", place.name(files)));
                format!("cut off: {who} says that the chain had reached {reached}")
            }
            Self::Checkpoint => "changed: the checkpoint does not fit the line it tells of".to_owned(),
            Self::Unsealed => "inserted: a record without a seal".to_owned(),
            Self::Broken => "changed: no whole record".to_owned(),
            Self::Other => "changed: not the line that the state knows, though sealed with the same key".to_owned(),
        }
    }
}

/// A problem and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The line; none of a chain that is missing whole.
    pub place: Option<Place>,
    /// The chain, where one can be told.
    pub chain: Option<String>,
    /// The place in the chain that the line gives.
    pub seq: Option<u64>,
    /// What is wrong.
    pub problem: Problem,
}

impl Finding {
    /// About a line of a chain.
    #[must_use]
    pub fn new(place: Place, chain: &str, seq: u64, problem: Problem) -> Self {
        Self { place: Some(place), chain: Some(chain.to_owned()), seq: Some(seq), problem }
    }

    /// About a line of no chain.
    #[must_use]
    pub const fn of_line(place: Place, problem: Problem) -> Self {
        Self { place: Some(place), chain: None, seq: None, problem }
    }

    /// One line for people.
    #[must_use]
    pub fn in_words(&self, files: &[String]) -> String {
        let place = self.place.map_or_else(|| "no file".to_owned(), |place| place.name(files));
        let chain = self.chain.as_ref().map(|chain| format!(" chain {chain}")).unwrap_or_default();
        let seq = self.seq.map(|seq| format!(" seq {seq}")).unwrap_or_default();
        let about = if chain.is_empty() { String::new() } else { format!("{chain}{seq}:") };
        format!("{place}:{about} {}", self.problem.words(files))
    }

    /// For programs.
    #[must_use]
    pub fn json(&self, files: &[String]) -> Value {
        let file = self.place.and_then(|place| files.get(place.file));
        let (from, to) = match self.problem {
            Problem::Missing { from, to } => (Some(from), Some(to)),
            Problem::CutOff { reached, .. } => (self.seq.map(|seq| seq.saturating_add(1)), Some(reached)),
            _ => (None, None),
        };
        json!({
            "file": file,
            "line": self.place.map(|place| place.line),
            "chain": self.chain,
            "seq": self.seq,
            "problem": self.problem.code(),
            "missing_from": from,
            "missing_to": to,
            "message": self.problem.words(files),
        })
    }
}

/// Findings, as many as anybody reads.
#[derive(Debug, Default)]
pub struct Findings {
    kept: Vec<Finding>,
    /// How many there are.
    pub count: u64,
}

impl Findings {
    /// Adds one.
    pub fn add(&mut self, finding: Finding) {
        self.count = self.count.saturating_add(1);
        if self.kept.len() < MAX_FINDINGS {
            self.kept.push(finding);
        }
    }

    /// Puts them in the order of the files.
    pub fn sort(&mut self) {
        self.kept.sort_by_key(|finding| finding.place);
    }

    /// Those that are kept.
    #[must_use]
    pub fn list(&self) -> &[Finding] {
        &self.kept
    }
}
