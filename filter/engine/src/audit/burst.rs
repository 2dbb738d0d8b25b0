//! Denials that come too thick to have a line each: counted, and told of in one.

use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use crate::decision::Decision;
use crate::hash::FixedMap;
use crate::time::UnixTime;

/// How many groups are told apart. What comes beyond has a line of its own: nothing is left out for want of room. The
/// map's hasher has no secret, so this is also how many keys may collide.
const MAX_GROUPS: usize = 1024;

/// `burst` of a policy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BurstRules {
    /// How many denials of a group have a line of their own in an interval.
    pub(crate) max: u32,
    pub(crate) interval: Duration,
}

/// What denials of a group have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Group {
    pub(crate) decision: Decision,
    pub(crate) route: Option<Rc<str>>,
    pub(crate) ip: Option<IpAddr>,
}

/// Denials without a line of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) count: u64,
    /// When the first was decided.
    pub(crate) since: UnixTime,
    /// What they did; `other` where that differs.
    pub(crate) action: &'static str,
}

#[derive(Debug)]
struct Window {
    start: UnixTime,
    lines: u32,
    counted: Option<Counted>,
}

/// What becomes of a denial.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It has a line; before it comes that of what was counted until now.
    Line(Option<Counted>),
    /// It was counted.
    Counted,
}

/// The groups of one worker.
#[derive(Debug)]
pub(crate) struct Bursts {
    rules: BurstRules,
    windows: FixedMap<Group, Window>,
}

impl Bursts {
    pub(crate) fn new(rules: BurstRules) -> Self {
        Self { rules, windows: FixedMap::default() }
    }

    /// Takes in a denial.
    pub(crate) fn denied(&mut self, group: &Group, action: &'static str, now: UnixTime) -> Turn {
        let Some(window) = self.windows.get_mut(group) else {
            if self.windows.len() < MAX_GROUPS {
                self.windows.insert(group.clone(), Window { start: now, lines: 1, counted: None });
            }
            return Turn::Line(None);
        };
        if now.since(window.start) >= self.rules.interval {
            let counted = window.counted.take();
            *window = Window { start: now, lines: 1, counted: None };
            return Turn::Line(counted);
        }
        if window.lines < self.rules.max {
            window.lines = window.lines.saturating_add(1);
            return Turn::Line(None);
        }
        let counted = window.counted.get_or_insert(Counted { count: 0, since: now, action });
        counted.count = counted.count.saturating_add(1);
        if counted.action != action {
            counted.action = "other";
        }
        Turn::Counted
    }

    /// What was counted in intervals that are over, or in any where `now` is `None`.
    pub(crate) fn over(&mut self, now: Option<UnixTime>) -> Vec<(Group, Counted)> {
        let interval = self.rules.interval;
        let over = self.windows.extract_if(|_, window| now.is_none_or(|now| now.since(window.start) >= interval));
        let mut over: Vec<(Group, Counted)> =
            over.filter_map(|(group, window)| Some((group, window.counted?))).collect();
        over.sort_by_key(|(_, counted)| counted.since);
        over
    }
}

#[cfg(test)]
mod tests;
