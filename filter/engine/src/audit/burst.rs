//! Denials that come too thick to have a line each: counted, and told of in one.

use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use super::AuditAction;
use crate::decision::Decision;
use crate::remote::is_ahead;
use crate::time::UnixTime;

/// How many groups are told apart, and so how many a denial is compared with. What comes beyond has a line of its own:
/// nothing is left out for want of room.
const MAX_GROUPS: usize = 256;

/// `burst` of a policy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BurstRules {
    /// How many denials of a group have a line of their own in an interval.
    pub(crate) max: u32,
    pub(crate) interval: Duration,
}

/// What denials of a group have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    // What differs most often comes first.
    pub(crate) ip: Option<IpAddr>,
    pub(crate) decision: Decision,
    pub(crate) route: Option<Rc<str>>,
}

/// Denials without a line of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) count: u64,
    /// When the first was decided.
    pub(crate) since: UnixTime,
    /// What they did; [`AuditAction::Other`] where that differs.
    pub(crate) action: AuditAction,
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
    windows: Vec<(Group, Window)>,
}

impl Bursts {
    pub(crate) const fn new(rules: BurstRules) -> Self {
        Self { rules, windows: Vec::new() }
    }

    /// Takes in a denial.
    pub(crate) fn denied(&mut self, group: &Group, action: AuditAction, now: UnixTime) -> Turn {
        let Some((_, window)) = self.windows.iter_mut().find(|(own, _)| own == group) else {
            if self.windows.len() < MAX_GROUPS {
                self.windows.push((group.clone(), Window { start: now, lines: 1, counted: None }));
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
            counted.action = AuditAction::Other;
        }
        Turn::Counted
    }

    /// What was counted in intervals that are over, or in any where `now` is `None`.
    pub(crate) fn over(&mut self, now: Option<UnixTime>) -> Vec<(Group, Counted)> {
        let interval = self.rules.interval;
        let mut over = Vec::new();
        self.windows.retain_mut(|(group, window)| {
            let is_over = now.is_none_or(|now| !is_ahead(window.start.plus(interval), interval, now));
            if is_over && let Some(counted) = window.counted.take() {
                over.push((group.clone(), counted));
            }
            !is_over
        });
        over
    }
}

#[cfg(test)]
mod tests;
