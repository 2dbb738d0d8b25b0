//! The public suites, one JSON object a line, kept outside the project.

use serde_json::Value;

use super::paths;

/// The rows of `file`; `None`, after saying so, when the suites are not on this machine.
#[track_caller]
pub fn rows(file: &str) -> Option<Vec<Value>> {
    let text = text(file)?;
    Some(
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{file}: {error}"))).collect(),
    )
}

/// The text of `file`, on the same terms.
#[track_caller]
pub fn text(file: &str) -> Option<String> {
    let Some(folder) = paths::fixtures() else {
        eprintln!("{file} is not on this machine (PORTCULLIS_FIXTURES): the suite was not run");
        return None;
    };
    Some(std::fs::read_to_string(folder.join(file)).unwrap_or_else(|error| panic!("{file}: {error}")))
}
