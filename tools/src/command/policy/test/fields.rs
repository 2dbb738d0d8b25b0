//! Reading nodes of a cases file as what they should be, and saying what they are instead.

use std::fmt::Display;

use portcullis_engine::config::{Key, Node, NodeValue, PolicyError, unknown_remedy};

/// Everything found so far.
#[derive(Default)]
pub struct Findings(pub Vec<PolicyError>);

impl Findings {
    /// One more mistake.
    pub fn error(&mut self, path: &str, line: Option<u32>, message: impl Into<String>, remedy: impl Into<String>) {
        self.0.push(PolicyError { path: path.to_owned(), line, message: message.into(), remedy: remedy.into() });
    }

    /// Something of another kind than is needed.
    pub fn wrong_kind(&mut self, at: At<'_>, wanted: &str) {
        let message = format!("{wanted} is needed here, not {}", at.node.kind());
        self.error(&at.path, at.node.line, message, format!("write {wanted}"));
    }
}

/// A node and where it stands.
#[derive(Clone)]
pub struct At<'n> {
    pub node: &'n Node,
    pub path: String,
}

/// The members of a mapping, taken one by one; what nobody took is unknown.
pub struct Fields<'n> {
    pub path: String,
    pub line: Option<u32>,
    members: &'n [(Key, Node)],
    known: Vec<&'static str>,
    /// Fields that stand beside this mapping, and not in it.
    pub outside: &'static [&'static str],
}

impl<'n> Fields<'n> {
    pub fn of(at: At<'n>, findings: &mut Findings) -> Option<Self> {
        match &at.node.value {
            NodeValue::Map(members) => {
                Some(Self { path: at.path, line: at.node.line, members, known: Vec::new(), outside: &[] })
            }
            _ => {
                findings.wrong_kind(at, "a mapping");
                None
            }
        }
    }

    pub fn take(&mut self, name: &'static str) -> Option<At<'n>> {
        self.known.push(name);
        let (_, node) = self.members.iter().find(|(key, _)| key.name == name)?;
        Some(At { node, path: join(&self.path, name) })
    }

    pub fn required(&mut self, name: &'static str, remedy: &str, findings: &mut Findings) -> Option<At<'n>> {
        let found = self.take(name);
        if found.is_none() {
            findings.error(&self.path, self.line, format!("missing field `{name}`"), remedy);
        }
        found
    }

    /// Takes a field and reads it, where it is there.
    pub fn read<T>(
        &mut self,
        name: &'static str,
        findings: &mut Findings,
        read: impl FnOnce(At<'n>, &mut Findings) -> Option<T>,
    ) -> Option<T> {
        read(self.take(name)?, findings)
    }

    /// Reports what nobody took, and what stands twice.
    pub fn finish(self, findings: &mut Findings) {
        for (index, (key, _)) in self.members.iter().enumerate() {
            let path = join(&self.path, &key.name);
            if self.members.iter().take(index).any(|(earlier, _)| earlier.name == key.name) {
                findings.error(&path, key.line, format!("field `{}` stands twice", key.name), "keep one");
            } else if !self.known.contains(&key.name.as_str()) {
                let remedy = if self.outside.contains(&key.name.as_str()) {
                    format!("write it one level further out, beside `{}`", last_of(&self.path))
                } else {
                    unknown_remedy(&key.name, &self.known)
                };
                findings.error(&path, key.line, format!("unknown field `{}`", key.name), remedy);
            }
        }
    }
}

fn last_of(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or_default()
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// Text with something in it.
pub fn text<'n>(at: At<'n>, findings: &mut Findings) -> Option<&'n str> {
    match &at.node.value {
        NodeValue::String(text) if !text.is_empty() => Some(text),
        NodeValue::String(_) => {
            findings.error(&at.path, at.node.line, "empty text", "write something, or leave the field out");
            None
        }
        _ => {
            findings.wrong_kind(at, "a string");
            None
        }
    }
}

/// Text, or `null`.
pub fn text_or_none(at: At<'_>, findings: &mut Findings) -> Option<Option<String>> {
    match at.node.value {
        NodeValue::Null => Some(None),
        _ => text(at, findings).map(|text| Some(text.to_owned())),
    }
}

/// Text that means something to a reader of its own; `message` begins what is said of text that does not.
pub fn parsed<T, E: Display>(
    at: At<'_>,
    findings: &mut Findings,
    remedy: &str,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Option<T> {
    let (path, line) = (at.path.clone(), at.node.line);
    let text = text(at, findings)?;
    let parsed = parse(text);
    if let Err(problem) = &parsed {
        findings.error(&path, line, format!("`{text}`: {problem}"), remedy);
    }
    parsed.ok()
}

/// Every item of a list; those that cannot be read are reported and left out.
pub fn list<'n, T>(
    at: At<'n>,
    findings: &mut Findings,
    mut read: impl FnMut(At<'n>, &mut Findings) -> Option<T>,
) -> Option<Vec<T>> {
    let NodeValue::Seq(items) = &at.node.value else {
        findings.wrong_kind(at, "a list");
        return None;
    };
    let item = |(index, node)| read(At { node, path: format!("{}[{index}]", at.path) }, findings);
    Some(items.iter().enumerate().filter_map(item).collect())
}

/// Every member of a mapping whose names are free.
pub fn mapping<'n, T>(
    at: At<'n>,
    findings: &mut Findings,
    mut read: impl FnMut(&'n Key, At<'n>, &mut Findings) -> Option<T>,
) -> Option<Vec<T>> {
    let NodeValue::Map(members) = &at.node.value else {
        findings.wrong_kind(at, "a mapping");
        return None;
    };
    let mut all = Vec::with_capacity(members.len());
    for (index, (key, node)) in members.iter().enumerate() {
        let path = join(&at.path, &key.name);
        if members.iter().take(index).any(|(earlier, _)| earlier.name.eq_ignore_ascii_case(&key.name)) {
            findings.error(&path, key.line, format!("`{}` stands twice", key.name), "keep one, with a list of values");
        } else if let Some(value) = read(key, At { node, path }, findings) {
            all.push(value);
        }
    }
    Some(all)
}
