//! Audit records as Envoy's access logger wrote them.

use std::fmt;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::eventually;

/// One record, its members in the order they were written.
#[derive(Clone, Debug)]
pub struct Record {
    pub line: String,
    pub members: Vec<(String, Value)>,
}

impl Record {
    #[track_caller]
    pub fn parse(line: &str) -> Self {
        let Members(members) =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("not an audit record ({error}): {line}"));
        Self { line: line.to_owned(), members }
    }

    pub fn get(&self, name: &str) -> Option<&Value> {
        self.members.iter().find(|(found, _)| found == name).map(|(_, value)| value)
    }

    /// A member as text; empty when it is left out.
    pub fn text(&self, name: &str) -> String {
        match self.get(name) {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => String::new(),
        }
    }

    pub fn names(&self) -> Vec<&str> {
        self.members.iter().map(|(name, _)| name.as_str()).collect()
    }
}

/// Reads the log of one listener: a line a request, in the order requests ended.
pub struct Audit {
    path: PathBuf,
    read: u64,
}

impl Audit {
    pub fn follow(path: PathBuf) -> Self {
        Self { path, read: 0 }
    }

    /// Waits for the next request's line: its record, or `None` if the filter left none,
    /// which Envoy prints as `-`.
    pub fn next(&mut self) -> Option<Record> {
        let line = eventually("a line of the audit log", || self.next_line());
        (line != "-").then(|| Record::parse(&line))
    }

    fn next_line(&mut self) -> Option<String> {
        let mut file = std::fs::File::open(&self.path).ok()?;
        file.seek(SeekFrom::Start(self.read)).ok()?;
        let mut new = String::new();
        file.read_to_string(&mut new).ok()?;
        let (line, _) = new.split_once('\n')?;
        self.read += line.len() as u64 + 1;
        Some(line.to_owned())
    }
}

/// A JSON object that keeps its members' order, and every duplicate.
struct Members(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}
