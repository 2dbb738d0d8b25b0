//! How a command ends: a closed set of exit codes, and failures as a cause and a remedy.

use std::process::ExitCode;

/// The exit codes of every command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done, or the answer is yes.
    Good,
    /// The answer is no: wrong password, invalid token, denied request.
    No,
    /// The command line makes no sense.
    Usage,
    /// A policy, key, token or other input that was read is not valid.
    Invalid,
    /// Something could not be read or written.
    Io,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Good => 0,
            Exit::No => 1,
            Exit::Usage => 2,
            Exit::Invalid => 3,
            Exit::Io => 4,
        })
    }
}

/// Why a command could not do its work. Neither text ever carries a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// What went wrong: lower case, no full stop.
    pub cause: String,
    /// What to do about it, where that is not obvious from the cause.
    pub remedy: Option<String>,
}

impl Failure {
    /// The command line makes no sense.
    pub fn usage(cause: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, cause: cause.into(), remedy: None }
    }

    /// Something that was read is not valid.
    pub fn invalid(cause: impl Into<String>) -> Self {
        Self { exit: Exit::Invalid, cause: cause.into(), remedy: None }
    }

    /// Something could not be read or written.
    pub fn io(cause: impl Into<String>) -> Self {
        Self { exit: Exit::Io, cause: cause.into(), remedy: None }
    }

    /// The same failure with what to do about it.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}
