//! Reading back what happened to a user.

use serde_json::Value;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::key::State;
use super::{Details, User};
use crate::store::error::Error;
use crate::store::role::{Roles, Status};
use crate::store::session::Session;
use crate::store::statements;

statements! {
    HISTORY = "SELECT version, at, action, actor, reason, status, roles, tokens_void_before, details, password, extra \
        FROM user_versions WHERE slot = $1 ORDER BY version";
}

/// A state a user was in, and how it came about.
#[derive(Debug)]
pub struct Version {
    /// Its number, from 1.
    pub number: i64,
    /// When.
    pub at: i64,
    /// Who.
    pub actor: String,
    /// What.
    pub action: String,
    /// Why.
    pub reason: Option<String>,
    /// Whether they could sign in then.
    pub status: Status,
    /// What they might do then.
    pub roles: Roles,
    /// Tokens issued before this were void then.
    pub tokens_void_before: i64,
    /// What was personal then; `None` once they were erased.
    pub details: Option<Details>,
    /// Whether the password had changed. The hash stays where it is.
    pub password_changed: bool,
    /// What else there was to say.
    pub extra: Option<Value>,
}

impl Session<'_> {
    /// Every version of a user, oldest first.
    ///
    /// # Errors
    /// The store cannot be read, or is damaged.
    pub async fn history(&mut self, user: &User) -> Result<Vec<Version>, Error> {
        let rows = sqlx::query(HISTORY).bind(i64::from(user.slot)).fetch_all(&mut *self.connection).await?;
        let mut password = None;
        let mut versions = Vec::with_capacity(rows.len());
        for row in &rows {
            versions.push(self.version(user, row, &mut password)?);
        }
        Ok(versions)
    }

    fn version(&self, user: &User, row: &SqliteRow, password: &mut Option<Vec<u8>>) -> Result<Version, Error> {
        let number = row.try_get("version")?;
        let open = |field: &str| -> Result<Option<Vec<u8>>, Error> {
            let sealed: Option<&[u8]> = row.try_get(field)?;
            let opened = user.key.as_ref().zip(sealed).map(|(key, sealed)| key.open(field, number, sealed));
            Ok(opened.transpose()?.map(|plain| plain.to_vec()))
        };
        let status = Status::parse(row.try_get("status")?).ok_or(Error::Damaged("a status in it is none"))?;
        let reason = match (status, row.try_get::<Option<&[u8]>, _>("reason")?) {
            (Status::Erased, Some(sealed)) => Some(self.open_reason(user.id, number, sealed)?),
            _ => open("reason")?.and_then(|reason| String::from_utf8(reason).ok()),
        };
        let json = |_: serde_json::Error| Error::Damaged("a version in it is not JSON");
        let hash = open("password")?;
        let password_changed = hash.is_some() && hash != *password;
        *password = hash;
        let state = State {
            id: user.id,
            version: number,
            at: row.try_get("at")?,
            action: row.try_get("action")?,
            status: row.try_get("status")?,
            roles: row.try_get("roles")?,
            tokens_void_before: row.try_get("tokens_void_before")?,
        };
        Ok(Version {
            number,
            at: row.try_get("at")?,
            actor: self.open_actor(&state, row.try_get("actor")?)?,
            action: row.try_get("action")?,
            reason,
            status,
            roles: Roles::parse(row.try_get("roles")?).ok_or(Error::Damaged("roles in it are none"))?,
            tokens_void_before: row.try_get("tokens_void_before")?,
            details: open("details")?.map(|plain| serde_json::from_slice(&plain)).transpose().map_err(json)?,
            password_changed,
            extra: open("extra")?.map(|plain| serde_json::from_slice(&plain)).transpose().map_err(json)?,
        })
    }
}
