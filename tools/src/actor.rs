//! Who gives a command: what the history of an account says of every change.

use std::ffi::OsStr;

use crate::exit::Failure;

/// The environment variable that names who is behind a command which a service or a script runs.
pub const VARIABLE: &str = "PORTCULLIS_ACTOR";

/// Longer than any name, shorter than what somebody would hide in one.
const MAX_CHARACTERS: usize = 200;

/// A name for the record. It is a statement, not a proof: whoever may write the store may say any name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor(String);

impl Actor {
    /// The one that [`VARIABLE`] names, else the user of the operating system.
    ///
    /// # Errors
    /// The name has nothing in it, is too long, or has control characters.
    pub fn current() -> Result<Self, Failure> {
        match std::env::var_os(VARIABLE) {
            Some(name) => Self::named(&name),
            None => Ok(Self(whoami::username().unwrap_or_else(|_| "unknown".to_owned()))),
        }
    }

    fn named(name: &OsStr) -> Result<Self, Failure> {
        let name = name.to_str().map(str::trim).unwrap_or_default();
        let fits = !name.is_empty() && name.chars().count() <= MAX_CHARACTERS && !name.chars().any(char::is_control);
        if fits {
            Ok(Self(name.to_owned()))
        } else {
            Err(Failure::usage(format!("`{VARIABLE}` is no name"))
                .remedy(format!("give 1 to {MAX_CHARACTERS} characters without line breaks, or unset it")))
        }
    }

    /// An actor for tests.
    #[cfg(test)]
    pub fn test(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }
}
