//! What users agreed to, and took back.

use sqlx::Row;

use super::error::Error;
use super::session::Session;
use super::statements;
use super::users::{Action, Change, User};

statements! {
    CONSENTS = "SELECT c.purpose, c.text_version, c.given, v.at, c.version FROM consents c \
        JOIN user_versions v ON v.slot = c.slot AND v.version = c.version WHERE c.slot = $1 ORDER BY c.version";
    INSERT_CONSENT = "INSERT INTO consents (slot, version, purpose, text_version, given) VALUES ($1, $2, $3, $4, $5)";
}

/// Consent, given or withdrawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// What for.
    pub purpose: String,
    /// Which version of the text they saw.
    pub text_version: String,
    /// Given, or withdrawn.
    pub given: bool,
    /// When.
    pub at: i64,
    /// The version of the user that says so.
    pub version: i64,
}

impl Session<'_> {
    /// Records consent as a version of the user.
    ///
    /// # Errors
    /// The user is erased, or the store cannot be written.
    pub async fn consent(
        &mut self,
        user: &User,
        (purpose, text_version, given): (&str, &str, bool),
        mut change: Change<'_>,
    ) -> Result<User, Error> {
        change.action = if given { Action::GiveConsent } else { Action::WithdrawConsent };
        change.extra = Some(serde_json::json!({"purpose": purpose, "text_version": text_version}));
        let next = self.change(user, change).await?;
        sqlx::query(INSERT_CONSENT)
            .bind(i64::from(next.slot))
            .bind(next.version)
            .bind(purpose.to_owned())
            .bind(text_version.to_owned())
            .bind(i64::from(given))
            .execute(&mut *self.connection)
            .await?;
        Ok(next)
    }

    /// What a user agreed to and took back, oldest first.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn consents(&mut self, user: &User) -> Result<Vec<Consent>, Error> {
        let rows = sqlx::query(CONSENTS).bind(i64::from(user.slot)).fetch_all(&mut *self.connection).await?;
        rows.iter()
            .map(|row| {
                Ok(Consent {
                    purpose: row.try_get("purpose")?,
                    text_version: row.try_get("text_version")?,
                    given: row.try_get::<i64, _>("given")? == 1,
                    at: row.try_get("at")?,
                    version: row.try_get("version")?,
                })
            })
            .collect()
    }
}
