//! Reading nodes as what they should be, and saying what they are instead.

use std::time::Duration;

use super::error::{Path, PolicyError};
use super::node::{Key, Node, NodeValue};
use crate::time::UnixTime;

/// Everything found so far.
#[derive(Default)]
pub(crate) struct Findings {
    pub(crate) errors: Vec<PolicyError>,
    pub(crate) warnings: Vec<PolicyError>,
}

impl Findings {
    // Called from everywhere and seldom: its code stands once.
    #[inline(never)]
    pub(crate) fn error(
        &mut self,
        path: &Path<'_>,
        line: Option<u32>,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.errors.push(PolicyError { path: path.to_string(), line, message: message.into(), remedy: remedy.into() });
    }

    #[inline(never)]
    pub(crate) fn warn(
        &mut self,
        path: &Path<'_>,
        line: Option<u32>,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.warnings.push(PolicyError {
            path: path.to_string(),
            line,
            message: message.into(),
            remedy: remedy.into(),
        });
    }
}

/// The members of a mapping, taken one by one; what nobody took is unknown.
pub(crate) struct Fields<'n, 'p> {
    pub(crate) path: &'p Path<'p>,
    pub(crate) line: Option<u32>,
    members: &'n [(Key, Node)],
    known: Vec<&'static str>,
}

impl<'n, 'p> Fields<'n, 'p> {
    pub(crate) fn of(node: &'n Node, path: &'p Path<'p>, findings: &mut Findings) -> Option<Self> {
        match &node.value {
            NodeValue::Map(members) => Some(Self { path, line: node.line, members, known: Vec::new() }),
            _ => {
                wrong_kind(node, path, "a mapping", findings);
                None
            }
        }
    }

    #[inline(never)]
    pub(crate) fn take(&mut self, name: &'static str) -> Option<&'n Node> {
        if !self.known.contains(&name) {
            self.known.push(name);
        }
        self.members.iter().find(|(key, _)| key.name == name).map(|(_, node)| node)
    }

    #[inline(never)]
    pub(crate) fn required(&mut self, name: &'static str, remedy: &str, findings: &mut Findings) -> Option<&'n Node> {
        let found = self.take(name);
        if found.is_none() {
            findings.error(self.path, self.line, format!("missing field `{name}`"), remedy);
        }
        found
    }

    /// Takes a field and reads it, where it is there.
    pub(crate) fn read<T>(
        &mut self,
        name: &'static str,
        findings: &mut Findings,
        read: impl FnOnce(&'n Node, &Path<'_>, &mut Findings) -> Option<T>,
    ) -> Option<T> {
        let node = self.take(name)?;
        read(node, &self.path.field(name), findings)
    }

    /// Reports what nobody took, and what stands twice.
    #[inline(never)]
    pub(crate) fn finish(self, findings: &mut Findings) {
        for (index, (key, _)) in self.members.iter().enumerate() {
            let path = self.path.field(&key.name);
            if self.members.iter().take(index).any(|(earlier, _)| earlier.name == key.name) {
                findings.error(&path, key.line, format!("field `{}` stands twice", key.name), "keep one");
            } else if !self.known.contains(&key.name.as_str()) {
                let message = format!("unknown field `{}`", key.name);
                findings.error(&path, key.line, message, unknown_remedy(&key.name, &self.known));
            }
        }
    }
}

/// What to do about a field that is unknown where these are known.
#[must_use]
pub fn unknown_remedy(name: &str, known: &[&str]) -> String {
    let nearest = known.iter().map(|candidate| (distance(name, candidate), candidate)).min();
    match nearest {
        Some((steps, candidate)) if steps <= 2 => format!("did you mean `{candidate}`?"),
        _ => format!("remove it; known here: {}", known.join(", ")),
    }
}

/// Levenshtein distance.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, a) in left.chars().enumerate() {
        let mut diagonal = index;
        let mut last = index + 1;
        for (slot, b) in row.iter_mut().skip(1).zip(&right) {
            let best = (diagonal + usize::from(a != *b)).min(*slot + 1).min(last + 1);
            diagonal = std::mem::replace(slot, best);
            last = best;
        }
        if let Some(first) = row.first_mut() {
            *first = index + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

pub(crate) fn wrong_kind(node: &Node, path: &Path<'_>, wanted: &str, findings: &mut Findings) {
    findings.error(path, node.line, format!("{wanted} is needed here, not {}", node.kind()), format!("write {wanted}"));
}

#[inline(never)]
pub(crate) fn text<'n>(node: &'n Node, path: &Path<'_>, findings: &mut Findings) -> Option<&'n str> {
    match &node.value {
        NodeValue::String(text) if !text.is_empty() => Some(text),
        NodeValue::String(_) => {
            findings.error(path, node.line, "empty text", "write something, or leave the field out");
            None
        }
        _ => {
            wrong_kind(node, path, "a string", findings);
            None
        }
    }
}

pub(crate) fn owned(node: &Node, path: &Path<'_>, findings: &mut Findings) -> Option<String> {
    text(node, path, findings).map(str::to_owned)
}

/// A name of something in the policy: it goes into records and metrics as it stands.
#[inline(never)]
pub(crate) fn name_of(node: &Node, path: &Path<'_>, findings: &mut Findings) -> Option<String> {
    let name = text(node, path, findings)?;
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/');
    if name.len() > 128 || !name.bytes().all(letter) {
        let remedy = "write up to 128 letters, digits and any of - _ . /";
        findings.error(path, node.line, format!("`{name}` is not a name"), remedy);
        return None;
    }
    Some(name.to_owned())
}

#[inline(never)]
pub(crate) fn boolean(node: &Node, path: &Path<'_>, findings: &mut Findings) -> Option<bool> {
    match node.value {
        NodeValue::Bool(value) => Some(value),
        _ => {
            wrong_kind(node, path, "`true` or `false`", findings);
            None
        }
    }
}

/// A whole number within limits.
#[inline(never)]
pub(crate) fn integer(
    node: &Node,
    path: &Path<'_>,
    findings: &mut Findings,
    range: std::ops::RangeInclusive<u32>,
) -> Option<u32> {
    match node.value {
        NodeValue::Number(value)
            if value.fract() == 0.0 && value >= f64::from(*range.start()) && value <= f64::from(*range.end()) =>
        {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "whole and within the range, just checked"
            )]
            Some(value as u32)
        }
        _ => {
            let wanted = format!("a whole number from {} to {}", range.start(), range.end());
            findings.error(path, node.line, format!("{wanted} is needed here"), format!("write {wanted}"));
            None
        }
    }
}

/// A duration: a whole number and `s`, `m`, `h` or `d`; in seconds.
#[inline(never)]
pub(crate) fn duration(node: &Node, path: &Path<'_>, findings: &mut Findings) -> Option<u64> {
    let parsed = match &node.value {
        NodeValue::String(text) => parse_duration(text),
        _ => None,
    };
    if parsed.is_none() {
        findings.error(path, node.line, "not a duration", "write a whole number and a unit: 30s, 15m, 24h, 730d");
    }
    parsed
}

/// A time of machines: like [`duration`], with `ms` as another unit, and not none at all.
#[inline(never)]
pub(crate) fn short_duration(node: &Node, path: &Path<'_>, findings: &mut Findings) -> Option<Duration> {
    let parsed = match &node.value {
        NodeValue::String(text) => match text.strip_suffix("ms") {
            Some(millis) => parse_duration(&format!("{millis}s")).map(Duration::from_millis),
            None => parse_duration(text).map(Duration::from_secs),
        },
        _ => None,
    };
    let parsed = parsed.filter(|duration| !duration.is_zero());
    if parsed.is_none() {
        let remedy = "write a whole number above 0 and a unit: 500ms, 30s, 15m, 24h";
        findings.error(path, node.line, "not a duration", remedy);
    }
    parsed
}

/// A moment in RFC 3339.
pub(crate) fn moment(node: &Node, path: &Path<'_>, findings: &mut Findings) -> Option<UnixTime> {
    let parsed = match &node.value {
        NodeValue::String(text) => UnixTime::parse_rfc3339(text),
        _ => None,
    };
    if parsed.is_none() {
        findings.error(path, node.line, "not a time", "write it as RFC 3339 has it: \"2026-11-24T09:30:00Z\"");
    }
    parsed
}

fn parse_duration(text: &str) -> Option<u64> {
    let unit = match text.chars().last()? {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return None,
    };
    let number = text.get(..text.len() - 1)?;
    if number.is_empty() || number.len() > 9 || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    number.parse::<u64>().ok()?.checked_mul(unit)
}

/// One of a few words.
pub(crate) fn choice<T: Copy>(node: &Node, path: &Path<'_>, findings: &mut Findings, words: &[(&str, T)]) -> Option<T> {
    let found = match &node.value {
        NodeValue::String(text) => words.iter().find(|(word, _)| word == text).map(|(_, value)| *value),
        _ => None,
    };
    if found.is_none() {
        let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let given = match &node.value {
            NodeValue::String(text) => format!("`{text}`"),
            _ => node.kind().to_owned(),
        };
        findings.error(
            path,
            node.line,
            format!("{given} is not one of the choices"),
            format!("write one of: {}", words.join(", ")),
        );
    }
    found
}

/// Every item of a list; those that cannot be read are reported and left out.
pub(crate) fn list<'n, T>(
    node: &'n Node,
    path: &Path<'_>,
    findings: &mut Findings,
    mut read: impl FnMut(&'n Node, &Path<'_>, &mut Findings) -> Option<T>,
) -> Option<Vec<T>> {
    let NodeValue::Seq(items) = &node.value else {
        wrong_kind(node, path, "a list", findings);
        return None;
    };
    Some(items.iter().enumerate().filter_map(|(index, item)| read(item, &path.index(index), findings)).collect())
}

/// A list with something in it.
pub(crate) fn non_empty<'n, T>(
    node: &'n Node,
    path: &Path<'_>,
    findings: &mut Findings,
    remedy: &str,
    read: impl FnMut(&'n Node, &Path<'_>, &mut Findings) -> Option<T>,
) -> Option<Vec<T>> {
    if matches!(&node.value, NodeValue::Seq(items) if items.is_empty()) {
        findings.error(path, node.line, "an empty list", remedy);
        return None;
    }
    list(node, path, findings, read)
}

/// The items read of a list, unless some were left out: for what would be judged by the others.
pub(crate) fn whole<T>(node: &Node, items: Vec<T>) -> Option<Vec<T>> {
    matches!(&node.value, NodeValue::Seq(all) if all.len() == items.len()).then_some(items)
}

/// A header name, in lower case.
#[inline(never)]
pub(crate) fn header_name(node: &Node, path: &Path<'_>, findings: &mut Findings) -> Option<String> {
    let name = text(node, path, findings)?;
    if crate::cors::is_token(name) {
        return Some(name.to_ascii_lowercase());
    }
    findings.error(path, node.line, format!("`{name}` is not a header name"), "write letters, digits and `-`");
    None
}

/// A path of claim names.
#[inline(never)]
pub(crate) fn claim_path(node: &Node, path: &Path<'_>, findings: &mut Findings) -> Option<crate::token::ClaimPath> {
    if let NodeValue::String(name) = &node.value {
        findings.error(
            path,
            node.line,
            "a list of claim names is needed here, not a string",
            format!("write [{name}]"),
        );
        return None;
    }
    let names = non_empty(node, path, findings, "name a claim, such as [sub]", owned)?;
    whole(node, names).map(crate::token::ClaimPath)
}

/// A time of machines between two others.
#[inline(never)]
pub(crate) fn within(
    node: &Node,
    path: &Path<'_>,
    findings: &mut Findings,
    range: (Duration, Duration),
) -> Option<Duration> {
    let duration = short_duration(node, path, findings)?;
    let (least, most) = range;
    if duration < least || duration > most {
        let message = format!("{duration:?} is not between {least:?} and {most:?}");
        findings.error(path, node.line, message, "choose a time between them");
        return None;
    }
    Some(duration)
}

/// A name that goes into a request as it is.
#[inline(never)]
pub(crate) fn word(node: &Node, path: &Path<'_>, findings: &mut Findings) -> Option<String> {
    let text = owned(node, path, findings)?;
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        findings.error(
            path,
            node.line,
            "empty, or with spaces or letters beyond ASCII",
            "write the name as Envoy has it",
        );
        return None;
    }
    Some(text)
}

/// The path of something to fetch.
#[inline(never)]
pub(crate) fn absolute_path(node: &Node, path: &Path<'_>, findings: &mut Findings) -> Option<String> {
    let text = word(node, path, findings)?;
    if !text.starts_with('/') || text.contains('#') {
        findings.error(path, node.line, "not a path", "begin it with `/`, such as /.well-known/jwks.json");
        return None;
    }
    Some(text)
}

#[cfg(test)]
mod tests;
