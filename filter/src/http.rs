//! The callbacks of a request: each asks the engine and carries out what it says.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use portcullis_engine::{
    Attempt, AuditRecord, Change, Counter, Decision, HeaderEdits, Headers, LocalReply, Policy, RequestAction,
    ResponsePlan, Verdict, failure_reply,
};
use proxy_wasm::types::{Action, Status};

use crate::direct::HeaderMap;
use crate::fetch::Wait;
use crate::host::{self, RequestFacts};
use crate::lockout;
use crate::plugin::Plugin;

/// How often a request is decided again because there are newer keys.
const MAX_ASKED_AGAIN: usize = 3;

/// One request. The root context knows it too, while it waits.
pub(crate) struct Request {
    context: u32,
    plugin: Option<Rc<Plugin>>,
    response: Option<ResponsePlan>,
    record: Option<AuditRecord>,
    /// What is counted if the request ends while it waits.
    undecided: Option<Decision>,
    /// The status sent, as far as it passed through here.
    status: Option<u16>,
    /// The response is our own, complete as it was sent.
    replied: bool,
    /// The head may go on, and so may what follows it.
    passed: bool,
    /// The head is all there is.
    is_whole: bool,
    /// The head is good, and waits for its body to be judged.
    judging: Option<Box<Verdict>>,
    /// How much of the body has come.
    body_size: usize,
    /// And that there is no more to come.
    body_ended: bool,
    /// Where its attempt to sign in is counted, until the answer is known.
    reserved: Option<Counter>,
}

/// What becomes of a request.
enum Outcome {
    Continue,
    Reply(LocalReply),
    /// It is resumed once there are keys, or the time for that is over; or goes on with its body.
    Wait,
}

/// Whether a request may still wait for keys.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Patience {
    Some,
    None,
}

fn status_of(headers: &Headers<'_>) -> Option<u16> {
    let (_, value) = headers.iter().find(|(name, _)| name == ":status")?;
    let digit = |byte: u8| u16::from(byte.wrapping_sub(b'0'));
    match **value {
        // Three digits (RFC 9110 section 15), without the cost of parsing.
        [a @ b'0'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9'] => Some(digit(a) * 100 + digit(b) * 10 + digit(c)),
        _ => None,
    }
}

/// Goes on with a request that has waited, from the root context.
pub(crate) fn resume(request: &RefCell<Request>) {
    let outcome = {
        // A request that waits is not in a callback of its own.
        let Ok(mut request) = request.try_borrow_mut() else { return };
        // It may be gone, which is the end of it.
        if host::act_as(request.context).is_err() {
            return;
        }
        match request.decide(Patience::None, &Weak::new()) {
            // Its body has come meanwhile, and the host does not tell of it again.
            Outcome::Wait => request.judge(),
            outcome => outcome,
        }
    };
    match outcome {
        Outcome::Continue => host::resume_request(),
        Outcome::Reply(reply) => host::reply(&reply),
        Outcome::Wait => {}
    }
}

impl Request {
    pub(crate) const fn new(context: u32, plugin: Option<Rc<Plugin>>) -> Self {
        Self {
            context,
            plugin,
            response: None,
            record: None,
            undecided: None,
            status: None,
            replied: false,
            passed: false,
            is_whole: false,
            judging: None,
            body_size: 0,
            body_ended: false,
            reserved: None,
        }
    }

    fn decide(&mut self, patience: Patience, itself: &Weak<RefCell<Self>>) -> Outcome {
        let Some(plugin) = self.plugin.clone() else { return self.reply(failure_reply(503)) };
        let map = host::request_headers();
        let headers = match map.as_ref().map_err(|status| *status).and_then(HeaderMap::headers) {
            Ok(headers) => headers,
            Err(status) => return self.fail("cannot read the request's headers", status),
        };
        // One callback runs at a time, and these are held for the length of this one: they cannot be taken.
        let (Ok(mut worker), Ok(mut fetcher)) = (plugin.worker.try_borrow_mut(), plugin.fetcher.try_borrow_mut())
        else {
            return self.reply(failure_reply(500));
        };
        let facts = RequestFacts { is_whole: self.is_whole, reserved: Cell::new(self.reserved) };
        let mut verdict = plugin.policy.decide(&headers, &facts, &mut worker, &mut ());
        self.reserved = facts.reserved.get();
        // Keys that others have fetched meanwhile may not have it either: then it waits for those that come next.
        for _ in 0..MAX_ASKED_AGAIN {
            let Some(source) = verdict.wants.filter(|_| patience == Patience::Some) else { break };
            match fetcher.hold((self.context, itself.clone()), source, &plugin.policy, &mut worker) {
                Wait::No => break,
                Wait::Held => {
                    // Where the client goes first, or the host answers it, this is what was known of it.
                    self.record = verdict.audit;
                    self.response = Some(verdict.response);
                    self.undecided = Some(verdict.decision);
                    return Outcome::Wait;
                }
                Wait::AskAgain => verdict = plugin.policy.decide(&headers, &facts, &mut worker, &mut ()),
            }
        }
        self.undecided = None;
        if verdict.attempt.is_some_and(|attempt| attempt.failed) {
            self.count_failure(&plugin.policy, verdict.attempt);
        }
        plugin.metrics.cache_asked(worker.cache().take_counts());
        if self.is_whole {
            verdict.judge_body(&[]);
        }
        if verdict.body.is_some() {
            // Edited now, while it is at hand; it goes nowhere before its body does.
            if let RequestAction::Continue(edits) = &verdict.action
                && let Err(status) = host::edit_request(&headers, edits)
            {
                return self.fail("cannot edit the request's headers", status);
            }
            self.response = Some(verdict.response.clone());
            self.judging = Some(Box::new(verdict));
            return Outcome::Wait;
        }
        plugin.metrics.decided(verdict.decision);
        self.response = Some(verdict.response);
        self.record = verdict.audit;
        match verdict.action {
            RequestAction::Reply(reply) => self.reply(reply),
            RequestAction::Continue(edits) => self.go_on(&headers, &edits),
        }
    }

    /// Looks at what has come of a body that is to be judged.
    fn judge(&mut self) -> Outcome {
        let (Some(plugin), Some(mut verdict)) = (self.plugin.clone(), self.judging.take()) else {
            return Outcome::Wait;
        };
        verdict.judge_size(self.body_size);
        if verdict.body.is_some() && self.body_ended {
            match host::request_body(self.body_size) {
                Ok(body) => verdict.judge_body(&body),
                Err(status) => return self.fail("cannot read the request's body", status),
            }
        }
        if verdict.body.is_some() {
            self.judging = Some(verdict);
            return Outcome::Wait;
        }
        plugin.metrics.decided(verdict.decision);
        self.record = verdict.audit;
        match verdict.action {
            RequestAction::Reply(reply) => self.reply(reply),
            // Its head was edited when it came. What is too much in a dry run goes on as far as it has come.
            RequestAction::Continue(_) => {
                self.passed = true;
                Outcome::Continue
            }
        }
    }

    fn go_on(&mut self, headers: &Headers<'_>, edits: &HeaderEdits) -> Outcome {
        match host::edit_request(headers, edits) {
            Ok(()) => {
                self.passed = true;
                Outcome::Continue
            }
            Err(status) => self.fail("cannot edit the request's headers", status),
        }
    }

    /// Counts an attempt that failed here.
    fn count_failure(&mut self, policy: &Policy, attempt: Option<Attempt>) {
        let Some((lockout, attempt)) = policy.lockout().zip(attempt) else { return };
        let change = if self.reserved.take().is_some() { Change::Confirm } else { Change::Fail };
        lockout::change(lockout, &attempt.counter, change);
    }

    /// Settles an attempt whose answer is known: a 401 is a failure, and so is none at all, or a client could see to it
    /// that nothing is counted.
    fn settle(&mut self, failed: bool) {
        let Some(counter) = self.reserved.take() else { return };
        let Some(lockout) = self.plugin.as_ref().and_then(|plugin| plugin.policy.lockout()) else { return };
        lockout::change(lockout, &counter, if failed { Change::Confirm } else { Change::GiveBack });
    }

    fn edit_response(&mut self) -> Outcome {
        if self.replied {
            return Outcome::Continue;
        }
        let map = host::response_headers();
        let headers = match map.as_ref().map_err(|status| *status).and_then(HeaderMap::headers) {
            Ok(headers) => headers,
            Err(status) => return self.fail("cannot read the response's headers", status),
        };
        self.status = status_of(&headers);
        self.settle(self.status == Some(401));
        let Some(plan) = &self.response else { return Outcome::Continue };
        if let Some(reply) = self.status.and_then(|status| plan.hide_upstream_error(status, &headers)) {
            return self.reply(reply);
        }
        match host::edit_response(&headers, &plan.edits(&headers)) {
            Ok(()) => Outcome::Continue,
            Err(status) => self.fail("cannot edit the response's headers", status),
        }
    }

    fn edit_request_trailers(&self) -> Result<(), Status> {
        let Some(plugin) = &self.plugin else { return Ok(()) };
        let map = host::request_trailers()?;
        let trailers = map.headers()?;
        host::edit_request_trailers(&trailers, &plugin.policy.request_trailer_edits(&trailers))
    }

    fn edit_response_trailers(&self) -> Result<(), Status> {
        let Some(plan) = self.response.as_ref().filter(|_| !self.replied) else { return Ok(()) };
        let map = host::response_trailers()?;
        let trailers = map.headers()?;
        host::edit_response_trailers(&trailers, &plan.trailer_edits(&trailers))
    }

    fn reply(&mut self, reply: LocalReply) -> Outcome {
        self.replied = true;
        self.status = Some(reply.status);
        Outcome::Reply(reply)
    }

    /// What the engine cannot foresee: the host refuses a call. Never a pass.
    fn fail(&mut self, what: &str, status: Status) -> Outcome {
        log::error!("{what}: {status:?}");
        self.record = match self.record.take() {
            Some(record) => Some(record.failed()),
            None => self.record_failure(),
        };
        self.reply(failure_reply(500))
    }

    /// The record of a request that had none yet, or was to have none.
    #[inline(never)]
    fn record_failure(&self) -> Option<AuditRecord> {
        let plugin = self.plugin.as_ref()?;
        let map = host::request_headers();
        let headers = map.as_ref().ok().and_then(|map| map.headers().ok()).unwrap_or_default();
        plugin.policy.record_failure(&headers, &RequestFacts { is_whole: true, reserved: Cell::new(None) })
    }
}

impl Outcome {
    fn action(self) -> Action {
        match self {
            Self::Continue => Action::Continue,
            Self::Wait => Action::Pause,
            Self::Reply(reply) => {
                host::reply(&reply);
                Action::Pause
            }
        }
    }
}

/// What follows a head goes where it went, once it was judged where that is asked for. To Envoy, with
/// `allow_on_headers_stop_iteration`, "go on" in answer to a piece of a body or to trailers is "go on" for a head
/// that was held back, too.
fn follow(request: &RefCell<Request>, size: Option<usize>, is_whole: bool) -> Action {
    let Ok(mut request) = request.try_borrow_mut() else { return Action::Pause };
    if request.passed {
        return Action::Continue;
    }
    if let Some(size) = size {
        request.body_size = size;
    }
    request.body_ended |= is_whole;
    request.judge().action()
}

pub(crate) fn on_request_headers(request: &Rc<RefCell<Request>>, end_of_stream: bool) -> Action {
    let itself = Rc::downgrade(request);
    let outcome = match request.try_borrow_mut() {
        Ok(mut request) => {
            request.is_whole = end_of_stream;
            request.decide(Patience::Some, &itself)
        }
        Err(_) => Outcome::Reply(failure_reply(500)),
    };
    outcome.action()
}

pub(crate) fn on_request_body(request: &RefCell<Request>, size: usize, end_of_stream: bool) -> Action {
    follow(request, Some(size), end_of_stream)
}

pub(crate) fn on_request_trailers(request: &RefCell<Request>) -> Action {
    let edited = request.try_borrow().map_or(Err(Status::InternalFailure), |request| request.edit_request_trailers());
    match edited {
        Ok(()) => follow(request, None, true),
        Err(status) => {
            // The head may be gone already. Without its end the request is never whole, and the host's time-out ends it.
            log::error!("cannot edit the request's trailers: {status:?}");
            Action::Pause
        }
    }
}

pub(crate) fn on_response_headers(request: &RefCell<Request>) -> Action {
    let outcome = match request.try_borrow_mut() {
        Ok(mut request) => request.edit_response(),
        Err(_) => Outcome::Reply(failure_reply(500)),
    };
    outcome.action()
}

pub(crate) fn on_response_trailers(request: &RefCell<Request>) -> Action {
    let edited = request.try_borrow().map_or(Err(Status::InternalFailure), |request| request.edit_response_trailers());
    match edited {
        Ok(()) => Action::Continue,
        Err(status) => {
            // Too late for another reply. What might tell of the inside stays here, and the host's time-out ends it.
            log::error!("cannot edit the response's trailers: {status:?}");
            Action::Pause
        }
    }
}

pub(crate) fn on_log(request: &RefCell<Request>) {
    let Ok(mut request) = request.try_borrow_mut() else { return };
    let Some(plugin) = request.plugin.clone() else { return };
    if let Some(decision) = request.undecided.take() {
        plugin.metrics.decided(decision);
    }
    if let Some(mut verdict) = request.judging.take() {
        verdict.abandon_body();
        plugin.metrics.decided(verdict.decision);
        request.record = verdict.audit;
    }
    let replied = request.replied;
    request.settle(!replied);
    let Some(record) = request.record.take() else { return };
    let sinks = plugin.policy.sinks();
    // One callback runs at a time, and this is held for the length of this one: it cannot be taken.
    let Ok(mut journal) = plugin.journal.try_borrow_mut() else { return };
    let entry = journal.enter(record, request.status.or_else(host::response_code));
    host::log_audit_lines(entry.summary);
    let Some(line) = entry.line else { return };
    if sinks.access_log {
        host::leave_audit_record(&line);
    }
    host::log_audit_lines(Some(line).filter(|_| sinks.log));
}
