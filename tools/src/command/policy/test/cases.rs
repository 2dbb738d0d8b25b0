//! A cases file: requests and what is expected of them, or every mistake in the file.

use std::collections::HashMap;
use std::net::IpAddr;

use portcullis_engine::config::{Node, NodeValue, PolicyError};
use portcullis_engine::{AllowReason, AssumedIdentity, DenyReason, Policy, UnixTime};
use serde_json::Value;

use super::fields::{At, Fields, Findings, list, mapping, parsed, text, text_or_none};
use crate::command::policy::decided::request_head;
use crate::time::parse_moment;

#[cfg(test)]
mod tests;

/// One request, and what is expected of it.
#[derive(Debug)]
pub struct Case {
    pub name: String,
    pub line: Option<u32>,
    /// The request's head, pseudo-headers first.
    pub headers: Vec<(String, Vec<u8>)>,
    pub client: Option<IpAddr>,
    pub body: Vec<u8>,
    pub identity: Option<AssumedIdentity>,
    /// When it comes; the time of the run if neither the case nor the file says.
    pub now: Option<UnixTime>,
    pub expect: Expect,
}

/// What is expected; nothing is asked of what is not named.
#[derive(Debug, Default, PartialEq)]
pub struct Expect {
    pub decision: Option<String>,
    pub status: Option<u16>,
    pub route: Option<Option<String>>,
    pub reason: Option<String>,
    pub role: Option<Option<String>>,
    pub upstream_headers: Vec<(String, HeaderValue)>,
    pub response_headers: Vec<(String, HeaderValue)>,
    pub removed_headers: Vec<String>,
}

/// What a header is expected to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderValue {
    Absent,
    /// One line, or several joined by a comma, which means the same (RFC 9110 section 5.2).
    Joined(String),
    /// These lines in this order.
    Lines(Vec<String>),
}

/// Reads a document.
///
/// # Errors
/// Every mistake in it.
pub fn read(document: &Node, policy: &Policy) -> Result<Vec<Case>, Vec<PolicyError>> {
    let mut findings = Findings::default();
    let cases = file(At { node: document, path: String::new() }, policy, &mut findings);
    match cases {
        Some(cases) if findings.0.is_empty() => Ok(cases),
        _ => {
            findings.0.sort_by_key(|finding| finding.line);
            Err(findings.0)
        }
    }
}

fn file(at: At<'_>, policy: &Policy, findings: &mut Findings) -> Option<Vec<Case>> {
    let mut fields = Fields::of(at, findings)?;
    let now = fields.read("now", findings, moment);
    let listed = fields.required("cases", "list requests under `cases:`, each with what is expected", findings);
    fields.finish(findings);
    let listed = listed?;
    if matches!(&listed.node.value, NodeValue::Seq(items) if items.is_empty()) {
        findings.error(&listed.path, listed.node.line, "no cases", "write at least one");
    }
    let mut names: HashMap<String, Option<u32>> = HashMap::new();
    list(listed, findings, |at, findings| {
        let (path, line) = (at.path.clone(), at.node.line);
        // Whatever else is wrong with the case.
        if let Some(name) = name_of(at.node)
            && let Some(first) = names.insert(name.to_owned(), line)
        {
            let place = first.map(|line| format!(", on line {line} too")).unwrap_or_default();
            let message = format!("another case is named `{name}`{place}");
            findings.error(&format!("{path}.name"), line, message, "give every case a name of its own");
        }
        let mut case = case(at, policy, findings)?;
        case.now = case.now.or(now);
        Some(case)
    })
}

fn name_of(case: &Node) -> Option<&str> {
    let NodeValue::Map(members) = &case.value else { return None };
    let (_, name) = members.iter().find(|(key, _)| key.name == "name")?;
    match &name.value {
        NodeValue::String(name) if !name.is_empty() => Some(name),
        _ => None,
    }
}

fn case(at: At<'_>, policy: &Policy, findings: &mut Findings) -> Option<Case> {
    let line = at.node.line;
    let mut fields = Fields::of(at, findings)?;
    let name = fields.required("name", "say in a few words what the case shows", findings);
    let name = name.and_then(|at| text(at, findings)).map(str::to_owned);
    let request = fields.required("request", "write at least request: {path: /}", findings);
    let request = request.and_then(|at| self::request(at, findings));
    let identity = fields.read("as", findings, |at, findings| identity(at, policy, findings));
    let now = fields.read("now", findings, moment);
    let expect = fields.required("expect", "write at least expect: {decision: allow}", findings);
    let expect = expect.and_then(|at| self::expect(at, findings));
    fields.finish(findings);
    let (headers, client, body) = request?;
    Some(Case { name: name?, line, headers, client, body, identity, now, expect: expect? })
}

type Sent = (Vec<(String, Vec<u8>)>, Option<IpAddr>, Vec<u8>);

fn request(at: At<'_>, findings: &mut Findings) -> Option<Sent> {
    let mut fields = Fields::of(at, findings)?;
    fields.outside = &["name", "as", "now", "expect"];
    let method = fields.read("method", findings, text).unwrap_or("GET");
    let path = fields.required("path", "write the path, with its query if it has one", findings);
    let path = path.and_then(|at| text(at, findings));
    let host = fields.read("host", findings, text);
    let lines = fields.read("headers", findings, |at, findings| mapping(at, findings, header)).unwrap_or_default();
    let remedy = "write an address such as 10.0.0.7 or 2001:db8::1";
    let client = fields.read("ip", findings, |at, findings| parsed(at, findings, remedy, str::parse::<IpAddr>));
    let body = fields.read("body", findings, body).unwrap_or_default();
    fields.finish(findings);
    Some((request_head(method, path?, host, lines.into_iter().flatten().collect()), client, body))
}

/// The lines of a header.
fn header(key: &portcullis_engine::config::Key, at: At<'_>, findings: &mut Findings) -> Option<Vec<(String, Vec<u8>)>> {
    let name = header_name(&key.name, false, &at.path, key.line, findings)?;
    let lines = match &at.node.value {
        NodeValue::Seq(_) => list(at, findings, line)?,
        _ => vec![line(at, findings)?],
    };
    Some(lines.into_iter().map(|line| (name.clone(), line.into_bytes())).collect())
}

/// A value of a header, which may be empty.
fn line(at: At<'_>, findings: &mut Findings) -> Option<String> {
    match &at.node.value {
        NodeValue::String(text) => Some(text.clone()),
        NodeValue::Number(_) | NodeValue::Bool(_) => {
            let message = format!("a string is needed here, not {}", at.node.kind());
            findings.error(&at.path, at.node.line, message, "put the value in quotes");
            None
        }
        _ => {
            findings.wrong_kind(at, "a string");
            None
        }
    }
}

fn header_name(name: &str, pseudo: bool, path: &str, line: Option<u32>, findings: &mut Findings) -> Option<String> {
    if pseudo && matches!(name, ":method" | ":path" | ":authority" | ":scheme") {
        return Some(name.to_owned());
    }
    // What reads `--header 'name: value'` knows what a name is.
    match crate::cli::parse_header(&format!("{name}:")) {
        Ok((lower, _)) if lower.len() == name.len() => Some(lower),
        _ => {
            let remedy = match name {
                ":method" => "write it as request.method",
                ":path" => "write it as request.path",
                ":authority" => "write it as request.host",
                _ => "write letters, digits and `-`",
            };
            findings.error(path, line, format!("`{name}` is not a header name"), remedy);
            None
        }
    }
}

/// Text as it is, or what stands for JSON.
fn body(at: At<'_>, findings: &mut Findings) -> Option<Vec<u8>> {
    match &at.node.value {
        NodeValue::String(text) => Some(text.clone().into_bytes()),
        NodeValue::Map(_) | NodeValue::Seq(_) => Some(at.node.to_canonical_json().to_string().into_bytes()),
        _ => {
            findings.wrong_kind(at, "text, or a mapping or list that stands for JSON,");
            None
        }
    }
}

fn identity(at: At<'_>, policy: &Policy, findings: &mut Findings) -> Option<AssumedIdentity> {
    let mut fields = Fields::of(at, findings)?;
    let provider = fields.required("provider", "name a provider of the policy", findings);
    let provider = provider.and_then(|at| {
        let (path, line) = (at.path.clone(), at.node.line);
        let name = text(at, findings)?;
        if policy.assumable_providers().any(|known| known == name) {
            return Some(name.to_owned());
        }
        let known: Vec<&str> = policy.assumable_providers().collect();
        let remedy = if known.is_empty() {
            "the policy has none: leave `as` out".to_owned()
        } else {
            format!("write one of: {}", known.join(", "))
        };
        findings.error(&path, line, format!("the policy has no provider `{name}`"), remedy);
        None
    });
    let claims = fields.required("claims", "write at least claims: {sub: alice}", findings);
    let claims = claims.and_then(|at| match at.node.to_canonical_json() {
        Value::Object(claims) => {
            // For members that stand twice, at the top of the claims.
            mapping(at, findings, |_, _, _| Some(()))?;
            Some(claims)
        }
        _ => {
            findings.wrong_kind(at, "a mapping");
            None
        }
    });
    fields.finish(findings);
    Some(AssumedIdentity { provider: provider?, claims: claims? })
}

fn moment(at: At<'_>, findings: &mut Findings) -> Option<UnixTime> {
    let text = match &at.node.value {
        NodeValue::String(text) => text.clone(),
        NodeValue::Number(_) => at.node.to_canonical_json().to_string(),
        _ => {
            findings.wrong_kind(at, "a time");
            return None;
        }
    };
    let parsed = parse_moment(&text).map(UnixTime::from_seconds);
    if parsed.is_err() {
        let remedy = "write seconds since 1970 such as 1764000000, or RFC 3339 such as 2026-11-24T09:30:00Z";
        findings.error(&at.path, at.node.line, format!("`{text}` is not a time"), remedy);
    }
    parsed.ok()
}

fn expect(at: At<'_>, findings: &mut Findings) -> Option<Expect> {
    let empty = matches!(&at.node.value, NodeValue::Map(members) if members.is_empty());
    if empty {
        findings.error(&at.path, at.node.line, "nothing is expected", "write at least decision: allow");
        return None;
    }
    let mut fields = Fields::of(at, findings)?;
    let expect = Expect {
        decision: fields.read("decision", findings, decision),
        status: fields.read("status", findings, status),
        route: fields.read("route", findings, text_or_none),
        reason: fields.read("reason", findings, reason),
        role: fields.read("role", findings, text_or_none),
        upstream_headers: fields.read("upstream_headers", findings, expected_headers).unwrap_or_default(),
        response_headers: fields.read("response_headers", findings, expected_headers).unwrap_or_default(),
        removed_headers: fields.read("removed_headers", findings, removed).unwrap_or_default(),
    };
    let (path, line) = (fields.path.clone(), fields.line);
    fields.finish(findings);
    for (message, remedy) in expect.contradictions() {
        findings.error(&path, line, message, remedy);
    }
    Some(expect)
}

impl Expect {
    /// What can never be true at once, and what to do about it.
    fn contradictions(&self) -> Vec<(String, &'static str)> {
        let mut found = Vec::new();
        let decision = self.decision.as_deref();
        let preflight = self.reason.as_deref().is_none_or(|reason| reason == AllowReason::CorsPreflight.code());
        if let (Some(decision), Some(status)) = (decision, self.status) {
            match decision {
                "deny" if status < 400 => found.push((
                    format!("a request that is refused has no status {status}"),
                    "write the status of the refusal, such as 401 or 403, or leave it out",
                )),
                "allow" if status == 204 && preflight => {}
                "allow" | "dry_run_deny" if status != 200 => found.push((
                    format!(
                        "a request that goes on has no status {status} of the filter's: its status is the upstream's"
                    ),
                    "leave `status` out, or write 200 for a request that goes on",
                )),
                _ => {}
            }
        }
        if let (Some(decision), Some(reason)) = (decision, self.reason.as_deref()) {
            let allows = AllowReason::ALL.iter().any(|known| known.code() == reason);
            if allows != (decision == "allow") {
                found.push((
                    format!("`{reason}` is never the reason of decision `{decision}`"),
                    "correct one of them, or leave one out",
                ));
            }
        }
        let upstream = !self.upstream_headers.is_empty() || !self.removed_headers.is_empty();
        if decision == Some("deny") && upstream {
            found.push((
                "a request that is refused has no headers to the upstream".to_owned(),
                "leave `upstream_headers` and `removed_headers` out",
            ));
        }
        found
    }
}

fn decision(at: At<'_>, findings: &mut Findings) -> Option<String> {
    one_of(at, findings, &["allow", "deny", "dry_run_deny"])
}

fn reason(at: At<'_>, findings: &mut Findings) -> Option<String> {
    let allow = AllowReason::ALL.iter().map(|reason| reason.code());
    let all: Vec<&str> = allow.chain(DenyReason::ALL.iter().map(|reason| reason.code())).collect();
    one_of(at, findings, &all)
}

fn one_of(at: At<'_>, findings: &mut Findings, words: &[&str]) -> Option<String> {
    let (path, line) = (at.path.clone(), at.node.line);
    let word = text(at, findings)?;
    if words.contains(&word) {
        return Some(word.to_owned());
    }
    let remedy = format!("write one of: {}", words.join(", "));
    findings.error(&path, line, format!("`{word}` is not one of the choices"), remedy);
    None
}

/// 200 for a request that goes on, 204 for a preflight, or that of a refusal.
fn status(at: At<'_>, findings: &mut Findings) -> Option<u16> {
    let status = match &at.node.value {
        NodeValue::Number(_) => at.node.to_canonical_json().as_u64().and_then(|status| u16::try_from(status).ok()),
        _ => {
            findings.wrong_kind(at, "a status such as 403");
            return None;
        }
    };
    match status {
        Some(200 | 204 | 400..=599) => status,
        _ => {
            let message = format!("{} is no status of the filter's", at.node.to_canonical_json());
            let remedy = "write 200 for a request that goes on, whatever the upstream answers, 204 for a preflight, or \
                          400 to 599 for a refusal";
            findings.error(&at.path, at.node.line, message, remedy);
            None
        }
    }
}

fn expected_headers(at: At<'_>, findings: &mut Findings) -> Option<Vec<(String, HeaderValue)>> {
    mapping(at, findings, |key, at, findings| {
        let name = header_name(&key.name, true, &at.path, key.line, findings);
        let value = match &at.node.value {
            NodeValue::Null => HeaderValue::Absent,
            NodeValue::Seq(_) => HeaderValue::Lines(list(at, findings, line)?),
            _ => HeaderValue::Joined(line(at, findings)?),
        };
        Some((name?, value))
    })
}

fn removed(at: At<'_>, findings: &mut Findings) -> Option<Vec<String>> {
    list(at, findings, |at, findings| {
        let (path, line) = (at.path.clone(), at.node.line);
        header_name(text(at, findings)?, false, &path, line, findings)
    })
}
