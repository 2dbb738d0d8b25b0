//! Whether a store is whole.

use std::path::Path;

use sqlx::Row;

use super::error::Error;
use super::session::Session;
use super::users::{Action, Change, User};
use super::{Store, statements};
use crate::actor::Actor;

statements! {
    BROKEN_HISTORIES = "SELECT count(*) FROM users u WHERE u.slot >= 0 AND u.version <> \
        (SELECT count(*) FROM user_versions v WHERE v.slot = u.slot)";
}

// These look at the whole file by their nature.
const INTEGRITY: &str = "PRAGMA integrity_check";
const REFERENCES: &str = "PRAGMA foreign_key_check";
const BACKUP: &str = "VACUUM INTO $1";

/// How many users are read at once.
const CHUNK: i64 = 1_000;

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// How many users there are.
    pub users: u64,
    /// What is wrong with the file, in SQLite's words.
    pub file: Vec<String>,
    /// References to what is not there.
    pub references: u64,
    /// Users whose history has gaps.
    pub histories: u64,
    /// Users of whom something does not open with their key.
    pub unreadable: u64,
    /// Users who were erased after this copy of the store was made.
    pub left_over: u64,
}

impl Health {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_good(&self) -> bool {
        let Self { users: _, file, references, histories, unreadable, left_over } = self;
        file.is_empty() && *references == 0 && *histories == 0 && *unreadable == 0 && *left_over == 0
    }
}

impl Store {
    /// Looks at everything in the store. `progress` hears how many users there are, and how many were looked at.
    ///
    /// # Errors
    /// The store cannot be read at all.
    pub fn check(&mut self, mut progress: impl FnMut(u64, u64)) -> Result<Health, Error> {
        self.read(async |session| {
            let mut health = Health::default();
            for row in sqlx::query(INTEGRITY).fetch_all(&mut *session.connection).await? {
                let line: String = row.try_get(0)?;
                if line != "ok" {
                    health.file.push(line);
                }
            }
            health.references = sqlx::query(REFERENCES).fetch_all(&mut *session.connection).await?.len() as u64;
            let row = sqlx::query(BROKEN_HISTORIES).fetch_one(&mut *session.connection).await?;
            health.histories = row.try_get::<i64, _>(0)?.unsigned_abs();
            let total = session.count().await?.unsigned_abs();
            let mut slot = -1;
            loop {
                let users = session.slots_after(slot, CHUNK).await?;
                let Some(last) = users.last() else { return Ok(health) };
                slot = *last;
                for slot in users {
                    health.users = health.users.saturating_add(1);
                    match session.look_at(slot).await {
                        Ok(true) => health.left_over = health.left_over.saturating_add(1),
                        Ok(false) => {}
                        Err(Error::Damaged(_)) => health.unreadable = health.unreadable.saturating_add(1),
                        Err(error) => return Err(error),
                    }
                }
                progress(total, health.users);
            }
        })
    }

    /// Erases what is left of users who were erased after this copy of the store was made. Returns how many there were.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn repair(&mut self, actor: &Actor) -> Result<u64, Error> {
        let mut repaired = 0_u64;
        let mut slot = -1;
        loop {
            let (last, done) = self.write(async |session| {
                let users = session.after(slot, CHUNK).await?;
                let mut done = 0_u64;
                for user in users.iter().filter(|user| user.is_left_over) {
                    let reason = Some("erased after this copy of the store was made");
                    session.erase(user, &Change::new(Action::Erase, actor, reason)).await?;
                    done = done.saturating_add(1);
                }
                Ok((users.last().map(|user| i64::from(user.slot)), done))
            })?;
            repaired = repaired.saturating_add(done);
            match last {
                Some(last) => slot = last,
                None => break,
            }
        }
        self.destroy_keys()?;
        Ok(repaired)
    }

    /// Copies the store, as it is at one moment, into a file that is there and empty.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn backup(&mut self, out: &Path) -> Result<(), Error> {
        let out = out.to_str().ok_or(Error::Refused("the name of the copy is not UTF-8", "choose another name"))?;
        let copy = sqlx::query(BACKUP).bind(out.to_owned()).execute(&mut self.connection);
        self.runtime.block_on(copy)?;
        Ok(())
    }
}

impl Session<'_> {
    /// Opens everything that is kept of a user; whether they are left over.
    async fn look_at(&mut self, slot: i64) -> Result<bool, Error> {
        let user: Option<User> = self.after(slot - 1, 1).await?.pop();
        let user = user.ok_or(Error::Damaged("a user has no version"))?;
        if i64::from(user.slot) != slot {
            return Err(Error::Damaged("a user has no version"));
        }
        self.history(&user).await?;
        self.api_keys_of(user.slot).await?;
        Ok(user.is_left_over)
    }
}
