//! Tables of cases from outside, and the reasoned exceptions from them.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

/// The cases of a table, or `None`, said in one line, where the tables are not there.
pub fn rows(table: &str) -> Option<Vec<Value>> {
    let root =
        std::env::var_os("PORTCULLIS_FIXTURES").map_or_else(|| workspace().join("../shared/fixtures"), PathBuf::from);
    let path = root.join(table);
    let Ok(text) = std::fs::read_to_string(&path) else {
        say(&format!("skipped: no {table}; set PORTCULLIS_FIXTURES to the folder of cases to run them"));
        return None;
    };
    Some(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// Says something that is seen even when the test passes: the harness only captures the printing macros.
pub fn say(line: &str) {
    let _unseen = writeln!(std::io::stderr(), "{line}");
}

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

#[derive(Deserialize)]
struct Exceptions {
    #[serde(default)]
    exception: Vec<Exception>,
}

#[derive(Deserialize)]
struct Exception {
    suite: String,
    id: String,
    reason: String,
}

/// Counts and complaints of one suite.
pub struct Suite {
    name: &'static str,
    exceptions: BTreeMap<String, String>,
    ids: Vec<String>,
    passed: usize,
    excepted: usize,
    complaints: Vec<String>,
}

impl Suite {
    /// A suite with its exceptions from `tests/exceptions.toml`.
    pub fn new(name: &'static str) -> Self {
        let text = std::fs::read_to_string(workspace().join("tests/exceptions.toml")).unwrap_or_default();
        let exceptions: Exceptions = toml::from_str(&text).unwrap();
        let own = exceptions.exception.into_iter().filter(|exception| exception.suite == name);
        let exceptions = own.map(|exception| (exception.id, exception.reason)).collect();
        Self { name, exceptions, ids: Vec::new(), passed: 0, excepted: 0, complaints: Vec::new() }
    }

    /// Records the outcome of a row: its problem, or none. An exception that is none any more is a complaint too.
    pub fn record(&mut self, id: &str, problem: Option<String>) {
        self.ids.push(id.to_owned());
        match (problem, self.exceptions.get(id)) {
            (None, None) => self.passed += 1,
            (Some(_), Some(_)) => self.excepted += 1,
            (Some(problem), None) => self.complaints.push(format!("{id}: {problem}")),
            (None, Some(reason)) => {
                self.complaints.push(format!("{id} passes now, so it is no exception any more (it said: {reason})"));
            }
        }
    }

    /// Fails with everything that was recorded against it.
    #[track_caller]
    pub fn finish(mut self) {
        for (id, reason) in &self.exceptions {
            assert!(!reason.is_empty(), "the exception {id} has no reason");
            if !self.ids.contains(id) {
                self.complaints.push(format!("{id} is an exception, but no such row ran"));
            }
        }
        say(&format!("{}: {} passed, {} excepted", self.name, self.passed, self.excepted));
        assert!(self.passed > 0, "{}: nothing passed", self.name);
        assert!(self.complaints.is_empty(), "{}:\n{}", self.name, self.complaints.join("\n"));
    }
}
