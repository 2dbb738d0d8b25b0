//! Polling the identity feed: one worker asks for all, and every worker takes in what came, a piece at a time.

use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::time::Duration;

use portcullis_engine::feed::{
    FeedError, FeedState, Feeds, IdentityFeed, Loading, MAX_FEED_BYTES, OnStale, PollError, Polled, Progress, Which,
};
use portcullis_engine::{Facts as _, Policy, UnixTime, Worker};

use crate::host::{self, Get, HostFacts};
use crate::metrics::Metrics;
use crate::shared;

/// How much of a feed is looked at in one go: some milliseconds.
const PIECE: usize = 512 * 1024;

/// How often, while there is more to look at.
const BUSY: Duration = Duration::from_millis(2);

thread_local! {
    /// What is in force in this worker, for the next policy and for other listeners: they need not load it again.
    static IN_FORCE: RefCell<Vec<InForce>> = const { RefCell::new(Vec::new()) };
}

struct InForce {
    id: String,
    place: String,
    feeds: Weak<Feeds>,
}

/// The feed of a plugin.
pub(crate) struct Poller {
    id: String,
    place: String,
    state: String,
    call: Option<(u32, Which)>,
    work: Option<Work>,
    /// Versions that are there for all and cannot be read here: saying so once is enough.
    unreadable: Option<(u64, u64)>,
}

/// A feed that is being looked at.
struct Work {
    loading: Loading,
    which: Which,
    /// It was fetched here, with this validator; otherwise another worker did.
    fetched: Option<Option<String>>,
}

impl Poller {
    pub(crate) fn new(feed: &IdentityFeed) -> Self {
        let (id, place) = (feed.id(), feed.place());
        Self { state: state_of(&id), id, place, call: None, work: None, unreadable: None }
    }

    fn document(&self, which: Which) -> String {
        let what = match which {
            Which::Full => "full",
            Which::Delta => "delta",
        };
        format!("portcullis.feed.{what}.{}", self.id)
    }

    fn shared_state(&self) -> FeedState {
        shared::state(&self.state).0
    }

    /// Takes over what this worker has in force already.
    pub(crate) fn start(&self, policy: &Policy, worker: &mut Worker) {
        if let Some(feeds) = self.held_here() {
            worker.share_feeds(policy, feeds, self.shared_state().checked_at());
        } else if let Some(feed) = policy.identity_feed() {
            self.take_over(feed, policy, worker);
        }
    }

    /// Where a key was added or left out, as in a rotation, what is in force here stays so if the keys at hand signed it, and its
    /// version does not go back.
    #[inline(never)]
    fn take_over(&self, feed: &IdentityFeed, policy: &Policy, worker: &mut Worker) {
        let Some((id, feeds)) = self.held_of_place().filter(|(_, feeds)| feed.signed(feeds)) else { return };
        let before: FeedState = shared::state(&state_of(&id)).0;
        let take = |state: &FeedState| IdentityFeed::taken_over(state, &before, &feeds);
        // The first worker leaves it for all.
        if take(&self.shared_state()).is_some() {
            for which in [Which::Full, Which::Delta] {
                let Some(file) = feeds.file(which) else { continue };
                if host::set_shared(&self.document(which), file).is_err() {
                    return;
                }
            }
            shared::update(&self.state, take);
        }
        let state = self.shared_state();
        if (state.version(Which::Full), state.version(Which::Delta)) == versions(Some(&feeds)) {
            self.remember(Some(&feeds));
            worker.share_feeds(policy, feeds, state.checked_at());
        }
    }

    /// What the timer asks. Gives how soon to ask again.
    pub(crate) fn tick(&mut self, policy: &Policy, worker: &mut Worker, metrics: &Metrics) -> Duration {
        let Some(feed) = policy.identity_feed() else { return Duration::ZERO };
        if let Some(work) = self.work.take() {
            self.look_on(work, feed, policy, worker, metrics);
            return if self.work.is_some() { BUSY } else { Duration::from_millis(1) };
        }
        let state = self.shared_state();
        if self.synchronize(&state, feed, policy, worker) {
            return BUSY;
        }
        let now = HostFacts.now();
        metrics.feed_is(versions(worker.feeds()).0.max(versions(worker.feeds()).1), now.since(state.checked_at()));
        if self.call.is_none() {
            self.fetch_if_due(&state, feed, now, worker, metrics);
        }
        feed.attention()
    }

    /// Begins to take in what is there for all and not here. `false` where there is nothing.
    fn synchronize(&mut self, state: &FeedState, feed: &IdentityFeed, policy: &Policy, worker: &mut Worker) -> bool {
        let wanted = (state.version(Which::Full), state.version(Which::Delta));
        let held = versions(worker.feeds());
        let newer = |held: (u64, u64)| wanted.0 > held.0 || wanted.1 > held.1;
        if !newer(held) {
            worker.confirm_feed(policy, state.checked_at());
            return false;
        }
        if self.unreadable == Some(wanted) {
            return false;
        }
        if let Some(feeds) = self.held_here().filter(|feeds| !newer(versions(Some(feeds)))) {
            worker.share_feeds(policy, feeds, state.checked_at());
            return true;
        }
        let which = if wanted.0 > held.0 { Which::Full } else { Which::Delta };
        let file = host::shared(&self.document(which)).0.unwrap_or_default();
        match Loading::begin(file, feed.keys()) {
            Ok(loading) => {
                self.work = Some(Work { loading, which, fetched: None });
                true
            }
            Err(error) => {
                self.cannot_read(wanted, &error);
                false
            }
        }
    }

    fn cannot_read(&mut self, wanted: (u64, u64), error: &FeedError) {
        self.unreadable = Some(wanted);
        log::error!("the shared identity feed cannot be read: {error}; the one at hand stays");
    }

    /// Looks at the next piece, and takes the feed in after the last one.
    fn look_on(&mut self, work: Work, feed: &IdentityFeed, policy: &Policy, worker: &mut Worker, metrics: &Metrics) {
        let Work { loading, which, fetched } = work;
        let now = HostFacts.now();
        let outcome = match loading.step(PIECE) {
            Ok(Progress::More(loading)) => {
                self.work = Some(Work { loading: *loading, which, fetched });
                return;
            }
            Ok(Progress::Done(new)) => {
                let confirmed = if fetched.is_some() { now } else { self.shared_state().checked_at() };
                worker.take_feed(policy, *new, confirmed)
            }
            Err(error) => Err(error),
        };
        match (outcome, fetched) {
            (Ok(()), None) => self.remember(worker.feeds()),
            (Ok(()), Some(etag)) => {
                self.remember(worker.feeds());
                self.publish(which, etag.as_deref(), feed, worker, now);
                metrics.feed_fetched(true);
                metrics.feed_applied();
            }
            (Err(error), None) => {
                let state = self.shared_state();
                self.cannot_read((state.version(Which::Full), state.version(Which::Delta)), &error);
            }
            (Err(error), Some(_)) => self.failed(which, &error.into(), feed, worker, metrics),
        }
    }

    /// Leaves a feed that was fetched here and is good for all others.
    fn publish(&self, which: Which, etag: Option<&str>, feed: &IdentityFeed, worker: &Worker, now: UnixTime) {
        let Some(feeds) = worker.feeds() else { return };
        let file = feeds.file(which).unwrap_or_default();
        log::info!("identity feed version {} is in force, from {feed}", feeds.version());
        if let Err(status) = host::set_shared(&self.document(which), file) {
            log::error!("cannot share the identity feed with other workers: {status:?}");
            return;
        }
        let version = versions(Some(feeds));
        shared::update(&self.state, |state: &FeedState| {
            let older = state.version(Which::Full) > version.0;
            (!older).then(|| feed.applied(state, which, feeds, etag, now))
        });
    }

    fn fetch_if_due(
        &mut self,
        state: &FeedState,
        feed: &IdentityFeed,
        now: UnixTime,
        worker: &Worker,
        metrics: &Metrics,
    ) {
        let turn = |state: &FeedState| feed.is_due(state, now).then(|| feed.begun(state, now));
        if turn(state).is_none() {
            return;
        }
        let Some(state) = shared::update(&self.state, turn) else { return };
        let which = feed.wanted(&state);
        let get = Get {
            cluster: feed.cluster(),
            authority: feed.authority(),
            path: feed.path_of(which),
            accept: "application/octet-stream, */*",
            etag: state.etag(which),
            timeout: feed.timeout(),
        };
        match host::get(&get) {
            Ok(token) => self.call = Some((token, which)),
            Err(_) => self.failed(which, &PollError::NoAnswer, feed, worker, metrics),
        }
    }

    /// What came of a call; `false` where it is none of this poller's.
    pub(crate) fn answered(
        &mut self,
        (token, headers, size): (u32, usize, usize),
        policy: &Policy,
        worker: &Worker,
        metrics: &Metrics,
    ) -> bool {
        let Some((_, which)) = self.call.filter(|(own, _)| *own == token) else { return false };
        self.call = None;
        let Some(feed) = policy.identity_feed() else { return true };
        let state = self.shared_state();
        let polled = match (headers > 0).then(host::fetched_status).flatten() {
            None => Err(PollError::NoAnswer),
            Some(200) if size > MAX_FEED_BYTES => {
                Err(FeedError::TooLarge { bytes: size, limit: MAX_FEED_BYTES }.into())
            }
            Some(status) => {
                let size = if status == 200 { size } else { 0 };
                let file = host::fetched_body(size, MAX_FEED_BYTES);
                feed.read(which, status, file, &state, worker.feeds().map(AsRef::as_ref))
            }
        };
        match polled {
            Ok(Polled::Newer(loading)) => {
                let etag = host::fetched_header("etag");
                self.work = Some(Work { loading: *loading, which, fetched: Some(etag) });
            }
            Ok(Polled::Unchanged) => {
                metrics.feed_fetched(true);
                let now = HostFacts.now();
                shared::update(&self.state, |state| Some(feed.unchanged(state, now)));
            }
            Err(error) => self.failed(which, &error, feed, worker, metrics),
        }
        true
    }

    /// Records that nothing came, or nothing good.
    fn failed(&self, which: Which, why: &PollError, feed: &IdentityFeed, worker: &Worker, metrics: &Metrics) {
        let now = HostFacts.now();
        metrics.feed_fetched(false);
        let state = self.shared_state();
        if matches!(why, PollError::Refused(_)) {
            metrics.feed_rejected();
            if !IdentityFeed::is_known(&state, why) {
                log::error!("identity feed from {feed} refused: {why}; the one in force stays");
            }
        } else {
            log::warn!("no identity feed from {feed}: {why}; the one in force stays");
        }
        if worker.feed_is_stale(now) {
            let outcome = match (feed.on_stale(), worker.feeds()) {
                (OnStale::Serve, Some(_)) => "it is believed further, as `on_stale` says",
                _ => "callers are refused until there is a newer one",
            };
            log::error!("identity feed from {feed} is missing or too old: {outcome}");
        }
        shared::update(&self.state, |state| Some(feed.failed(state, which, why, now)));
    }

    /// Gives up what is under way.
    pub(crate) fn abandon(&mut self, policy: &Policy) {
        let fetching = self.call.take().is_some() || self.work.take().is_some_and(|work| work.fetched.is_some());
        if let Some(feed) = policy.identity_feed().filter(|_| fetching) {
            let now = HostFacts.now();
            shared::update(&self.state, |state| Some(feed.abandoned(state, now)));
        }
    }

    fn remember(&self, feeds: Option<&Rc<Feeds>>) {
        let Some(feeds) = feeds else { return };
        IN_FORCE.with(|held| {
            let Ok(mut held) = held.try_borrow_mut() else { return };
            held.retain(|held| held.id != self.id && held.feeds.strong_count() > 0);
            let (id, place) = (self.id.clone(), self.place.clone());
            held.push(InForce { id, place, feeds: Rc::downgrade(feeds) });
        });
    }

    fn held_here(&self) -> Option<Rc<Feeds>> {
        IN_FORCE.with(|held| {
            let held = held.try_borrow().ok()?;
            held.iter().find(|held| held.id == self.id).and_then(|held| held.feeds.upgrade())
        })
    }

    /// What is in force of the same place, and under which name.
    fn held_of_place(&self) -> Option<(String, Rc<Feeds>)> {
        IN_FORCE.with(|held| {
            let held = held.try_borrow().ok()?;
            let of_place = held.iter().rev().filter(|held| held.place == self.place);
            of_place.filter_map(|held| Some((held.id.clone(), held.feeds.upgrade()?))).next()
        })
    }
}

fn state_of(id: &str) -> String {
    format!("portcullis.feed.state.{id}")
}

fn versions(feeds: Option<&Rc<Feeds>>) -> (u64, u64) {
    feeds.map_or((0, 0), |feeds| (feeds.full_version(), feeds.delta_version()))
}
