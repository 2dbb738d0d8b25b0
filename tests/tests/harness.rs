//! What every test here stands on: a real Envoy with the module in it, an upstream that
//! records what reached it, a client that sends exact bytes, and tables of cases.

pub mod agreement;
pub mod audit;
pub mod bench;
pub mod bootstrap;
pub mod browser;

#[cfg(test)]
mod check;
pub mod client;
pub mod clock;
pub mod exceptions;
pub mod expect;
pub mod feed;
pub mod fixtures;
pub mod h2;
pub mod jwks;
pub mod keys;
pub mod load;
pub mod module;
pub mod paths;
pub mod policy;
pub mod proxy;
pub mod table;
pub mod tls;
pub mod token;
pub mod tool;
pub mod upstream;
pub mod wire;

use std::time::{Duration, Instant};

/// Longest wait for anything that should happen at once: generous, because the machine
/// may be busy, and harmless, because a wait ends when its event comes.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Asks `probe` until it answers, or fails naming what never came.
#[track_caller]
pub fn eventually<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(start.elapsed() < DEADLINE, "{what}: not within {DEADLINE:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
