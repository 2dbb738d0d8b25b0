//! The store of accounts: one SQLite file, and beside it, outside any backup of it, the file with its keys.
//!
//! [`Store::read`] and [`Store::write`] run a piece of work in one transaction, and again from the start where another
//! command was in the way; so it must do nothing but ask the [`Session`] it is given. A write is on the disk when
//! `write` returns. Every statement is a literal with bound parameters, listed by [`statements`].

mod api_keys;
mod check;
mod consents;
mod email;
mod erase;
mod error;
mod failures;
mod families;
mod feed;
mod keyring;
mod location;
mod open;
mod revoked;
mod role;
mod rotate;
mod seal;
mod second_factor;
mod session;
mod settings;
mod sign_ins;
mod tree;
mod users;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use sqlx::SqliteConnection;
use tokio::runtime::Runtime;

use crate::time;

pub use api_keys::{KeptApiKey, StoredApiKey};
pub use consents::Consent;
pub use email::Email;
pub use error::Error;
pub use failures::Failures;
pub use families::{Family, Lifetime};
pub use keyring::Keyring;
pub use location::{Location, MASTER_VARIABLE, STORE_VARIABLE, is_named, master};
pub use open::discard;
pub use revoked::RevokedToken;
pub use role::{Role, Roles, Status};
pub use second_factor::SecondFactor;
pub use session::Session;
pub use settings::Settings;
pub use sign_ins::{Candidate, Event, SignIn};
pub use users::{Action, Change, Details, Filter, Handle, Listed, NewUser, Subject, User, Version};

#[cfg(test)]
mod tests;

/// Constants that are SQL statements, and the list of them that a test holds against the schema's indexes.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $sql:expr;)*) => {
        $($(#[$doc])* const $name: &str = $sql;)*

        /// Every statement of this module, for the test that none of them scans a table.
        #[cfg(test)]
        pub const STATEMENTS: &[(&str, &str)] = &[$((concat!(module_path!(), "::", stringify!($name)), $name)),*];
    };
}
use statements;

/// How long a command waits for others before it gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long SQLite waits by itself, before the work is begun again.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// A store that is open.
pub struct Store {
    runtime: Runtime,
    connection: SqliteConnection,
    keys: Keyring,
    location: Location,
    settings: Settings,
}

impl Store {
    /// Runs work that changes nothing, on one state of the store.
    ///
    /// # Errors
    /// What the work says, or that the store cannot be read.
    pub fn read<T>(&mut self, mut work: impl AsyncFnMut(&mut Session<'_>) -> Result<T, Error>) -> Result<T, Error> {
        self.run("BEGIN", &mut work)
    }

    /// Runs work that changes something: all of it, on the disk, or nothing.
    ///
    /// # Errors
    /// What the work says, or that the store cannot be written; nothing was changed.
    pub fn write<T>(&mut self, mut work: impl AsyncFnMut(&mut Session<'_>) -> Result<T, Error>) -> Result<T, Error> {
        self.run("BEGIN IMMEDIATE", &mut work)
    }

    /// What the store says of itself.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    fn run<T>(
        &mut self,
        begin: &'static str,
        work: &mut impl AsyncFnMut(&mut Session<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        patiently(|| self.attempt(begin, work))
    }

    /// One transaction, from its beginning to its end.
    fn attempt<T>(
        &mut self,
        begin: &'static str,
        work: &mut impl AsyncFnMut(&mut Session<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let Self { runtime, connection, keys, location, settings } = self;
        runtime.block_on(async {
            sqlx::query(begin).execute(&mut *connection).await?;
            let done = async {
                let now = time::now();
                settings::refresh(settings, keys, location, connection).await?;
                work(&mut Session { connection, keys, settings, now }).await
            };
            match done.await {
                Ok(value) => match sqlx::query("COMMIT").execute(&mut *connection).await {
                    Ok(_) => Ok(value),
                    Err(error) => {
                        let _over = sqlx::query("ROLLBACK").execute(&mut *connection).await;
                        Err(error.into())
                    }
                },
                Err(error) => {
                    let _over = sqlx::query("ROLLBACK").execute(&mut *connection).await;
                    Err(error)
                }
            }
        })
    }
}

/// Runs something until no other command is in its way, for as long as [`PATIENCE`] lasts.
fn patiently<T>(mut attempt: impl FnMut() -> Result<T, Error>) -> Result<T, Error> {
    let start = Instant::now();
    let mut pause = Duration::from_millis(2);
    loop {
        match attempt() {
            Err(Error::Busy) if start.elapsed() < PATIENCE => {
                // Not all at once again: the clock's last digits are as good as a draw here.
                let jitter = Duration::from_nanos(u64::from(start.elapsed().subsec_nanos()) % 3_000_000);
                std::thread::sleep(pause + jitter);
                pause = (pause * 2).min(Duration::from_millis(100));
            }
            result => return result,
        }
    }
}

/// The path of SQLite's own files beside a store.
fn beside(store: &std::path::Path, suffix: &str) -> PathBuf {
    let mut name = store.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
