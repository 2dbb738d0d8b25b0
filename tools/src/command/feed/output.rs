//! The files that a feed is written to: who else writes them waits, and what is there says how far versions got.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use portcullis_engine::feed::{Feed, read};
use portcullis_engine::token::KeySet;

use crate::exit::Failure;
use crate::feed::read_unverified;
use crate::file::{Replacement, cannot_write};

/// A feed that is there.
pub struct Current {
    /// What it says.
    pub feed: Feed,
    /// Whether the key that signs now signed it.
    pub is_ours: bool,
}

/// A file that this command alone writes, for as long as it has this.
pub struct Output {
    path: PathBuf,
    _lock: File,
}

impl Output {
    /// Waits until nobody else writes the file. The lock is on a file beside it, which stays: a feed is replaced, and whoever
    /// waited for it would otherwise have waited for the old one. The system lets go of it with the process, however that ends.
    ///
    /// # Errors
    /// Nothing can be written there.
    pub fn of(path: &Path) -> Result<Self, Failure> {
        if path.as_os_str() == "-" {
            return Err(Failure::usage("a feed is written to a file, and `-` is none").remedy("name a file"));
        }
        let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        let mut beside = target.into_os_string();
        beside.push(".lock");
        let beside = PathBuf::from(beside);
        let opened = File::options().create(true).truncate(false).write(true).open(&beside);
        let lock = opened.map_err(|error| cannot_write(&beside, &error))?;
        if let Err(error) = lock.lock()
            && error.kind() != io::ErrorKind::Unsupported
        {
            return Err(cannot_write(&beside, &error));
        }
        Ok(Self { path: path.to_path_buf(), _lock: lock })
    }

    /// The feed that is there, whoever signed it.
    ///
    /// # Errors
    /// There is something else, or it cannot be read.
    pub fn current(&self, own: &KeySet) -> Result<Option<Current>, Failure> {
        let name = self.path.display();
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Failure::io(format!("`{name}` cannot be read: {error}"))),
        };
        if let Ok(feed) = read(bytes.clone(), own) {
            return Ok(Some(Current { feed, is_ours: true }));
        }
        read_unverified(&bytes).map(|(feed, _)| Some(Current { feed, is_ours: false })).map_err(|problem| {
            Failure::invalid(format!("`{name}` is there and is no feed: {problem}"))
                .remedy("name another file, or move that one away: nothing but a feed is replaced by one")
        })
    }

    /// Puts a feed in the place of the one there is.
    ///
    /// # Errors
    /// It cannot be written; the one there is stays.
    pub fn replace(&self, file: &[u8]) -> Result<(), Failure> {
        Replacement::begin_locked(&self.path)?.commit_bytes(file)
    }
}
