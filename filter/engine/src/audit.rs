//! The audit record: one line a request, made of named fields and nothing else.

mod chain;

use std::net::{IpAddr, Ipv4Addr};
use std::ops::Range;

pub use self::chain::{BEFORE_FIRST, Chain, ChainKey, ChainMac, SealedLine};
use crate::decision::{Decision, DenyReason};
use crate::request::{Action, Envelope};
use crate::session::RecordedIdentity;
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
    line: String,
    /// Where event, action, decision and reason stand.
    outcome: Range<usize>,
    action: &'static str,
    /// Where the status goes.
    status_at: usize,
}

/// Everything a record is made of. What is not here cannot be in one.
pub(crate) struct Fields<'a> {
    pub(crate) timestamp: UnixTime,
    pub(crate) decision: Decision,
    pub(crate) envelope: Envelope<'a>,
    pub(crate) route: Option<&'a str>,
    /// The template of the route's path, or where there is no route what is left of the path.
    pub(crate) path: Option<&'a str>,
    pub(crate) path_masked: bool,
    pub(crate) ip: Option<IpAddr>,
    pub(crate) provider: Option<&'a str>,
    pub(crate) identity: Option<&'a RecordedIdentity>,
    pub(crate) role: Option<&'a str>,
    pub(crate) policy: &'a str,
}

impl AuditRecord {
    pub(crate) fn new(fields: &Fields<'_>) -> Self {
        let decision = fields.decision;
        let identity = fields.identity;
        let mut line = Line(String::with_capacity(640));
        line.word(r#"{"timestamp":""#, &fields.timestamp.rfc3339());
        let action = action(decision, fields.envelope);
        let outcome = line.outcome(decision, action);
        line.optional(r#","route":""#, fields.route);
        line.optional(r#","user_id":""#, identity.and_then(|identity| identity.user_id.as_deref()));
        line.optional(r#","role":""#, fields.role);
        match fields.ip {
            Some(IpAddr::V4(ip)) => line.word(r#","ip_address":""#, &dotted(ip)),
            Some(IpAddr::V6(ip)) => line.word(r#","ip_address":""#, &ip.to_string()),
            None => {}
        }
        line.optional(r#","method":""#, Some(fields.envelope.method.for_record()).filter(|method| !method.is_empty()));
        line.optional(r#","path":""#, fields.path);
        let status_at = line.0.len();
        line.optional(r#","request_id":""#, fields.envelope.request_id);
        line.optional(r#","provider":""#, fields.provider);
        line.optional(r#","kid":""#, identity.and_then(|identity| identity.kid.as_deref()));
        line.optional(r#","token_id":""#, identity.and_then(|identity| identity.token_id.as_deref()));
        let user_masked = identity.is_some_and(|identity| identity.user_id_masked);
        match (user_masked, fields.path_masked) {
            (true, true) => line.0.push_str(",\"masked\":[\"user_id\",\"path\"]"),
            (true, false) => line.0.push_str(",\"masked\":[\"user_id\"]"),
            (false, true) => line.0.push_str(",\"masked\":[\"path\"]"),
            (false, false) => {}
        }
        line.word(r#","policy":""#, fields.policy);
        line.0.push('}');
        Self { line: line.0, outcome, action, status_at }
    }

    /// The same record, of a request that was refused in the end because the host failed.
    #[must_use]
    pub fn failed(self) -> Self {
        self.decided(Decision::Deny(DenyReason::InternalError))
    }

    /// The same record, of a request of which more was seen, and then decided.
    #[must_use]
    pub(crate) fn decided(mut self, decision: Decision) -> Self {
        let mut instead = Line(String::new());
        instead.outcome(decision, self.action);
        let behind = self.status_at.saturating_sub(self.outcome.end);
        self.line.replace_range(self.outcome.clone(), &instead.0);
        self.outcome.end = self.outcome.start.saturating_add(instead.0.len());
        self.status_at = self.outcome.end.saturating_add(behind);
        self
    }

    /// The line, without a line break. `status` is absent where there was no response.
    #[must_use]
    pub fn line(mut self, status: Option<u16>) -> String {
        if let Some(status) = status {
            let digit = |divisor: u16| char::from(b'0' + u8::try_from(status / divisor % 10).unwrap_or_default());
            let mut member = String::from(",\"status\":");
            member.extend([digit(100), digit(10), digit(1)]);
            self.line.insert_str(self.status_at, &member);
        }
        self.line
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

/// A JSON object in the making. Members come with the text before their value: `,"name":"`. Values need no escaping: they
/// are words of ours, names whose letters the policy's compiler has checked, or were escaped when a session was made.
struct Line(String);

impl Line {
    fn word(&mut self, member: &str, word: &str) {
        self.0.push_str(member);
        self.0.push_str(word);
        self.0.push('"');
    }

    /// Writes what was decided, and says where.
    fn outcome(&mut self, decision: Decision, action: &str) -> Range<usize> {
        let start = self.0.len();
        self.word(r#","event":""#, decision.event().as_str());
        self.word(r#","action":""#, action);
        self.word(r#","decision":""#, decision.as_str());
        self.word(r#","reason":""#, decision.reason());
        start..self.0.len()
    }

    fn optional(&mut self, member: &str, word: Option<&str>) {
        if let Some(word) = word {
            self.word(member, word);
        }
    }
}

/// The text as it stands between the quotes of a JSON string.
pub(crate) fn escape(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned()
}

/// What `Display` gives, without the cost of formatting: this is on the way of every request.
fn dotted(ip: Ipv4Addr) -> String {
    let mut out = String::with_capacity(15);
    for (index, octet) in ip.octets().into_iter().enumerate() {
        if index > 0 {
            out.push('.');
        }
        for (divisor, least) in [(100, 100), (10, 10), (1, 0)] {
            if octet >= least {
                out.push(char::from(b'0' + octet / divisor % 10));
            }
        }
    }
    out
}

/// A subject as a record may repeat it: e-mail addresses lose their local part but for its first letter, what looks like
/// a credential or is overlong is hidden whole.
pub(crate) fn mask(value: &str) -> (String, bool) {
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
