//! Counting failed authentications for all workers.

use std::hash::{BuildHasher as _, RandomState};

use portcullis_engine::{Change, Counter, Facts as _, Lockout, Standing};

use crate::host::{self, HostFacts};

/// Where the key of the counters' digests is kept.
const KEY: &str = "portcullis.lockout.key";

/// How often a change is tried again when another worker was faster: each time one of them was.
const MAX_RACES: usize = 256;

/// The key of the digests, the same for all workers of a proxy and drawn when the first of them asks.
pub(crate) fn key() -> [u8; 32] {
    let kept = || host::shared(KEY).0.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    if let Some(key) = kept() {
        return key;
    }
    host::replace_shared(KEY, &random(), None);
    kept().unwrap_or_else(random)
}

/// Bytes that nobody can guess: keyed hashes, of which each has the host's random numbers for a key.
fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    for (index, piece) in bytes.chunks_mut(8).enumerate() {
        piece.copy_from_slice(&RandomState::new().hash_one(index).to_le_bytes());
    }
    bytes
}

fn place(counter: &Counter) -> String {
    format!("portcullis.lockout.{}", counter.slot())
}

/// Whether a caller may try.
pub(crate) fn standing(lockout: &Lockout, counter: &Counter) -> Standing {
    let slot = host::shared(&place(counter)).0.unwrap_or_default();
    lockout.standing(&slot, counter, HostFacts.now())
}

/// Counts something. Where others are faster for too long, the caller waits a moment.
pub(crate) fn change(lockout: &Lockout, counter: &Counter, change: Change) -> Standing {
    let place = place(counter);
    let now = HostFacts.now();
    for _ in 0..MAX_RACES {
        let (slot, version) = host::shared(&place);
        let (next, standing) = lockout.change(&slot.unwrap_or_default(), counter, change, now);
        match next {
            None => return standing,
            Some(next) if host::replace_shared(&place, &next, version) => return standing,
            Some(_) => {}
        }
    }
    log::error!("a failed authentication was not counted: its counter was taken too often");
    Standing::Locked(1)
}
