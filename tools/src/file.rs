//! Files that are written: new ones for their owner alone, and old ones replaced at once.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::exit::Failure;

#[cfg(test)]
mod tests;

/// Writes a file that did not exist, readable by its owner alone from the moment it exists. `what` names in the plural
/// what is never overwritten.
///
/// # Errors
/// The file exists, or cannot be written.
pub fn write_new(path: &Path, text: &str, what: &str) -> Result<(), Failure> {
    let mut file = create_new(path, what)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(|error| {
        // Half a secret is of no use, and would be in the way of the next attempt.
        let _left_behind = fs::remove_file(path);
        cannot_write(path, &error)
    })
}

/// Opens a file that did not exist, readable by its owner alone from the moment it exists.
///
/// # Errors
/// As [`write_new`].
pub fn create_new(path: &Path, what: &str) -> Result<File, Failure> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => exists(path, what),
        _ => cannot_write(path, &error),
    })
}

/// Refuses early, before work is done for it, what [`write_new`] would refuse.
///
/// # Errors
/// The file exists.
pub fn must_be_new(path: &Path, what: &str) -> Result<(), Failure> {
    match path.symlink_metadata() {
        Ok(_) => Err(exists(path, what)),
        Err(_) => Ok(()),
    }
}

fn exists(path: &Path, what: &str) -> Failure {
    Failure::io(format!("`{}` exists already", path.display()))
        .remedy(format!("{what} are never overwritten: choose another name, or move the old file away first"))
}

/// That a file cannot be written.
pub fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::io(format!("`{}` cannot be written: {error}", path.display()))
}

/// A file that is being replaced. Whoever reads it meanwhile sees the old text or the new one, never a part; and only
/// one can be replacing it at a time.
pub struct Replacement {
    target: PathBuf,
    beside: PathBuf,
    file: File,
    committed: bool,
}

impl Replacement {
    /// Begins: from here until it is committed or dropped, nobody else can.
    ///
    /// # Errors
    /// Somebody else has begun, or nothing can be written beside the file.
    pub fn begin(path: &Path) -> Result<Self, Failure> {
        // A link stays a link: what it leads to is replaced.
        let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        let beside = beside(&target);
        let file = File::create_new(&beside).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Failure::io(format!(
                "`{}` is being replaced by somebody else",
                path.display()
            ))
            .remedy(format!("wait for them; if nobody is, an earlier run was cut off: remove `{}`", beside.display())),
            _ => cannot_write(&beside, &error),
        })?;
        let replacement = Self { target, beside, file, committed: false };
        if let Ok(old) = fs::metadata(&replacement.target) {
            keep_owner(&replacement.file, &old);
            let kept = replacement.file.set_permissions(old.permissions());
            kept.map_err(|error| cannot_write(&replacement.beside, &error))?;
        }
        Ok(replacement)
    }

    /// Begins where a lock of the caller's lets nobody else: what is beside the file was left by one that was cut off.
    ///
    /// # Errors
    /// Nothing can be written beside the file.
    pub fn begin_locked(path: &Path) -> Result<Self, Failure> {
        let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        let _none = fs::remove_file(beside(&target));
        Self::begin(path)
    }

    /// Writes a part of the new text.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&mut self, part: &[u8]) -> Result<(), Failure> {
        self.file.write_all(part).map_err(|error| cannot_write(&self.beside, &error))
    }

    /// Puts the new text, or with it what was written before and this, in the place of the old.
    ///
    /// # Errors
    /// It could not be written; the old text is in place.
    pub fn commit(self, text: &str) -> Result<(), Failure> {
        self.commit_bytes(text.as_bytes())
    }

    /// Puts new bytes in the place of the old.
    ///
    /// # Errors
    /// As [`Replacement::commit`].
    pub fn commit_bytes(mut self, bytes: &[u8]) -> Result<(), Failure> {
        let written = self.file.write_all(bytes).and_then(|()| self.file.sync_all());
        written
            .and_then(|()| fs::rename(&self.beside, &self.target))
            .map_err(|error| cannot_write(&self.target, &error))?;
        self.committed = true;
        // So that a power cut does not undo it. Not every system can, and the file is good either way.
        let directory = self.target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let _unsupported = File::open(directory).and_then(|directory| directory.sync_all());
        Ok(())
    }
}

/// What is replaced stays its owner's, who may be the only one to read it: the keys of a service's user, for example, that an
/// administrator rotates. Whoever may give no files away has it then.
fn keep_owner(file: &File, old: &fs::Metadata) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt as _, fchown};
        let is_same = file.metadata().is_ok_and(|new| (new.uid(), new.gid()) == (old.uid(), old.gid()));
        if !is_same {
            let _not_allowed = fchown(file, Some(old.uid()), Some(old.gid()));
        }
    }
    #[cfg(not(unix))]
    let _ = (file, old);
}

/// Where the new text is written.
fn beside(target: &Path) -> PathBuf {
    let mut beside = OsString::from(target);
    beside.push(".new");
    PathBuf::from(beside)
}

impl Drop for Replacement {
    fn drop(&mut self) {
        // After a commit, a file of this name is somebody else's.
        if !self.committed {
            let _left_behind = fs::remove_file(&self.beside);
        }
    }
}
