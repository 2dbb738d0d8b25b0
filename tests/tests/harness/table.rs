//! A table of cases: every row runs, and the failures are told together.

/// Collects what went wrong, row by row.
pub struct Table {
    name: &'static str,
    rows: usize,
    failures: Vec<String>,
}

impl Table {
    pub fn new(name: &'static str) -> Self {
        Self { name, rows: 0, failures: Vec::new() }
    }

    /// Records one row: `problems` is what it found wrong, empty when all was right.
    pub fn row(&mut self, row: &str, problems: &[String]) {
        self.rows += 1;
        if !problems.is_empty() {
            self.failures.push(format!("{row}:\n    {}", problems.join("\n    ")));
        }
    }

    /// Records one row that either holds or does not.
    pub fn holds(&mut self, row: &str, holds: bool, otherwise: impl FnOnce() -> String) {
        let problems = if holds { Vec::new() } else { vec![otherwise()] };
        self.row(row, &problems);
    }

    /// Fails if any row did; tells how many there were.
    #[track_caller]
    pub fn finish(self) -> usize {
        assert!(self.rows > 0, "{}: no rows ran", self.name);
        let failed = self.failures.len();
        assert!(failed == 0, "{}: {failed} of {} rows failed\n  {}", self.name, self.rows, self.failures.join("\n  "));
        self.rows
    }
}
