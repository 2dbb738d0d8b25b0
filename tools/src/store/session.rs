//! What a piece of work is given: the transaction it runs in, the keys, and the time.

use sqlx::SqliteConnection;

use super::error::Error;
use super::keyring::{Epoch, Keyring};
use super::settings::Settings;

/// One transaction. Its methods are in the modules of what they are about.
pub struct Session<'a> {
    /// For statements with bound parameters.
    pub connection: &'a mut SqliteConnection,
    /// The keys of the store.
    pub keys: &'a Keyring,
    /// What the store says of itself.
    pub settings: &'a Settings,
    /// The time of all that happens here, in seconds since 1970.
    pub now: i64,
}

impl<'a> Session<'a> {
    /// The keys that new records are under.
    ///
    /// # Errors
    /// They are not in the key file.
    pub fn epoch(&self) -> Result<&'a Epoch, Error> {
        self.keys.epoch(self.settings.epoch).ok_or(Error::Damaged("its keys are not in its key file"))
    }
}
