//! The evidence for people: one page, and the same as Markdown.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

use super::{Evidence, Seen};
use crate::html;
use crate::terminal::visible;

const STYLE: &str = include_str!("../stats/page.css");

/// How many rows a list of the summary has; report.json has all.
const MAX_ROWS: usize = 200;

/// A part of the summary.
struct Part {
    title: &'static str,
    head: &'static [&'static str],
    rows: Vec<Vec<String>>,
    /// How many there are.
    all: usize,
}

const SEEN: &[&str] = &["", "requests", "refused", "first", "last"];

fn facts(evidence: &Evidence) -> Vec<(&'static str, String)> {
    let verify = match &evidence.verify {
        None => "not verified: no key was given".to_owned(),
        Some(report) if report.get("good") == Some(&Value::Bool(true)) => {
            "the files are as they were written".to_owned()
        }
        Some(report) => {
            let count = report.get("finding_count").and_then(Value::as_u64).unwrap_or_default();
            format!("the files are not as they were written: {count} findings")
        }
    };
    let range = |moment: &Option<String>, open: &str| moment.clone().unwrap_or_else(|| open.to_owned());
    vec![
        ("user", evidence.user.clone()),
        ("also written as", evidence.also.join(", ")),
        ("from", range(&evidence.since, "the beginning of the files")),
        ("until", range(&evidence.until, "the end of the files")),
        ("requests", format!("{}, {} of them refused", evidence.all.requests, evidence.all.refused)),
        ("evidence", verify),
        ("files", evidence.files.join(", ")),
        ("made", format!("{} by {}", evidence.made, evidence.made_by)),
    ]
}

fn parts(evidence: &Evidence) -> Vec<Part> {
    let sessions = evidence.sessions.iter().take(MAX_ROWS).map(|(id, session)| {
        let addresses: Vec<&str> = session.addresses.iter().take(5).map(String::as_str).collect();
        let Seen { requests, refused, first, last } = &session.seen;
        vec![id.clone(), requests.to_string(), refused.to_string(), first.clone(), last.clone(), addresses.join(" ")]
    });
    vec![
        seen("Addresses", &evidence.addresses),
        Part {
            title: "Sessions",
            head: &["token_id", "requests", "refused", "first", "last", "addresses"],
            rows: sessions.collect(),
            all: evidence.sessions.len(),
        },
        seen("Routes", &evidence.routes),
        seen("Why something was refused", &evidence.reasons),
        Part {
            title: "What administrators did",
            head: &["when", "action", "by", "outcome", "target"],
            rows: records(&evidence.admin, &["timestamp", "action", "user_id", "reason", "target"]),
            all: evidence.admin.len(),
        },
        Part {
            title: "Account history",
            head: &["version", "when", "by", "what", "why", "changed"],
            rows: history(evidence.store.as_ref()),
            all: history(evidence.store.as_ref()).len(),
        },
        Part {
            title: "Findings of the verification",
            head: &["file", "line", "what"],
            rows: findings(evidence.verify.as_ref()),
            all: findings(evidence.verify.as_ref()).len(),
        },
        Part {
            title: "Timeline",
            head: &["when", "decision", "reason", "method", "path", "status", "address", "token_id"],
            rows: records(
                &evidence.timeline,
                &["timestamp", "decision", "reason", "method", "path", "status", "ip_address", "token_id"],
            ),
            all: evidence.timeline.len(),
        },
    ]
}

fn seen(title: &'static str, map: &BTreeMap<String, Seen>) -> Part {
    let mut rows: Vec<_> = map.iter().collect();
    rows.sort_by_key(|(_, seen)| std::cmp::Reverse(seen.requests));
    let rows = rows.into_iter().take(MAX_ROWS).map(|(value, seen)| {
        let Seen { requests, refused, first, last } = seen;
        vec![value.clone(), requests.to_string(), refused.to_string(), first.clone(), last.clone()]
    });
    Part { title, head: SEEN, rows: rows.collect(), all: map.len() }
}

fn records(records: &[Value], members: &[&str]) -> Vec<Vec<String>> {
    let row = |record: &Value| members.iter().map(|member| member_of(record, member)).collect();
    records.iter().take(MAX_ROWS).map(row).collect()
}

fn history(store: Option<&Value>) -> Vec<Vec<String>> {
    let versions = store.and_then(|store| store.get("versions")).and_then(Value::as_array);
    records(versions.map(Vec::as_slice).unwrap_or_default(), &["version", "at", "actor", "action", "reason", "changed"])
}

fn findings(verify: Option<&Value>) -> Vec<Vec<String>> {
    let findings = verify.and_then(|verify| verify.get("findings")).and_then(Value::as_array);
    records(findings.map(Vec::as_slice).unwrap_or_default(), &["file", "line", "message"])
}

fn member_of(record: &Value, member: &str) -> String {
    match record.get(member) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(list)) => list
            .iter()
            .map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned))
            .collect::<Vec<_>>()
            .join("; "),
        Some(other) => other.to_string(),
    }
}

/// The page.
#[must_use]
pub fn page(evidence: &Evidence) -> String {
    let mut body = String::from("<h1>Incident report</h1>\n<table>\n");
    for (name, value) in facts(evidence) {
        let _infallible = writeln!(body, "<tr><th scope=\"row\">{name}</th><td>{}</td></tr>", html::text(&value));
    }
    body.push_str("</table>\n");
    for part in parts(evidence).iter().filter(|part| !part.rows.is_empty()) {
        let head: String = part.head.iter().map(|name| format!("<th scope=\"col\">{name}</th>")).collect();
        let _infallible = write!(body, "<h2>{}</h2>\n<table>\n<tr>{head}</tr>\n", part.title);
        for row in &part.rows {
            let cells: String = row.iter().map(|cell| format!("<td>{}</td>", html::text(cell))).collect();
            let _infallible = writeln!(body, "<tr>{cells}</tr>");
        }
        body.push_str("</table>\n");
        if part.all > part.rows.len() {
            let more = part.all.saturating_sub(part.rows.len());
            let _infallible = writeln!(body, "<p class=\"source\">and {more} more in report.json</p>");
        }
    }
    html::page("Incident report", STYLE, &body)
}

/// The same as Markdown.
#[must_use]
pub fn markdown(evidence: &Evidence) -> String {
    let mut text = String::from("# Incident report\n\n| | |\n| --- | --- |\n");
    for (name, value) in facts(evidence) {
        let _infallible = writeln!(text, "| {name} | {} |", cell(&value));
    }
    for part in parts(evidence).iter().filter(|part| !part.rows.is_empty()) {
        let rule = vec!["---"; part.head.len()].join(" | ");
        let _infallible = write!(text, "\n## {}\n\n| {} |\n| {rule} |\n", part.title, part.head.join(" | "));
        for row in &part.rows {
            let cells: Vec<String> = row.iter().map(|value| cell(value)).collect();
            let _infallible = writeln!(text, "| {} |", cells.join(" | "));
        }
        if part.all > part.rows.len() {
            let _infallible = writeln!(text, "\nand {} more in report.json", part.all.saturating_sub(part.rows.len()));
        }
    }
    text
}

/// Text that stays within its cell, and no markup of its own.
fn cell(raw: &str) -> String {
    let mut text = String::new();
    for sign in visible(raw).chars() {
        if "\\`*_[]<>|#!&~".contains(sign) {
            text.push('\\');
        }
        text.push(sign);
    }
    text
}
