//! Single tokens that were revoked: their digests, for as long as they would otherwise be good.

use sqlx::Row;

use super::error::Error;
use super::session::Session;
use super::statements;

/// How long a token may outlive its `exp`: more than any clock is off.
const GRACE: i64 = 24 * 60 * 60;

statements! {
    REVOKE = "INSERT INTO revoked_tokens (digest, expires_at) VALUES ($1, $2) \
        ON CONFLICT (digest) DO UPDATE SET expires_at = max(expires_at, excluded.expires_at)";
    UNREVOKE = "DELETE FROM revoked_tokens WHERE digest = $1";
    IS_REVOKED = "SELECT expires_at FROM revoked_tokens WHERE digest = $1";
    FORGET = "DELETE FROM revoked_tokens WHERE expires_at < $1";
    AFTER = "SELECT digest, expires_at FROM revoked_tokens WHERE digest > $1 ORDER BY digest LIMIT $2";
    COUNT_REVOKED = "SELECT count(*) FROM revoked_tokens WHERE expires_at >= 0";
}

/// A token that was revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RevokedToken {
    /// The first 16 bytes of SHA-256 of `jti:` and its id.
    pub digest: [u8; 16],
    /// When it would have expired by itself.
    pub expires_at: u32,
}

impl Session<'_> {
    /// Revokes a token, and forgets those that have expired by themselves. Whether it was not revoked already.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn revoke_token(&mut self, token: RevokedToken) -> Result<bool, Error> {
        sqlx::query(FORGET).bind(self.now.saturating_sub(GRACE)).execute(&mut *self.connection).await?;
        let digest = token.digest.to_vec();
        let before = sqlx::query(IS_REVOKED).bind(digest.clone()).fetch_optional(&mut *self.connection).await?;
        sqlx::query(REVOKE).bind(digest).bind(i64::from(token.expires_at)).execute(&mut *self.connection).await?;
        Ok(before.is_none())
    }

    /// Takes a revocation back. Whether there was one.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn unrevoke_token(&mut self, digest: [u8; 16]) -> Result<bool, Error> {
        let done = sqlx::query(UNREVOKE).bind(digest.to_vec()).execute(&mut *self.connection).await?;
        Ok(done.rows_affected() > 0)
    }

    /// Revoked tokens after the digest of another, at most so many.
    ///
    /// # Errors
    /// The store cannot be read, or is damaged.
    pub async fn revoked_after(&mut self, digest: &[u8], limit: i64) -> Result<Vec<RevokedToken>, Error> {
        let rows = sqlx::query(AFTER).bind(digest).bind(limit).fetch_all(&mut *self.connection).await?;
        let read = rows.iter().map(|row| {
            let digest: &[u8] = row.try_get("digest")?;
            let digest = digest.try_into().map_err(|_| Error::Damaged("a digest in it is none"))?;
            Ok(RevokedToken { digest, expires_at: row.try_get("expires_at")? })
        });
        read.collect()
    }

    /// How many tokens are revoked.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn count_revoked(&mut self) -> Result<i64, Error> {
        Ok(sqlx::query(COUNT_REVOKED).fetch_one(&mut *self.connection).await?.try_get(0)?)
    }
}
