//! Findings about a policy, for people, programs and GitHub.

use std::fmt::Write as _;

use portcullis_engine::config::PolicyError;
use serde_json::{Value, json};

use crate::document::Document;
use crate::terminal::{Palette, visible};

#[cfg(test)]
mod tests;

/// Members of a policy, of a key set inside it or of a request in a test whose values may be secrets, rightly or by
/// mistake.
const SECRET_MEMBERS: [&str; 7] = ["secret", "inline", "k", "authorization", "Authorization", "cookie", "Cookie"];

/// As many characters of a line are shown. JSON is often a single line, and a page of it tells nobody where to look.
const SHOWN_OF_A_LINE: usize = 240;

/// As many of them stand before what is underlined, where the line is longer.
const SHOWN_BEFORE: usize = 60;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The filter refuses the policy.
    Error,
    /// The filter loads the policy, but it may not be what is meant.
    Warning,
}

impl Severity {
    const fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// A finding with the line it is on, as compilers print them.
#[must_use]
pub fn human(document: &Document, severity: Severity, finding: &PolicyError, palette: Palette) -> String {
    let word = match severity {
        Severity::Error => palette.red("error:"),
        Severity::Warning => palette.yellow("warning:"),
    };
    let mut text = format!("{word} {}\n", palette.bold(&visible(&finding.message)));
    let number = finding.line.map(|line| line.to_string()).unwrap_or_default();
    let margin = number.len();
    let bar = palette.cyan("|");
    let mut line = |content: std::fmt::Arguments<'_>| {
        let _infallible = writeln!(text, "{content}");
    };
    let arrow = palette.cyan("-->");
    let colon = if number.is_empty() { "" } else { ":" };
    let place = if finding.path.is_empty() { String::new() } else { format!(" {}", visible(&finding.path)) };
    line(format_args!("{:margin$}{arrow} {}{colon}{number}{place}", "", document.name));
    if let Some(source) = finding.line.and_then(|number| source_line(document, number, &finding.path)) {
        let (source, start, length) = excerpt(&source, span(&source, &finding.path));
        let marks = "^".repeat(length);
        let marks = if severity == Severity::Error { palette.red(&marks) } else { palette.yellow(&marks) };
        line(format_args!("{:margin$} {bar}", ""));
        line(format_args!("{} {bar} {source}", palette.cyan(&number)));
        line(format_args!("{:margin$} {bar} {:start$}{marks}", "", ""));
    }
    let help = palette.cyan("= help:");
    line(format_args!("{:margin$} {help} {}", "", visible(&finding.remedy)));
    text
}

/// The line of the text that a finding is about, unless there may be a secret on it.
fn source_line(document: &Document, number: u32, path: &str) -> Option<String> {
    let index = usize::try_from(number.checked_sub(1)?).ok()?;
    let line = document.lines.get(index)?;
    let line = visible(&line.replace('\t', "    "));
    let shown = without_secrets(&line);
    let names_variable = ["env", "encoding"].iter().any(|member| value_start(&line, member).is_some());
    let about_secret = !names_variable && path.split(['.', '[']).any(|part| SECRET_MEMBERS.contains(&part));
    let nothing_to_see = shown.trim().is_empty() || (about_secret && shown.len() == line.len());
    (!nothing_to_see).then_some(shown)
}

/// A line up to the value of the first member that may be a secret: any value but the name of a variable.
fn without_secrets(line: &str) -> String {
    let hidden = |end: &usize| !line.get(*end..).is_some_and(names_a_variable);
    let end = SECRET_MEMBERS.iter().filter_map(|member| value_start(line, member)).filter(hidden).min();
    match end.and_then(|end| line.get(..end)) {
        Some(start) if start.len() < line.trim_end().len() => format!("{start} …"),
        _ => line.to_owned(),
    }
}

/// Whether a value is `{env: NAME}`, with or without an `encoding`, as it should be.
fn names_a_variable(value: &str) -> bool {
    let Some((inside, _)) = value.trim_start().strip_prefix('{').and_then(|rest| rest.split_once('}')) else {
        return false;
    };
    inside.split(',').all(|member| {
        member.split_once(':').is_some_and(|(name, value)| {
            let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
            matches!(name.trim(), "env" | "encoding") && value.trim().chars().all(word)
        })
    })
}

/// Where the value of `member:`, `"member":` or `'member':` starts.
fn value_start(line: &str, member: &str) -> Option<usize> {
    line.match_indices(member).find_map(|(at, _)| {
        let before = line.get(..at)?.chars().next_back();
        let after = line.get(at + member.len()..)?;
        let colon = after.trim_start_matches(['"', '\'']).trim_start().strip_prefix(':')?;
        let alone = before.is_none_or(|c| c.is_whitespace() || "{,\"'-".contains(c));
        alone.then_some(line.len() - colon.len())
    })
}

/// What to underline: the member that the path ends in, or else all of the line. In characters.
fn span(source: &str, path: &str) -> (usize, usize) {
    let last = path.rsplit('.').next().unwrap_or_default();
    let name = last.split('[').next().unwrap_or_default();
    let found = (!name.is_empty()).then(|| value_start(source, name)).flatten();
    let before = found.and_then(|end| source.get(..end)).and_then(|start| start.rfind(name));
    if let Some(start) = before.and_then(|at| source.get(..at)) {
        return (start.chars().count(), name.chars().count());
    }
    let trimmed = source.trim_start();
    let start = source.chars().count() - trimmed.chars().count();
    (start, trimmed.trim_end().chars().count().max(1))
}

/// The part of a long line around what is underlined, and where that is in it. In characters.
fn excerpt(source: &str, (start, length): (usize, usize)) -> (String, usize, usize) {
    let all = source.chars().count();
    if all <= SHOWN_OF_A_LINE {
        return (source.to_owned(), start, length);
    }
    let fits = start.saturating_add(length) <= SHOWN_OF_A_LINE;
    let from = if fits { 0 } else { start.saturating_sub(SHOWN_BEFORE) };
    let shown: String = source.chars().skip(from).take(SHOWN_OF_A_LINE).collect();
    let (before, after) = (if from > 0 { "…" } else { "" }, if from + SHOWN_OF_A_LINE < all { "…" } else { "" });
    let start = start - from;
    (format!("{before}{shown}{after}"), start + before.chars().count(), length.min(SHOWN_OF_A_LINE - start))
}

/// A finding as a JSON object.
#[must_use]
pub fn json(finding: &PolicyError) -> Value {
    json!({"path": finding.path, "line": finding.line, "message": finding.message, "remedy": finding.remedy})
}

/// A finding as a workflow command of GitHub Actions, which becomes an annotation on the line.
#[must_use]
pub fn github(document: &Document, severity: Severity, finding: &PolicyError) -> String {
    let word = severity.word();
    let file = property(&document.name);
    let line = finding.line.map(|line| format!(",line={line}")).unwrap_or_default();
    let place = if finding.path.is_empty() { String::new() } else { format!("{}: ", finding.path) };
    let message = data(&format!("{place}{} ({})", finding.message, finding.remedy));
    format!("::{word} file={file}{line},title=portcullis::{message}")
}

/// Something else about a file, in the same form.
#[must_use]
pub fn annotation(word: &str, file: &str, message: &str) -> String {
    format!("::{word} file={},title=portcullis::{}", property(file), data(message))
}

/// Escapes of `@actions/core`, for what follows the `::`.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes of `@actions/core`, for a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
