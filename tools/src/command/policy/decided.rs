//! What commands that decide requests have in common.

use std::net::IpAddr;

use portcullis_engine::token::HostCrypto;
use portcullis_engine::{Facts, Step, Trace, UnixTime};
use serde_json::{Value, json};

use crate::terminal::{Palette, visible};

/// A header: its name in lower case, and its value.
pub type Line = (String, Vec<u8>);

/// What is known of a request besides its headers.
pub struct Given {
    /// When it comes.
    pub now: UnixTime,
    /// From where, if that is known.
    pub client: Option<IpAddr>,
    /// Whether it has a body, if that is known.
    pub has_body: Option<bool>,
}

impl HostCrypto for Given {}

impl Facts for Given {
    fn now(&self) -> UnixTime {
        self.now
    }

    fn client(&self) -> Option<IpAddr> {
        self.client
    }

    fn has_body(&self) -> Option<bool> {
        self.has_body
    }
}

/// The steps of a decision as they were taken.
#[derive(Default)]
pub struct Steps(Vec<(Step, bool, String)>);

impl Trace for Steps {
    fn step(&mut self, step: Step, passed: bool, detail: impl FnOnce() -> String) {
        self.0.push((step, passed, detail()));
    }
}

impl Steps {
    /// A line for each, for people.
    pub fn lines(&self, palette: Palette) -> impl Iterator<Item = String> {
        self.0.iter().map(move |(step, passed, detail)| {
            let mark = if *passed { palette.green("pass") } else { palette.red("stop") };
            format!("{mark} {:<14} {}", step.to_string(), visible(detail))
        })
    }

    /// An object for each, for programs.
    pub fn for_programs(&self) -> Vec<Value> {
        let steps = self.0.iter();
        steps
            .map(|(step, passed, detail)| json!({"step": step.to_string(), "passed": passed, "detail": detail}))
            .collect()
    }
}

/// A request's head as Envoy would hand it to the filter: `Host` lines, in what order they come, are `:authority`, and
/// several are joined with a comma.
pub fn request_head(method: &str, path: &str, host: Option<&str>, lines: Vec<Line>) -> Vec<Line> {
    let (hosts, lines): (Vec<Line>, Vec<Line>) = lines.into_iter().partition(|(name, _)| name == "host");
    let mut hosts: Vec<&[u8]> =
        host.map(str::as_bytes).into_iter().chain(hosts.iter().map(|(_, host)| &**host)).collect();
    if hosts.is_empty() {
        hosts.push(b"localhost");
    }
    let pseudo = [(":method", method.into()), (":path", path.into()), (":authority", hosts.join(&b','))];
    let pseudo = pseudo.into_iter().chain([(":scheme", b"https".to_vec())]);
    pseudo.map(|(name, value)| (name.to_owned(), value)).chain(lines).collect()
}
