//! What one request should come to: the answer, what the upstream saw, what the audit says.

use super::audit::Record;
use super::client::Response;
use super::upstream::Seen;
use super::wire::Headers;

/// What one exchange came to.
#[derive(Debug)]
pub struct Exchange {
    pub response: Response,
    /// What reached the upstream; empty when the filter answered itself.
    pub seen: Vec<Seen>,
    pub record: Option<Record>,
}

/// One header's expectation: this value once, a list that has this in it, absent, or present once.
#[derive(Clone, Debug)]
enum Line {
    Is(String),
    Lists(String),
    Absent,
    Present,
}

/// An expectation, narrowed by the calls below.
#[derive(Clone, Debug)]
pub struct Expect {
    status: u16,
    reaches: bool,
    /// What an upstream of a dry run would have been spared is told by `dry_run_deny`.
    decision: &'static str,
    reason: &'static str,
    response: Vec<(String, Line)>,
    upstream: Vec<(String, Line)>,
    target: Option<String>,
    record: Vec<(&'static str, String)>,
}

impl Expect {
    /// The request goes through, for `reason`.
    pub fn allow(reason: &'static str) -> Self {
        Self {
            status: 200,
            reaches: true,
            decision: "allow",
            reason,
            response: Vec::new(),
            upstream: Vec::new(),
            target: None,
            record: Vec::new(),
        }
    }

    /// The filter answers `status` itself, for `reason`. The challenge that the status and the
    /// reason call for is part of the expectation.
    pub fn deny(status: u16, reason: &'static str) -> Self {
        let deny = Self { status, reaches: false, decision: "deny", ..Self::allow(reason) };
        match (status, reason) {
            (401, "credentials_missing") => deny.response("www-authenticate", BARE),
            (401, "route_not_found") => deny.response("www-authenticate", BARE),
            // What it asks for is the route's.
            (401, "step_up_required") => deny.some_response("www-authenticate"),
            (401, _) => deny.response("www-authenticate", INVALID_TOKEN),
            (403, "role_missing" | "role_denied" | "owner_denied" | "condition_denied") => {
                deny.response("www-authenticate", INSUFFICIENT_SCOPE)
            }
            (400, _) => deny.no_response("www-authenticate"),
            _ => deny,
        }
    }

    /// A preflight that is allowed: answered here, with nothing in it.
    pub fn preflight() -> Self {
        Self { status: 204, reaches: false, ..Self::allow("cors_preflight") }
    }

    /// The request goes through where it would have been denied.
    pub fn dry_run(reason: &'static str) -> Self {
        Self { decision: "dry_run_deny", ..Self::allow(reason) }
    }

    pub fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// The answer has this header, once.
    pub fn response(mut self, name: &str, value: impl Into<String>) -> Self {
        self.response.push((name.to_owned(), Line::Is(value.into())));
        self
    }

    /// The answer has this header, and `value` among what it lists.
    pub fn response_lists(mut self, name: &str, value: &str) -> Self {
        self.response.push((name.to_owned(), Line::Lists(value.to_owned())));
        self
    }

    pub fn no_response(mut self, name: &str) -> Self {
        self.response.push((name.to_owned(), Line::Absent));
        self
    }

    pub fn some_response(mut self, name: &str) -> Self {
        self.response.push((name.to_owned(), Line::Present));
        self
    }

    /// The upstream saw this header, once.
    pub fn upstream(mut self, name: &str, value: impl Into<String>) -> Self {
        self.upstream.push((name.to_owned(), Line::Is(value.into())));
        self
    }

    pub fn no_upstream(mut self, name: &str) -> Self {
        self.upstream.push((name.to_owned(), Line::Absent));
        self
    }

    /// The upstream saw this path and query.
    pub fn target(mut self, target: &str) -> Self {
        self.target = Some(target.to_owned());
        self
    }

    /// The record says this; an empty text is a member left out.
    pub fn record(mut self, member: &'static str, value: impl Into<String>) -> Self {
        self.record.push((member, value.into()));
        self
    }

    pub fn is_own_reply(&self) -> bool {
        !self.reaches
    }

    /// Everything about `exchange` that is not as expected.
    pub fn problems(&self, exchange: &Exchange) -> Vec<String> {
        let mut problems = Vec::new();
        let Exchange { response, seen, record } = exchange;
        if response.status != self.status {
            problems.push(format!("status {}, not {}: {}", response.status, self.status, response.text()));
        }
        if seen.len() != usize::from(self.reaches) {
            problems.push(format!("{} requests reached the upstream", seen.len()));
        }
        check_lines("answer", &response.headers, &self.response, &mut problems);
        if let Some(seen) = seen.first() {
            check_lines("upstream", &seen.headers, &self.upstream, &mut problems);
            if let Some(target) = self.target.as_ref().filter(|target| **target != seen.target) {
                problems.push(format!("the upstream saw `{}`, not `{target}`", seen.target));
            }
        }
        match record {
            Some(record) => self.check_record(record, &mut problems),
            None => problems.push("no audit record".to_owned()),
        }
        problems
    }

    fn check_record(&self, record: &Record, problems: &mut Vec<String>) {
        let fixed = [
            ("decision", self.decision.to_owned()),
            ("reason", self.reason.to_owned()),
            ("status", self.status.to_string()),
        ];
        for (member, wanted) in fixed.iter().chain(&self.record) {
            let found = record.text(member);
            if found != *wanted {
                problems.push(format!("audit `{member}` is `{found}`, not `{wanted}`"));
            }
        }
    }
}

/// No credentials: no `error`, since nothing was wrong with what was not sent.
pub const BARE: &str = r#"Bearer realm="portcullis""#;
pub const INVALID_TOKEN: &str = r#"Bearer realm="portcullis", error="invalid_token""#;
pub const INSUFFICIENT_SCOPE: &str = r#"Bearer realm="portcullis", error="insufficient_scope""#;

fn check_lines(side: &str, headers: &Headers, lines: &[(String, Line)], problems: &mut Vec<String>) {
    for (name, line) in lines {
        let found = headers.all(name);
        let right = match line {
            Line::Is(value) => found == [value.as_str()],
            Line::Lists(value) => {
                found.iter().flat_map(|line| line.split(',')).any(|entry| entry.trim().eq_ignore_ascii_case(value))
            }
            Line::Absent => found.is_empty(),
            Line::Present => found.len() == 1,
        };
        if !right {
            problems.push(format!("{side} `{name}` is {found:?}, not {line:?}"));
        }
    }
}
