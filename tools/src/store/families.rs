//! Families of refresh tokens: one row for each sign-in that is still good.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::error::Error;
use super::session::Session;
use super::statements;
use super::users::User;
use crate::access::Methods;

/// How many sign-ins of one user are good at a time; the next one ends the oldest.
pub const MAX_FAMILIES: i64 = 50;

statements! {
    FIND = "SELECT f.token, f.methods, f.started_at, f.used_at, f.uses, f.ends_at, f.idle, u.id \
        FROM sessions f JOIN users u ON u.slot = f.slot WHERE f.family = $1";
    OF_USER = "SELECT f.token, f.methods, f.started_at, f.used_at, f.uses, f.ends_at, f.idle, u.id \
        FROM sessions f JOIN users u ON u.slot = f.slot WHERE f.slot = $1 ORDER BY f.started_at";
    START = "INSERT INTO sessions (family, slot, token, methods, started_at, used_at, uses, ends_at, idle) \
        VALUES ($1, $2, $3, $4, $5, $5, 0, $6, $7)";
    ROTATE = "UPDATE sessions SET token = $3, used_at = max(used_at, $4), uses = uses + 1 WHERE family = $1 AND token = $2";
    END = "DELETE FROM sessions WHERE family = $1";
    END_ALL = "DELETE FROM sessions WHERE slot = $1";
    END_OVER = "DELETE FROM sessions WHERE slot = $1 \
        AND (started_at < $2 OR ends_at <= $3 OR used_at + idle <= $3)";
    END_OLDEST = "DELETE FROM sessions WHERE family IN \
        (SELECT family FROM sessions WHERE slot = $1 ORDER BY started_at DESC, used_at DESC LIMIT 1000 OFFSET $2)";
}

/// A sign-in and the tokens it led to.
#[derive(Clone, Debug)]
pub struct Family {
    /// The id of its user.
    pub user: uuid::Uuid,
    /// The digest of the token that is good.
    pub token: Vec<u8>,
    /// How the user signed in.
    pub methods: Methods,
    /// When.
    pub started_at: i64,
    /// When it was last refreshed, or else began.
    pub used_at: i64,
    /// How often it was refreshed.
    pub uses: i64,
    /// When it ends at the latest.
    pub ends_at: i64,
    /// After how many seconds without use it ends.
    pub idle: i64,
}

impl Family {
    /// Whether it is over: too old, unused for too long, or its user's tokens were made void.
    #[must_use]
    pub fn is_over(&self, user: &User, now: i64) -> bool {
        now >= self.ends_at
            || now.saturating_sub(self.used_at) >= self.idle
            || self.started_at < user.tokens_void_before
    }

    fn from_row(row: &SqliteRow) -> Result<Self, Error> {
        Ok(Self {
            user: row.try_get::<&str, _>("id")?.parse().map_err(|_| Error::Damaged("an id in it is no UUID"))?,
            token: row.try_get("token")?,
            methods: Methods::from_kept(row.try_get("methods")?).ok_or(Error::Damaged("methods in it are none"))?,
            started_at: row.try_get("started_at")?,
            used_at: row.try_get("used_at")?,
            uses: row.try_get("uses")?,
            ends_at: row.try_get("ends_at")?,
            idle: row.try_get("idle")?,
        })
    }
}

/// How long a sign-in can be refreshed.
#[derive(Clone, Copy, Debug)]
pub struct Lifetime {
    /// However often it is, in seconds.
    pub whole: i64,
    /// Between two uses, in seconds.
    pub idle: i64,
}

impl Session<'_> {
    /// The family that a digest of its id stands for.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn family(&mut self, family: &[u8]) -> Result<Option<Family>, Error> {
        let row = sqlx::query(FIND).bind(family).fetch_optional(&mut *self.connection).await?;
        row.as_ref().map(Family::from_row).transpose()
    }

    /// The families of a user, oldest first.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn families(&mut self, slot: u32) -> Result<Vec<Family>, Error> {
        let rows = sqlx::query(OF_USER).bind(i64::from(slot)).fetch_all(&mut *self.connection).await?;
        rows.iter().map(Family::from_row).collect()
    }

    /// Begins a family, and ends those of the user that are over or too many.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn start_family(
        &mut self,
        user: &User,
        (family, token): (&[u8], &[u8]),
        methods: Methods,
        started_at: i64,
        lifetime: Lifetime,
    ) -> Result<(), Error> {
        let slot = i64::from(user.slot);
        sqlx::query(END_OVER)
            .bind(slot)
            .bind(user.tokens_void_before)
            .bind(self.now)
            .execute(&mut *self.connection)
            .await?;
        sqlx::query(END_OLDEST).bind(slot).bind(MAX_FAMILIES - 1).execute(&mut *self.connection).await?;
        sqlx::query(START)
            .bind(family)
            .bind(slot)
            .bind(token)
            .bind(methods.as_str())
            .bind(started_at)
            .bind(started_at.saturating_add(lifetime.whole))
            .bind(lifetime.idle)
            .execute(&mut *self.connection)
            .await?;
        Ok(())
    }

    /// Makes another token the one that is good. `false` where this one is not any more.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn rotate(&mut self, family: &[u8], token: &[u8], next: &[u8]) -> Result<bool, Error> {
        let now = self.now;
        let rotate = sqlx::query(ROTATE).bind(family).bind(token).bind(next).bind(now);
        Ok(rotate.execute(&mut *self.connection).await?.rows_affected() == 1)
    }

    /// Ends a family.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn end_family(&mut self, family: &[u8]) -> Result<(), Error> {
        sqlx::query(END).bind(family).execute(&mut *self.connection).await?;
        Ok(())
    }

    /// Ends every family of a user.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn end_families(&mut self, slot: u32) -> Result<(), Error> {
        sqlx::query(END_ALL).bind(i64::from(slot)).execute(&mut *self.connection).await?;
        Ok(())
    }
}
