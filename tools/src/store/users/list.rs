//! Users by the page, and all of them in order.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::User;
use crate::store::error::Error;
use crate::store::role::{Role, Roles, Status};
use crate::store::session::Session;
use crate::store::statements;

/// The columns of a user, for [`Session::user`], of those slots that `$source` has.
macro_rules! listed {
    ($source:literal) => {
        concat!(
            "SELECT u.slot, u.id, u.version, u.status, u.roles, u.tokens_void_before, u.created_at, u.changed_at, \
             u.active_at, u.last_login_at, u.epoch, u.wrapped_key, v.action, v.actor, v.details, v.password FROM (",
            $source,
            ") s JOIN users u ON u.slot = s.slot JOIN user_versions v ON v.slot = u.slot AND v.version = u.version \
             ORDER BY u.slot"
        )
    };
}

statements! {
    AFTER = listed!("SELECT slot FROM users WHERE slot > $1 ORDER BY slot LIMIT $2");
    SLOTS_AFTER = "SELECT slot FROM users WHERE slot > $1 ORDER BY slot LIMIT $2";
    PAGE = listed!("SELECT slot FROM users WHERE slot >= 0 ORDER BY slot LIMIT $1 OFFSET $2");
    PAGE_BY_STATUS = listed!("SELECT slot FROM users WHERE status = $3 ORDER BY slot LIMIT $1 OFFSET $2");
    PAGE_BY_ROLE = listed!("SELECT slot FROM users WHERE roles IN ($3, $4, $5, $6) ORDER BY slot LIMIT $1 OFFSET $2");
    PAGE_BY_BOTH = listed!("SELECT slot FROM users WHERE roles IN ($3, $4, $5, $6) AND status = $7 \
        ORDER BY slot LIMIT $1 OFFSET $2");
    COUNT = "SELECT count(*) FROM users WHERE slot >= 0";
    COUNT_BY_STATUS = "SELECT count(*) FROM users WHERE status = $1";
    COUNT_BY_ROLE = "SELECT count(*) FROM users WHERE roles IN ($1, $2, $3, $4)";
    COUNT_BY_BOTH = "SELECT count(*) FROM users WHERE roles IN ($1, $2, $3, $4) AND status = $5";
}

/// Which users to list: all, if it says nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Those of this status.
    pub status: Option<Status>,
    /// Those who have this role.
    pub role: Option<Role>,
}

/// A page of users.
#[derive(Debug)]
pub struct Listed {
    /// Those on it.
    pub users: Vec<User>,
    /// How many there are on all pages.
    pub total: i64,
}

impl Session<'_> {
    /// A page of users, in the order they were added.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn list(&mut self, filter: Filter, limit: i64, offset: i64) -> Result<Listed, Error> {
        let (page, count) = match (filter.role, filter.status) {
            (None, None) => (PAGE, COUNT),
            (None, Some(_)) => (PAGE_BY_STATUS, COUNT_BY_STATUS),
            (Some(_), None) => (PAGE_BY_ROLE, COUNT_BY_ROLE),
            (Some(_), Some(_)) => (PAGE_BY_BOTH, COUNT_BY_BOTH),
        };
        let mut values: Vec<String> = filter.role.map(Roles::all_with).into_iter().flatten().collect();
        values.extend(filter.status.map(|status| status.name().to_owned()));
        let mut page = sqlx::query(page).bind(limit).bind(offset);
        let mut count = sqlx::query(count);
        for value in values {
            page = page.bind(value.clone());
            count = count.bind(value);
        }
        let rows = page.fetch_all(&mut *self.connection).await?;
        let total = count.fetch_one(&mut *self.connection).await?.try_get(0)?;
        Ok(Listed { users: self.users(&rows)?, total })
    }

    /// The users after a slot, in the order they were added, at most so many: for going through all of them, from -1.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn after(&mut self, slot: i64, limit: i64) -> Result<Vec<User>, Error> {
        let rows = sqlx::query(AFTER).bind(slot).bind(limit).fetch_all(&mut *self.connection).await?;
        self.users(&rows)
    }

    /// Their slots alone.
    pub(in crate::store) async fn slots_after(&mut self, slot: i64, limit: i64) -> Result<Vec<i64>, Error> {
        let rows = sqlx::query(SLOTS_AFTER).bind(slot).bind(limit).fetch_all(&mut *self.connection).await?;
        rows.iter().map(|row| Ok(row.try_get("slot")?)).collect()
    }

    /// How many users there are.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn count(&mut self) -> Result<i64, Error> {
        Ok(sqlx::query(COUNT).fetch_one(&mut *self.connection).await?.try_get(0)?)
    }

    fn users(&self, rows: &[SqliteRow]) -> Result<Vec<User>, Error> {
        rows.iter().map(|row| self.user(row)).collect()
    }
}
