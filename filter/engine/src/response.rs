//! What happens to responses: ours and the upstream's.

use std::cell::OnceCell;
use std::rc::Rc;

use crate::cors::{CorsPolicy, VARY};
use crate::header_map::HeaderBlock;
use crate::headers::{HeaderEdit, HeaderEdits, HeaderRule, Preset, SecurityHeaders};
use crate::input::Violation;
use crate::names::NameMap;
use crate::reply::{Challenge, Denial, LocalReply, problem_body};
use crate::request::Headers;
use crate::set_cookie::{CookieRules, SET_COOKIE};
use crate::text::{Header, Text};

/// What a gRPC service says of its own failure beside the status (gRPC over HTTP/2, "Responses"; `google.rpc.Status`).
const GRPC_WORDS: [&str; 2] = ["grpc-message", "grpc-status-details-bin"];

/// The response side of a route, compiled.
#[derive(Clone, Debug)]
pub(crate) struct ResponseRules {
    pub(crate) cors: Option<CorsPolicy>,
    pub(crate) hide_upstream_5xx: bool,
    pub(crate) preset: Preset,
    security: Vec<HeaderRule>,
    /// The headers of an upstream's response that matter.
    noted: NameMap<Noted>,
    /// What a response without any of them needs, whoever asks.
    usual: Rc<[HeaderEdit]>,
    pub(crate) set_cookie: Option<CookieRules>,
    /// What every reply of ours has.
    reply_headers: Vec<Header>,
    /// The same in the form that hosts take, from when they are first needed: of answers to preflights, and by challenge of problem
    /// documents.
    preflight: OnceCell<Rc<HeaderBlock>>,
    problems: [OnceCell<Rc<HeaderBlock>>; Challenge::COUNT],
}

/// Why a header of an upstream's response matters.
#[derive(Clone, Copy, Debug, Default)]
struct Noted {
    /// It goes.
    removed: bool,
    /// What else the response needs goes by it.
    weighed: bool,
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
        let (preflight, problems) = Default::default();
        let preset = security.preset;
        let set_cookie = security.set_cookie.clone();
        let rules = security.rules(cors.is_some());
        let mut noted: NameMap<Noted> = NameMap::new();
        let mut weigh = |name| noted.note(name, |noted| noted.weighed = true);
        rules.iter().for_each(|rule| weigh(rule.name().clone()));
        cors.iter().for_each(|_| weigh(VARY.0));
        set_cookie.iter().for_each(|_| weigh(Text::Static(SET_COOKIE)));
        GRPC_WORDS.iter().filter(|_| hide_upstream_5xx).for_each(|name| weigh(Text::Static(name)));
        security.removed().for_each(|name| noted.note(name, |noted| noted.removed = true));
        let usual = rules.iter().map(HeaderRule::addition).chain(cors.iter().flat_map(CorsPolicy::usual)).collect();
        Self {
            cors,
            hide_upstream_5xx,
            preset,
            security: rules,
            noted,
            usual,
            set_cookie,
            reply_headers,
            preflight,
            problems,
        }
    }
}

impl ResponseRules {
    /// What problem documents come with, but for what CORS allows.
    fn problem_headers(&self, challenge: Challenge) -> Rc<HeaderBlock> {
        let make = || self.make_problem_headers(challenge);
        self.problems.get(challenge as usize).map_or_else(make, |made| Rc::clone(made.get_or_init(make)))
    }

    #[inline(never)]
    fn make_problem_headers(&self, challenge: Challenge) -> Rc<HeaderBlock> {
        let mut headers: Vec<Header> = vec![("content-type".into(), "application/problem+json".into())];
        headers.extend(self.reply_headers.iter().cloned());
        headers.extend(self.cors.iter().map(|_| VARY));
        headers.extend(challenge.text().map(|text| ("www-authenticate".into(), text.into())));
        Rc::new(HeaderBlock::of(headers))
    }
}

impl ResponsePlan {
    pub(crate) fn new(rules: Rc<ResponseRules>, origin: Option<&str>, request_id: Option<&str>) -> Self {
        Self { rules, origin: origin.map(str::to_owned), request_id: request_id.map(str::to_owned) }
    }

    /// The edits that an upstream's response with these headers needs, and no more.
    #[must_use]
    pub fn edits(&self, upstream: &Headers<'_>) -> HeaderEdits {
        let rules = &*self.rules;
        let mut edits = Vec::new();
        for (name, _) in upstream {
            match rules.noted.get(*name) {
                None if rules.cors.is_some() && CorsPolicy::weighs(*name) => {
                    return HeaderEdits::new(self.weigh(upstream), None);
                }
                None => {}
                Some((_, Noted { weighed: true, .. })) => return HeaderEdits::new(self.weigh(upstream), None),
                Some((name, _)) => remove(name, &mut edits),
            }
        }
        if let (Some(cors), Some(origin)) = (&rules.cors, &self.origin) {
            cors.allow(origin, &mut edits);
        }
        HeaderEdits::new(edits, Some(Rc::clone(&rules.usual)))
    }

    /// The same where some of it is there already.
    #[inline(never)]
    fn weigh(&self, upstream: &Headers<'_>) -> Vec<HeaderEdit> {
        let rules = &*self.rules;
        let mut edits: Vec<HeaderEdit> = rules.security.iter().filter_map(|rule| rule.edit(upstream)).collect();
        self.remove_noted(upstream, &mut edits);
        if let Some(rules) = &rules.set_cookie {
            rules.harden(upstream, &mut edits);
        }
        if let Some(cors) = &rules.cors {
            cors.response_edits(self.origin.as_deref(), upstream, &mut edits);
        }
        self.hide_grpc_words(upstream, &mut edits);
        edits
    }

    fn remove_noted(&self, upstream: &Headers<'_>, edits: &mut Vec<HeaderEdit>) {
        let found = upstream.iter().filter_map(|(name, _)| self.rules.noted.get(*name));
        found.filter(|(_, noted)| noted.removed).for_each(|(name, _)| remove(name, edits));
    }

    /// The edits that the trailers of an upstream's response need. Only what tells of the inside goes: security headers and
    /// CORS mean nothing here.
    #[must_use]
    pub fn trailer_edits(&self, upstream: &Headers<'_>) -> Vec<HeaderEdit> {
        let mut edits = Vec::new();
        self.remove_noted(upstream, &mut edits);
        self.hide_grpc_words(upstream, &mut edits);
        edits
    }

    /// A gRPC service fails with HTTP status 200 and a status of its own, in headers or in trailers. Its words stay where
    /// that status blames the caller; a client takes a missing or unknown status for `UNKNOWN`, and so does this.
    fn hide_grpc_words(&self, upstream: &Headers<'_>, edits: &mut Vec<HeaderEdit>) {
        if self.rules.hide_upstream_5xx && upstream.iter().any(|(name, _)| GRPC_WORDS.iter().any(|word| name == *word))
        {
            Self::hide_words_of_failure(upstream, edits);
        }
    }

    #[inline(never)]
    fn hide_words_of_failure(upstream: &Headers<'_>, edits: &mut Vec<HeaderEdit>) {
        let mut statuses =
            upstream.iter().filter(|(name, _)| name == "grpc-status").map(|(_, value)| *value).peekable();
        if statuses.peek().is_some() && statuses.all(grpc_status_blames_the_caller) {
            return;
        }
        for name in GRPC_WORDS {
            if upstream.iter().any(|(found, _)| found == name) {
                edits.push(HeaderEdit::remove(name));
            }
        }
    }

    /// The reply that stands in for an upstream's response of this status, where such responses are hidden: nothing of
    /// the upstream's is left but the status and, so that clients wait, its `Retry-After`.
    #[must_use]
    pub fn hide_upstream_error(&self, status: u16, upstream: &Headers<'_>) -> Option<LocalReply> {
        // What is no status at all, a client is to take for a 5xx (RFC 9110 section 15).
        let hides = self.rules.hide_upstream_5xx && status >= 500;
        hides.then(|| self.stand_in(status, upstream))
    }

    #[inline(never)]
    fn stand_in(&self, status: u16, upstream: &Headers<'_>) -> LocalReply {
        let mut reply = self.problem(status, Challenge::None, &[]);
        let retry_after = upstream.iter().find(|(name, _)| name == "retry-after").map(|(_, value)| value);
        let printable = |value: &&&[u8]| value.iter().all(|byte| *byte == b' ' || byte.is_ascii_graphic());
        if let Some(value) = retry_after.filter(printable).and_then(|value| std::str::from_utf8(value).ok()) {
            reply.push("retry-after", value.to_owned().into());
        }
        reply
    }

    /// Answers a refusal.
    #[inline(never)]
    pub(crate) fn refuse(&self, denial: Denial<'_>) -> LocalReply {
        let mut reply = self.problem(denial.status(), denial.challenge(), denial.violations);
        if let Some(challenge) = denial.step_up_challenge() {
            reply.push("www-authenticate", challenge);
        }
        if let Some(seconds) = denial.retry_after() {
            reply.push("retry-after", seconds);
        }
        reply
    }

    /// Answers a preflight that is not allowed: no `Access-Control-*` at all.
    #[inline(never)]
    pub(crate) fn refuse_preflight(&self, denial: Denial<'_>) -> LocalReply {
        let mut reply = self.refuse(denial);
        reply.withhold_cors();
        reply
    }

    /// Answers an allowed preflight.
    #[inline(never)]
    pub(crate) fn accept_preflight(&self, cors: Vec<Header>) -> LocalReply {
        let headers = &self.rules.reply_headers;
        let common = self.rules.preflight.get_or_init(|| Rc::new(HeaderBlock::of(headers.clone())));
        LocalReply::new(204, Rc::clone(common), cors, Vec::new())
    }

    fn problem(&self, status: u16, challenge: Challenge, violations: &[Violation]) -> LocalReply {
        let granted = self.rules.cors.as_ref().map(|cors| cors.grant_and_expose(self.origin.as_deref()));
        let body = problem_body(status, self.request_id.as_deref(), violations);
        LocalReply::new(status, self.rules.problem_headers(challenge), granted.unwrap_or_default(), body)
    }
}

/// Removes a header, if it is there twice, too.
fn remove(name: &Text, edits: &mut Vec<HeaderEdit>) {
    let edit = HeaderEdit::Remove(name.clone());
    if !edits.contains(&edit) {
        edits.push(edit);
    }
}

/// Whether a gRPC status is none that `google.rpc.Code` maps to a 5xx of HTTP: those are `UNKNOWN` (2),
/// `DEADLINE_EXCEEDED` (4), `UNIMPLEMENTED` (12), `INTERNAL` (13), `UNAVAILABLE` (14) and `DATA_LOSS` (15).
fn grpc_status_blames_the_caller(status: &[u8]) -> bool {
    matches!(status, b"0" | b"1" | b"3" | b"5" | b"6" | b"7" | b"8" | b"9" | b"10" | b"11" | b"16")
}

/// The reply of a filter that cannot decide, with no policy to say how it should look: 503 where there is no policy, 500
/// where the host failed.
#[must_use]
pub fn failure_reply(status: u16) -> LocalReply {
    let rules = ResponseRules::new(None, &SecurityHeaders::default(), true);
    ResponsePlan::new(Rc::new(rules), None, None).problem(status, Challenge::None, &[])
}

#[cfg(test)]
mod tests;
