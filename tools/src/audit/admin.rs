//! What this command itself does, recorded where the filter's records are read too.
//!
//! Off unless `PORTCULLIS_AUDIT_LOG` names a file; with a key in `PORTCULLIS_AUDIT_KEY` its lines make a chain.

use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use portcullis_engine::audit::{Chain, ChainKey, SealedLine, scrub};
use serde::Serialize;

use super::seal::Keys;
use super::source::{is_same, object};
use crate::actor::Actor;
use crate::exit::Failure;
use crate::file::cannot_write;
use crate::input;
use crate::random;
use crate::time;

#[cfg(test)]
mod tests;

/// The environment variable that names the file.
pub const LOG_VARIABLE: &str = "PORTCULLIS_AUDIT_LOG";
/// The environment variable with the key of its chain.
pub const KEY_VARIABLE: &str = "PORTCULLIS_AUDIT_KEY";

/// How far back a chain's last line is looked for.
const TAIL_BYTES: u64 = 1024 * 1024;

/// Something that changes what others may do, or who is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// `admin`, or `authentication` of who signs in and out.
    pub event: &'static str,
    /// What is done.
    pub action: &'static str,
    /// To whom or what: an e-mail address as records write one, never a secret.
    pub target: Option<String>,
    /// Whether that is not all of it.
    pub masked: bool,
}

impl Act {
    /// Something an administrator does.
    #[must_use]
    pub const fn admin(action: &'static str) -> Self {
        Self { event: "admin", action, target: None, masked: false }
    }

    /// Something that proves who somebody is, or ends it.
    #[must_use]
    pub const fn authentication(action: &'static str) -> Self {
        Self { event: "authentication", action, target: None, masked: false }
    }

    /// Says to whom or what.
    #[must_use]
    pub fn on(mut self, target: &str) -> Self {
        let (target, masked) = scrub(target);
        (self.target, self.masked) = (Some(target), masked);
        self
    }
}

/// A record of an act: the members of `docs/audit.md` in their order.
#[derive(Serialize)]
struct Line<'l> {
    timestamp: String,
    event: &'l str,
    action: &'l str,
    decision: &'l str,
    reason: &'l str,
    user_id: &'l str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ip_address: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    masked: Vec<&'l str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<&'l str>,
}

/// The file, open for more.
pub struct Log {
    path: PathBuf,
    file: File,
    key: Option<ChainKey>,
    actor: Actor,
}

impl Log {
    /// Opens it before anything is done: what cannot be recorded is not done. `None` where none is asked for.
    ///
    /// # Errors
    /// It cannot be written, or its key is too short.
    pub fn open() -> Result<Option<Self>, Failure> {
        let Some(path) = env::var_os(LOG_VARIABLE).filter(|path| !path.is_empty()) else { return Ok(None) };
        let key = match env::var_os(KEY_VARIABLE).filter(|key| !key.is_empty()) {
            None => None,
            Some(_) => Some(Keys::new(&input::secret_variable(KEY_VARIABLE)?, KEY_VARIABLE)?.chain),
        };
        Self::at(Path::new(&path), key, Actor::current()?).map(Some)
    }

    fn at(path: &Path, key: Option<ChainKey>, actor: Actor) -> Result<Self, Failure> {
        let file = open(path).map_err(|error| {
            cannot_write(path, &error)
                .remedy(format!("nothing was done: what cannot be recorded is not; see {LOG_VARIABLE}"))
        })?;
        Ok(Self { path: path.to_path_buf(), file, key, actor })
    }

    /// Records an act and how it ended.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn record(mut self, act: &Act, done: bool) -> Result<(), Failure> {
        let line = self.line(act, done)?;
        self.append(line).map_err(|error| {
            cannot_write(&self.path, &error).remedy("what was asked for is done, and missing in the audit log")
        })?
    }

    fn line(&self, act: &Act, done: bool) -> Result<String, Failure> {
        let (user, user_masked) = scrub(self.actor.name());
        let masked = [(user_masked, "user_id"), (act.masked, "target")];
        let line = Line {
            timestamp: time::now_precise().rfc3339(),
            event: act.event,
            action: act.action,
            decision: if done { "allow" } else { "deny" },
            reason: if done { "done" } else { "failed" },
            user_id: &user,
            ip_address: session_address().map(|address| address.to_string()),
            masked: masked.into_iter().filter(|(masked, _)| *masked).map(|(_, field)| field).collect(),
            target: act.target.as_deref(),
        };
        serde_json::to_string(&line).map_err(|error| Failure::io(error.to_string()))
    }

    /// Adds the line. Nobody else does meanwhile: each line of a chain needs the one before.
    fn append(&mut self, line: String) -> io::Result<Result<(), Failure>> {
        self.lock()?;
        let tail = self.tail()?;
        let line = match &self.key {
            None => line,
            Some(key) => match chain(key, &tail) {
                Ok(mut chain) => chain.seal(line),
                Err(failure) => return Ok(Err(failure)),
            },
        };
        // What was cut off in the middle of a line stays a line of its own.
        let start = if tail.last().is_none_or(|last| *last == b'\n') { "" } else { "\n" };
        self.file.write_all(format!("{start}{line}\n").as_bytes())?;
        self.file.sync_data()?;
        self.file.unlock()?;
        Ok(Ok(()))
    }

    /// Locks the file that the path leads to: it may have been rotated or pruned since it was opened, by this very command.
    fn lock(&mut self) -> io::Result<()> {
        loop {
            self.file.lock()?;
            match fs::metadata(&self.path) {
                Ok(there) if is_same(&there, &self.file.metadata()?) => return Ok(()),
                _ => self.file = open(&self.path)?,
            }
        }
    }

    fn tail(&mut self) -> io::Result<Vec<u8>> {
        let length = self.file.metadata()?.len();
        self.file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
        let mut tail = Vec::new();
        (&self.file).take(TAIL_BYTES).read_to_end(&mut tail)?;
        Ok(tail)
    }
}

/// For its owner alone, if it is new.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// The chain of the last sealed line, else a new one.
fn chain(key: &ChainKey, tail: &[u8]) -> Result<Chain, Failure> {
    let lines = tail.rsplit(|byte| *byte == b'\n').filter_map(object);
    let last = lines.filter_map(SealedLine::parse).find(|line| !line.is_checkpoint());
    match last {
        Some(last) => Ok(Chain::resume(key.clone(), &last)),
        None => Ok(Chain::new(key.clone(), *random::bytes()?)),
    }
}

/// Where whoever gives the command sits, if they are not at this machine.
fn session_address() -> Option<IpAddr> {
    let connection = env::var("SSH_CONNECTION").ok()?;
    connection.split_whitespace().next()?.parse().ok()
}
