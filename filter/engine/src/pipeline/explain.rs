//! What `policy explain` tells beyond a decision: its steps in words, every rule that speaks against a request, and the
//! routes that nearly took it. Nothing here is asked by the filter.

use std::fmt;
use std::net::IpAddr;

use super::{Asked, Facts, Passage, Step, Trace};
use crate::authz::{Authentication, Finding, Permit, Requirement};
use crate::decision::DenyReason;
use crate::input::Refused;
use crate::ip::IpRule;
use crate::policy::Policy;
use crate::request::{Envelope, Headers, RequestHead};
use crate::route::{HostPattern, Misreading, Route, RouteMatch};
use crate::text::Header;
use crate::worker::Worker;

#[cfg(test)]
mod tests;

/// Near misses that a step names; `explain` has all of them.
const NAMED: usize = 5;

/// A rule that speaks against a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Objection {
    /// Where on the request's way it stands.
    pub step: Step,
    /// The reason it would be refused for.
    pub reason: DenyReason,
    /// What was looked at.
    pub detail: String,
}

/// A route that would decide a request but for one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NearMiss<'p> {
    /// Its name.
    pub route: &'p str,
    /// What it is.
    pub but_for: ButFor,
}

/// What keeps a request from a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ButFor {
    /// The method.
    Method,
    /// The host.
    Host,
    /// Both.
    MethodAndHost,
    /// A `/` at the end of the path, missing or too many.
    FinalSlash,
    /// The case of letters in the path.
    Case,
}

impl fmt::Display for ButFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Method => "the method",
            Self::Host => "the host",
            Self::MethodAndHost => "the method and the host",
            Self::FinalSlash => "the slash at the end of the path",
            Self::Case => "the case of its path",
        })
    }
}

impl Policy {
    /// Every rule that speaks against a request, in the order of its way: the first is what [`decide`](Self::decide)
    /// refuses it for. Empty where none does. Rules that ask who the caller is are left out where that is not known.
    pub fn objections(&self, headers: &Headers<'_>, facts: &impl Facts, worker: &mut Worker) -> Vec<Objection> {
        let envelope = Envelope::scan(headers);
        let head = match RequestHead::parse(&envelope) {
            Ok(head) => head,
            Err(reason) => return vec![Objection { step: Step::Request, reason, detail: reason.to_string() }],
        };
        let find = |method| self.routes.find(head.path.as_str(), &head.host, method);
        if let Some(requested) = head.preflight_method() {
            let matched = find(requested);
            let rules = matched.as_ref().map_or(&self.response, |matched| &matched.route.response);
            if let Some(cors) = &rules.cors {
                let answer = cors.preflight(&head, requested);
                let detail = preflight(&head, requested, &answer);
                let refused = answer.err();
                return refused.map(|reason| Objection { step: Step::Preflight, reason, detail }).into_iter().collect();
            }
        }
        let mut objections = Vec::new();
        let mut object = |step, reason, detail| objections.push(Objection { step, reason, detail });
        let asked = Asked::of(facts);
        let matched = find(head.envelope.method.as_str());
        let evades = matched.as_ref().and_then(|matched| self.evades(&head, matched));
        if let Some(misread) = evades {
            object(Step::Route, DenyReason::PathAmbiguous, misreading(misread));
        }
        let credentials = self.credentials(&head);
        if let Err(reason) = credentials {
            object(Step::Authentication, reason, reason.to_string());
        }
        if let Some(rule) = matched.as_ref().and_then(|matched| matched.route.ip.as_ref())
            && !rule.admits(asked.client())
        {
            object(Step::Ip, DenyReason::IpDenied, address(rule, asked.client()));
        }
        let public = matched.as_ref().is_some_and(|matched| matched.route.requirement == Requirement::Public);
        let mut known = credentials.is_ok();
        let (token, api_key) = credentials.unwrap_or_default();
        let mut passage = Passage {
            matched: None,
            token,
            api_key,
            attempt: None,
            locked_for: None,
            shut_out: None,
            authentication: Authentication::Anonymous,
            provider: None,
            wants: None,
            violations: Vec::new(),
        };
        if known && !public {
            let mut said = Said(String::new());
            if let Err(reason) = self.authenticate(&mut passage, &asked, worker, &mut said) {
                object(Step::Authentication, reason, said.0);
                known = false;
            }
        }
        match &matched {
            None => object(Step::Route, DenyReason::RouteNotFound, route(self, &head, None)),
            Some(matched) if known || public => {
                let findings = matched.route.requirement.examine(&passage.authentication, matched, &head, asked.now);
                for Finding { against, detail } in findings {
                    if let Some(reason) = against {
                        object(Step::Authorization, reason, detail);
                    }
                }
                let rules = matched.route.input.as_ref();
                let checked = rules.map_or(Ok(()), |rules| rules.check_head(&head, matched, facts.has_body()));
                if let Err(refused) = &checked {
                    object(Step::Input, refused.reason(), input(&checked));
                }
            }
            Some(_) => {}
        }
        let misread = matched.as_ref().and_then(|matched| self.misread(&head, matched));
        if let Some(misread) = misread.filter(|_| evades.is_none()) {
            object(Step::Route, DenyReason::PathAmbiguous, misreading(misread));
        }
        objections
    }

    /// The routes that would decide a request but for one thing, in the order of the policy: where a route does decide it,
    /// those that would come before that one.
    #[must_use]
    pub fn near_misses(&self, headers: &Headers<'_>) -> Vec<NearMiss<'_>> {
        let envelope = Envelope::scan(headers);
        let Ok(head) = RequestHead::parse(&envelope) else { return Vec::new() };
        let method = head.preflight_method().unwrap_or_else(|| head.envelope.method.as_str());
        near_misses(self, &head, method)
    }
}

/// The last thing that was said of a decision.
struct Said(String);

impl Trace for Said {
    fn step(&mut self, _: Step, _: bool, detail: impl FnOnce() -> String) {
        self.0 = detail();
    }
}

fn near_misses<'p>(policy: &'p Policy, head: &RequestHead<'_>, method: &str) -> Vec<NearMiss<'p>> {
    let path = head.path.as_str();
    let found = policy.routes.find(path, &head.host, method).map(|found| found.route);
    let toggled = match path.strip_suffix('/') {
        Some(shorter) => shorter.to_owned(),
        None => format!("{path}/"),
    };
    let misses = policy.routes.routes().iter().filter_map(|route| {
        let but_for = if route.path.matches(path, str::eq) {
            Some(misfit(route, &head.host, method)?).filter(|_| decides(policy, route, path, &head.host, method))
        } else if found.is_some() || misfit(route, &head.host, method).is_some() {
            None
        } else if route.path.matches(&toggled, str::eq) {
            Some(ButFor::FinalSlash)
        } else {
            route.path.matches(path, str::eq_ignore_ascii_case).then_some(ButFor::Case)
        };
        but_for.map(|but_for| NearMiss { route: &route.name, but_for })
    });
    misses.collect()
}

/// What of a route's methods and hosts does not fit.
fn misfit(route: &Route, host: &str, method: &str) -> Option<ButFor> {
    let by_host = route.hosts.is_empty() || route.hosts.iter().any(|pattern| pattern.matches(host));
    let by_method = route.methods.is_empty() || route.methods.iter().any(|own| own == method);
    match (by_method, by_host) {
        (true, true) => None,
        (false, true) => Some(ButFor::Method),
        (true, false) => Some(ButFor::Host),
        (false, false) => Some(ButFor::MethodAndHost),
    }
}

/// Whether a route would decide requests for a path if their method and host fitted.
fn decides(policy: &Policy, route: &Route, path: &str, host: &str, method: &str) -> bool {
    let method = if route.methods.iter().any(|own| own == method) { Some(method) } else { None };
    let method = method.or_else(|| route.methods.first().map(String::as_str)).unwrap_or("GET");
    let fitting = route.hosts.iter().find(|pattern| pattern.matches(host));
    let example = match (fitting, route.hosts.first()) {
        (None, Some(HostPattern::Exact(exact))) => exact.clone(),
        (None, Some(HostPattern::Suffix(suffix))) => format!("a{suffix}"),
        _ => host.to_owned(),
    };
    policy.routes.find(path, &example, method).is_some_and(|found| std::ptr::eq(found.route, route))
}

pub(super) fn head(head: &RequestHead<'_>) -> String {
    let rewritten = if head.path.is_rewritten() { " (normalised)" } else { "" };
    format!("{} {}{rewritten}", head.envelope.method.as_str(), head.path.as_str())
}

pub(super) fn route(policy: &Policy, head: &RequestHead<'_>, matched: Option<&RouteMatch<'_>>) -> String {
    let found = matched.map_or_else(
        || "no route".to_owned(),
        |matched| format!("`{}` ({})", matched.route.name, matched.route.path.text),
    );
    let near = near_misses(policy, head, head.envelope.method.as_str());
    let mut named: Vec<String> = near
        .iter()
        .take(NAMED)
        .map(|NearMiss { route, but_for }| format!("`{route}` would match but for {but_for}"))
        .collect();
    if near.len() > NAMED {
        named.push(format!("so would {} more", near.len().saturating_sub(NAMED)));
    }
    match (matched, named.is_empty()) {
        (None, true) => "no route has this path".to_owned(),
        (_, true) => found,
        (_, false) => format!("{found}; {}", named.join(", ")),
    }
}

pub(super) fn misreading(misreading: Misreading<'_>) -> String {
    let taken_for = match misreading {
        Misreading::Other(route) => format!("`{}` ({}), which asks something else", route.name, route.path.text),
        Misreading::Unknown => "a path of no route".to_owned(),
    };
    format!("a server that compares without case, or drops a `/`, `.` or space at an end, takes it for {taken_for}")
}

pub(super) fn preflight(head: &RequestHead<'_>, requested: &str, answer: &Result<Vec<Header>, DenyReason>) -> String {
    let origin = head.envelope.origin.unwrap_or("-");
    match answer {
        Ok(_) => format!("{requested} from {origin}"),
        Err(reason) => format!("{requested} from {origin}: {reason}"),
    }
}

/// What is wrong with the input, in full.
pub(super) fn input(checked: &Result<(), Refused>) -> String {
    let Err(refused) = checked else { return "as the route asks".to_owned() };
    let violations = refused.violations().iter();
    let mut parts: Vec<String> =
        violations.map(|one| format!("{} {} {}", one.place, one.pointer, one.detail).replace("  ", " ")).collect();
    parts.push(refused.reason().to_string());
    parts.join(": ")
}

pub(super) fn address(rule: &IpRule, client: Option<IpAddr>) -> String {
    let client = client.map_or_else(|| "unknown".to_owned(), |client| client.to_string());
    format!("{client}; rule: {}", rule.describe())
}

/// What authorization found, up to what was decisive.
pub(super) fn authorization(findings: &[Finding], permit: &Result<Permit, DenyReason>) -> String {
    let against = findings.iter().position(|finding| finding.against.is_some());
    let decisive = against.map_or(findings.len(), |index| index.saturating_add(1));
    let details: Vec<&str> = findings.iter().take(decisive).map(|finding| finding.detail.as_str()).collect();
    let details = details.join("; ");
    match permit {
        Ok(permit) => format!("{details}: {}", permit.reason()),
        Err(reason) => format!("{details}: {reason}"),
    }
}
