//! What came of a request beside what was expected.

use portcullis_engine::{HeaderEdit, RequestAction, Verdict};
use serde_json::{Value, json};

use super::cases::{Expect, HeaderValue};
use crate::command::policy::explain::shown_value;

const GOES_ON: &str = "the request goes on, and its status is the upstream's: expect 200 for that";
const ANSWERED: &str = "the request is answered here, and nothing is sent to the upstream";

/// What can be seen of a decision.
#[derive(Debug)]
pub struct Seen {
    pub decision: &'static str,
    pub reason: &'static str,
    /// The status of a reply of the filter's own.
    pub status: Option<u16>,
    pub route: Option<String>,
    pub role: Option<String>,
    /// What the client sent.
    request: Vec<(String, String)>,
    /// What the upstream is sent, where it is sent anything.
    upstream: Option<Vec<(String, String)>>,
    /// The reply of the filter's own, or what becomes of a response that has no headers.
    response: Vec<(String, String)>,
}

impl Seen {
    pub fn new(verdict: &Verdict, request: Vec<(String, Vec<u8>)>) -> Self {
        let request: Vec<(String, String)> =
            request.into_iter().map(|(name, value)| (name, String::from_utf8_lossy(&value).into_owned())).collect();
        let (status, upstream, response) = match &verdict.action {
            RequestAction::Continue(edits) => {
                let mut response = Vec::new();
                apply(&verdict.response.edits(&[]), &mut response);
                let mut upstream = request.clone();
                apply(edits, &mut upstream);
                (None, Some(upstream), response)
            }
            RequestAction::Reply(reply) => {
                let headers = reply.headers().map(|(name, value)| (name.to_string(), value.to_string()));
                (Some(reply.status), None, headers.collect())
            }
        };
        Self {
            decision: verdict.decision.as_str(),
            reason: verdict.decision.reason(),
            status,
            route: verdict.route.as_deref().map(str::to_owned),
            role: verdict.role.as_deref().map(str::to_owned),
            request,
            upstream,
            response,
        }
    }
}

fn apply<'e>(edits: impl IntoIterator<Item = &'e HeaderEdit>, headers: &mut Vec<(String, String)>) {
    for edit in edits {
        if !matches!(edit, HeaderEdit::Append(..)) {
            headers.retain(|(name, _)| name != edit.name());
        }
        if let HeaderEdit::Set(name, value) | HeaderEdit::Add(name, value) | HeaderEdit::Append(name, value) = edit {
            headers.push((name.to_string(), value.to_string()));
        }
    }
}

/// One thing that is not as expected.
#[derive(Debug, PartialEq)]
pub struct Difference {
    pub field: String,
    expected: Value,
    got: Value,
    /// Why it could not have been as expected.
    note: Option<&'static str>,
}

impl Difference {
    /// What was expected, for people.
    pub fn expected(&self) -> String {
        in_words(&self.expected)
    }

    /// What came instead, for people.
    pub fn got(&self) -> String {
        let got = in_words(&self.got);
        self.note.map_or(got.clone(), |note| format!("{got} ({note})"))
    }

    /// Both, for programs.
    pub fn for_programs(&self) -> Value {
        json!({"field": self.field, "expected": self.expected, "got": self.got, "note": self.note})
    }
}

fn in_words(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Everything that is not as expected.
pub fn differences(expect: &Expect, seen: &Seen) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut compare = |field: &str, expected: Option<Value>, got: Value| {
        if let Some(expected) = expected.filter(|expected| *expected != got) {
            found.push(Difference { field: field.to_owned(), expected, got, note: None });
        }
    };
    compare("decision", expect.decision.as_deref().map(Value::from), seen.decision.into());
    compare("route", expect.route.clone().map(Value::from), seen.route.clone().into());
    compare("reason", expect.reason.as_deref().map(Value::from), seen.reason.into());
    compare("role", expect.role.clone().map(Value::from), seen.role.clone().into());
    // A request that goes on has no status of the filter's; 200 is how people say that it does.
    if let Some(status) = expect.status.filter(|status| *status != seen.status.unwrap_or(200)) {
        let note = seen.status.is_none().then_some(GOES_ON);
        found.push(Difference { field: "status".to_owned(), expected: status.into(), got: seen.status.into(), note });
    }
    for (name, expected) in &expect.upstream_headers {
        found.extend(header("upstream_headers", name, expected, seen.upstream.as_deref()));
    }
    for name in &expect.removed_headers {
        found.extend(removed(name, seen));
    }
    for (name, expected) in &expect.response_headers {
        found.extend(header("response_headers", name, expected, Some(&seen.response)));
    }
    found
}

fn header(field: &str, name: &str, expected: &HeaderValue, headers: Option<&[(String, String)]>) -> Option<Difference> {
    let present = headers.unwrap_or_default().iter().filter(|(own, _)| own == name);
    let lines: Vec<&str> = present.map(|(_, value)| value.as_str()).collect();
    let as_expected = headers.is_some()
        && match expected {
            HeaderValue::Absent => lines.is_empty(),
            HeaderValue::Joined(value) => !lines.is_empty() && lines.join(", ") == *value,
            HeaderValue::Lines(values) => lines == *values,
        };
    let shown = |lines: &[&str]| match lines {
        [] => Value::Null,
        [one] => shown(name, one).into(),
        many => many.iter().map(|line| shown(name, line)).collect(),
    };
    let wanted = match expected {
        HeaderValue::Absent => Value::Null,
        HeaderValue::Joined(value) => shown(&[value]),
        HeaderValue::Lines(values) => shown(&values.iter().map(String::as_str).collect::<Vec<_>>()),
    };
    let note = headers.is_none().then_some(ANSWERED);
    let difference = Difference { field: format!("{field}.{name}"), expected: wanted, got: shown(&lines), note };
    (!as_expected).then_some(difference)
}

/// A header that the client sent and the upstream is not sent.
fn removed(name: &str, seen: &Seen) -> Option<Difference> {
    let has = |headers: &[(String, String)]| headers.iter().any(|(own, _)| own == name);
    let (got, note) = match &seen.upstream {
        None => (Value::Null, Some(ANSWERED)),
        Some(_) if !has(&seen.request) => (Value::Null, Some("the request has no such header")),
        Some(upstream) if has(upstream) => ("sent to the upstream".into(), None),
        Some(_) => return None,
    };
    Some(Difference { field: format!("removed_headers.{name}"), expected: "removed".into(), got, note })
}

/// A value without what must not be shown.
fn shown(name: &str, value: &str) -> String {
    match name {
        "authorization" | "proxy-authorization" => "…".to_owned(),
        _ => shown_value(name, value),
    }
}
