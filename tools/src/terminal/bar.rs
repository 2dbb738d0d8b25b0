//! A bar that says how far long work is, to a person who waits; nothing where nobody does.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use crate::time;

/// How often it is drawn.
const EVERY: Duration = Duration::from_millis(100);
const WIDTH: u64 = 30;

/// A bar on standard error.
pub struct Bar {
    out: Option<Box<dyn Write>>,
    what: &'static str,
    total: u64,
    start: Instant,
    drawn: Option<Instant>,
}

impl Bar {
    pub(super) fn new(what: &'static str, visible: bool) -> Self {
        let out = visible.then(|| Box::new(io::stderr()) as Box<dyn Write>);
        Self { out, what, total: 0, start: Instant::now(), drawn: None }
    }

    /// Says how much there is to do, and begins.
    pub fn begin(&mut self, total: u64) {
        self.total = total;
        self.start = Instant::now();
    }

    /// Says how much is done, of how much.
    pub fn of(&mut self, total: u64, done: u64) {
        self.total = total;
        self.at(done);
    }

    /// Says how much is done.
    pub fn at(&mut self, done: u64) {
        let Some(out) = &mut self.out else { return };
        if self.drawn.is_some_and(|drawn| drawn.elapsed() < EVERY) {
            return;
        }
        self.drawn = Some(Instant::now());
        let text = text(self.what, done, self.total, self.start.elapsed());
        let _unseen = write!(out, "\r{text}\u{1b}[K").and_then(|()| out.flush());
    }
}

fn text(what: &str, done: u64, total: u64, elapsed: Duration) -> String {
    let total = total.max(done).max(1);
    let filled = done.saturating_mul(WIDTH) / total;
    let bar: String = (0..WIDTH).map(|at| if at < filled { '#' } else { '-' }).collect();
    let percent = done.saturating_mul(100) / total;
    let left = elapsed.as_millis().saturating_mul(u128::from(total - done)) / u128::from(done.max(1)) / 1_000;
    let left = time::in_words(u64::try_from(left).unwrap_or(u64::MAX));
    format!("{what} [{bar}] {percent}%, {done} of {total}, {left} left")
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let (Some(out), Some(_)) = (&mut self.out, self.drawn) {
            let _unseen = write!(out, "\r\u{1b}[K").and_then(|()| out.flush());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_how_far_and_how_long() {
        let half = text("adding", 500, 1_000, Duration::from_secs(30));
        assert_eq!(half, format!("adding [{}{}] 50%, 500 of 1000, 30 seconds left", "#".repeat(15), "-".repeat(15)));
        assert!(text("adding", 0, 0, Duration::ZERO).contains("0%"), "nothing to do");
        assert!(text("adding", 7, 5, Duration::ZERO).contains("100%"), "more than was said");
    }
}
