//! The audit record: one line a request, made of named fields and nothing else.

use std::fmt::Write as _;
use std::net::IpAddr;

use crate::decision::Decision;
use crate::pipeline::Caller;
use crate::request::{Action, Envelope};
use crate::time::UnixTime;

/// Longest value of a claim that a record repeats.
const MAX_VALUE_CHARS: usize = 128;

/// Which requests are recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AuditLevel {
    All,
    Denied,
    None,
}

/// Where records go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Sinks {
    /// Filter state, for Envoy's access loggers to write.
    pub access_log: bool,
    /// The proxy's own log.
    pub log: bool,
}

impl AuditLevel {
    pub(crate) const fn records(self, decision: Decision) -> bool {
        match self {
            Self::All => true,
            Self::Denied => !matches!(decision, Decision::Allow(_)),
            Self::None => false,
        }
    }
}

/// A record that waits for the status of the response.
#[derive(Clone, Debug)]
pub struct AuditRecord {
    before_status: String,
    after_status: String,
}

/// Everything a record is made of. What is not here cannot be in one.
pub(crate) struct Fields<'a> {
    pub(crate) timestamp: UnixTime,
    pub(crate) decision: Decision,
    pub(crate) envelope: Envelope<'a>,
    /// The route's name and the template of its path, or where there is none what is left of the path.
    pub(crate) route: Option<&'a str>,
    pub(crate) path: Option<&'a str>,
    pub(crate) path_masked: bool,
    pub(crate) ip: Option<IpAddr>,
    pub(crate) caller: &'a Caller,
    pub(crate) policy: &'a str,
}

impl AuditRecord {
    pub(crate) fn new(fields: &Fields<'_>) -> Self {
        let mut masked: Vec<&str> = Vec::new();
        let mut line = Line(String::with_capacity(512));
        let decision = fields.decision;
        line.text("timestamp", &fields.timestamp.to_string());
        line.text("event", decision.event().as_str());
        line.text("action", action(decision, fields.envelope));
        line.text("decision", decision.as_str());
        line.text("reason", decision.reason());
        line.optional("route", fields.route);
        let user_id = fields.caller.subject.as_deref().map(|subject| {
            let (value, hidden) = mask(subject);
            if hidden {
                masked.push("user_id");
            }
            value
        });
        line.optional("user_id", user_id.as_deref());
        line.optional("role", fields.caller.role.as_deref());
        line.optional("ip_address", fields.ip.map(|ip| ip.to_string()).as_deref());
        line.optional("method", Some(fields.envelope.method.for_record()).filter(|method| !method.is_empty()));
        line.optional("path", fields.path);
        if fields.path_masked {
            masked.push("path");
        }
        let before_status = line.0;
        let mut line = Line(String::with_capacity(192));
        line.optional("request_id", fields.envelope.request_id);
        line.optional("provider", fields.caller.provider.as_deref());
        line.optional("kid", fields.caller.kid.as_deref());
        line.optional("token_id", fields.caller.token_id.as_deref());
        if !masked.is_empty() {
            line.raw("masked", &serde_json::Value::from(masked).to_string());
        }
        line.text("policy", fields.policy);
        Self { before_status, after_status: line.0 }
    }

    /// The line, without a line break. `status` is absent where there was no response.
    #[must_use]
    pub fn line(&self, status: Option<u16>) -> String {
        let mut out = String::with_capacity(self.before_status.len() + self.after_status.len() + 20);
        out.push('{');
        out.push_str(self.before_status.strip_prefix(',').unwrap_or(&self.before_status));
        if let Some(status) = status {
            let _ = write!(out, ",\"status\":{status}");
        }
        out.push_str(&self.after_status);
        out.push('}');
        out
    }
}

fn action(decision: Decision, envelope: Envelope<'_>) -> &'static str {
    use crate::decision::Event;
    match (decision.event(), envelope.method.action()) {
        (Event::Authentication, _) => "authenticate",
        (Event::Cors, _) => "preflight",
        (_, Action::Read) => "read",
        (_, Action::Write) => "write",
        (_, Action::Other) => "other",
    }
}

/// Members of a JSON object, each with its comma before it.
struct Line(String);

impl Line {
    fn text(&mut self, name: &str, value: &str) {
        self.raw(name, &serde_json::Value::from(value).to_string());
    }

    fn optional(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    fn raw(&mut self, name: &str, json: &str) {
        let _ = write!(self.0, ",\"{name}\":{json}");
    }
}

/// A subject as a record may repeat it: e-mail addresses lose their local part but for its first letter, what looks like
/// a credential or is overlong is hidden whole.
fn mask(value: &str) -> (String, bool) {
    if value.chars().count() > MAX_VALUE_CHARS || looks_like_credential(value) {
        return ("[masked]".into(), true);
    }
    match value.rsplit_once('@') {
        None => (value.to_owned(), false),
        Some((local, domain)) => {
            let initial: String = local.chars().take(1).collect();
            (format!("{initial}***@{domain}"), true)
        }
    }
}

fn looks_like_credential(value: &str) -> bool {
    value.starts_with("eyJ") || value.starts_with("pk_") || value.contains("://") && value.contains('@')
}

#[cfg(test)]
mod tests;
