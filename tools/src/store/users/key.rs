//! The key of one user, and what it seals.

use std::fmt;

use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::User;
use crate::store::error::{Error, KeysError};
use crate::store::seal;
use crate::store::session::Session;
use crate::store::tree::Key;

/// The key of everything that is kept of one user. Where it is gone, so is that.
#[derive(Clone)]
pub struct UserKey {
    id: Uuid,
    key: Key,
    epoch: Option<i64>,
}

impl UserKey {
    pub(super) fn generate(id: Uuid) -> Result<Self, Error> {
        Ok(Self { id, key: seal::random()?, epoch: None })
    }

    /// Encrypts, bound to the user, what it is, and the version or other number that tells it from the like of it.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn seal(&self, field: &str, number: i64, plain: &[u8]) -> Result<Vec<u8>, Error> {
        seal::seal(&self.key, &self.context(field, number), plain)
    }

    /// Decrypts what [`UserKey::seal`] made with the same words.
    ///
    /// # Errors
    /// It is anything else.
    pub fn open(&self, field: &str, number: i64, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        seal::open(&self.key, &self.context(field, number), sealed)
            .ok_or(Error::Damaged("what is kept of a user does not open with their key"))
    }

    fn context(&self, field: &str, number: i64) -> String {
        format!("portcullis {field} {} {number}", self.id)
    }

    /// The epoch that the key is wrapped under in the store, where it came from there.
    pub(super) const fn epoch(&self) -> Option<i64> {
        self.epoch
    }

    /// The key as the store keeps it.
    pub(in crate::store) fn wrap(&self, wrapping: &Key, slot: u32, epoch: i64) -> Result<Vec<u8>, Error> {
        seal::seal(wrapping, &wrapped(self.id, slot, epoch), &*self.key)
    }
}

fn wrapped(id: Uuid, slot: u32, epoch: i64) -> String {
    format!("portcullis user key {id} {slot} {epoch}")
}

impl Session<'_> {
    /// The key of a user from their row; `None` once it was destroyed.
    pub(in crate::store) fn unwrap_key(&self, id: Uuid, slot: u32, row: &SqliteRow) -> Result<Option<UserKey>, Error> {
        let (epoch, sealed): (Option<i64>, Option<&[u8]>) = (row.try_get("epoch")?, row.try_get("wrapped_key")?);
        let Some((epoch, sealed)) = epoch.zip(sealed) else { return Ok(None) };
        let keys = self.keys.epoch(epoch).ok_or_else(|| KeysError::Rotated(self.keys.path().to_owned()))?;
        let Some(wrapping) = keys.wrapping(slot) else { return Ok(None) };
        let key = seal::open(&wrapping, &wrapped(id, slot, epoch), sealed)
            .and_then(|key| Some(Key::new(key.as_slice().try_into().ok()?)))
            .ok_or(Error::Damaged("the key of a user does not unwrap"))?;
        Ok(Some(UserKey { id, key, epoch: Some(epoch) }))
    }

    /// Encrypts what outlives a user's key.
    pub(super) fn seal_record(&self, field: &str, user: &User, text: &str) -> Result<Vec<u8>, Error> {
        seal::seal(&self.settings.records, &record(field, user.id, user.version), text.as_bytes())
    }

    /// Decrypts that.
    pub(super) fn open_record(&self, field: &str, id: Uuid, version: i64, sealed: &[u8]) -> Result<String, Error> {
        seal::open(&self.settings.records, &record(field, id, version), sealed)
            .and_then(|plain| String::from_utf8(plain.to_vec()).ok())
            .ok_or(Error::Damaged("a record in it does not open"))
    }
}

fn record(field: &str, id: Uuid, version: i64) -> String {
    format!("portcullis record {field} {id} {version}")
}

impl fmt::Debug for UserKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserKey(redacted)")
    }
}
