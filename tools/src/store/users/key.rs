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

    /// Encrypts why somebody was erased, which outlives their key.
    pub(super) fn seal_reason(&self, user: &User, reason: &str) -> Result<Vec<u8>, Error> {
        seal::seal(&self.settings.records, &why(user.id, user.version), reason.as_bytes())
    }

    /// Decrypts that.
    pub(super) fn open_reason(&self, id: Uuid, version: i64, sealed: &[u8]) -> Result<String, Error> {
        text(seal::open(&self.settings.records, &why(id, version), sealed))
    }

    /// Encrypts who made a version, bound to all of it that is not encrypted.
    pub(super) fn seal_actor(&self, state: &State<'_>, actor: &str) -> Result<Vec<u8>, Error> {
        seal::seal(&self.settings.records, &state.context(), actor.as_bytes())
    }

    /// Decrypts that; whoever edited the version without the keys is found out here.
    pub(super) fn open_actor(&self, state: &State<'_>, sealed: &[u8]) -> Result<String, Error> {
        text(seal::open(&self.settings.records, &state.context(), sealed))
    }
}

/// What of a version is not encrypted.
pub(super) struct State<'a> {
    pub id: Uuid,
    pub version: i64,
    pub at: i64,
    pub action: &'a str,
    pub status: &'a str,
    pub roles: &'a str,
    pub tokens_void_before: i64,
}

impl State<'_> {
    fn context(&self) -> String {
        let Self { id, version, at, action, status, roles, tokens_void_before } = self;
        format!("portcullis actor {id} {version} {at} {action} {status} {roles} {tokens_void_before}")
    }
}

fn why(id: Uuid, version: i64) -> String {
    format!("portcullis reason of erasure {id} {version}")
}

fn text(opened: Option<Zeroizing<Vec<u8>>>) -> Result<String, Error> {
    opened
        .and_then(|plain| String::from_utf8(plain.to_vec()).ok())
        .ok_or(Error::Damaged("a version is not what a command wrote"))
}

impl fmt::Debug for UserKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserKey(redacted)")
    }
}
