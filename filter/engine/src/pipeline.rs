//! The way of a request, on one page: [`Policy::decide`].

use std::cell::Cell;
use std::fmt;
use std::net::IpAddr;
use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::audit::{AuditLevel, AuditRecord, Fields, Phrases, Recording};
use crate::authz::{Authentication, Permit, Principal, Requirement};
use crate::decision::{AllowReason, Decision, DenyReason, Event};
use crate::headers::{HeaderEdit, HeaderEdits};
use crate::input::Violation;
use crate::lockout::{Attempt, Counter, Lockout, Standing};
use crate::policy::Policy;
use crate::reply::{Denial, LocalReply};
use crate::request::{Envelope, Headers, RequestHead};
use crate::response::ResponsePlan;
use crate::route::{Misreading, Route, RouteMatch};
use crate::session::Session;
use crate::text::Header;
use crate::time::UnixTime;
use crate::token::{
    Crypto, Extracted, HostCrypto, Means, Proven, Provider, Refusal, TokenError, TokenSource, verify_under,
};
use crate::upstream;
use crate::worker::Worker;

mod body;
mod credentials;
mod explain;

pub use body::BodyGate;
pub use explain::{ButFor, NearMiss, Objection};

/// What the engine may ask about a request beyond its headers. Asked at most once each.
pub trait Facts: HostCrypto {
    /// The time.
    fn now(&self) -> UnixTime;
    /// The client's address; `None` where it is not known.
    fn client(&self) -> Option<IpAddr>;
    /// Whether a body follows the head; `None` where that is not known.
    fn has_body(&self) -> Option<bool> {
        None
    }
    /// Whether the caller of a counter may try; where it may and `reserve` is set, the attempt is counted from now on. A
    /// host without counters locks nobody out.
    fn standing(&self, lockout: &Lockout, counter: &Counter, reserve: bool) -> Standing {
        let _ = (lockout, counter, reserve);
        Standing::Open
    }
}

/// Follows a decision, step by step. The filter's own is `()`, which costs nothing.
pub trait Trace {
    /// A step was taken; `detail` says what it looked at, and never holds a token.
    fn step(&mut self, step: Step, passed: bool, detail: impl FnOnce() -> String);
}

impl Trace for () {
    fn step(&mut self, _: Step, _: bool, _: impl FnOnce() -> String) {}
}

/// The steps of a decision, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Parsing and normalising the request head.
    Request,
    /// Finding the route.
    Route,
    /// Answering a preflight.
    Preflight,
    /// The route's address rules.
    Ip,
    /// Finding and verifying the token.
    Authentication,
    /// The route's requirement and conditions.
    Authorization,
    /// What the route takes as input.
    Input,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Request => "request",
            Self::Route => "route",
            Self::Preflight => "preflight",
            Self::Ip => "ip",
            Self::Authentication => "authentication",
            Self::Authorization => "authorization",
            Self::Input => "input",
        })
    }
}

/// The outcome of a decision, and everything that follows from it.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// What was decided.
    pub decision: Decision,
    /// What happens to the request.
    pub action: RequestAction,
    /// What happens to the response.
    pub response: ResponsePlan,
    /// The audit record; `None` where the policy's `level` wants none.
    pub audit: Option<AuditRecord>,
    /// The route, where one was found.
    pub route: Option<Rc<str>>,
    /// The decisive role, where there was one.
    pub role: Option<Rc<str>>,
    /// The fetched key set in which a key for the token may yet be found: after the next fetch, the decision may be
    /// another.
    pub wants: Option<usize>,
    /// What is to be counted for the lockout; `None` where there is none, or nothing to count.
    pub attempt: Option<Attempt>,
    /// The body has to be seen before the request may go on; see [`Verdict::judge_body`].
    pub body: Option<BodyGate>,
}

/// What happens to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestAction {
    /// It goes on, changed like this.
    Continue(HeaderEdits),
    /// It is answered here.
    Reply(LocalReply),
}

/// What has been learned of a request on its way.
struct Passage<'a> {
    matched: Option<RouteMatch<'a>>,
    token: Option<Extracted<'a>>,
    /// The API key, as it stands in its header.
    api_key: Option<&'a [u8]>,
    attempt: Option<Attempt>,
    locked_for: Option<u32>,
    /// Who was proved to be the caller, and is refused all the same: for the record alone.
    shut_out: Option<Rc<Session>>,
    authentication: Authentication<'a>,
    /// The provider that verified the token, or refused it.
    provider: Option<&'a Provider>,
    wants: Option<usize>,
    violations: Vec<Violation>,
}

/// Why a request does not go on.
enum Stop {
    Deny(DenyReason),
    Preflight(Vec<Header>),
}

impl From<DenyReason> for Stop {
    fn from(reason: DenyReason) -> Self {
        Self::Deny(reason)
    }
}

/// No key of any provider fits.
const UNKNOWN: Refusal = Refusal { provider: None, error: TokenError::UnknownKey, wants: None };

/// Facts, asked at most once.
struct Asked<'f, F> {
    facts: &'f F,
    now: UnixTime,
    client: Cell<Option<Option<IpAddr>>>,
}

impl<'f, F: Facts> Asked<'f, F> {
    fn of(facts: &'f F) -> Self {
        Self { facts, now: facts.now(), client: Cell::new(None) }
    }

    fn client(&self) -> Option<IpAddr> {
        self.client.get().unwrap_or_else(|| {
            let client = self.facts.client();
            self.client.set(Some(client));
            client
        })
    }
}

impl Policy {
    /// Decides a request: what becomes of it, of its response, and what is recorded.
    ///
    /// `worker` keeps what is kept from request to request; it belongs to this policy and no other.
    pub fn decide(
        &self,
        headers: &Headers<'_>,
        facts: &impl Facts,
        worker: &mut Worker,
        trace: &mut impl Trace,
    ) -> Verdict {
        self.decide_recording(headers, facts, worker, trace, None)
    }

    /// The record of a request that the host failed after it was decided, where it has none yet: as denied for an internal
    /// error, whatever was let through unrecorded. What is no longer at hand is not in it.
    #[must_use]
    pub fn record_failure(&self, headers: &Headers<'_>, facts: &impl Facts) -> Option<AuditRecord> {
        let all = Recording { level: AuditLevel::All, sampled: true };
        let recording = Some(all).filter(|_| self.audit.level != AuditLevel::None)?;
        let mut worker = Worker::new(self, Proven::NOTHING);
        let verdict = self.decide_recording(headers, facts, &mut worker, &mut (), Some(recording));
        verdict.audit.map(AuditRecord::failed)
    }

    fn decide_recording(
        &self,
        headers: &Headers<'_>,
        facts: &impl Facts,
        worker: &mut Worker,
        trace: &mut impl Trace,
        recording: Option<Recording>,
    ) -> Verdict {
        let asked = Asked::of(facts);
        let mut passage = Passage {
            matched: None,
            token: None,
            api_key: None,
            attempt: None,
            locked_for: None,
            shut_out: None,
            authentication: Authentication::Anonymous,
            provider: None,
            wants: None,
            violations: Vec::new(),
        };
        let envelope = Envelope::scan(headers);
        let head = RequestHead::parse(&envelope);
        let outcome = match &head {
            Ok(head) => {
                trace.step(Step::Request, true, || explain::head(head));
                self.pass(head, &mut passage, &asked, worker, trace)
            }
            Err(reason) => {
                trace.step(Step::Request, false, || reason.to_string());
                Err(Stop::Deny(*reason))
            }
        };
        let recording = recording.unwrap_or_else(|| {
            let sampled = matches!(outcome, Err(Stop::Deny(_))) || worker.sampler.takes(self.audit.sample);
            Recording { level: self.audit.level, sampled }
        });
        let request = (&envelope, head.as_ref().ok());
        self.conclude(request, &passage, &outcome, &asked, recording, &mut worker.phrases)
    }

    /// The edits that the trailers of a request need before they go on: some servers take them for headers, and nothing was
    /// decided on what they say.
    #[must_use]
    pub fn request_trailer_edits(&self, trailers: &Headers<'_>) -> Vec<HeaderEdit> {
        upstream::strip_trailers(trailers, &self.forgeable, &self.judged_headers)
    }

    /// The way itself: route, preflight, address, authentication, authorization.
    fn pass<'a, T: Trace>(
        &'a self,
        head: &'a RequestHead<'a>,
        passage: &mut Passage<'a>,
        asked: &Asked<'_, impl Facts>,
        worker: &mut Worker,
        trace: &mut T,
    ) -> Result<Permit, Stop> {
        if let Some(requested) = head.preflight_method()
            && let Some(answered) = self.preflight(head, requested, passage, trace)
        {
            return Err(answered);
        }
        passage.matched = self.routes.find(head.path.as_str(), &head.host, head.envelope.method.as_str());
        let matched = passage.matched.as_ref();
        trace.step(Step::Route, matched.is_some(), || explain::route(self, head, matched));
        // A route on trial lets through what it refuses; not what another server may take for a route that is not.
        if let Some(misreading) = matched.and_then(|matched| self.evades(head, matched)) {
            trace.step(Step::Route, false, || explain::misreading(misreading));
            return Err(DenyReason::PathAmbiguous.into());
        }
        (passage.token, passage.api_key) = self.credentials(head).inspect_err(|reason| {
            trace.step(Step::Authentication, false, || reason.to_string());
        })?;

        if let Some(rule) = matched.and_then(|matched| matched.route.ip.as_ref()) {
            let admitted = rule.admits(asked.client());
            trace.step(Step::Ip, admitted, || explain::address(rule, asked.client()));
            if !admitted {
                return Err(DenyReason::IpDenied.into());
            }
        }

        self.admit(passage, asked, worker).inspect_err(|reason| {
            trace.step(Step::Authentication, false, || reason.to_string());
        })?;
        let matched = passage.matched.as_ref();
        let public = matched.is_some_and(|matched| matched.route.requirement == Requirement::Public);
        if !public {
            self.authenticate(passage, asked, worker, trace)?;
        }
        let Some(matched) = &passage.matched else { return Err(DenyReason::RouteNotFound.into()) };

        let Route { requirement, .. } = matched.route;
        let permit = requirement.authorize(&passage.authentication, matched, head, asked.now);
        trace.step(Step::Authorization, permit.is_ok(), || {
            explain::authorization(&requirement.examine(&passage.authentication, matched, head, asked.now), &permit)
        });
        let permit = permit?;
        // Last, so that who may not know the routes does not learn of them.
        if let Some(misreading) = self.misread(head, matched) {
            trace.step(Step::Route, false, || explain::misreading(misreading));
            return Err(DenyReason::PathAmbiguous.into());
        }
        if let Some(input) = &matched.route.input {
            let checked = input.check_head(head, matched, asked.facts.has_body());
            trace.step(Step::Input, checked.is_ok(), || explain::input(&checked));
            if let Err(refused) = checked {
                let reason = refused.reason();
                passage.violations = refused.into_violations();
                return Err(reason.into());
            }
        }
        Ok(permit)
    }

    /// Answers a preflight, where CORS applies to what it asks for.
    #[inline(never)]
    fn preflight<'a>(
        &'a self,
        head: &'a RequestHead<'a>,
        requested: &str,
        passage: &mut Passage<'a>,
        trace: &mut impl Trace,
    ) -> Option<Stop> {
        let matched = self.routes.find(head.path.as_str(), &head.host, requested);
        let rules = matched.as_ref().map_or(&self.response, |matched| &matched.route.response);
        let cors = rules.cors.as_ref()?;
        passage.matched = matched;
        let answer = cors.preflight(head, requested);
        trace.step(Step::Preflight, answer.is_ok(), || explain::preflight(head, requested, &answer));
        Some(answer.map_or_else(Stop::Deny, Stop::Preflight))
    }

    /// What a request to a route on trial may be taken for, where that is not on trial.
    fn evades<'a>(&'a self, head: &RequestHead<'_>, matched: &RouteMatch<'_>) -> Option<Misreading<'a>> {
        let on_trial = matched.route.dry_run && !self.dry_run;
        let enforced =
            |misreading: &Misreading<'_>| !matches!(misreading, Misreading::Other(Route { dry_run: true, .. }));
        on_trial.then(|| self.misread(head, matched)).flatten().filter(enforced)
    }

    fn misread<'a>(&'a self, head: &RequestHead<'_>, matched: &RouteMatch<'_>) -> Option<Misreading<'a>> {
        let (path, host, method) = (head.path.as_str(), &*head.host, head.envelope.method);
        self.routes.misread(matched, path, host, method.as_str()).or_else(|| {
            let capitals = method.in_capitals()?;
            self.routes.misread_method(matched, path, host, &capitals)
        })
    }

    fn authenticate<'a>(
        &'a self,
        passage: &mut Passage<'a>,
        asked: &Asked<'_, impl Facts>,
        worker: &mut Worker,
        trace: &mut impl Trace,
    ) -> Result<(), DenyReason> {
        if let Some(key) = passage.api_key {
            return self.authenticate_key(key, passage, asked, worker, trace);
        }
        let Some(token) = &passage.token else {
            trace.step(Step::Authentication, false, || "no token in any place that a provider names".into());
            return Ok(());
        };
        let (index, verified) = match self.session(token, asked, worker) {
            Ok(session) => (Some(session.provider), Ok(session)),
            Err(refusal) => {
                passage.wants = refusal.wants;
                (refusal.provider, Err(refusal.error))
            }
        };
        passage.provider = index.and_then(|index| self.providers.get(index));
        let name = passage.provider.map_or("-", |provider| provider.name.as_str());
        match (verified, passage.provider) {
            (Ok(session), Some(provider)) => {
                let obeyed = self.obey_feed(Rc::clone(&session), provider, token, worker, asked.now);
                let session = obeyed.inspect_err(|reason| {
                    passage.shut_out = Some(session);
                    trace.step(Step::Authentication, false, || {
                        format!("{}, provider `{name}`: {reason}", token.source.place)
                    });
                })?;
                trace.step(Step::Authentication, true, || {
                    format!("{}, provider `{name}`, roles: [{}]", token.source.place, session.roles.names().join(", "))
                });
                passage.authentication = Authentication::Authenticated(Principal { provider: Some(provider), session });
                Ok(())
            }
            (Ok(_), None) => Err(DenyReason::InternalError),
            (Err(error), _) => {
                trace.step(Step::Authentication, false, || {
                    format!("{}, provider `{name}`: {error}", token.source.place)
                });
                Err(error.reason())
            }
        }
    }

    /// The session of a token: kept from before, or made by verifying it.
    fn session(
        &self,
        token: &Extracted<'_>,
        asked: &Asked<'_, impl Facts>,
        worker: &mut Worker,
    ) -> Result<Rc<Session>, Refusal> {
        let Some(session) = worker.cache.get(token.source_index, &token.token) else {
            return self.verify(token, asked, worker);
        };
        let Some(provider) = self.providers.get(session.provider) else { return Err(UNKNOWN) };
        match session.recheck(provider, asked.now) {
            Ok(()) => Ok(session),
            Err(error) => {
                worker.cache.remove(&token.token);
                Err(Refusal { provider: Some(session.provider), error, wants: None })
            }
        }
    }

    /// The session of a token that was not seen before.
    #[inline(never)]
    fn verify(
        &self,
        token: &Extracted<'_>,
        asked: &Asked<'_, impl Facts>,
        worker: &mut Worker,
    ) -> Result<Rc<Session>, Refusal> {
        let Worker { cache, remote, proven, headers, .. } = worker;
        let now = asked.now;
        let means = Means { fetched: remote, crypto: Crypto::new(asked.facts, *proven), now };
        let (providers, mut payload) = (&token.source.providers, Vec::new());
        let (index, verified) = verify_under(&self.providers, providers, token.text(), means, headers, &mut payload)?;
        let provider = self.providers.get(index).ok_or(UNKNOWN)?;
        let session = Rc::new(Session::new(index, provider, verified, &self.roles, &self.audit.masks));
        cache.insert(token.source_index, &token.token, Rc::clone(&session));
        Ok(session)
    }

    /// From the outcome to everything that follows from it.
    fn conclude(
        &self,
        (envelope, head): (&Envelope<'_>, Option<&RequestHead<'_>>),
        passage: &Passage<'_>,
        outcome: &Result<Permit, Stop>,
        asked: &Asked<'_, impl Facts>,
        recording: Recording,
        phrases: &mut Phrases,
    ) -> Verdict {
        let route = passage.matched.as_ref().map(|matched| matched.route);
        let rules = route.map_or(&self.response, |route| &route.response);
        let response = ResponsePlan::new(rules.clone(), envelope.origin, envelope.request_id);
        let evades =
            || head.zip(passage.matched.as_ref()).is_some_and(|(head, matched)| self.evades(head, matched).is_some());
        let dry_run = self.dry_run || route.is_some_and(|route| route.dry_run) && !evades();
        let authenticated = matches!(passage.authentication, Authentication::Authenticated(_));
        let go_on = |permit| RequestAction::Continue(self.upstream_edits(envelope, head, passage, permit));
        let (decision, action) = match outcome {
            Ok(permit) => (Decision::Allow(permit.reason()), go_on(Some(permit))),
            Err(Stop::Preflight(cors)) => (
                Decision::Allow(AllowReason::CorsPreflight),
                RequestAction::Reply(response.accept_preflight(cors.clone())),
            ),
            Err(Stop::Deny(reason)) if dry_run => (Decision::DryRunDeny(*reason), go_on(None)),
            Err(Stop::Deny(reason)) => {
                let step_up = route.and_then(|route| route.step_up.as_ref());
                let denial = Denial {
                    reason: *reason,
                    authenticated,
                    step_up,
                    violations: &passage.violations,
                    locked_for: passage.locked_for,
                };
                let reply = match reason.event() {
                    Event::Cors => response.refuse_preflight(denial),
                    _ => response.refuse(denial),
                };
                (Decision::Deny(*reason), RequestAction::Reply(reply))
            }
        };
        let identity = match &passage.authentication {
            Authentication::Authenticated(principal) => Some(&principal.session.record),
            Authentication::Anonymous => None,
        };
        let decisive = outcome.as_ref().ok().and_then(Permit::role);
        let role = decisive.or_else(|| identity.and_then(|identity| identity.role.as_ref()));
        let identity = identity.or_else(|| passage.shut_out.as_ref().map(|session| &session.record));
        let gate =
            route.and_then(|route| route.input.as_ref()).filter(|input| outcome.is_ok() && input.asks_for_body());
        let body =
            gate.filter(|_| asked.facts.has_body() != Some(false) || gate.is_some_and(|gate| gate.body.is_some()));
        let body = body.map(|rules| BodyGate {
            rules: Rc::clone(rules),
            required: envelope.method.expects_body(),
            dry_run,
            recording,
        });
        let audit = (recording.takes(decision) || body.is_some()).then(|| {
            let unmatched = head.filter(|_| route.is_none()).map(|head| self.routes.redact(head.path.as_str()));
            let hashed = passage.matched.as_ref().and_then(|matched| self.audit.masks.path(matched));
            let fields = Fields {
                timestamp: asked.now,
                decision,
                status: match &action {
                    RequestAction::Continue(_) => 200,
                    RequestAction::Reply(reply) => reply.status,
                },
                envelope,
                route,
                path: hashed.as_deref().or(unmatched.as_deref()),
                path_masked: hashed.is_some() || unmatched.as_deref().is_some_and(|path| path.ends_with('*')),
                ip: asked.client(),
                provider: passage.provider.map(|provider| provider.name.as_str()),
                identity,
                role: role.map(AsRef::as_ref),
                masks: &self.audit.masks,
                policy: &self.recorded,
            };
            AuditRecord::new(&fields, phrases)
        });
        let (route, role) = (route.map(|route| Rc::clone(&route.name)), role.map(Rc::clone));
        let failed = matches!(outcome, Err(Stop::Deny(reason)) if reason.is_guess());
        let attempt = passage.attempt.map(|attempt| Attempt { failed, ..attempt });
        let attempt = attempt.filter(|attempt| attempt.failed || attempt.reserved);
        Verdict { decision, action, response, audit, route, role, wants: passage.wants, attempt, body }
    }

    fn upstream_edits(
        &self,
        envelope: &Envelope<'_>,
        head: Option<&RequestHead<'_>>,
        passage: &Passage<'_>,
        permit: Option<&Permit>,
    ) -> HeaderEdits {
        let principal = match &passage.authentication {
            Authentication::Authenticated(principal) => Some(principal),
            Authentication::Anonymous => None,
        };
        let identity = principal.map(|principal| Rc::clone(&principal.session.headers));
        let (mut edits, identity) = upstream::replace_identity(envelope.headers, &self.forgeable, identity);
        if let Some(head) = head {
            let stays = |source: &TokenSource| match principal {
                Some(principal) => !principal.provider.is_some_and(|provider| provider.forward),
                None => !source.providers.iter().all(|index| self.providers.get(*index).is_some_and(|p| p.forward)),
            };
            let mut stripping = upstream::Stripping::of(head, &mut edits);
            let mut gone = None;
            match &passage.token {
                Some(token) if stays(token.source) => {
                    stripping.take(&token.source.place);
                    gone = Some(token.source);
                }
                // A dry run lets through what was refused before its token was found.
                None if permit.is_none() => {
                    self.sources.holding(head).filter(|source| stays(source)).for_each(|source| {
                        stripping.take(&source.place);
                    });
                }
                _ => {}
            }
            self.sources.disguised(head, gone).for_each(|place| stripping.take(place));
            stripping.finish();
        }
        if permit.is_some_and(|permit| permit.reason() == AllowReason::OwnerUpstream) {
            edits.push(HeaderEdit::set("x-portcullis-scope", "own"));
        }
        HeaderEdits::new(edits, identity)
    }
}

/// 96 bits of SHA-256, base64url: enough to join records by, nothing to come back from.
pub(crate) fn short_digest(text: &str) -> String {
    let hash = Sha256::digest(text.as_bytes());
    URL_SAFE_NO_PAD.encode(hash.get(..12).unwrap_or_default())
}

#[cfg(test)]
#[cfg(not(target_arch = "wasm32"))]
mod back_ends;
#[cfg(test)]
mod tests;
