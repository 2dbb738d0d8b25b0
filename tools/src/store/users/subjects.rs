//! Users as the filter sees them: who may still come in, with which roles, and since when. Nothing personal is opened.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::key::State;
use crate::store::error::{Error, KeysError};
use crate::store::role::{Roles, Status};
use crate::store::session::Session;
use crate::store::statements;

statements! {
    SUBJECTS_AFTER = "SELECT u.slot, u.id, u.version, u.status, u.roles, u.tokens_void_before, u.changed_at, u.epoch, \
        v.action, v.actor FROM users u JOIN user_versions v ON v.slot = u.slot AND v.version = u.version \
        WHERE u.slot > $1 ORDER BY u.slot LIMIT $2";
}

/// What there is to tell of a user, by the `sub` of their tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Their number in the store.
    pub slot: u32,
    /// The `sub` of their tokens.
    pub id: Uuid,
    /// Whether they may come in.
    pub status: Status,
    /// What they may do.
    pub roles: Roles,
    /// Tokens issued before this are void.
    pub tokens_void_before: i64,
}

impl Session<'_> {
    /// Users after a slot, in the order they were added, at most so many. As with [`Session::after`], what is not what a
    /// command wrote is refused: the seal of the latest version is opened.
    ///
    /// # Errors
    /// The store cannot be read, or is damaged.
    pub async fn subjects_after(&mut self, slot: i64, limit: i64) -> Result<Vec<Subject>, Error> {
        let rows = sqlx::query(SUBJECTS_AFTER).bind(slot).bind(limit).fetch_all(&mut *self.connection).await?;
        rows.iter().map(|row| self.subject(row)).collect()
    }

    fn subject(&self, row: &SqliteRow) -> Result<Subject, Error> {
        let slot = row.try_get("slot")?;
        let id: Uuid = row.try_get::<&str, _>("id")?.parse().map_err(|_| Error::Damaged("an id in it is no UUID"))?;
        let (status, roles): (&str, &str) = (row.try_get("status")?, row.try_get("roles")?);
        let tokens_void_before = row.try_get("tokens_void_before")?;
        let state = State {
            id,
            version: row.try_get("version")?,
            at: row.try_get("changed_at")?,
            action: row.try_get("action")?,
            status,
            roles,
            tokens_void_before,
        };
        self.open_actor(&state, row.try_get("actor")?)?;
        let status = Status::parse(status).ok_or(Error::Damaged("a status in it is none"))?;
        // Whoever was erased after this copy of the store was made has no key any more.
        let status = match row.try_get::<Option<i64>, _>("epoch")? {
            Some(epoch) => {
                let keys = self.keys.epoch(epoch).ok_or_else(|| KeysError::Rotated(self.keys.path().to_owned()))?;
                if keys.has(slot) { status } else { Status::Erased }
            }
            None => Status::Erased,
        };
        let roles = Roles::parse(roles).ok_or(Error::Damaged("roles in it are none"))?;
        Ok(Subject { slot, id, status, roles, tokens_void_before })
    }
}
