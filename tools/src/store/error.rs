//! What can go wrong with a store, and what to do about each.

use std::path::PathBuf;

use crate::exit::Failure;

/// A problem with the store or its keys. None of them carries personal data or a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// There is no store at this path.
    Absent(PathBuf),
    /// Something else than a store is at this path, or the disk failed.
    Database(String),
    /// Other commands kept the store busy for longer than anybody waits.
    Busy,
    /// The store was made by a newer version of this command.
    Newer,
    /// What is stored contradicts itself.
    Damaged(&'static str),
    /// The key file does not serve this store.
    Keys(KeysError),
    /// The system has no randomness.
    Randomness(String),
    /// No such user.
    Unknown,
    /// Another user has this e-mail address.
    Taken,
    /// The user was erased.
    Erased,
    /// A change that would change nothing, or that the user's status does not allow.
    Refused(&'static str, &'static str),
    /// Why a command stops that has its own words for it.
    Failure(Failure),
}

/// A problem with the key file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeysError {
    /// It cannot be read or written.
    Io(String),
    /// It is no key file.
    Malformed(PathBuf),
    /// It belongs to another store.
    Foreign(PathBuf),
    /// Its content is encrypted, and no master key was given.
    Sealed(PathBuf),
    /// It was encrypted under another master key.
    WrongMaster(PathBuf),
    /// A master key was given that encrypts nothing.
    NotSealed(PathBuf),
    /// The master key is too short.
    ShortMaster,
    /// The key that the store was written under is not in it.
    Rotated(PathBuf),
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        let sqlx::Error::Database(problem) = &error else { return Self::Database(error.to_string()) };
        // The low byte is the primary result code: SQLITE_BUSY and SQLITE_LOCKED (https://www.sqlite.org/rescode.html).
        let code = problem.code().and_then(|code| code.parse::<u32>().ok()).unwrap_or_default();
        match code & 0xff {
            5 | 6 => Self::Busy,
            _ => Self::Database(problem.message().to_owned()),
        }
    }
}

impl From<sqlx::migrate::MigrateError> for Error {
    fn from(error: sqlx::migrate::MigrateError) -> Self {
        use sqlx::migrate::MigrateError;
        match error {
            MigrateError::VersionMissing(_) | MigrateError::VersionMismatch(_) => Self::Newer,
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error.into(),
            other => Self::Database(other.to_string()),
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl From<KeysError> for Error {
    fn from(error: KeysError) -> Self {
        Self::Keys(error)
    }
}

impl From<KeysError> for Failure {
    fn from(error: KeysError) -> Self {
        Error::Keys(error).into()
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Absent(path) => Self::io(format!("there is no store at `{}`", path.display()))
                .remedy("make one with `portcullis init`, or name another with --store or PORTCULLIS_STORE"),
            Error::Database(problem) => Self::io(format!("the store cannot be used: {problem}")).remedy(
                "see whether --store names a store, and whether its disk is full; `portcullis store check` tells more",
            ),
            Error::Busy => Self::io("other commands have kept the store busy for a minute")
                .remedy("nothing was changed: try again"),
            Error::Newer => Self::io("the store was made by another version of this command")
                .remedy("use the newest version that has worked on it: stores are only ever migrated forward"),
            Error::Damaged(what) => Self::io(format!("the store is damaged: {what}"))
                .remedy("run `portcullis store check`, and restore a backup beside today's key file"),
            Error::Keys(problem) => problem.into_failure(),
            Error::Randomness(problem) => Self::io(format!("no randomness from the system: {problem}")),
            Error::Unknown => {
                Self { exit: crate::exit::Exit::No, cause: "there is no such user".to_owned(), remedy: None }
                    .remedy("see `portcullis user list`")
            }
            Error::Taken => Self {
                exit: crate::exit::Exit::No,
                cause: "another user has this e-mail address".to_owned(),
                remedy: None,
            }
            .remedy("see `portcullis user show` with the address"),
            Error::Erased => {
                Self { exit: crate::exit::Exit::No, cause: "the user was erased".to_owned(), remedy: None }
                    .remedy("what was erased cannot come back; `portcullis user history` tells when and why")
            }
            Error::Refused(cause, remedy) => {
                Self { exit: crate::exit::Exit::No, cause: cause.to_owned(), remedy: None }.remedy(remedy)
            }
            Error::Failure(failure) => failure,
        }
    }
}

impl KeysError {
    fn into_failure(self) -> Failure {
        match self {
            Self::Io(problem) => Failure::io(problem)
                .remedy("name the key file with --key-file or PORTCULLIS_KEY_FILE; it is beside the store unless told"),
            Self::Malformed(path) => Failure::invalid(format!("`{}` is no key file of a store", path.display()))
                .remedy("restore it from its own backup: without it, personal data cannot be read"),
            Self::Foreign(path) => Failure::invalid(format!("the keys in `{}` are another store's", path.display()))
                .remedy("name the one that `portcullis init` made with this store: --key-file or PORTCULLIS_KEY_FILE"),
            Self::Sealed(path) => Failure::usage(format!("the keys in `{}` are encrypted", path.display()))
                .remedy("export the master key they were encrypted with as PORTCULLIS_MASTER_KEY"),
            Self::WrongMaster(path) => {
                Failure::invalid(format!("the master key does not open `{}`", path.display()))
                    .remedy("set PORTCULLIS_MASTER_KEY to the one it was encrypted with; `portcullis store rotate-key` changes it")
            }
            Self::NotSealed(path) => {
                Failure::usage(format!("PORTCULLIS_MASTER_KEY is set, but the keys in `{}` are not encrypted", path.display()))
                    .remedy("unset it, or encrypt them: `portcullis store rotate-key --new-master-env NAME` with it unset")
            }
            Self::ShortMaster => Failure::invalid("the master key has fewer than 32 bytes")
                .remedy("make one with `portcullis secret generate`"),
            Self::Rotated(path) => {
                Failure::invalid(format!("`{}` no longer has the key that this store was written under", path.display()))
                    .remedy("a backup from before `portcullis store rotate-key` needs the key file from before it")
            }
        }
    }
}
