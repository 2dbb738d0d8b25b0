//! What a store says of itself: who it is, under which keys it is written, what its passwords cost.

use sqlx::{Row, SqliteConnection};
use uuid::Uuid;

use super::error::{Error, KeysError};
use super::keyring::Keyring;
use super::location::Location;
use super::seal;
use super::session::Session;
use super::statements;
use super::tree::Key;
use crate::password::Cost;

statements! {
    SETTINGS = "SELECT id, epoch, record_key, memory, iterations, parallelism FROM store WHERE one = 1";
    SET_COST = "UPDATE store SET memory = $1, iterations = $2, parallelism = $3 WHERE one = 1";
    SET_EPOCH = "UPDATE store SET epoch = $1, record_key = $2 WHERE one = 1";
    CREATE = "INSERT INTO store (one, id, created_at, epoch, record_key, memory, iterations, parallelism) \
        VALUES (1, $1, $2, $3, $4, $5, $6, $7)";
}

/// What a store says of itself.
#[derive(Clone)]
pub struct Settings {
    /// The store's name for its key file.
    pub id: Uuid,
    /// The keys that new records are under.
    pub epoch: i64,
    /// The key of records that outlive a user.
    pub records: Key,
    /// What hashing a password costs.
    pub cost: Cost,
}

/// What the wrapped key of records is bound to.
fn context(id: Uuid, epoch: i64) -> String {
    format!("portcullis record key {id} {epoch}")
}

/// Reads the settings, with whatever keys the key file has of them.
///
/// # Errors
/// The keys are not this store's, or no longer have its epoch.
pub async fn load(connection: &mut SqliteConnection, keys: &Keyring, location: &Location) -> Result<Settings, Error> {
    let row = sqlx::query(SETTINGS).fetch_optional(connection).await?.ok_or(Error::Damaged("it has no settings"))?;
    let id: Uuid = row.try_get::<&str, _>("id")?.parse().map_err(|_| Error::Damaged("its name is no UUID"))?;
    if id != keys.store {
        return Err(KeysError::Foreign(location.keys.clone()).into());
    }
    let epoch = row.try_get("epoch")?;
    let keys = keys.epoch(epoch).ok_or_else(|| KeysError::Rotated(location.keys.clone()))?;
    let records = seal::open(&keys.records(), &context(id, epoch), row.try_get("record_key")?)
        .and_then(|key| Some(Key::new(key.as_slice().try_into().ok()?)))
        .ok_or(Error::Damaged("its key of records does not open"))?;
    let cost = Cost {
        memory: row.try_get("memory")?,
        iterations: row.try_get("iterations")?,
        parallelism: row.try_get("parallelism")?,
    };
    Ok(Settings { id, epoch, records, cost })
}

/// Brings settings and keys up to the store as it is now: another command may have rotated them.
///
/// # Errors
/// As [`load`], or the key file cannot be read.
pub async fn refresh(
    settings: &mut Settings,
    keys: &mut Keyring,
    location: &Location,
    connection: &mut SqliteConnection,
) -> Result<(), Error> {
    let stale = match load(connection, keys, location).await {
        Ok(fresh) => {
            let stale = fresh.epoch != settings.epoch;
            *settings = fresh;
            stale
        }
        Err(Error::Keys(KeysError::Rotated(_))) => true,
        Err(error) => return Err(error),
    };
    if stale {
        *keys = Keyring::read(&location.keys, location.master.as_deref())?;
        *settings = load(connection, keys, location).await?;
    }
    Ok(())
}

/// Writes the settings of a new store.
///
/// # Errors
/// It cannot be written.
pub async fn create(connection: &mut SqliteConnection, keys: &Keyring, cost: Cost, now: i64) -> Result<(), Error> {
    let epoch = keys.newest()?;
    let wrapped = seal::seal(&epoch.records(), &context(keys.store, epoch.number), &*seal::random::<32>()?)?;
    sqlx::query(CREATE)
        .bind(keys.store.to_string())
        .bind(now)
        .bind(epoch.number)
        .bind(wrapped)
        .bind(cost.memory)
        .bind(cost.iterations)
        .bind(cost.parallelism)
        .execute(connection)
        .await?;
    Ok(())
}

impl Session<'_> {
    /// Sets what hashing a password costs from now on; those hashed for less are hashed anew when their users sign in.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn set_cost(&mut self, cost: Cost) -> Result<(), Error> {
        sqlx::query(SET_COST)
            .bind(cost.memory)
            .bind(cost.iterations)
            .bind(cost.parallelism)
            .execute(&mut *self.connection)
            .await?;
        Ok(())
    }

    /// Puts new records under other keys, and the key of records too.
    ///
    /// # Errors
    /// The keys are not there, or the store cannot be written.
    pub async fn set_epoch(&mut self, epoch: i64, keys: &Keyring) -> Result<(), Error> {
        let under = keys.epoch(epoch).ok_or(Error::Damaged("its new keys are not in its key file"))?;
        let wrapped = seal::seal(&under.records(), &context(self.settings.id, epoch), &*self.settings.records)?;
        sqlx::query(SET_EPOCH).bind(epoch).bind(wrapped).execute(&mut *self.connection).await?;
        Ok(())
    }
}
