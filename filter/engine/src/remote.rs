//! Key sets that are fetched from their issuers: when, how often, and what of an answer is believed.
//!
//! The host fetches and keeps; what is here only says what it is to do. One worker fetches for all: they share a
//! [`FetchState`], and whoever replaces it first has the turn.

use std::fmt;
use std::time::Duration;

use serde_json::Value;

use crate::json;
use crate::pipeline::short_digest;
use crate::time::UnixTime;
use crate::token::{JwksError, KeyError, KeySet};

/// How long a key set or a discovery document may be. Those of large issuers have some 10 KB.
pub const MAX_DOCUMENT_BYTES: usize = 512 * 1024;

/// Where the discovery document of an issuer is (OpenID Connect Discovery 1.0 section 4).
const WELL_KNOWN: &str = "/.well-known/openid-configuration";

/// How far apart fetches are that nothing but unknown `kid`s ask for, which anybody can write into a token.
const UNKNOWN_KID_INTERVAL: Duration = Duration::from_secs(3);

/// How long beyond its time-out a fetch may be thought to be under way: for a worker that is gone with its turn.
const LEASE_MARGIN: Duration = Duration::from_secs(1);

/// Where an issuer's keys are, and how often they are fetched.
#[derive(Clone, Debug)]
pub struct RemoteJwks {
    pub(crate) cluster: String,
    pub(crate) authority: String,
    /// Of the key set, or of the discovery document that says where it is.
    pub(crate) path: String,
    /// The issuer that the discovery document must be of; `None` without discovery.
    pub(crate) discovery_of: Option<String>,
    pub(crate) cache_duration: Duration,
    pub(crate) timeout: Duration,
    pub(crate) base_interval: Duration,
    pub(crate) max_interval: Duration,
    pub(crate) stale_for: Duration,
}

/// What a request of a fetch asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The discovery document.
    Discovery,
    /// The key set, at this path.
    Keys(String),
}

/// What an answer brought.
#[derive(Debug)]
pub enum Answer {
    /// Where to go on.
    Next(Stage),
    /// The keys.
    Keys {
        /// Those that can be used.
        keys: KeySet,
        /// Why others of the set are passed over, each reason once.
        passed_over: Vec<KeyError>,
    },
}

/// Why an answer brought nothing. Says nothing of what was in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// None came within the time.
    #[error("no answer in time, or no connection")]
    NoAnswer,
    /// The cluster is not there, or takes no requests.
    #[error("the host cannot send to this cluster; is there one of this name?")]
    NoCluster,
    /// Not 200. Redirects are not followed.
    #[error("status {0}")]
    Status(u16),
    /// Longer than any key set.
    #[error("{0} bytes, {MAX_DOCUMENT_BYTES} allowed")]
    TooLarge(usize),
    /// Not a key set, or one with nothing usable in it.
    #[error("{0}")]
    Keys(#[from] JwksError),
    /// Not a discovery document of this issuer that names a key set here.
    #[error("discovery document: {0}")]
    Discovery(&'static str),
}

impl RemoteJwks {
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

    /// How long an answer may take, and how long a request may wait for keys.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// A name for the set that all workers agree on: the same for the same place.
    #[must_use]
    pub fn id(&self) -> String {
        let issuer = self.discovery_of.as_deref().unwrap_or_default();
        short_digest(&[self.cluster.as_str(), &self.authority, &self.path, issuer].join("\n"))
    }

    /// What a fetch begins with.
    #[must_use]
    pub fn first_stage(&self) -> Stage {
        match self.discovery_of {
            Some(_) => Stage::Discovery,
            None => Stage::Keys(self.path.clone()),
        }
    }

    /// The path to ask for.
    #[must_use]
    pub fn path_of<'a>(&'a self, stage: &'a Stage) -> &'a str {
        match stage {
            Stage::Discovery => &self.path,
            Stage::Keys(path) => path,
        }
    }

    /// What an answer is worth.
    ///
    /// # Errors
    /// It is worth nothing.
    pub fn read(&self, stage: &Stage, status: u16, body: &[u8]) -> Result<Answer, FetchError> {
        if status != 200 {
            return Err(FetchError::Status(status));
        }
        match stage {
            Stage::Discovery => self.jwks_path(body).map(|path| Answer::Next(Stage::Keys(path))),
            Stage::Keys(_) => {
                let (keys, passed_over) = KeySet::from_fetched_jwks(body)?;
                Ok(Answer::Keys { keys, passed_over })
            }
        }
    }

    /// The path of the key set in a discovery document. Its issuer must be the provider's (OpenID Connect Discovery 1.0
    /// section 4.3), and the key set where the document is: the cluster leads nowhere else.
    fn jwks_path(&self, document: &[u8]) -> Result<String, FetchError> {
        let Some(Value::Object(document)) = json::parse(document) else {
            return Err(FetchError::Discovery("not a JSON object without repeated members"));
        };
        if document.get("issuer").and_then(Value::as_str) != self.discovery_of.as_deref() {
            return Err(FetchError::Discovery("its `issuer` is not the provider's"));
        }
        let uri = document.get("jwks_uri").and_then(Value::as_str);
        let uri = uri.ok_or(FetchError::Discovery("no `jwks_uri`"))?;
        let (authority, path) =
            split_uri(uri).ok_or(FetchError::Discovery("`jwks_uri` is not an http or https URI"))?;
        if !same_authority(uri, authority, &self.authority) {
            return Err(FetchError::Discovery("`jwks_uri` is on another authority"));
        }
        Ok(path.to_owned())
    }

    /// Whether it is time to fetch: when the keys grow old, when a failure has been waited out, or, where a token has an
    /// unknown `kid`, when that has not been a reason a moment ago.
    #[must_use]
    pub fn is_due(&self, state: &FetchState, unknown_kid: bool, now: UnixTime) -> bool {
        if is_ahead(state.busy_until, self.lease(), now) {
            return false;
        }
        let longest = self.cache_duration.max(self.max_interval);
        (unknown_kid && self.until_unknown_kid(state, now).is_zero()) || !is_ahead(state.next_at, longest, now)
    }

    /// How long a request may wait for an unknown `kid` to be known: until the next fetch may begin, and then as long as its answer
    /// may take. `None` where that fetch is further away than an answer.
    #[must_use]
    pub fn patience(&self, state: &FetchState, now: UnixTime) -> Option<Duration> {
        if is_ahead(state.busy_until, self.lease(), now) {
            return Some(self.timeout);
        }
        let until_next = self.until_unknown_kid(state, now);
        (until_next < self.timeout).then(|| until_next.saturating_add(self.timeout))
    }

    fn until_unknown_kid(&self, state: &FetchState, now: UnixTime) -> Duration {
        let next = state.asked_at.plus(UNKNOWN_KID_INTERVAL);
        if is_ahead(next, UNKNOWN_KID_INTERVAL, now) { next.since(now) } else { Duration::ZERO }
    }

    fn lease(&self) -> Duration {
        let requests = if self.discovery_of.is_some() { 2 } else { 1 };
        self.timeout.saturating_mul(requests).saturating_add(LEASE_MARGIN)
    }

    /// The state while a fetch is under way. One that was due anyway does not count against unknown `kid`s.
    #[must_use]
    pub fn begun(&self, state: &FetchState, now: UnixTime) -> FetchState {
        let asked_at = if self.is_due(state, false, now) { state.asked_at } else { now };
        FetchState { asked_at, busy_until: now.plus(self.lease()), ..*state }
    }

    /// The state after keys came. The next fetch is due when 80 to 90 % of `cache_duration` are over, so that a fleet
    /// does not ask at once.
    #[must_use]
    pub fn succeeded(&self, state: &FetchState, now: UnixTime) -> FetchState {
        let jitter = now.millis().unsigned_abs().wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 54;
        let jitter = u32::try_from(jitter).unwrap_or_default().min(1023);
        let early = self.cache_duration / 10 + self.cache_duration / 10 / 1024 * jitter;
        FetchState {
            generation: state.generation.wrapping_add(1).max(1),
            finished: state.finished.wrapping_add(1),
            failures: 0,
            fetched_at: now,
            asked_at: state.asked_at,
            busy_until: now,
            next_at: now.plus(self.cache_duration.saturating_sub(early)),
        }
    }

    /// The state after a failure: keys stay, and the wait doubles each time. While there are none it starts short: at
    /// the start of a proxy, a cluster may take a moment to be ready.
    #[must_use]
    pub fn failed(&self, state: &FetchState, now: UnixTime) -> FetchState {
        let first = if state.generation == 0 { self.base_interval / 8 } else { self.base_interval };
        let wait = first.saturating_mul(1 << state.failures.min(16)).min(self.max_interval);
        FetchState {
            finished: state.finished.wrapping_add(1),
            failures: state.failures.saturating_add(1),
            busy_until: now,
            next_at: now.plus(wait),
            ..*state
        }
    }

    /// The state after whoever fetched is gone, and the answer with them: it is anybody's turn again.
    #[must_use]
    pub fn abandoned(&self, state: &FetchState, now: UnixTime) -> FetchState {
        FetchState { busy_until: now, next_at: now, ..*state }
    }

    /// How often to look whether there is something to do: often enough not to miss the end of `cache_duration`.
    #[must_use]
    pub fn attention(&self) -> Duration {
        self.cache_duration / 20
    }

    /// Until when keys of this state serve, if nothing newer comes.
    #[must_use]
    pub fn good_until(&self, state: &FetchState) -> UnixTime {
        state.fetched_at.plus(self.cache_duration).plus(self.stale_for)
    }
}

impl fmt::Display for RemoteJwks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{} of cluster {}", self.authority, self.path, self.cluster)
    }
}

/// Whether a moment is yet to come. One further away than it can be was set by a clock that has been set back since.
pub(crate) fn is_ahead(moment: UnixTime, furthest: Duration, now: UnixTime) -> bool {
    now < moment && moment.since(now) <= furthest
}

/// Authority and path with query of an absolute http or https URI (RFC 3986 section 3).
fn split_uri(uri: &str) -> Option<(&str, &str)> {
    let rest = uri.strip_prefix("https://").or_else(|| uri.strip_prefix("http://"))?;
    let rest = rest.split_once('#').map_or(rest, |(before, _)| before);
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at_checked(at)?,
        None => (rest, "/"),
    };
    let clean = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
    (!authority.is_empty() && clean(authority) && clean(path)).then_some((authority, path))
}

/// Whether two authorities are one: letters in any case (RFC 3986 section 3.2.2), the scheme's own port written or not.
fn same_authority(uri: &str, left: &str, right: &str) -> bool {
    let port = if uri.starts_with("https://") { ":443" } else { ":80" };
    let bare = |authority: &str| authority.strip_suffix(port).unwrap_or(authority).to_ascii_lowercase();
    bare(left) == bare(right)
}

/// Authority and discovery path of an issuer (OpenID Connect Discovery 1.0 sections 2 and 4). One with `http` is taken, for those who
/// run one of their own to try things with: the cluster says whether TLS is spoken.
///
/// # Errors
/// Why it is no issuer that can be discovered. Says nothing of what is in it: it may be a password.
pub(crate) fn discovery_place(issuer: &str) -> Result<(String, String), &'static str> {
    if issuer.contains(['?', '#']) {
        return Err("it has a query or a fragment");
    }
    let (authority, path) = split_uri(issuer).ok_or("it is no https URL")?;
    if authority.contains('@') {
        return Err("it names a user");
    }
    let fits =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'~' | b':' | b'[' | b']');
    if authority.starts_with(':') || !authority.bytes().all(fits) {
        return Err("it has no host");
    }
    Ok((authority.to_owned(), format!("{}{WELL_KNOWN}", path.trim_end_matches('/'))))
}

/// What all workers know of a fetched set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchState {
    generation: u32,
    finished: u32,
    failures: u32,
    fetched_at: UnixTime,
    /// When an unknown `kid` was last the reason for a fetch.
    asked_at: UnixTime,
    busy_until: UnixTime,
    next_at: UnixTime,
}

/// The layout of [`FetchState::encode`]: another one is the state of another version of the filter, and not read.
const LAYOUT: u32 = 1;

impl FetchState {
    /// Nothing was ever fetched, and it is time to.
    pub const NEVER: Self = Self {
        generation: 0,
        finished: 0,
        failures: 0,
        fetched_at: UnixTime::EPOCH,
        asked_at: UnixTime::EPOCH,
        busy_until: UnixTime::EPOCH,
        next_at: UnixTime::EPOCH,
    };

    /// How many times keys came; 0 where they never did.
    #[must_use]
    pub const fn generation(&self) -> u32 {
        self.generation
    }

    /// How many fetches have ended, well or badly.
    #[must_use]
    pub const fn finished(&self) -> u32 {
        self.finished
    }

    /// As bytes, for the host to keep.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let counts = [LAYOUT, self.generation, self.finished, self.failures];
        let moments = [self.fetched_at, self.asked_at, self.busy_until, self.next_at];
        let counts = counts.iter().flat_map(|count| count.to_le_bytes());
        counts.chain(moments.iter().flat_map(|moment| moment.millis().to_le_bytes())).collect()
    }

    /// From what the host kept; [`NEVER`](Self::NEVER) where that is nothing of ours.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Self {
        Self::read(bytes).unwrap_or(Self::NEVER)
    }

    fn read(mut bytes: &[u8]) -> Option<Self> {
        let mut count = || take::<4>(&mut bytes).map(u32::from_le_bytes);
        let (layout, generation, finished, failures) = (count()?, count()?, count()?, count()?);
        let mut moment = || take::<8>(&mut bytes).map(i64::from_le_bytes).map(UnixTime::from_millis);
        let (fetched_at, asked_at, busy_until, next_at) = (moment()?, moment()?, moment()?, moment()?);
        (layout == LAYOUT && bytes.is_empty()).then_some(Self {
            generation,
            finished,
            failures,
            fetched_at,
            asked_at,
            busy_until,
            next_at,
        })
    }
}

/// The next bytes of a kept state.
pub(crate) fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*head)
}

#[cfg(test)]
mod tests;
