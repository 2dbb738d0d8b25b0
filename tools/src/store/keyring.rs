//! The keys of a store, and the file that keeps them: outside the store, so that what leaves the file is gone for good.
//!
//! Every user has a key of their own, wrapped in the store under a leaf of the [`KeyTree`] that is here. Erasing a user
//! destroys the leaf, in the file. A copy of the store from before then still has the wrapped key, and nothing
//! that unwraps it.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::error::{Error, KeysError};
use super::seal;
use super::tree::{Key, KeyTree};
use crate::file::{self, Replacement};
use crate::input::Secret;

#[cfg(test)]
mod tests;

/// What the file says it is.
const FORMAT: &str = "portcullis-keys-1";

/// As for the secrets of policies: 256 bits.
const MIN_MASTER_BYTES: usize = 32;

/// The secret that encrypts the file, where there is one.
pub struct Master(Key);

impl Master {
    /// Takes in what an environment variable holds, as its bytes stand.
    ///
    /// # Errors
    /// It is too short to be a key.
    pub fn new(secret: &Secret) -> Result<Self, KeysError> {
        if secret.expose().len() < MIN_MASTER_BYTES {
            return Err(KeysError::ShortMaster);
        }
        Ok(Self(seal::derive(secret.expose(), "portcullis key file")))
    }
}

/// Keys that were made together: a rotation makes the next, and drops those before it when nothing needs them.
#[derive(Clone)]
pub struct Epoch {
    /// Its number, from 1.
    pub number: i64,
    /// Behind the index of e-mail addresses and the key of records.
    secret: Key,
    tree: KeyTree,
}

impl Epoch {
    fn new(number: i64) -> Result<Self, Error> {
        Ok(Self { number, secret: seal::random()?, tree: KeyTree::new(seal::random()?) })
    }

    /// The key that wraps a user's; `None` once it was destroyed.
    #[must_use]
    pub fn wrapping(&self, slot: u32) -> Option<Key> {
        self.tree.key(slot)
    }

    /// Whether the key that wraps a user's is still there.
    #[must_use]
    pub fn has(&self, slot: u32) -> bool {
        self.tree.has(slot)
    }

    /// What an e-mail address, normalised, is found by.
    #[must_use]
    pub fn index(&self, email: &str) -> [u8; 32] {
        hmac_sha256::HMAC::mac(email, *seal::derive(&*self.secret, "portcullis e-mail index"))
    }

    /// The key that wraps the one of records that outlive a user.
    #[must_use]
    pub fn records(&self) -> Key {
        seal::derive(&*self.secret, "portcullis records")
    }
}

/// All keys of a store.
#[derive(Clone)]
pub struct Keyring {
    /// The store they belong to.
    pub store: Uuid,
    epochs: Vec<Epoch>,
    path: PathBuf,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    format: String,
    store: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    keys: Option<Vec<StoredEpoch>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sealed: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredEpoch {
    epoch: i64,
    secret: Zeroizing<String>,
    tree: Zeroizing<String>,
}

impl Keyring {
    /// New keys for a new store.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn generate(store: Uuid) -> Result<Self, Error> {
        Ok(Self { store, epochs: vec![Epoch::new(1)?], path: PathBuf::new() })
    }

    /// The newest.
    ///
    /// # Errors
    /// There are none, which no key file that was read can have.
    pub fn newest(&self) -> Result<&Epoch, Error> {
        self.epochs.last().ok_or(Error::Damaged("its key file has no keys"))
    }

    /// Those of a number.
    #[must_use]
    pub fn epoch(&self, number: i64) -> Option<&Epoch> {
        self.epochs.iter().find(|epoch| epoch.number == number)
    }

    /// All of them, newest first.
    pub fn newest_first(&self) -> impl Iterator<Item = &Epoch> {
        self.epochs.iter().rev()
    }

    /// The file they were read from.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Destroys the keys of users, in every epoch.
    pub fn puncture(&mut self, slots: impl IntoIterator<Item = u32>) {
        for slot in slots {
            for epoch in &mut self.epochs {
                epoch.tree.puncture(slot);
            }
        }
    }

    /// Adds new keys.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn add_epoch(&mut self) -> Result<i64, Error> {
        let epoch = Epoch::new(self.newest()?.number.saturating_add(1))?;
        let number = epoch.number;
        self.epochs.push(epoch);
        Ok(number)
    }

    /// Drops all keys but the newest.
    pub fn drop_old(&mut self) {
        self.epochs.drain(..self.epochs.len().saturating_sub(1));
    }

    /// Reads the file.
    ///
    /// # Errors
    /// It cannot be read, is none, or the master key is not the one it was encrypted under.
    pub fn read(path: &Path, master: Option<&Master>) -> Result<Self, KeysError> {
        let text = fs::read(path)
            .map(Zeroizing::new)
            .map_err(|error| KeysError::Io(format!("the key file `{}` cannot be read: {error}", path.display())))?;
        let malformed = || KeysError::Malformed(PathBuf::from(path));
        let stored: KeyFile = serde_json::from_slice(&text).map_err(|_| malformed())?;
        if stored.format != FORMAT {
            return Err(malformed());
        }
        let epochs = match (stored.keys, stored.sealed, master) {
            (Some(keys), None, None) => keys,
            (Some(_), None, Some(_)) => return Err(KeysError::NotSealed(PathBuf::from(path))),
            (None, Some(_), None) => return Err(KeysError::Sealed(PathBuf::from(path))),
            (None, Some(sealed), Some(master)) => {
                let sealed = URL_SAFE_NO_PAD.decode(sealed).map_err(|_| malformed())?;
                let plain = seal::open(&master.0, &context(stored.store), &sealed)
                    .ok_or_else(|| KeysError::WrongMaster(PathBuf::from(path)))?;
                serde_json::from_slice(&plain).map_err(|_| malformed())?
            }
            _ => return Err(malformed()),
        };
        let epochs: Option<Vec<_>> = epochs.into_iter().map(StoredEpoch::into_epoch).collect();
        let epochs = epochs.filter(|epochs| !epochs.is_empty() && epochs.is_sorted_by_key(|epoch| epoch.number));
        Ok(Self { store: stored.store, epochs: epochs.ok_or_else(malformed)?, path: path.to_owned() })
    }

    /// Writes a new file, for its owner alone.
    ///
    /// # Errors
    /// There is one, or it cannot be written.
    pub fn create(&mut self, path: &Path, master: Option<&Master>) -> Result<(), Error> {
        self.path = path.to_owned();
        Ok(file::write_new(path, &self.to_text(master)?, "keys")?)
    }

    /// Replaces the file at once: whoever reads it sees the keys before or those after. The caller holds the store's
    /// write lock, so nobody else can be replacing it; what a killed command left half written is taken away.
    ///
    /// # Errors
    /// It cannot be written; the old file is in place.
    pub fn replace(&self, path: &Path, master: Option<&Master>) -> Result<(), Error> {
        let text = self.to_text(master)?;
        Ok(Replacement::begin_locked(path)?.commit(&text)?)
    }

    fn to_text(&self, master: Option<&Master>) -> Result<Zeroizing<String>, Error> {
        let epochs: Vec<_> = self.epochs.iter().map(StoredEpoch::new).collect();
        let mut file = KeyFile { format: FORMAT.to_owned(), store: self.store, keys: None, sealed: None };
        match master {
            None => file.keys = Some(epochs),
            Some(master) => {
                let plain = serde_json::to_vec(&epochs).map(Zeroizing::new).map_err(|_| UNWRITABLE)?;
                file.sealed = Some(URL_SAFE_NO_PAD.encode(seal::seal(&master.0, &context(self.store), &plain)?));
            }
        }
        let mut text = serde_json::to_string_pretty(&file).map(Zeroizing::new).map_err(|_| UNWRITABLE)?;
        text.push('\n');
        Ok(text)
    }
}

const UNWRITABLE: Error = Error::Damaged("its keys cannot be written as JSON");

/// What the encrypted part is bound to.
fn context(store: Uuid) -> String {
    format!("{FORMAT} {store}")
}

impl StoredEpoch {
    fn new(epoch: &Epoch) -> Self {
        Self {
            epoch: epoch.number,
            secret: Zeroizing::new(URL_SAFE_NO_PAD.encode(*epoch.secret)),
            tree: Zeroizing::new(URL_SAFE_NO_PAD.encode(&*epoch.tree.encode())),
        }
    }

    fn into_epoch(self) -> Option<Epoch> {
        let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).ok().map(Zeroizing::new);
        let secret = Key::new(bytes(&self.secret)?.as_slice().try_into().ok()?);
        Some(Epoch { number: self.epoch, secret, tree: KeyTree::decode(&bytes(&self.tree)?)? })
    }
}
