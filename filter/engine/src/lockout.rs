//! Locking out who guesses: failed authentications are counted, and after too many nothing is looked at for a while.
//!
//! Counters lie in a fixed number of slots of a fixed size that the host keeps for all workers. What is here says what a
//! slot becomes; the host puts it in the place of the one before, or, where another worker was faster, asks again.

use std::net::IpAddr;
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::time::UnixTime;

/// How many slots there are.
pub const LOCKOUT_SLOTS: usize = 2048;

/// How many counters a slot has: with all slots full, 65,536 of them in 2 MiB.
const COUNTERS: usize = 32;

/// How far apart workers' clocks may be, in seconds.
const MAX_SKEW: u32 = 30;

/// Bytes of a counter.
const COUNTER_BYTES: usize = 32;

/// When callers are locked out, and by what they are told apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lockout {
    pub(crate) max_failures: u16,
    pub(crate) window: Duration,
    pub(crate) duration: Duration,
    pub(crate) by_address: bool,
    pub(crate) by_account: bool,
    /// Keeps the counters of one lockout apart from another's in the same proxy.
    pub(crate) name: String,
}

/// Which counter: a keyed digest, from which neither the address nor the account can be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counter([u8; 12]);

/// Whether a caller may try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It may.
    Open,
    /// It may not, for so many seconds.
    Locked(u32),
}

/// What happened to an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It failed.
    Fail,
    /// It goes to whoever decides it: counted until that is known.
    Reserve,
    /// It was counted, and failed.
    Confirm,
    /// It was counted, and did not fail.
    GiveBack,
}

/// An attempt of a request, for the host to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Where.
    pub counter: Counter,
    /// It is counted already, as [`Change::Reserve`].
    pub reserved: bool,
    /// It failed here. Otherwise one that is reserved fails where the upstream answers 401.
    pub failed: bool,
}

impl Counter {
    /// The slot it is in.
    #[must_use]
    pub fn slot(&self) -> usize {
        let [low, high, ..] = self.0;
        usize::from(u16::from_le_bytes([low, high])) % LOCKOUT_SLOTS
    }
}

/// One counter of a slot. Times are in seconds, but for the end of a lock: of a short one, a part of a second is much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Row {
    counter: [u8; 12],
    begun: u32,
    /// In milliseconds; 0 where there was no lock.
    until: u64,
    failures: u16,
    reserved: u16,
    /// When it is forgotten.
    ends: u32,
}

impl Row {
    fn read(bytes: &[u8; COUNTER_BYTES]) -> Option<Self> {
        let (counter, rest) = bytes.split_first_chunk::<12>()?;
        let (begun, rest) = rest.split_first_chunk::<4>()?;
        let (until, rest) = rest.split_first_chunk::<8>()?;
        let (failures, rest) = rest.split_first_chunk::<2>()?;
        let (reserved, rest) = rest.split_first_chunk::<2>()?;
        let (ends, _) = rest.split_first_chunk::<4>()?;
        Some(Self {
            counter: *counter,
            begun: u32::from_le_bytes(*begun),
            until: u64::from_le_bytes(*until),
            failures: u16::from_le_bytes(*failures),
            reserved: u16::from_le_bytes(*reserved),
            ends: u32::from_le_bytes(*ends),
        })
    }

    /// Whether it is to be remembered. One that began later than now was written before the clock was set back; workers'
    /// clocks may differ by a moment.
    fn counts(&self, now: UnixTime) -> bool {
        self.ends > seconds(now) && self.begun <= seconds(now).saturating_add(MAX_SKEW)
    }

    fn write(&self, slot: &mut Vec<u8>) {
        slot.extend_from_slice(&self.counter);
        slot.extend_from_slice(&self.begun.to_le_bytes());
        slot.extend_from_slice(&self.until.to_le_bytes());
        slot.extend_from_slice(&self.failures.to_le_bytes());
        slot.extend_from_slice(&self.reserved.to_le_bytes());
        slot.extend_from_slice(&self.ends.to_le_bytes());
    }
}

impl Lockout {
    /// The counter of a caller. An address of IPv6 counts as its /64, which is what one subscriber has; callers whose
    /// address is not known share a counter.
    pub(crate) fn counter(&self, address: Option<IpAddr>, account: Option<&str>, key: &[u8; 32]) -> Counter {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Counter([0; 12]) };
        mac.update(self.name.as_bytes());
        for figure in [u64::from(self.max_failures), self.window.as_secs(), self.duration.as_secs()] {
            mac.update(&figure.to_le_bytes());
        }
        if self.by_address {
            match address.map(|address| address.to_canonical()) {
                Some(IpAddr::V4(address)) => mac.update(&[&b"\0v4"[..], &address.octets()].concat()),
                Some(IpAddr::V6(address)) => {
                    let octets = address.octets();
                    mac.update(&[&b"\0v6"[..], octets.get(..8).unwrap_or_default()].concat());
                }
                None => mac.update(b"\0unknown"),
            }
        }
        if self.by_account {
            mac.update(b"\0account");
            mac.update(account.unwrap_or_default().as_bytes());
        }
        Counter(mac.finalize().into_bytes().first_chunk().copied().unwrap_or_default())
    }

    /// Whether the caller of a counter may try, by what its slot holds.
    #[must_use]
    pub fn standing(&self, slot: &[u8], counter: &Counter, now: UnixTime) -> Standing {
        let rows = slot.as_chunks().0.iter().take(COUNTERS).filter(|row| row.starts_with(&counter.0));
        let row = rows.filter_map(Row::read).find(|row| row.counts(now));
        row.and_then(|row| self.by_now(row, now)).map_or(Standing::Open, |row| self.judge(&row, now))
    }

    /// What a row has come to. After a lock, failures are counted anew; attempts that are still under way are not taken
    /// back by it, or a caller could have more of them than may be.
    fn by_now(&self, row: Row, now: UnixTime) -> Option<Row> {
        let now = millis(now);
        if row.until == 0 {
            return Some(row);
        }
        if row.until <= now {
            return Some(Row { until: 0, failures: 0, ..row });
        }
        // No lock is set for longer: the clock was set back since, and nobody waits for it to come round again.
        let furthest = self.lock_from(now).saturating_add(u64::from(MAX_SKEW).saturating_mul(1000));
        (row.until <= furthest).then_some(row)
    }

    /// Until when a lock lasts that begins now, in milliseconds.
    fn lock_from(&self, now: u64) -> u64 {
        now.saturating_add(u64::try_from(self.duration.as_millis()).unwrap_or(u64::MAX).max(1))
    }

    fn judge(&self, row: &Row, now: UnixTime) -> Standing {
        let left = row.until.saturating_sub(millis(now));
        if left > 0 {
            return Standing::Locked(u32::try_from(left.div_ceil(1000)).unwrap_or(u32::MAX));
        }
        let open = row.failures.saturating_add(row.reserved) < self.max_failures;
        if open { Standing::Open } else { Standing::Locked(1) }
    }

    /// What a slot becomes after a change, if anything, and whether the caller may go on. A reservation that is not
    /// granted changes nothing.
    #[must_use]
    pub fn change(&self, slot: &[u8], counter: &Counter, change: Change, now: UnixTime) -> (Option<Vec<u8>>, Standing) {
        let mut rows: Vec<Row> = slot.as_chunks().0.iter().take(COUNTERS).filter_map(Row::read).collect();
        rows.retain(|row| row.counts(now));
        let own = rows.iter().find(|row| row.counter == counter.0).and_then(|row| self.by_now(*row, now));
        rows.retain(|row| row.counter != counter.0);
        let window_ends = seconds(now).saturating_add(whole_seconds(self.window));
        let mut row = match (own, change) {
            (Some(row), _) => row,
            // Its reservation went with its window, or made place for another's.
            (None, Change::GiveBack) => return (None, Standing::Open),
            (None, _) => {
                let begun = seconds(now);
                Row { counter: counter.0, begun, until: 0, failures: 0, reserved: 0, ends: window_ends }
            }
        };
        if change == Change::Reserve {
            let standing = self.judge(&row, now);
            if standing != Standing::Open {
                return (None, standing);
            }
        }
        match change {
            Change::Fail => {}
            Change::Reserve => row.reserved = row.reserved.saturating_add(1),
            Change::Confirm | Change::GiveBack => row.reserved = row.reserved.saturating_sub(1),
        }
        if matches!(change, Change::Fail | Change::Confirm) {
            // The first since there is a row, or since a lock: the window begins with it, not with an attempt before it.
            if row.failures == 0 {
                (row.begun, row.ends) = (seconds(now), window_ends);
            }
            row.failures = row.failures.saturating_add(1);
        }
        if row.failures >= self.max_failures && row.until == 0 {
            row.until = self.lock_from(millis(now));
            row.ends = row.ends.max(u32::try_from(row.until.div_ceil(1000)).unwrap_or(u32::MAX));
        }
        if rows.len() >= COUNTERS {
            make_place(&mut rows, now);
        }
        let granted = change == Change::Reserve;
        let standing = if granted { Standing::Open } else { self.judge(&row, now) };
        if row.failures > 0 || row.reserved > 0 {
            rows.push(row);
        }
        let mut slot = Vec::with_capacity(rows.len().saturating_mul(COUNTER_BYTES));
        rows.iter().for_each(|row| row.write(&mut slot));
        (Some(slot), standing)
    }
}

/// Forgets the oldest counter that locks nobody out, or else the one whose lock ends first. Nobody can choose whose that
/// is: slots are picked by a keyed digest.
fn make_place(rows: &mut Vec<Row>, now: UnixTime) {
    let oldest = rows.iter().enumerate().min_by_key(|(_, row)| (row.until.max(millis(now)), row.begun));
    if let Some((at, _)) = oldest {
        rows.swap_remove(at);
    }
}

fn millis(now: UnixTime) -> u64 {
    u64::try_from(now.millis()).unwrap_or_default()
}

fn seconds(now: UnixTime) -> u32 {
    u32::try_from(millis(now) / 1000).unwrap_or(u32::MAX)
}

fn whole_seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests;
