//! States that all workers share, and that one at a time replaces.

use portcullis_engine::FetchState;
use portcullis_engine::feed::FeedState;

use crate::host;

/// How often an update of shared data is tried again when another worker was faster.
const MAX_RACES: usize = 64;

/// A state as bytes.
pub(crate) trait State: Sized {
    fn encode(&self) -> Vec<u8>;
    fn decode(bytes: &[u8]) -> Self;
}

impl State for FetchState {
    fn encode(&self) -> Vec<u8> {
        Self::encode(self)
    }

    fn decode(bytes: &[u8]) -> Self {
        Self::decode(bytes)
    }
}

impl State for FeedState {
    fn encode(&self) -> Vec<u8> {
        Self::encode(self)
    }

    fn decode(bytes: &[u8]) -> Self {
        Self::decode(bytes)
    }
}

/// What all workers know, and the version of that.
pub(crate) fn state<S: State>(key: &str) -> (S, Option<u32>) {
    let (bytes, version) = host::shared(key);
    (S::decode(&bytes.unwrap_or_default()), version)
}

/// Changes a shared state; `None` where `change` no longer wants to, or others were faster too often.
pub(crate) fn update<S: State>(key: &str, change: impl Fn(&S) -> Option<S>) -> Option<S> {
    let next = replace(key, &|bytes| change(&S::decode(bytes)).map(|next| next.encode()))?;
    Some(S::decode(&next))
}

/// The same of bytes: once for all kinds of states.
#[inline(never)]
fn replace(key: &str, change: &dyn Fn(&[u8]) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    for _ in 0..MAX_RACES {
        let (bytes, version) = host::shared(key);
        let next = change(&bytes.unwrap_or_default())?;
        if host::replace_shared(key, &next, version) {
            return Some(next);
        }
    }
    None
}
