//! Fetching key sets: one worker asks for all, every worker takes in what came, and requests that need it wait.

use std::cell::RefCell;
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

/// How many requests may wait in one worker. Those beyond are decided by the keys at hand.
const MAX_HELD: usize = 1024;

/// The fetching side of a plugin.
pub(crate) struct Fetcher {
    /// The root context: timer and answers are its own.
    context: u32,
    sources: Vec<Source>,
    calls: Vec<Call>,
    held: Vec<Held>,
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
        let period = if idle { self.idle } else { Duration::from_millis(1) };
        self.set_period(period);
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
        let has_keys = worker.has_keys(source);
        if self.held.len() >= MAX_HELD || (has_keys && !remote.may_learn(&state, now)) {
            return Wait::No;
        }
        let until = if has_keys { Until::FetchesEnded(state.finished()) } else { Until::NewerThan(before) };
        let (context, request) = request;
        self.held.push(Held { request, source, until, deadline: now.plus(remote.timeout()) });
        if host::act_as(self.context).is_ok() {
            self.set_period(BUSY);
        }
        // Its own again, so that the host pauses this request and no other.
        if host::act_as(context).is_ok() {
            return Wait::Held;
        }
        self.held.pop();
        Wait::No
    }

    /// Every request that waits: another policy takes over, and nobody asks for this one's keys any more.
    pub(crate) fn release_all(&mut self) -> Vec<Rc<RefCell<Request>>> {
        std::mem::take(&mut self.held).iter().filter_map(|held| held.request.upgrade()).collect()
    }

    /// What the timer asks: new keys, old keys, keys too old. Gives out the requests that have waited long enough.
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
        self.release(worker)
    }

    /// What came of a call. Gives out the requests that waited for it.
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
            self.feed_period = Duration::from_millis(1);
            return self.release(worker);
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
            Ok(Answer::Keys(keys)) => {
                host::set_shared(&place.document, &body).map(|()| keys.keys().len()).map_err(|_| FetchError::NoAnswer)
            }
            Err(error) => Err(error),
        };
        self.end(source, remote, ended, metrics);
        self.synchronize(source, policy, worker);
        self.release(worker)
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

    /// The requests whose wait is over, taken out of those that wait.
    fn release(&mut self, worker: &Worker) -> Vec<Rc<RefCell<Request>>> {
        if self.held.is_empty() {
            self.set_period(self.idle);
            return Vec::new();
        }
        let now = HostFacts.now();
        let finished: Vec<u32> =
            self.sources.iter().map(|place| shared::state::<FetchState>(&place.state).0.finished()).collect();
        let is_over = |held: &Held| {
            now >= held.deadline
                || match held.until {
                    Until::NewerThan(generation) => worker.generation(held.source) != generation,
                    Until::FetchesEnded(count) => finished.get(held.source) != Some(&count),
                }
        };
        let (over, waiting) = std::mem::take(&mut self.held).into_iter().partition(is_over);
        self.held = waiting;
        self.held.retain(|held| held.request.strong_count() > 0);
        if self.held.is_empty() {
            self.set_period(self.idle);
        }
        over.iter().filter_map(|held: &Held| held.request.upgrade()).collect()
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

    fn set_period(&mut self, period: Duration) {
        let wanted = [period, self.feed_period].into_iter().filter(|period| !period.is_zero()).min();
        let period = wanted.unwrap_or(Duration::ZERO);
        if self.period != period {
            self.period = period;
            host::set_tick_period(period);
        }
    }
}
