//! How far the versions of the feed got.

use sqlx::Row;

use super::error::Error;
use super::session::Session;
use super::statements;

statements! {
    VERSION = "SELECT version FROM feed WHERE one = 1";
    SET_VERSION = "UPDATE feed SET version = $1 WHERE one = 1";
}

impl Session<'_> {
    /// A version for the next feed: `wanted`, or the one above the last where that is not less.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn next_feed_version(&mut self, wanted: i64) -> Result<i64, Error> {
        let row = sqlx::query(VERSION).fetch_optional(&mut *self.connection).await?;
        let last: i64 = row.ok_or(Error::Damaged("it has no version of the feed"))?.try_get(0)?;
        let version = wanted.max(last.saturating_add(1));
        sqlx::query(SET_VERSION).bind(version).execute(&mut *self.connection).await?;
        Ok(version)
    }
}
