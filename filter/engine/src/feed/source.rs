//! Where the feed comes from: when it is asked for, and what of an answer is believed.
//!
//! As with key sets, the host fetches and keeps, and one worker does it for all: they share a [`FeedState`], and whoever
//! replaces it first has the turn.

use std::fmt;
use std::time::Duration;

use super::{FeedClaims, FeedError, Feeds, Loading};
use crate::pipeline::short_digest;
use crate::remote::{is_ahead, take};
use crate::time::UnixTime;
use crate::token::KeySet;

/// How long beyond its time-out a fetch may be thought to be under way: what came has to be looked at, too.
const LEASE_MARGIN: Duration = Duration::from_secs(3);

/// How long a validator may be. A longer one is not sent back.
const MAX_ETAG_BYTES: usize = 256;

/// What happens to callers while the feed is too old, or there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnStale {
    /// They are told to come back.
    Deny,
    /// The last good one is believed further. Without any, they are told to come back.
    Serve,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The whole feed.
    Full,
    /// What changed since.
    Delta,
}

/// The identity feed of a policy.
#[derive(Clone, Debug)]
pub struct IdentityFeed {
    pub(crate) cluster: String,
    pub(crate) authority: String,
    pub(crate) path: String,
    pub(crate) delta_path: Option<String>,
    pub(crate) interval: Duration,
    pub(crate) timeout: Duration,
    pub(crate) keys: KeySet,
    /// The text that the keys were read from.
    pub(crate) key: String,
    pub(crate) stale_after: Duration,
    pub(crate) on_stale: OnStale,
}

/// What an answer brought.
#[derive(Debug)]
pub enum Polled {
    /// What is in force is the newest there is.
    Unchanged,
    /// A newer feed, of which the signature is good; its content is yet to be looked at.
    Newer(Box<Loading>),
}

/// Why an answer brought nothing.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PollError {
    /// None came within the time, or the host has no such cluster.
    #[error("no answer in time, or no connection")]
    NoAnswer,
    /// Neither 200 nor a 304 that was asked for. Redirects are not followed.
    #[error("status {0}")]
    Status(u16),
    /// There was a file, and it is none to take.
    #[error("{0}")]
    Refused(#[from] FeedError),
}

impl IdentityFeed {
    /// The Envoy cluster that is asked.
    #[must_use]
    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    /// The host, as the request names it.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The path to ask for.
    #[must_use]
    pub fn path_of(&self, which: Which) -> &str {
        match (which, &self.delta_path) {
            (Which::Delta, Some(path)) => path,
            _ => &self.path,
        }
    }

    /// How long an answer may take.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The keys that sign it.
    #[must_use]
    pub const fn keys(&self) -> &KeySet {
        &self.keys
    }

    /// What happens to callers while it is too old.
    #[must_use]
    pub const fn on_stale(&self) -> OnStale {
        self.on_stale
    }

    /// How old it may become.
    #[must_use]
    pub const fn stale_after(&self) -> Duration {
        self.stale_after
    }

    /// A name for the feed that all workers agree on: the same for the same place and the same keys.
    #[must_use]
    pub fn id(&self) -> String {
        short_digest(&[&self.place(), self.key.as_str()].join("\n"))
    }

    /// The same for the same place, whatever the keys.
    #[must_use]
    pub fn place(&self) -> String {
        let delta = self.delta_path.as_deref().unwrap_or_default();
        short_digest(&[self.cluster.as_str(), &self.authority, &self.path, delta].join("\n"))
    }

    /// Whether the keys signed all of what is in force.
    #[must_use]
    pub fn signed(&self, feeds: &Feeds) -> bool {
        let files = [Which::Full, Which::Delta].into_iter().filter_map(|which| feeds.file(which));
        files.into_iter().all(|file| FeedClaims::of_file(file, &self.keys).is_ok())
    }

    /// How often to look whether there is something to do.
    #[must_use]
    pub fn attention(&self) -> Duration {
        (self.interval / 20).clamp(Duration::from_millis(20), Duration::from_millis(250))
    }

    /// Whether it is time to ask.
    #[must_use]
    pub fn is_due(&self, state: &FeedState, now: UnixTime) -> bool {
        !is_ahead(state.busy_until, self.lease(), now) && !is_ahead(state.next_at, self.interval, now)
    }

    /// What to ask for.
    #[must_use]
    pub const fn wanted(&self, state: &FeedState) -> Which {
        if self.delta_path.is_none() || state.full == 0 || state.wants_full { Which::Full } else { Which::Delta }
    }

    /// What an answer is worth to a worker that holds `held`.
    ///
    /// # Errors
    /// It is worth nothing.
    pub fn read(
        &self,
        which: Which,
        status: u16,
        file: Vec<u8>,
        state: &FeedState,
        held: Option<&Feeds>,
    ) -> Result<Polled, PollError> {
        if status == 304 && state.etag(which).is_some() {
            return Ok(Polled::Unchanged);
        }
        if status != 200 {
            return Err(PollError::Status(status));
        }
        let loading = Loading::begin(file, &self.keys)?;
        let claims = loading.claims();
        match (which, claims.base) {
            (Which::Full, Some(_)) => return Err(FeedError::Kind("a delta where the full feed belongs").into()),
            (Which::Delta, None) => return Err(FeedError::Kind("a full feed where the delta belongs").into()),
            _ => {}
        }
        let floor = state.version(which);
        if claims.version < floor {
            return Err(FeedError::Older { found: claims.version, held: floor }.into());
        }
        match Feeds::judge(held, claims)? {
            Ok(()) => Ok(Polled::Newer(Box::new(loading))),
            Err(_) => Ok(Polled::Unchanged),
        }
    }

    fn lease(&self) -> Duration {
        self.timeout.saturating_add(LEASE_MARGIN)
    }

    /// The state while a fetch is under way.
    #[must_use]
    pub fn begun(&self, state: &FeedState, now: UnixTime) -> FeedState {
        FeedState { busy_until: now.plus(self.lease()), ..state.clone() }
    }

    /// The state after the server said that what is in force is the newest.
    #[must_use]
    pub fn unchanged(&self, state: &FeedState, now: UnixTime) -> FeedState {
        FeedState {
            checked_at: now,
            busy_until: now,
            next_at: now.plus(self.interval),
            failures: 0,
            wants_full: false,
            ..state.clone()
        }
    }

    /// The state after `feeds` came into force, with what was fetched last.
    #[must_use]
    pub fn applied(
        &self,
        state: &FeedState,
        which: Which,
        feeds: &Feeds,
        etag: Option<&str>,
        now: UnixTime,
    ) -> FeedState {
        let mut next = self.unchanged(state, now);
        (next.full, next.delta) = (feeds.full_version(), feeds.delta_version());
        let etag = etag.filter(|etag| etag.len() <= MAX_ETAG_BYTES).unwrap_or_default().to_owned();
        match which {
            Which::Full => next.full_etag = etag,
            Which::Delta => next.delta_etag = etag,
        }
        next
    }

    /// The state where `feeds` are taken over that came into force under other keys; `before` is the state there. `None` where
    /// that is another feed's, or nothing may be taken over any more.
    #[must_use]
    pub fn taken_over(state: &FeedState, before: &FeedState, feeds: &Feeds) -> Option<FeedState> {
        let is_of = (before.full, before.delta) == (feeds.full_version(), feeds.delta_version());
        let FeedState { busy_until, next_at, .. } = *state;
        (is_of && state.full == 0).then(|| FeedState { busy_until, next_at, failures: 0, refused: 0, ..before.clone() })
    }

    /// The state after no answer, or none that was any good. While there is no feed the wait starts short: at the start
    /// of a proxy, a cluster may take a moment to be ready. After a gap the full feed is asked for at once.
    #[must_use]
    pub fn failed(&self, state: &FeedState, which: Which, why: &PollError, now: UnixTime) -> FeedState {
        let gap = matches!(why, PollError::Refused(FeedError::Gap { .. }));
        let first = (self.interval / 16).max(Duration::from_millis(50));
        let wait = match (gap, state.full) {
            (true, _) => Duration::ZERO,
            (false, 0) => first.saturating_mul(1 << state.failures.min(16)).min(self.interval),
            (false, _) => self.interval,
        };
        let missing = which == Which::Delta && *why == PollError::Status(404);
        FeedState {
            busy_until: now,
            next_at: now.plus(wait),
            failures: state.failures.saturating_add(1),
            wants_full: state.wants_full || gap || missing,
            refused: if matches!(why, PollError::Refused(_)) { fingerprint(why) } else { state.refused },
            ..state.clone()
        }
    }

    /// Whether this refusal is the one of the last time again: once is enough for the log.
    #[must_use]
    pub fn is_known(state: &FeedState, why: &PollError) -> bool {
        state.refused == fingerprint(why)
    }

    /// The state after whoever fetched is gone, and the answer with them.
    #[must_use]
    pub fn abandoned(&self, state: &FeedState, now: UnixTime) -> FeedState {
        FeedState { busy_until: now, next_at: now, ..state.clone() }
    }
}

fn fingerprint(why: &PollError) -> u64 {
    // FNV-1a: nobody gains anything by two refusals that look alike.
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    why.to_string().bytes().fold(0xcbf2_9ce4_8422_2325, step).max(1)
}

impl fmt::Display for IdentityFeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{} of cluster {}", self.authority, self.path, self.cluster)
    }
}

/// What all workers know of the feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedState {
    full: u64,
    delta: u64,
    refused: u64,
    checked_at: UnixTime,
    busy_until: UnixTime,
    next_at: UnixTime,
    failures: u32,
    wants_full: bool,
    full_etag: String,
    delta_etag: String,
}

/// The layout of [`FeedState::encode`].
const LAYOUT: u32 = 1;

impl FeedState {
    /// Nothing was ever fetched, and it is time to.
    pub const NEVER: Self = Self {
        full: 0,
        delta: 0,
        refused: 0,
        checked_at: UnixTime::EPOCH,
        busy_until: UnixTime::EPOCH,
        next_at: UnixTime::EPOCH,
        failures: 0,
        wants_full: false,
        full_etag: String::new(),
        delta_etag: String::new(),
    };

    /// The version that is kept for all; 0 where there is none.
    #[must_use]
    pub const fn version(&self, which: Which) -> u64 {
        match which {
            Which::Full => self.full,
            Which::Delta => self.delta,
        }
    }

    /// What the server called the version that is kept.
    #[must_use]
    pub fn etag(&self, which: Which) -> Option<&str> {
        let etag = match which {
            Which::Full => &self.full_etag,
            Which::Delta => &self.delta_etag,
        };
        Some(etag.as_str()).filter(|etag| !etag.is_empty())
    }

    /// When the server last said what is the newest.
    #[must_use]
    pub const fn checked_at(&self) -> UnixTime {
        self.checked_at
    }

    /// As bytes, for the host to keep.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(64);
        for count in [LAYOUT, self.failures, u32::from(self.wants_full)] {
            bytes.extend_from_slice(&count.to_le_bytes());
        }
        for version in [self.full, self.delta, self.refused] {
            bytes.extend_from_slice(&version.to_le_bytes());
        }
        for moment in [self.checked_at, self.busy_until, self.next_at] {
            bytes.extend_from_slice(&moment.millis().to_le_bytes());
        }
        for etag in [&self.full_etag, &self.delta_etag] {
            bytes.extend_from_slice(&u16::try_from(etag.len()).unwrap_or_default().to_le_bytes());
            bytes.extend_from_slice(etag.as_bytes());
        }
        bytes
    }

    /// From what the host kept; [`NEVER`](Self::NEVER) where that is nothing of ours.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Self {
        Self::read(bytes).unwrap_or(Self::NEVER)
    }

    fn read(mut bytes: &[u8]) -> Option<Self> {
        let mut count = || take::<4>(&mut bytes).map(u32::from_le_bytes);
        let (layout, failures, wants_full) = (count()?, count()?, count()?);
        let mut version = || take::<8>(&mut bytes).map(u64::from_le_bytes);
        let (full, delta, refused) = (version()?, version()?, version()?);
        let mut moment = || take::<8>(&mut bytes).map(i64::from_le_bytes).map(UnixTime::from_millis);
        let (checked_at, busy_until, next_at) = (moment()?, moment()?, moment()?);
        let mut etag = || {
            let length = usize::from(u16::from_le_bytes(take::<2>(&mut bytes)?));
            let (etag, rest) = bytes.split_at_checked(length)?;
            bytes = rest;
            String::from_utf8(etag.to_vec()).ok()
        };
        let (full_etag, delta_etag) = (etag()?, etag()?);
        (layout == LAYOUT && bytes.is_empty()).then_some(Self {
            full,
            delta,
            refused,
            checked_at,
            busy_until,
            next_at,
            failures,
            wants_full: wants_full != 0,
            full_etag,
            delta_etag,
        })
    }
}
