//! Making a store, and opening one.

use std::path::Path;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Row, SqlSafeStr, SqliteConnection};
use tokio::runtime::{Builder, Runtime};
use uuid::Uuid;

use super::error::{Error, KeysError};
use super::keyring::Keyring;
use super::location::Location;
use super::{BUSY_TIMEOUT, Store, beside, patiently, settings, statements};
use crate::file;
use crate::password::Cost;
use crate::time;

/// Every step of the schema, oldest first. One that has been released is never edited: a change is a new one.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "accounts", include_str!("migrations/0001_accounts.sql")),
    (2, "sign_in", include_str!("migrations/0002_sign_in.sql")),
    (3, "feed", include_str!("migrations/0003_feed.sql")),
];

statements! {
    HAS_SCHEMA = "SELECT count(*) FROM sqlite_master WHERE name = '_sqlx_migrations'";
    APPLIED = "SELECT version FROM _sqlx_migrations ORDER BY version";
    CHECKPOINT = "PRAGMA wal_checkpoint(TRUNCATE)";
}

impl Store {
    /// Opens a store, migrated to this version's schema.
    ///
    /// # Errors
    /// It is not there, was made by a newer version, or its keys are not there.
    pub fn open(location: Location) -> Result<Self, Error> {
        if !location.store.exists() {
            return Err(Error::Absent(location.store));
        }
        let mut keys = Keyring::read(&location.keys, location.master.as_deref())?;
        let runtime = runtime()?;
        let (connection, settings) = patiently(|| {
            runtime.block_on(async {
                let mut connection = connect(&location, false).await?;
                migrate(&mut connection).await?;
                let mut settings = settings::load(&mut connection, &keys, &location).await;
                if matches!(settings, Err(Error::Keys(KeysError::Rotated(_)))) {
                    // Another command may have rotated them since they were read.
                    keys = Keyring::read(&location.keys, location.master.as_deref())?;
                    settings = settings::load(&mut connection, &keys, &location).await;
                }
                Ok((connection, settings?))
            })
        })?;
        let mut store = Self { runtime, connection, keys, location, settings };
        store.destroy_keys()?;
        Ok(store)
    }

    /// Makes a store and its keys, in files that did not exist.
    ///
    /// # Errors
    /// One of the files exists, or cannot be written.
    pub fn create(location: Location, cost: Cost) -> Result<Self, Error> {
        const WHAT: &str = "stores and keys";
        for path in [&location.store, &location.keys] {
            file::must_be_new(path, WHAT)?;
        }
        let runtime = runtime()?;
        let mut keys = Keyring::generate(Uuid::now_v7())?;
        keys.create(&location.keys, location.master.as_deref())?;
        // SQLite gives its journal the permissions of the store.
        file::write_new(&location.store, "", WHAT).inspect_err(|_| {
            let _left_behind = std::fs::remove_file(&location.keys);
        })?;
        let made = runtime.block_on(async {
            let mut connection = connect(&location, true).await?;
            migrate(&mut connection).await?;
            settings::create(&mut connection, &keys, cost, time::now()).await?;
            let settings = settings::load(&mut connection, &keys, &location).await?;
            Ok::<_, Error>((connection, settings))
        });
        let (connection, settings) = made.inspect_err(|_| discard(&location.store, &location.keys))?;
        Ok(Self { runtime, connection, keys, location, settings })
    }

    /// Puts what SQLite's journal has into the store and empties it, if nobody else is reading. The journal is only
    /// ever a matter of tidiness: what is in it is as durable, and as encrypted.
    pub(super) fn checkpoint(&mut self) {
        let _later = self.runtime.block_on(sqlx::query(CHECKPOINT).execute(&mut self.connection));
    }
}

fn runtime() -> Result<Runtime, Error> {
    Builder::new_current_thread().build().map_err(|error| Error::Database(error.to_string()))
}

async fn connect(location: &Location, new: bool) -> Result<SqliteConnection, Error> {
    let mut options = SqliteConnectOptions::new()
        .filename(&location.store)
        .create_if_missing(false)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .synchronous(SqliteSynchronous::Full)
        .pragma("secure_delete", "ON")
        .pragma("trusted_schema", "OFF")
        .disable_statement_logging();
    if new {
        options = options.journal_mode(SqliteJournalMode::Wal);
    }
    Ok(options.connect().await?)
}

/// Brings the schema up to this version's, if it is not.
async fn migrate(connection: &mut SqliteConnection) -> Result<(), Error> {
    let has_schema: i64 = sqlx::query(HAS_SCHEMA).fetch_one(&mut *connection).await?.try_get(0)?;
    if has_schema > 0 {
        let rows = sqlx::query(APPLIED).fetch_all(&mut *connection).await?;
        let applied = rows.iter().map(|row| Ok(row.try_get(0)?)).collect::<Result<Vec<i64>, Error>>()?;
        let known: Vec<i64> = MIGRATIONS.iter().map(|(version, ..)| *version).collect();
        // All of them, not the last alone: versions of this command that were made side by side may each know another one.
        if applied == known {
            return Ok(());
        }
        if applied.iter().any(|version| !known.contains(version)) {
            return Err(Error::Newer);
        }
    }
    let migrations = MIGRATIONS.iter().map(|(version, name, sql)| {
        Migration::new(*version, (*name).into(), MigrationType::Simple, sql.into_sql_str(), false)
    });
    // One command migrates; others that were opening the store find it done.
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    Migrator::with_migrations(migrations.collect()).run_direct(None, &mut *transaction, false).await?;
    Ok(transaction.commit().await?)
}

/// Removes what [`Store::create`] made, where what was to follow failed.
pub fn discard(store: &Path, keys: &Path) {
    for path in [store.to_owned(), beside(store, "-wal"), beside(store, "-shm"), keys.to_owned()] {
        let _not_there = std::fs::remove_file(path);
    }
}
