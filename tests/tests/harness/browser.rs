//! A real browser, started for one test and closed with it: what its script may read is the last word on CORS.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{DEADLINE, paths};

/// A Chromium with an empty profile, for which every name is on this machine.
pub struct Browser {
    script: Child,
    answers: Receiver<String>,
    /// Held until the browser is gone.
    _profile: TempDir,
}

/// The browser of this machine; `None`, after saying so, when there is none.
pub fn find() -> Option<PathBuf> {
    let found = paths::browser();
    if found.is_none() {
        // Not by a macro: the test harness keeps what those say of a test that passes.
        let line = "no browser: what script may read was not proved; install chromium, or name one with CHROMIUM=\n";
        std::io::stderr().write_all(line.as_bytes()).unwrap();
    }
    found
}

impl Browser {
    /// Starts it. `hosts` maps names, with a port or without, to addresses; the first that fits counts. `pin` is the
    /// certificate to take for all of them.
    #[track_caller]
    pub fn start(executable: &Path, hosts: &[(&str, SocketAddr)], pin: &str) -> Self {
        paths::need_node_packages();
        let profile = tempfile::tempdir().unwrap();
        let rules: Vec<_> = hosts.iter().map(|(pattern, address)| format!("MAP {pattern} {address}")).collect();
        let told = json!({
            "executable": executable, "profile": profile.path(), "rules": rules.join(","), "pin": pin,
        });
        let mut script = Command::new(paths::node())
            .arg(paths::root().join("tests/tests/harness/browser.mjs"))
            .arg(told.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("node cannot be run ({error}): `make e2e` sees to it"));
        let output = BufReader::new(script.stdout.take().unwrap());
        let (lines, answers) = channel();
        std::thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| lines.send(line)));
        let browser = Self { script, answers, _profile: profile };
        browser.answer();
        browser
    }

    /// Has the browser do `command` of `browser.mjs`.
    #[track_caller]
    pub fn ask(&mut self, command: &str, mut told: Value) -> Value {
        told["command"] = json!(command);
        let input = self.script.stdin.as_mut().unwrap();
        writeln!(input, "{told}").unwrap_or_else(|error| panic!("the browser is gone: {error}"));
        self.answer()
    }

    #[track_caller]
    fn answer(&self) -> Value {
        let line = self.answers.recv_timeout(DEADLINE);
        let line = line.unwrap_or_else(|error| panic!("no answer of the browser's: {error}"));
        let mut answer: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(answer["failure"].is_null(), "the browser: {}", answer["failure"].as_str().unwrap_or_default());
        answer["value"].take()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // With its input the script ends, and takes the browser along; one that hangs loses the pipe to the browser when
        // it is killed, which ends the browser too.
        drop(self.script.stdin.take());
        let start = Instant::now();
        while start.elapsed() < DEADLINE / 6 {
            if !matches!(self.script.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        // It may be gone already; either way nothing is left to do.
        let _ = self.script.kill();
        let _ = self.script.wait();
    }
}
