//! Results as JUnit's XML, in the form that most CI systems read.

use std::fmt::Write as _;
use std::time::Duration;

#[cfg(test)]
mod tests;

/// A case that was run.
pub struct TestCase {
    pub name: String,
    pub line: Option<u32>,
    pub time: Duration,
    pub failure: Option<Failure>,
}

/// Why a case failed: in one line, and in full.
pub struct Failure {
    pub message: String,
    pub text: String,
}

/// The report of a run. `suite` names the policy, `file` the cases.
#[must_use]
pub fn report(suite: &str, file: &str, time: Duration, cases: &[TestCase]) -> String {
    let failures = cases.iter().filter(|case| case.failure.is_some()).count();
    let counts = format!(
        "tests=\"{}\" failures=\"{failures}\" errors=\"0\" skipped=\"0\" time=\"{}\"",
        cases.len(),
        seconds(time)
    );
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {counts}>\n  <testsuite name=\"{}\" {counts}>\n",
        escape(suite)
    );
    let mut line = |content: std::fmt::Arguments<'_>| {
        let _infallible = writeln!(xml, "{content}");
    };
    for case in cases {
        let at = case.line.map(|line| format!(" line=\"{line}\"")).unwrap_or_default();
        let head = format!(
            "<testcase name=\"{}\" classname=\"{}\" file=\"{}\"{at} time=\"{}\"",
            escape(&case.name),
            escape(suite),
            escape(file),
            seconds(case.time)
        );
        match &case.failure {
            None => line(format_args!("    {head}/>")),
            Some(Failure { message, text }) => line(format_args!(
                "    {head}>\n      <failure message=\"{}\" type=\"unexpected\">{}</failure>\n    </testcase>",
                escape(message),
                escape_text(text)
            )),
        }
    }
    xml.push_str("  </testsuite>\n</testsuites>\n");
    xml
}

fn seconds(time: Duration) -> String {
    format!("{:.6}", time.as_secs_f64())
}

/// For an attribute: line breaks in one would be read as spaces (XML 1.0 section 3.3.3).
fn escape(text: &str) -> String {
    escape_text(text).replace('\t', "&#9;").replace('\n', "&#10;")
}

/// For text. What XML 1.0 has no way to write (section 2.2) becomes U+FFFD; a lone carriage return is written as such.
fn escape_text(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&apos;"),
            '\r' => safe.push_str("&#13;"),
            '\t' | '\n' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}' => safe.push(c),
            _ => safe.push('\u{fffd}'),
        }
    }
    safe
}
