//! Second factors: the secret shared with an authenticator app, and recovery codes.

use sqlx::Row;
use zeroize::Zeroizing;

use super::error::Error;
use super::session::Session;
use super::statements;
use super::users::User;

statements! {
    FACTOR = "SELECT version, secret, confirmed, last_step FROM second_factors WHERE slot = $1";
    SET_FACTOR = "INSERT INTO second_factors (slot, version, secret, confirmed, last_step) VALUES ($1, $2, $3, 0, NULL) \
        ON CONFLICT (slot) DO UPDATE SET version = $2, secret = $3, confirmed = 0, last_step = NULL";
    CONFIRM = "UPDATE second_factors SET confirmed = 1, last_step = $2 WHERE slot = $1";
    USE_STEP = "UPDATE second_factors SET last_step = $2 WHERE slot = $1 AND coalesce(last_step, -1) < $2";
    REMOVE = "DELETE FROM second_factors WHERE slot = $1";
    CODES = "SELECT digest FROM recovery_codes WHERE slot = $1";
    ADD_CODE = "INSERT INTO recovery_codes (slot, digest) VALUES ($1, $2)";
    USE_CODE = "DELETE FROM recovery_codes WHERE slot = $1 AND digest = $2";
    REMOVE_CODES = "DELETE FROM recovery_codes WHERE slot = $1";
}

/// What the secret is bound to, beside the user and the version.
const FIELD: &str = "second factor";

/// A second factor.
pub struct SecondFactor {
    /// The secret shared with the app.
    pub secret: Zeroizing<Vec<u8>>,
    /// Whether the app was shown to have it: only then is a code asked for.
    pub confirmed: bool,
    /// The step of the last code that was taken.
    pub last_step: Option<u64>,
}

impl Session<'_> {
    /// The second factor of a user, if there is one.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn second_factor(&mut self, user: &User) -> Result<Option<SecondFactor>, Error> {
        // Without their key, nothing of a user can be read.
        let Some(key) = &user.key else { return Ok(None) };
        let row = sqlx::query(FACTOR).bind(i64::from(user.slot)).fetch_optional(&mut *self.connection).await?;
        let Some(row) = row else { return Ok(None) };
        let last_step: Option<i64> = row.try_get("last_step")?;
        Ok(Some(SecondFactor {
            secret: key.open(FIELD, row.try_get("version")?, row.try_get("secret")?)?,
            confirmed: row.try_get::<i64, _>("confirmed")? == 1,
            last_step: last_step.and_then(|step| u64::try_from(step).ok()),
        }))
    }

    /// Gives a user a secret that is still to be confirmed, in the place of one that never was.
    ///
    /// # Errors
    /// The user is erased, or the store cannot be written.
    pub async fn set_second_factor(&mut self, user: &User, secret: &[u8]) -> Result<(), Error> {
        let sealed = user.key.as_ref().ok_or(Error::Erased)?.seal(FIELD, user.version, secret)?;
        sqlx::query(SET_FACTOR)
            .bind(i64::from(user.slot))
            .bind(user.version)
            .bind(sealed)
            .execute(&mut *self.connection)
            .await?;
        Ok(())
    }

    /// Asks for codes from now on, later than the one that this was confirmed with, and takes these recovery codes.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn confirm_second_factor(&mut self, slot: u32, step: u64, codes: &[[u8; 32]]) -> Result<(), Error> {
        sqlx::query(CONFIRM).bind(i64::from(slot)).bind(bound(step)?).execute(&mut *self.connection).await?;
        sqlx::query(REMOVE_CODES).bind(i64::from(slot)).execute(&mut *self.connection).await?;
        for code in codes {
            sqlx::query(ADD_CODE).bind(i64::from(slot)).bind(&code[..]).execute(&mut *self.connection).await?;
        }
        Ok(())
    }

    /// Takes the code of a step. `false` where it, or a later one, was taken before.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn use_step(&mut self, slot: u32, step: u64) -> Result<bool, Error> {
        let used =
            sqlx::query(USE_STEP).bind(i64::from(slot)).bind(bound(step)?).execute(&mut *self.connection).await?;
        Ok(used.rows_affected() == 1)
    }

    /// The digests of recovery codes that were not used.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn recovery_codes(&mut self, slot: u32) -> Result<Vec<Vec<u8>>, Error> {
        let rows = sqlx::query(CODES).bind(i64::from(slot)).fetch_all(&mut *self.connection).await?;
        rows.iter().map(|row| Ok(row.try_get("digest")?)).collect()
    }

    /// Takes a recovery code. `false` where it was taken before.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn use_recovery_code(&mut self, slot: u32, digest: &[u8]) -> Result<bool, Error> {
        let used = sqlx::query(USE_CODE).bind(i64::from(slot)).bind(digest).execute(&mut *self.connection).await?;
        Ok(used.rows_affected() == 1)
    }

    /// Takes the second factor away, recovery codes too.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn remove_second_factor(&mut self, slot: u32) -> Result<(), Error> {
        sqlx::query(REMOVE).bind(i64::from(slot)).execute(&mut *self.connection).await?;
        Ok(())
    }
}

fn bound(step: u64) -> Result<i64, Error> {
    i64::try_from(step).map_err(|_| Error::Damaged("a time step is beyond all time"))
}
