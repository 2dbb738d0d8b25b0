//! The hash of a password as an account has it: Argon2, or what another system made and was imported.

use std::fmt;

use zeroize::Zeroizing;

use super::foreign::{Bcrypt, Pbkdf2};
use super::{Cost, Phc, SALT_BYTES, TAG_BYTES, verify};
use crate::exit::Failure;
use crate::input::Secret;

/// A hash that a password can be held against.
#[derive(Clone, Debug)]
pub enum StoredHash {
    /// Argon2, as this command makes it.
    Argon2(Phc),
    /// bcrypt: `$2b$…` and its older names.
    Bcrypt(Bcrypt),
    /// PBKDF2 in one of the forms that frameworks write.
    Pbkdf2(Pbkdf2),
}

/// What holding a password against a hash says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Whether the password is the one that was hashed.
    pub matches: bool,
    /// Whether it should be hashed anew, now that it is known: it matches, and the hash is another system's, or cheaper than
    /// hashes are made now.
    #[allow(dead_code, reason = "for whoever signs users in")]
    pub needs_rehash: bool,
}

impl StoredHash {
    /// Reads a hash in any of the forms.
    ///
    /// # Errors
    /// What is wrong with it, lower case, never quoting salt or tag.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.starts_with("$argon2") {
            Phc::parse(text).map(Self::Argon2)
        } else if text.starts_with("$2") {
            Bcrypt::parse(text).map(Self::Bcrypt)
        } else if text.starts_with("pbkdf2") || text.starts_with("$pbkdf2") {
            Pbkdf2::parse(text).map(Self::Pbkdf2)
        } else {
            Err("it is neither Argon2 (`$argon2id$…`), bcrypt (`$2b$…`) nor PBKDF2 (`pbkdf2_sha256$…`)".to_owned())
        }
    }

    /// A hash that no password matches and that costs what one of this cost does: to be verified where there is no account,
    /// so that nobody can tell from the time.
    ///
    /// # Errors
    /// The system has no randomness.
    #[allow(dead_code, reason = "for whoever signs users in")]
    pub fn decoy(cost: Cost) -> Result<Self, Failure> {
        let mut random = vec![0; SALT_BYTES + TAG_BYTES];
        getrandom::fill(&mut random).map_err(|error| Failure::io(format!("no randomness from the system: {error}")))?;
        let tag = random.split_off(SALT_BYTES);
        Ok(Self::Argon2(Phc {
            algorithm: argon2::Algorithm::Argon2id,
            version: argon2::Version::V0x13,
            cost,
            salt: random,
            tag,
        }))
    }

    /// What it is, for people: never salt or tag.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Argon2(phc) => {
                let Cost { memory, iterations, parallelism } = phc.cost;
                format!("{} m={memory},t={iterations},p={parallelism}", phc.algorithm.as_str())
            }
            Self::Bcrypt(bcrypt) => format!("bcrypt cost {}", bcrypt.cost()),
            Self::Pbkdf2(pbkdf2) => pbkdf2.to_string(),
        }
    }

    /// Whether a password that matches this should be hashed anew, at `current`.
    #[must_use]
    pub fn is_outdated(&self, current: Cost) -> bool {
        match self {
            Self::Argon2(phc) => {
                phc.algorithm != argon2::Algorithm::Argon2id
                    || phc.version != argon2::Version::V0x13
                    || phc.cost.memory < current.memory
                    || phc.cost.iterations < current.iterations
                    || phc.tag.len() < TAG_BYTES
            }
            Self::Bcrypt(_) | Self::Pbkdf2(_) => true,
        }
    }
}

/// Holds a password against a hash of any form; `current` is what hashes cost now.
///
/// # Errors
/// The hash asks for more memory than there is.
pub fn verify_any(password: &Secret, hash: &StoredHash, current: Cost) -> Result<Verified, Failure> {
    #[cfg(test)]
    WORK.with_borrow_mut(|work| work.push(hash.describe()));
    let matches = match hash {
        StoredHash::Argon2(phc) => verify(password, phc)?,
        StoredHash::Bcrypt(bcrypt) => bcrypt.verify(password),
        StoredHash::Pbkdf2(pbkdf2) => same(&pbkdf2.compute(password)?, pbkdf2.tag()),
    };
    Ok(Verified { matches, needs_rehash: matches && hash.is_outdated(current) })
}

#[cfg(test)]
thread_local! {
    static WORK: std::cell::RefCell<Vec<String>> = const { std::cell::RefCell::new(Vec::new()) };
}

/// The hashes that passwords were held against on this thread since the last time: who must not be told apart by the time
/// it takes costs the same.
#[cfg(test)]
pub fn work_done() -> Vec<String> {
    WORK.take()
}

fn same(computed: &Zeroizing<Vec<u8>>, tag: &[u8]) -> bool {
    use subtle::ConstantTimeEq;
    computed.ct_eq(tag).into()
}

impl fmt::Display for StoredHash {
    /// The text to store, which [`StoredHash::parse`] reads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argon2(phc) => phc.fmt(f),
            Self::Bcrypt(bcrypt) => f.write_str(bcrypt.text()),
            Self::Pbkdf2(pbkdf2) => f.write_str(pbkdf2.text()),
        }
    }
}
