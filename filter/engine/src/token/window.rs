//! When a key may be used.

use crate::time::UnixTime;

/// From `not_before` on, and until just before `not_after`; without one, without that limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The first moment.
    pub not_before: Option<UnixTime>,
    /// The first moment that is too late.
    pub not_after: Option<UnixTime>,
}

impl Window {
    /// Any time.
    pub const ALWAYS: Self = Self { not_before: None, not_after: None };

    /// Whether a moment lies in it.
    #[must_use]
    pub fn contains(&self, now: UnixTime) -> bool {
        self.not_before.is_none_or(|first| first <= now) && self.not_after.is_none_or(|end| now < end)
    }
}
