//! Fetching key sets: one worker asks for all, every worker takes in what came, and requests that need it wait.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::{Rc, Weak};
use std::time::Duration;

use portcullis_engine::{
    Answer, Facts as _, FetchError, FetchState, MAX_DOCUMENT_BYTES, Policy, RemoteJwks, Stage, UnixTime, Worker,
};

use crate::feed::Poller;
use crate::host::{self, Get, HostFacts};
use crate::http::Request;
use crate::metrics::Metrics;
use crate::shared;

/// How often a worker looks at most and at least whether there are new keys, or old ones to renew.
const IDLE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// The same while requests wait.
const BUSY: Duration = Duration::from_millis(5);

/// How soon the timer comes where there is something to do already: as soon as a host's timers do.
const SOON: Duration = Duration::from_millis(1);

/// How many requests may wait in one worker. Those beyond are decided by the keys at hand.
const MAX_HELD: usize = 1024;

/// How many requests are resumed in one callback. Envoy carries out what they call for when the callback ends, each on top of the
/// one before: after some three hundred refusals V8 has no stack left, which is a trap.
const MAX_RESUMED: usize = 16;

/// The fetching side of a plugin.
pub(crate) struct Fetcher {
    /// The root context: timer and answers are its own.
    context: u32,
    sources: Vec<Source>,
    calls: Vec<Call>,
    held: Vec<Held>,
    /// Those whose wait is over, and that are yet to be resumed.
    over: VecDeque<Weak<RefCell<Request>>>,
    feed: Option<Poller>,
    /// How soon the feed wants to be asked again; zero where there is none.
    feed_period: Duration,
    /// How often the timer comes when nobody waits; zero is never.
    idle: Duration,
    period: Duration,
}

/// Where a set is kept for all workers.
struct Source {
    state: String,
    document: String,
    /// The generation of a document that could not be read: once is enough.
    unreadable: Option<u32>,
}

/// A request to an issuer that is under way.
struct Call {
    token: u32,
    source: usize,
    stage: Stage,
}

/// A request that waits for keys.
struct Held {
    request: Weak<RefCell<Request>>,
    source: usize,
    until: Until,
    deadline: UnixTime,
}

/// What a request waits for.
#[derive(Clone, Copy)]
enum Until {
    /// Other keys than those of this generation.
    NewerThan(u32),
    /// The end of a fetch, when this many had ended: then its `kid` is known, or nobody knows it.
    FetchesEnded(u32),
}

/// Whether a request should wait.
pub(crate) enum Wait {
    /// Nothing that could come would help, or not in time.
    No,
    /// There are newer keys at hand now: ask again.
    AskAgain,
    /// It is among those that wait, and will be resumed.
    Held,
}

impl Fetcher {
    /// `others` is how often the timer has to come for what else depends on it.
    pub(crate) fn new(context: u32, policy: &Policy, others: Option<Duration>) -> Self {
        let key = |remote: &RemoteJwks, what: &str| format!("portcullis.jwks.{what}.{}", remote.id());
        let source =
            |remote| Source { state: key(remote, "state"), document: key(remote, "document"), unreadable: None };
        let (least, most) = IDLE;
        let attention = policy.remote_jwks().iter().map(|remote| remote.attention().clamp(least, most));
        let attention = attention.chain(others).min();
        Self {
            context,
            idle: attention.unwrap_or(Duration::ZERO),
            sources: policy.remote_jwks().iter().map(source).collect(),
            calls: Vec::new(),
            held: Vec::new(),
            over: VecDeque::new(),
            feed: policy.identity_feed().map(Poller::new),
            feed_period: Duration::ZERO,
            period: Duration::ZERO,
        }
    }

    /// Takes in what other workers or an earlier policy have fetched, and sets the timer.
    pub(crate) fn start(&mut self, policy: &Policy, worker: &mut Worker) {
        for index in 0..self.sources.len() {
            self.synchronize(index, policy, worker);
        }
        // At once, but not from within the configuration: there the host may not have its clusters yet.
        if let Some(feed) = &self.feed {
            feed.start(policy, worker);
        }
        let idle = self.sources.is_empty() && self.feed.is_none();
        self.set_period(if idle { self.idle } else { SOON });
    }

    /// Lets a request wait for a key that `source` may have, where that may come in time.
    pub(crate) fn hold(
        &mut self,
        request: (u32, Weak<RefCell<Request>>),
        source: usize,
        policy: &Policy,
        worker: &mut Worker,
    ) -> Wait {
        let Some(remote) = policy.remote_jwks().get(source) else { return Wait::No };
        let before = worker.generation(source);
        let state = self.synchronize(source, policy, worker);
        if worker.generation(source) != before {
            return Wait::AskAgain;
        }
        let now = HostFacts.now();
        let (until, patience) = if worker.has_keys(source) {
            (Until::FetchesEnded(state.finished()), remote.patience(&state, now))
        } else {
            (Until::NewerThan(before), Some(remote.timeout()))
        };
        let Some(patience) = patience.filter(|_| self.held.len().saturating_add(self.over.len()) < MAX_HELD) else {
            return Wait::No;
        };
        let (context, request) = request;
        self.held.push(Held { request, source, until, deadline: now.plus(patience) });
        if host::act_as(self.context).is_ok() {
            self.attend();
        }
        // Its own again, so that the host pauses this request and no other.
        if host::act_as(context).is_ok() {
            return Wait::Held;
        }
        self.held.pop();
        Wait::No
    }

    /// Takes over every request that waits for another's keys, which nobody asks for any more: they are resumed in their turn.
    pub(crate) fn take_over(&mut self, other: &mut Self) {
        self.over.append(&mut other.over);
        self.over.extend(std::mem::take(&mut other.held).into_iter().map(|held| held.request));
        if !self.over.is_empty() {
            self.attend();
        }
    }

    /// What the timer asks: new keys, old keys, keys too old. Gives out requests that have waited long enough, a few at a time.
    pub(crate) fn tick(
        &mut self,
        policy: &Policy,
        worker: &mut Worker,
        metrics: &Metrics,
    ) -> Vec<Rc<RefCell<Request>>> {
        for source in 0..self.sources.len() {
            let state = self.synchronize(source, policy, worker);
            self.fetch_if_due(source, state, policy, metrics);
        }
        if let Some(feed) = &mut self.feed {
            self.feed_period = feed.tick(policy, worker, metrics);
        }
        if worker.expire(HostFacts.now()) {
            log::error!("keys are too old to serve: their issuer has not answered for longer than `stale_for`");
        }
        self.release(policy, worker)
    }

    /// What came of a call. Gives out requests that waited for it, a few at a time.
    pub(crate) fn answered(
        &mut self,
        (token, headers, size): (u32, usize, usize),
        policy: &Policy,
        worker: &mut Worker,
        metrics: &Metrics,
    ) -> Vec<Rc<RefCell<Request>>> {
        if let Some(feed) = &mut self.feed
            && feed.answered((token, headers, size), policy, worker, metrics)
        {
            self.feed_period = SOON;
            return self.release(policy, worker);
        }
        let Some(at) = self.calls.iter().position(|call| call.token == token) else { return Vec::new() };
        let Call { source, stage, .. } = self.calls.swap_remove(at);
        let (Some(remote), Some(place)) = (policy.remote_jwks().get(source), self.sources.get(source)) else {
            return Vec::new();
        };
        let mut body = Vec::new();
        let answer = match (headers > 0).then(host::fetched_status).flatten() {
            None => Err(FetchError::NoAnswer),
            Some(200) if size > MAX_DOCUMENT_BYTES => Err(FetchError::TooLarge(size)),
            Some(status) => {
                body = host::fetched_body(size, MAX_DOCUMENT_BYTES);
                remote.read(&stage, status, &body)
            }
        };
        let ended = match answer {
            Ok(Answer::Next(stage)) => match self.call(source, stage, remote) {
                Ok(()) => return Vec::new(),
                Err(error) => Err(error),
            },
            Ok(Answer::Keys { keys, passed_over }) => {
                for reason in passed_over {
                    let level = if reason.is_leak() { log::Level::Warn } else { log::Level::Info };
                    log::log!(level, "a key from {remote} is passed over: {reason}");
                }
                for provider in policy.unserved(source, &keys) {
                    log::warn!(
                        "no key from {remote} is for an algorithm that `{provider}` allows: its tokens are refused"
                    );
                }
                host::set_shared(&place.document, &body).map(|()| keys.keys().len()).map_err(|_| FetchError::NoAnswer)
            }
            Err(error) => Err(error),
        };
        self.end(source, remote, ended, metrics);
        self.release(policy, worker)
    }

    /// Records the end of a fetch for all workers.
    fn end(&self, source: usize, remote: &RemoteJwks, ended: Result<usize, FetchError>, metrics: &Metrics) {
        metrics.fetched(ended.is_ok());
        match &ended {
            Ok(count) => log::info!("{count} keys from {remote}"),
            Err(error) => log::warn!("no keys from {remote}: {error}; those at hand stay"),
        }
        let Some(place) = self.sources.get(source) else { return };
        let now = HostFacts.now();
        shared::update(&place.state, |state: &FetchState| {
            Some(if ended.is_ok() { remote.succeeded(state, now) } else { remote.failed(state, now) })
        });
    }

    fn fetch_if_due(&mut self, source: usize, state: FetchState, policy: &Policy, metrics: &Metrics) {
        let (Some(remote), Some(place)) = (policy.remote_jwks().get(source), self.sources.get(source)) else { return };
        let unknown_kid =
            self.held.iter().any(|held| held.source == source && matches!(held.until, Until::FetchesEnded(_)));
        let now = HostFacts.now();
        let turn = |state: &FetchState| remote.is_due(state, unknown_kid, now).then(|| remote.begun(state, now));
        if turn(&state).is_none() || shared::update(&place.state, turn).is_none() {
            return;
        }
        if let Err(error) = self.call(source, remote.first_stage(), remote) {
            self.end(source, remote, Err(error), metrics);
        }
    }

    fn call(&mut self, source: usize, stage: Stage, remote: &RemoteJwks) -> Result<(), FetchError> {
        let get = Get {
            cluster: remote.cluster(),
            authority: remote.authority(),
            path: remote.path_of(&stage),
            accept: "application/json, application/jwk-set+json",
            etag: None,
            timeout: remote.timeout(),
        };
        let token = host::get(&get).map_err(|_| FetchError::NoCluster)?;
        self.calls.push(Call { token, source, stage });
        Ok(())
    }

    /// Takes in what is there for all, where it is newer than what is here.
    fn synchronize(&mut self, source: usize, policy: &Policy, worker: &mut Worker) -> FetchState {
        let Some(place) = self.sources.get_mut(source) else { return FetchState::NEVER };
        let (state, _): (FetchState, _) = shared::state(&place.state);
        let generation = state.generation();
        if generation == worker.generation(source) || place.unreadable == Some(generation) {
            return state;
        }
        let document = host::shared(&place.document).0.unwrap_or_default();
        if let Err(error) = worker.learn(policy, source, &state, &document) {
            place.unreadable = Some(generation);
            log::error!("shared keys cannot be read: {error}; those at hand stay");
        }
        state
    }

    /// Requests whose wait is over, taken out of those that wait; as many as may be resumed now.
    fn release(&mut self, policy: &Policy, worker: &mut Worker) -> Vec<Rc<RefCell<Request>>> {
        if !self.held.is_empty() {
            self.end_waits(policy, worker);
        }
        let mut released = Vec::new();
        while released.len() < MAX_RESUMED
            && let Some(request) = self.over.pop_front()
        {
            released.extend(request.upgrade());
        }
        self.attend();
        released
    }

    fn end_waits(&mut self, policy: &Policy, worker: &mut Worker) {
        let now = HostFacts.now();
        // That a fetch has ended and what it brought are learned at once: a request that was told of the one alone would be
        // decided without the other.
        let finished: Vec<u32> =
            (0..self.sources.len()).map(|source| self.synchronize(source, policy, worker).finished()).collect();
        let is_over = |held: &Held| {
            now >= held.deadline
                || match held.until {
                    Until::NewerThan(generation) => worker.generation(held.source) != generation,
                    Until::FetchesEnded(count) => finished.get(held.source) != Some(&count),
                }
        };
        let (over, waiting): (Vec<_>, _) = std::mem::take(&mut self.held).into_iter().partition(is_over);
        self.held = waiting;
        self.held.retain(|held| held.request.strong_count() > 0);
        self.over.extend(over.into_iter().map(|held| held.request));
    }

    /// Gives up what is under way, whose answers nobody will be there to read.
    pub(crate) fn abandon(&mut self, policy: &Policy) {
        if let Some(feed) = &mut self.feed {
            feed.abandon(policy);
        }
        for Call { source, .. } in std::mem::take(&mut self.calls) {
            let (Some(remote), Some(place)) = (policy.remote_jwks().get(source), self.sources.get(source)) else {
                continue;
            };
            let now = HostFacts.now();
            shared::update(&place.state, |state: &FetchState| Some(remote.abandoned(state, now)));
        }
    }

    /// Sets the timer by what there is to attend to.
    fn attend(&mut self) {
        self.set_period(match (self.over.is_empty(), self.held.is_empty()) {
            (false, _) => SOON,
            (true, false) => BUSY,
            (true, true) => self.idle,
        });
    }

    fn set_period(&mut self, period: Duration) {
        let wanted = [period, self.feed_period].into_iter().filter(|period| !period.is_zero()).min();
        let period = wanted.unwrap_or(Duration::ZERO);
        if self.period != period {
            self.period = period;
            host::set_tick_period(period);
        }
    }
}
