//! Durations as policies write them, moments as people write them, and both for people to read.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use portcullis_engine::UnixTime;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

#[cfg(test)]
mod tests;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// The last second that RFC 3339 can write: 9999-12-31T23:59:59Z.
const MAX_UNIX_SECONDS: i64 = 253_402_300_799;

/// Seconds since the epoch, from the system's clock.
#[must_use]
pub fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_secs()).ok())
        .unwrap_or_default()
}

/// The system's clock to the millisecond, as the engine takes it.
#[must_use]
pub fn now_precise() -> UnixTime {
    let millis =
        SystemTime::now().duration_since(UNIX_EPOCH).ok().and_then(|since| i64::try_from(since.as_millis()).ok());
    UnixTime::from_millis(millis.unwrap_or_default())
}

/// Waits until the clock is at a second that is about to begin; not for one that is further away.
pub fn wait_until(second: i64) {
    let ahead = second.saturating_mul(1000).saturating_sub(now_precise().millis());
    if let Ok(millis @ 1..=1000) = u64::try_from(ahead) {
        std::thread::sleep(Duration::from_millis(millis));
    }
}

/// Reads a duration as a policy writes it: `30s`, `15m`, `24h`, `730d`; `250ms` too.
///
/// # Errors
/// What is wrong with the text.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let problem = || "expected a whole number and a unit, such as `250ms`, `30s`, `15m`, `24h` or `730d`".to_owned();
    let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(problem)?;
    let (count, unit) = text.split_at(digits);
    let count: u64 = count.parse().map_err(|_| problem())?;
    let seconds = match unit {
        "ms" => return Ok(Duration::from_millis(count)),
        "s" => 1,
        "m" => MINUTE,
        "h" => HOUR,
        "d" => DAY,
        _ => return Err(problem()),
    };
    count.checked_mul(seconds).map(Duration::from_secs).ok_or_else(|| "too long".to_owned())
}

/// Reads a moment: seconds since the epoch, or RFC 3339 such as `2026-11-24T09:30:00Z`.
///
/// # Errors
/// What is wrong with the text.
pub fn parse_moment(text: &str) -> Result<i64, String> {
    let seconds = if text.bytes().all(|b| b.is_ascii_digit()) {
        text.parse().ok()
    } else {
        OffsetDateTime::parse(text, &Rfc3339).ok().map(OffsetDateTime::unix_timestamp)
    };
    seconds.filter(|seconds| (0..=MAX_UNIX_SECONDS).contains(seconds)).ok_or_else(|| {
        "expected seconds since 1970 such as `1764000000`, or RFC 3339 such as `2026-11-24T09:30:00Z`".to_owned()
    })
}

/// A moment as RFC 3339 in UTC; `None` outside the years 0 to 9999.
#[must_use]
pub fn rfc3339(seconds: i64) -> Option<String> {
    OffsetDateTime::from_unix_timestamp(seconds).ok()?.format(&Rfc3339).ok()
}

/// How far a moment is from another, in words: `in 30 minutes`, `2 days ago`.
#[must_use]
pub fn relative(moment: i64, now: i64) -> String {
    let distance = moment.abs_diff(now);
    if distance == 0 {
        return "now".to_owned();
    }
    let words = in_words(distance);
    if moment > now { format!("in {words}") } else { format!("{words} ago") }
}

/// To the nearest of the largest unit that fits at least twice, or exactly once: nothing is off by more than a fourth, and what
/// was half an hour a second ago still is.
#[must_use]
pub fn in_words(seconds: u64) -> String {
    let (count, unit) = [(DAY, "day"), (HOUR, "hour"), (MINUTE, "minute")]
        .into_iter()
        .find(|(length, _)| seconds >= length * 2 || seconds == *length)
        .map_or((seconds, "second"), |(length, unit)| (seconds.saturating_add(length / 2) / length, unit));
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}
