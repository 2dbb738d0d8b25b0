//! Erasing users: their data and their key in the store, then what would unwrap a copy of that key, in the key file.
//!
//! The store says first that it is to be done, so that one that is cut off between the two is finished by whoever opens
//! the store next. It is acknowledged when both are done.

use sqlx::Row;

use super::error::Error;
use super::keyring::Keyring;
use super::role::Status;
use super::session::Session;
use super::users::{Change, User};
use super::{Store, statements};

statements! {
    ERASE_USER = "UPDATE users SET version = $2, status = 'erased', tokens_void_before = $3, changed_at = $4, \
        epoch = NULL, wrapped_key = NULL, email_index = NULL WHERE slot = $1";
    ERASE_VERSIONS = "UPDATE user_versions SET reason = NULL, details = NULL, password = NULL, extra = NULL \
        WHERE slot = $1 AND status <> 'erased'";
    NOTE_ERASURE = "INSERT INTO erasures (slot) VALUES ($1)";
    PENDING = "SELECT slot FROM erasures ORDER BY slot";
    DONE = "DELETE FROM erasures WHERE slot = $1";
    STATUS = "SELECT status FROM users WHERE slot = $1";
    INACTIVE = "SELECT id FROM users WHERE active_at < $1 AND status <> 'erased' ORDER BY active_at, slot LIMIT $2";
    COUNT_INACTIVE = "SELECT count(*) FROM users WHERE active_at < $1 AND status <> 'erased'";
}

impl Session<'_> {
    /// Erases a user in the store. [`Store::destroy_keys`] must follow, after this session.
    ///
    /// # Errors
    /// They are erased already, or the store cannot be written.
    pub async fn erase(&mut self, user: &User, change: &Change<'_>) -> Result<User, Error> {
        // One who was erased after this copy of the store was made has no key, but is in it all the same.
        let row = sqlx::query(STATUS).bind(user.slot).fetch_one(&mut *self.connection).await?;
        if Status::parse(row.try_get("status")?) == Some(Status::Erased) {
            return Err(Error::Erased);
        }
        let mut next = user.clone();
        next.version = user.version.saturating_add(1);
        next.status = Status::Erased;
        next.changed_at = self.now.max(user.changed_at);
        next.tokens_void_before = next.changed_at.saturating_add(1).max(user.tokens_void_before);
        (next.details, next.password, next.key) = (None, None, None);
        self.insert_version(&next, change).await?;
        let slot = i64::from(next.slot);
        sqlx::query(ERASE_USER)
            .bind(slot)
            .bind(next.version)
            .bind(next.tokens_void_before)
            .bind(next.changed_at)
            .execute(&mut *self.connection)
            .await?;
        sqlx::query(ERASE_VERSIONS).bind(slot).execute(&mut *self.connection).await?;
        sqlx::query(NOTE_ERASURE).bind(slot).execute(&mut *self.connection).await?;
        Ok(next)
    }

    /// The ids of users who were last here before a moment, at most so many, and how many there are.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn inactive(&mut self, before: i64, limit: i64) -> Result<(Vec<String>, i64), Error> {
        let rows = sqlx::query(INACTIVE).bind(before).bind(limit).fetch_all(&mut *self.connection).await?;
        let ids = rows.iter().map(|row| Ok(row.try_get("id")?)).collect::<Result<_, Error>>()?;
        let count = sqlx::query(COUNT_INACTIVE).bind(before).fetch_one(&mut *self.connection).await?.try_get(0)?;
        Ok((ids, count))
    }

    /// Slots whose keys are still to be destroyed.
    async fn pending(&mut self) -> Result<Vec<u32>, Error> {
        let rows = sqlx::query(PENDING).fetch_all(&mut *self.connection).await?;
        rows.iter().map(|row| Ok(row.try_get("slot")?)).collect()
    }
}

impl Store {
    /// Destroys the keys of users whom [`Session::erase`] erased, here or in a command that was cut off.
    ///
    /// # Errors
    /// The key file cannot be written: then it is tried again whenever the store is opened.
    pub fn destroy_keys(&mut self) -> Result<(), Error> {
        if self.read(async |session| session.pending().await)?.is_empty() {
            return Ok(());
        }
        let location = self.location.clone();
        // Under the store's write lock, which all that write the key file hold.
        self.keys = self.write(async |session| {
            let slots = session.pending().await?;
            let mut keys = Keyring::read(&location.keys, location.master.as_deref())?;
            keys.puncture(slots.iter().copied());
            keys.replace(&location.keys, location.master.as_deref())?;
            for slot in slots {
                sqlx::query(DONE).bind(slot).execute(&mut *session.connection).await?;
            }
            Ok(keys)
        })?;
        // What was deleted is overwritten in the file, and so that it is in no other: SQLite's own journal goes.
        self.checkpoint();
        Ok(())
    }
}
