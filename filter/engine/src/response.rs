//! What happens to responses: ours and the upstream's.

use std::rc::Rc;

use crate::cors::CorsPolicy;
use crate::headers::{HeaderEdit, HeaderRule, Preset, SecurityHeaders};
use crate::input::Violation;
use crate::reply::{Denial, LocalReply, problem_body};
use crate::request::Headers;
use crate::text::Header;

/// The response side of a route, compiled.
#[derive(Clone, Debug)]
pub(crate) struct ResponseRules {
    pub(crate) cors: Option<CorsPolicy>,
    pub(crate) hide_upstream_5xx: bool,
    pub(crate) preset: Preset,
    security: Vec<HeaderRule>,
    reply_headers: Vec<Header>,
}

/// What to do with the response to one request.
#[derive(Clone, Debug)]
pub struct ResponsePlan {
    rules: Rc<ResponseRules>,
    origin: Option<String>,
    request_id: Option<String>,
}

impl ResponseRules {
    pub(crate) fn new(cors: Option<CorsPolicy>, security: &SecurityHeaders, hide_upstream_5xx: bool) -> Self {
        let reply_headers = security.reply_headers(cors.is_some());
        let preset = security.preset;
        let security = security.rules(cors.is_some());
        Self { cors, hide_upstream_5xx, preset, security, reply_headers }
    }
}

impl ResponsePlan {
    pub(crate) fn new(rules: Rc<ResponseRules>, origin: Option<&str>, request_id: Option<&str>) -> Self {
        Self { rules, origin: origin.map(str::to_owned), request_id: request_id.map(str::to_owned) }
    }

    /// The edits that an upstream's response with these headers needs, and no more.
    #[must_use]
    pub fn edits(&self, upstream: &Headers<'_>) -> Vec<HeaderEdit> {
        let mut edits = Vec::with_capacity(self.rules.security.len() + 4);
        edits.extend(self.rules.security.iter().filter_map(|rule| rule.edit(upstream)));
        if let Some(cors) = &self.rules.cors {
            cors.response_edits(self.origin.as_deref(), upstream, &mut edits);
        }
        edits
    }

    /// The reply that stands in for an upstream's response of this status, where such responses are hidden: nothing of
    /// the upstream's is left but the status and, so that clients wait, its `Retry-After`.
    #[must_use]
    pub fn hide_upstream_error(&self, status: u16, upstream: &Headers<'_>) -> Option<LocalReply> {
        if !self.rules.hide_upstream_5xx || !(500..=599).contains(&status) {
            return None;
        }
        let mut reply = self.problem(status, &[]);
        let retry_after = upstream.iter().find(|(name, _)| *name == "retry-after").map(|(_, value)| value);
        let printable = |value: &&&[u8]| value.iter().all(|byte| *byte == b' ' || byte.is_ascii_graphic());
        if let Some(value) = retry_after.filter(printable).and_then(|value| std::str::from_utf8(value).ok()) {
            reply.headers.push(("retry-after".into(), value.to_owned().into()));
        }
        Some(reply)
    }

    /// Answers a refusal.
    pub(crate) fn refuse(&self, denial: Denial<'_>) -> LocalReply {
        let mut reply = self.problem(denial.status(), denial.violations);
        if let Some(challenge) = denial.challenge() {
            reply.headers.push(("www-authenticate".into(), challenge));
        }
        if let Some(seconds) = denial.retry_after() {
            reply.headers.push(("retry-after".into(), seconds.into()));
        }
        reply
    }

    /// Answers a preflight that is not allowed: no `Access-Control-*` at all.
    pub(crate) fn refuse_preflight(&self, denial: Denial<'_>) -> LocalReply {
        let mut reply = self.refuse(denial);
        reply.headers.retain(|(name, _)| !name.starts_with("access-control-"));
        reply
    }

    /// Answers an allowed preflight.
    pub(crate) fn accept_preflight(&self, cors: Vec<Header>) -> LocalReply {
        let mut headers = self.rules.reply_headers.clone();
        headers.extend(cors);
        LocalReply { status: 204, headers, body: Vec::new() }
    }

    fn problem(&self, status: u16, violations: &[Violation]) -> LocalReply {
        let mut headers = vec![("content-type".into(), "application/problem+json".into())];
        headers.extend(self.rules.reply_headers.iter().cloned());
        if let Some(cors) = &self.rules.cors {
            headers.extend(cors.reply_headers(self.origin.as_deref()));
        }
        LocalReply { status, headers, body: problem_body(status, self.request_id.as_deref(), violations) }
    }
}

/// The reply of a filter that cannot decide, with no policy to say how it should look: 503 where there is no policy, 500
/// where the host failed.
#[must_use]
pub fn failure_reply(status: u16) -> LocalReply {
    let rules = ResponseRules::new(None, &SecurityHeaders::default(), true);
    ResponsePlan::new(Rc::new(rules), None, None).problem(status, &[])
}

#[cfg(test)]
mod tests;
