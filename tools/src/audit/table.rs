//! A record as a line of columns.

use super::record::{Record, Text, text};
use crate::terminal::{Palette, visible};

#[cfg(test)]
mod tests;

/// The line: when, what was decided and why, from where, of whom, and what was asked for. Ids of users may be long: they are
/// late, so that they move little out of its column.
#[must_use]
pub fn row(record: &Record<'_>, palette: Palette, width: Option<usize>) -> String {
    let shown = |field: &Option<Text<'_>>| match text(field) {
        "" => "-".to_owned(),
        value => visible(value),
    };
    let decision = record.decision.as_str();
    let status = record.status.map_or_else(|| "-".to_owned(), |status| status.to_string());
    // What a command did has a target in the place of a path.
    let what = match (&record.method, &record.path) {
        (None, None) => format!("{} {}", shown(&record.action), shown(&record.target)),
        _ => format!("{} {}", shown(&record.method), shown(&record.path)),
    };
    let count = record.count.map(|count| format!(" x{count}")).unwrap_or_default();
    let head = format!("{:<24} ", visible(record.timestamp.as_str()));
    let verdict = format!("{:<12}", visible(decision));
    let rest = format!(
        " {:<20} {status:>3} {:<15} {:<20} {what}{count}",
        visible(record.reason.as_str()),
        shown(&record.ip_address),
        shown(&record.user_id),
    );
    let room = width.map(|width| width.saturating_sub(head.chars().count().saturating_add(verdict.chars().count())));
    let rest: String = room.map_or(rest.clone(), |room| rest.chars().take(room).collect());
    let verdict = match decision {
        "allow" => palette.green(&verdict),
        "deny" => palette.red(&verdict),
        _ => palette.yellow(&verdict),
    };
    format!("{head}{verdict}{rest}").trim_end().to_owned()
}
