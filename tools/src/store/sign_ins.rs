//! Who came and went: the last sign-ins of each user, and whose account an address is.

use sqlx::Row;

use super::email::Email;
use super::error::Error;
use super::session::Session;
use super::statements;
use super::users::{Handle, User};
use crate::access::Methods;

/// How many are kept of each user.
pub const KEPT: i64 = 100;

/// How long they are kept, as audit logs are: two years.
pub const KEPT_SECONDS: i64 = 730 * 24 * 60 * 60;

statements! {
    AT_OR_AFTER = "SELECT id, email_index FROM users WHERE email_index >= $1 ORDER BY email_index LIMIT 1";
    LAST_NUMBER = "SELECT coalesce(max(number), 0) FROM sign_ins WHERE slot = $1";
    ADD = "INSERT INTO sign_ins (slot, number, at, event, methods, recovery, failures) VALUES ($1, $2, $3, $4, $5, $6, $7)";
    DROP_OLD = "DELETE FROM sign_ins WHERE slot = $1 AND (number <= $2 OR at < $3)";
    OF_USER = "SELECT number, at, event, methods, recovery, failures FROM sign_ins WHERE slot = $1 ORDER BY number";
}

/// Whether somebody came or went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// They signed in.
    SignIn,
    /// They signed out.
    SignOut,
}

impl Event {
    /// The name in the store and in histories.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SignIn => "sign_in",
            Self::SignOut => "sign_out",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::SignIn, Self::SignOut].into_iter().find(|event| event.name() == name)
    }
}

/// A sign-in, or its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignIn {
    /// When.
    pub at: i64,
    /// Which of the two.
    pub event: Event,
    /// How they had signed in.
    pub methods: Methods,
    /// Whether the code was a recovery code.
    pub recovery: bool,
    /// How often somebody had failed before.
    pub failures: u32,
}

/// The account that an address is looked up as.
pub struct Candidate {
    /// A user: the one with this address; else somebody else, whose password takes as long to check.
    pub user: User,
    /// Whether it is theirs.
    pub real: bool,
}

impl Session<'_> {
    /// The user with this address, or another in their place; `None` in a store without users.
    ///
    /// That other one is always the same for an address, and drawn from all users by its keyed digest. So what happens next
    /// takes for an address that nobody has as long as for one of those that somebody has, however their passwords were
    /// hashed.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn candidate(&mut self, address: &str) -> Result<Option<Candidate>, Error> {
        let address = address.trim();
        // What is no address is looked for all the same.
        let normalised = address.parse().map_or_else(|_| address.to_lowercase(), |email: Email| email.normalised());
        let mut found = None;
        for epoch in self.keys.newest_first() {
            let index = epoch.index(&normalised);
            let mut row = sqlx::query(AT_OR_AFTER).bind(&index[..]).fetch_optional(&mut *self.connection).await?;
            if row.is_none() {
                row = sqlx::query(AT_OR_AFTER).bind(&[0; 32][..]).fetch_optional(&mut *self.connection).await?;
            }
            let Some(row) = row else { continue };
            let real = row.try_get::<&[u8], _>("email_index")? == index;
            let id = row.try_get::<&str, _>("id")?.parse().map_err(|_| Error::Damaged("an id in it is no UUID"))?;
            let user = self.find(&Handle::Id(id)).await?;
            if found.is_none() || real {
                found = Some(Candidate { user, real });
            }
        }
        Ok(found)
    }

    /// Notes that a user came or went.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn note(&mut self, slot: u32, sign_in: &SignIn) -> Result<(), Error> {
        let slot = i64::from(slot);
        let last: i64 = sqlx::query(LAST_NUMBER).bind(slot).fetch_one(&mut *self.connection).await?.try_get(0)?;
        let number = last.saturating_add(1);
        sqlx::query(ADD)
            .bind(slot)
            .bind(number)
            .bind(sign_in.at)
            .bind(sign_in.event.name())
            .bind(sign_in.methods.as_str())
            .bind(sign_in.recovery)
            .bind(sign_in.failures)
            .execute(&mut *self.connection)
            .await?;
        sqlx::query(DROP_OLD)
            .bind(slot)
            .bind(number.saturating_sub(KEPT))
            .bind(self.now.saturating_sub(KEPT_SECONDS))
            .execute(&mut *self.connection)
            .await?;
        Ok(())
    }

    /// The last sign-ins of a user, oldest first.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn sign_ins(&mut self, slot: u32) -> Result<Vec<SignIn>, Error> {
        let rows = sqlx::query(OF_USER).bind(i64::from(slot)).fetch_all(&mut *self.connection).await?;
        let read = |row: &sqlx::sqlite::SqliteRow| {
            Ok(SignIn {
                at: row.try_get("at")?,
                event: Event::from_name(row.try_get("event")?).ok_or(Error::Damaged("an event in it is none"))?,
                methods: Methods::from_kept(row.try_get("methods")?).ok_or(Error::Damaged("methods in it are none"))?,
                recovery: row.try_get::<i64, _>("recovery")? == 1,
                failures: row.try_get("failures")?,
            })
        };
        rows.iter().map(read).collect()
    }
}
