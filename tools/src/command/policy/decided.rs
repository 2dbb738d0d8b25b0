//! What commands that decide requests have in common.

use std::net::IpAddr;

use portcullis_engine::token::HostCrypto;
use portcullis_engine::{Facts, Step, Trace, UnixTime};
use serde_json::{Value, json};

use crate::terminal::{Palette, visible};

/// What is known of a request besides its headers.
pub struct Given {
    /// When it comes.
    pub now: UnixTime,
    /// From where, if that is known.
    pub client: Option<IpAddr>,
}

impl HostCrypto for Given {}

impl Facts for Given {
    fn now(&self) -> UnixTime {
        self.now
    }

    fn client(&self) -> Option<IpAddr> {
        self.client
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

/// The pseudo-headers of a request as Envoy would hand them to the filter.
pub fn pseudo_headers(method: &str, path: &str, host: &str) -> Vec<(String, Vec<u8>)> {
    [(":method", method), (":path", path), (":authority", host), (":scheme", "https")]
        .map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()))
        .to_vec()
}
