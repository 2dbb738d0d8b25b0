//! One listener under test: requests go in one at a time, and each comes back with all that
//! it did. Whatever holds for every answer is checked on every row.

use std::collections::BTreeMap;

use serde_json::Value;

use super::agreement::Agreement;
use super::audit::{Audit, Record};
use super::client::{Client, Protocol, Request, Response};
use super::expect::{Exchange, Expect};
use super::proxy::Proxy;
use super::table::Table;
use super::upstream::Upstream;

/// The order of the audit record's members.
const MEMBERS: [&str; 17] = [
    "timestamp",
    "event",
    "action",
    "decision",
    "reason",
    "route",
    "user_id",
    "role",
    "ip_address",
    "method",
    "path",
    "status",
    "request_id",
    "provider",
    "kid",
    "token_id",
    "masked",
];

/// The headers every reply of the filter's own carries.
pub const API_HEADERS: [(&str, &str); 8] = [
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("x-xss-protection", "1; mode=block"),
    ("referrer-policy", "no-referrer"),
    ("strict-transport-security", "max-age=31536000; includeSubDomains"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cache-control", "no-store"),
];

/// A listener of a proxy, with its upstream and its audit log.
pub struct Bench<'a> {
    client: Client,
    protocol: Protocol,
    upstream: &'a Upstream,
    audit: Audit,
    table: Table,
    agreement: Option<Agreement>,
    /// Each status's body without its request id: they must not differ by reason.
    bodies: BTreeMap<u16, Value>,
}

impl<'a> Bench<'a> {
    pub fn new(name: &'static str, proxy: &Proxy, listener: &str, upstream: &'a Upstream) -> Self {
        Self {
            client: proxy.client(listener),
            protocol: Protocol::Http1,
            upstream,
            audit: proxy.audit(listener),
            table: Table::new(name),
            agreement: proxy.agreement(listener),
            bodies: BTreeMap::new(),
        }
    }

    /// Speaks this from the next row on.
    pub fn over(mut self, protocol: Protocol) -> Self {
        self.client = self.client.over(protocol);
        self.protocol = protocol;
        self
    }

    /// Passes over the records of so many requests that were sent before.
    pub fn skip(&mut self, requests: usize) {
        (0..requests).for_each(|_| drop(self.audit.next()));
    }

    /// Sends `request` and gathers what it did.
    #[track_caller]
    pub fn exchange(&mut self, request: &Request) -> Exchange {
        let response = self.client.send(request);
        Exchange { response, seen: self.upstream.take(), record: self.audit.next() }
    }

    /// One row: sends `request` and compares.
    #[track_caller]
    pub fn row(&mut self, name: &str, request: &Request, expect: &Expect) -> Exchange {
        let exchange = self.exchange(request);
        let mut problems = expect.problems(&exchange);
        if let Some(record) = &exchange.record {
            check_form(record, &mut problems);
        }
        if expect.is_own_reply() {
            self.check_own_reply(request, &exchange, &mut problems);
        }
        problems.extend(self.agreement.iter().flat_map(|agreement| agreement.problems(request, &exchange)));
        self.table.row(&format!("{name} ({:?})", self.protocol), &problems);
        exchange
    }

    /// A row that Envoy refuses itself, with 400 or by hanging up: nothing reaches the upstream, and the filter is not asked.
    pub fn refused(&mut self, name: &str, request: &Request) {
        let answer = self.client.try_send(request);
        let (seen, record) = (self.upstream.take(), self.audit.next());
        let refused = answer.as_ref().map_or(true, |response| response.status == 400);
        self.holds(name, refused && seen.is_empty() && record.is_none(), || format!("{answer:?} {seen:?} {record:?}"));
    }

    /// A row that is not an expectation of the usual shape.
    pub fn holds(&mut self, name: &str, holds: bool, otherwise: impl FnOnce() -> String) {
        self.table.holds(&format!("{name} ({:?})", self.protocol), holds, otherwise);
    }

    /// Fails if any row did; tells how many there were.
    #[track_caller]
    pub fn finish(self) -> usize {
        self.table.finish()
    }

    fn check_own_reply(&mut self, request: &Request, exchange: &Exchange, problems: &mut Vec<String>) {
        let Exchange { response, record, .. } = exchange;
        for (name, value) in API_HEADERS {
            let found = response.headers.all(name);
            if found != [value] {
                problems.push(format!("a reply of our own has `{name}` {found:?}, not `{value}`"));
            }
        }
        if !response.headers.has("permissions-policy") {
            problems.push("a reply of our own has no `permissions-policy`".to_owned());
        }
        if response.status == 204 || request.method == "HEAD" {
            return;
        }
        let kind = response.headers.all("content-type");
        if kind != ["application/problem+json"] {
            problems.push(format!("content-type {kind:?}"));
        }
        problems.extend(self.body_problems(response, record.as_ref()));
    }

    fn body_problems(&mut self, response: &Response, record: Option<&Record>) -> Vec<String> {
        let Ok(mut body) = serde_json::from_slice::<Value>(&response.body) else {
            return vec![format!("the body is not JSON: {}", response.text())];
        };
        let mut problems = Vec::new();
        let id = body.as_object_mut().and_then(|body| body.remove("request_id")).unwrap_or_default();
        let logged = record.map(|record| record.text("request_id")).unwrap_or_default();
        if id.as_str().is_none_or(|id| id.is_empty() || id != logged) {
            problems.push(format!("request_id {id} in the body, `{logged}` in the audit"));
        }
        let mut names: Vec<_> = body.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        if names != ["status", "title", "type"] || body["status"] != response.status {
            problems.push(format!("the problem is {body}"));
        }
        let first = self.bodies.entry(response.status).or_insert_with(|| body.clone());
        if *first != body {
            problems.push(format!("two bodies for {}: {first} and {body}", response.status));
        }
        problems
    }
}

/// What holds for every record: known members in their order, each written once, none empty.
fn check_form(record: &Record, problems: &mut Vec<String>) {
    let order = |name: &str| MEMBERS.iter().chain(&["policy"]).position(|member| *member == name);
    let places: Vec<_> = record.names().into_iter().map(order).collect();
    if places.iter().any(Option::is_none) || !places.is_sorted_by(|one, next| one < next) {
        problems.push(format!("the record's members are {:?}", record.names()));
    }
    // A path that is none, or that nothing is known of, is not repeated.
    let pathless = record.text("status") == "400";
    for name in [
        "timestamp",
        "event",
        "action",
        "decision",
        "reason",
        "ip_address",
        "method",
        "path",
        "status",
        "request_id",
        "policy",
    ] {
        if record.text(name).is_empty() && !(name == "path" && pathless) {
            problems.push(format!("the record has no `{name}`: {}", record.line));
        }
    }
    if record.members.iter().any(|(_, value)| value.is_null() || value.as_str() == Some("")) {
        problems.push(format!("the record has an empty member: {}", record.line));
    }
}
