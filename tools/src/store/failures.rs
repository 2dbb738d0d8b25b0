//! Failed sign-ins: counted, so that nobody can go on guessing.

use sqlx::Row;

use super::error::Error;
use super::session::Session;
use super::statements;

#[cfg(test)]
mod tests;

/// How often somebody may fail before they have to wait. NIST SP 800-63B section 3.2.2 asks for a limit of no more than 100
/// failures in a row.
const FREE: u32 = 10;

/// The longest wait: a stranger who keeps failing keeps the owner out for no longer after the last time.
const MAX_WAIT_SECONDS: u64 = 15 * 60;

/// How many wrong codes with the right password end it: of a million codes three are good at any time. Nobody who does not
/// know the password can bring this about, so it lasts until an administrator has looked.
const MAX_CODES: u32 = 10;

/// Where the count would no longer change anything.
const MAX_COUNT: u32 = 1_000_000;

/// Stands for every address that nobody has, so that a failure is written for those too.
const NOBODY: i64 = -1;

statements! {
    FAILURES = "SELECT failures, codes, first_at, last_at FROM failed_sign_ins WHERE slot = $1";
    FAILED = "INSERT INTO failed_sign_ins (slot, failures, codes, first_at, last_at) VALUES ($1, $2, $3, $4, $5) \
        ON CONFLICT (slot) DO UPDATE SET failures = $2, codes = $3, first_at = $4, last_at = $5";
    FORGET = "DELETE FROM failed_sign_ins WHERE slot = $1";
}

/// Failed sign-ins since the last good one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Failures {
    /// All of them.
    pub count: u32,
    /// Those with the right password and a wrong code.
    pub codes: u32,
    /// When the first was.
    pub first_at: i64,
    /// When the last was.
    pub last_at: i64,
}

impl Failures {
    /// Whether nobody gets in now, with the right password or without.
    #[must_use]
    pub fn shut(&self, now: i64) -> bool {
        // By the distance: a clock that was set back must not shut anybody out for longer.
        self.codes >= MAX_CODES || now.abs_diff(self.last_at) < self.wait()
    }

    /// Whether only an administrator can let the user in again.
    #[must_use]
    pub const fn needs_administrator(&self) -> bool {
        self.codes >= MAX_CODES
    }

    /// A second after the tenth failure, and twice as long after each one more.
    fn wait(&self) -> u64 {
        let Some(beyond) = self.count.checked_sub(FREE) else { return 0 };
        1_u64.checked_shl(beyond).filter(|_| beyond < u64::BITS).unwrap_or(u64::MAX).min(MAX_WAIT_SECONDS)
    }

    /// The count with one more failure; `code` is whether the password was right.
    #[must_use]
    pub fn and_one_more(self, code: bool, now: i64) -> Self {
        Self {
            count: self.count.saturating_add(1).min(MAX_COUNT),
            codes: self.codes.saturating_add(u32::from(code)).min(MAX_COUNT),
            first_at: if self.count == 0 { now } else { self.first_at },
            last_at: now,
        }
    }
}

impl Session<'_> {
    /// The failures of a user; of nobody, where there is no such user.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn failures(&mut self, slot: Option<u32>) -> Result<Failures, Error> {
        let row = sqlx::query(FAILURES).bind(number(slot)).fetch_optional(&mut *self.connection).await?;
        let Some(row) = row else { return Ok(Failures::default()) };
        Ok(Failures {
            count: row.try_get("failures")?,
            codes: row.try_get("codes")?,
            first_at: row.try_get("first_at")?,
            last_at: row.try_get("last_at")?,
        })
    }

    /// Writes them.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn set_failures(&mut self, slot: Option<u32>, failures: Failures) -> Result<(), Error> {
        sqlx::query(FAILED)
            .bind(number(slot))
            .bind(failures.count)
            .bind(failures.codes)
            .bind(failures.first_at)
            .bind(failures.last_at)
            .execute(&mut *self.connection)
            .await?;
        Ok(())
    }

    /// Forgets them: somebody got in, or an administrator says that all is well.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn forget_failures(&mut self, slot: u32) -> Result<(), Error> {
        sqlx::query(FORGET).bind(number(Some(slot))).execute(&mut *self.connection).await?;
        Ok(())
    }
}

fn number(slot: Option<u32>) -> i64 {
    slot.map_or(NOBODY, i64::from)
}
