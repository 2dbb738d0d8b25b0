//! Public suites and where we differ from them. A difference is written down with its
//! reason in `exceptions.toml`; one that is not there fails, and so does one that is there
//! and no longer true.

use super::paths;

struct Exception {
    suite: String,
    id: String,
}

/// A run of one suite against the exceptions made for it.
pub struct Suite {
    name: &'static str,
    exceptions: Vec<Exception>,
    seen: Vec<String>,
    passed: usize,
    contested: Vec<String>,
    failures: Vec<String>,
}

impl Suite {
    #[track_caller]
    pub fn open(name: &'static str) -> Self {
        let mut exceptions = read_all();
        exceptions.retain(|exception| exception.suite == name);
        Self { name, exceptions, seen: Vec::new(), passed: 0, contested: Vec::new(), failures: Vec::new() }
    }

    /// Records how row `id` came out.
    pub fn row(&mut self, id: &str, outcome: Result<(), String>) {
        let excepted = self.exceptions.iter().any(|exception| exception.id == id);
        self.seen.push(id.to_owned());
        match (outcome, excepted) {
            (Ok(()), false) => self.passed += 1,
            (Err(_), true) => {}
            (Err(problem), false) => self.failures.push(format!("{id}: {problem}")),
            (Ok(()), true) => self.failures.push(format!("{id}: agrees now; take it out of tests/exceptions.toml")),
        }
    }

    /// Records a row on which the source and a strict reading differ: told, never counted.
    pub fn contested(&mut self, id: &str, outcome: Result<(), String>) {
        self.seen.push(id.to_owned());
        if let Err(problem) = outcome {
            self.contested.push(format!("{id}: {problem}"));
        }
    }

    #[track_caller]
    pub fn finish(mut self) {
        for exception in &self.exceptions {
            if !self.seen.contains(&exception.id) {
                self.failures.push(format!("{}: excepted, but there is no such row", exception.id));
            }
        }
        eprintln!("{}: {} of {} rows as the source has them", self.name, self.passed, self.seen.len());
        for difference in &self.contested {
            eprintln!("  contested, we differ: {difference}");
        }
        assert!(self.passed > 0, "{}: no rows passed", self.name);
        assert!(
            self.failures.is_empty(),
            "{}: {} rows failed\n  {}",
            self.name,
            self.failures.len(),
            self.failures.join("\n  ")
        );
    }
}

/// Every entry, each with nothing but its suite, its id and a reason.
#[track_caller]
fn read_all() -> Vec<Exception> {
    let path = paths::root().join("tests/exceptions.toml");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let table: toml::Table = text.parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let entries = match table.get("exception") {
        Some(entries) => entries.as_array().expect("`exception` is a list").clone(),
        None => Vec::new(),
    };
    let exception = |entry: &toml::Value| {
        let member = |name: &str| entry.get(name).and_then(toml::Value::as_str).unwrap_or_default().trim().to_owned();
        let (suite, id, reason) = (member("suite"), member("id"), member("reason"));
        assert!(![&suite, &id, &reason].contains(&&String::new()), "an exception needs suite, id and reason: {entry}");
        Exception { suite, id }
    };
    entries.iter().map(exception).collect()
}
