//! New keys: made, taken into use by the batch while others go on, and only then are the old ones destroyed.

use sqlx::Row;
use uuid::Uuid;

use super::email::Email;
use super::error::Error;
use super::keyring::{Keyring, Master};
use super::session::Session;
use super::users::Details;
use super::{Store, statements};

statements! {
    UNDER_EPOCH = "SELECT u.slot, u.id, u.epoch, u.wrapped_key, u.version, v.details FROM users u \
        JOIN user_versions v ON v.slot = u.slot AND v.version = u.version \
        WHERE u.epoch = $1 AND u.slot > $2 ORDER BY u.slot LIMIT $3";
    OLDEST_EPOCH = "SELECT min(epoch) FROM users WHERE epoch >= 1";
    REWRAP = "UPDATE users SET epoch = $2, wrapped_key = $3, email_index = $4 WHERE slot = $1";
}

/// How many users one transaction moves: others get to write between.
const BATCH: i64 = 2_000;

impl Store {
    /// Puts the store under new keys and destroys the old ones, or finishes what was cut off. The key file is encrypted under
    /// `master` from then on. `progress` hears how many users there are, and how many are done.
    ///
    /// # Errors
    /// The store or the key file cannot be written. What was done stays done; the same again goes on from there.
    pub fn rotate(&mut self, master: Option<&Master>, mut progress: impl FnMut(u64, u64)) -> Result<(), Error> {
        let location = self.location.clone();
        let epoch = self.write(async |session| {
            let mut keys = Keyring::read(&location.keys, location.master.as_deref())?;
            let newest = keys.newest()?.number;
            let unfinished =
                newest > session.settings.epoch || session.oldest_epoch().await?.is_some_and(|old| old < newest);
            let epoch = if unfinished { newest } else { keys.add_epoch()? };
            keys.replace(&location.keys, location.master.as_deref())?;
            session.set_epoch(epoch, &keys).await?;
            Ok(epoch)
        })?;
        // Whoever begins a transaction from now on sees the new epoch, and has read its keys.
        let total = self.read(async |session| Ok(session.count().await?.unsigned_abs()))?;
        let mut done = 0_u64;
        while let Some(old) = self.read(async |session| session.oldest_epoch().await)?.filter(|old| *old < epoch) {
            let mut slot = -1;
            while let Some((last, moved)) = self.write(async |session| session.rewrap(old, slot).await)? {
                slot = last;
                done = done.saturating_add(moved);
                progress(total, done);
            }
        }
        self.keys = self.write(async |session| {
            let mut keys = Keyring::read(&location.keys, location.master.as_deref())?;
            if session.oldest_epoch().await?.is_some_and(|old| old < epoch) || keys.newest()?.number != epoch {
                return Err(Error::Busy);
            }
            keys.drop_old();
            keys.replace(&location.keys, master)?;
            Ok(keys)
        })?;
        self.checkpoint();
        Ok(())
    }
}

impl Session<'_> {
    async fn oldest_epoch(&mut self) -> Result<Option<i64>, Error> {
        Ok(sqlx::query(OLDEST_EPOCH).fetch_one(&mut *self.connection).await?.try_get(0)?)
    }

    /// Moves a batch of users after a slot from an old epoch to the current one: the last slot, and how many.
    async fn rewrap(&mut self, old: i64, after: i64) -> Result<Option<(i64, u64)>, Error> {
        let query = sqlx::query(UNDER_EPOCH).bind(old).bind(after).bind(BATCH);
        let rows = query.fetch_all(&mut *self.connection).await?;
        let epoch = self.epoch()?;
        let mut last = None;
        for row in &rows {
            let slot: u32 = row.try_get("slot")?;
            let id: Uuid =
                row.try_get::<&str, _>("id")?.parse().map_err(|_| Error::Damaged("an id in it is no UUID"))?;
            let (Some(key), Some(wrapping)) = (self.unwrap_key(id, slot, row)?, epoch.wrapping(slot)) else {
                return Err(Error::Refused(
                    "users were erased after this copy of the store was made, and are still in it",
                    "run `portcullis store check --repair` first",
                ));
            };
            let details = key.open("details", row.try_get("version")?, row.try_get("details")?)?;
            let details: Details =
                serde_json::from_slice(&details).map_err(|_| Error::Damaged("details in it are none"))?;
            let email: Email = details.email.parse().map_err(|_| Error::Damaged("an address in it is none"))?;
            sqlx::query(REWRAP)
                .bind(slot)
                .bind(epoch.number)
                .bind(key.wrap(&wrapping, slot, epoch.number)?)
                .bind(epoch.index(&email.normalised()).to_vec())
                .execute(&mut *self.connection)
                .await?;
            last = Some(i64::from(slot));
        }
        Ok(last.map(|last| (last, rows.len() as u64)))
    }
}
