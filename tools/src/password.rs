//! Argon2 password hashes: made as pwdlib's recommended hasher makes them, verified whoever made them.

mod calibrate;
mod foreign;
mod phc;
mod stored;

use std::time::Duration;

use argon2::{Algorithm, Argon2, Version};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::exit::Failure;
use crate::input::Secret;

pub use calibrate::calibrate;
pub use phc::Phc;
#[cfg(test)]
pub use stored::work_done;
pub use stored::{StoredHash, verify_any};

#[cfg(test)]
mod tests;

/// NIST SP 800-63B, and the least the project's own password rules ask for; there is no maximum.
pub const MIN_CHARACTERS: usize = 8;

/// RFC 9106 section 4 recommends a 128-bit salt and a 256-bit tag; argon2-cffi and pwdlib use the same.
const SALT_BYTES: usize = 16;
const TAG_BYTES: usize = 32;

/// What a hash costs, in the terms of RFC 9106 section 3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Memory in KiB.
    pub memory: u32,
    /// Passes over the memory.
    pub iterations: u32,
    /// Lanes.
    pub parallelism: u32,
}

impl Cost {
    /// The second recommended option of RFC 9106 section 4, argon2-cffi's default and so pwdlib's.
    pub const RECOMMENDED: Self = Self { memory: 65_536, iterations: 3, parallelism: 4 };

    /// The weakest setting the OWASP Password Storage Cheat Sheet lists with two passes.
    pub const FLOOR: Self = Self { memory: 19_456, iterations: 2, parallelism: 1 };

    /// The most memory a hash may ask for: 4 GiB, twice the first recommended option of RFC 9106.
    const MAX_MEMORY: u32 = 4 * 1024 * 1024;

    /// The most work a hash may ask for: 64 GiB filled, about a minute. A hash that comes from elsewhere must not
    /// be able to keep the machine busy for longer.
    const MAX_WORK: u64 = 64 * 1024 * 1024;

    /// Every setting the OWASP Password Storage Cheat Sheet lists fills at least this many KiB.
    const MIN_ADVISED_WORK: u64 = 35_840;

    /// Whether this is more than can reasonably be asked of a machine.
    #[must_use]
    pub fn is_excessive(self) -> bool {
        self.memory > Self::MAX_MEMORY || self.work() > Self::MAX_WORK
    }

    /// Whether this is cheaper than anything still recommended.
    #[must_use]
    pub fn is_weak(self) -> bool {
        self.work() < Self::MIN_ADVISED_WORK
    }

    /// The most iterations over this memory that are not excessive.
    fn most_iterations(self) -> u32 {
        let iterations = Self::MAX_WORK.checked_div(u64::from(self.memory)).unwrap_or_default();
        u32::try_from(iterations).unwrap_or(u32::MAX)
    }

    /// KiB filled in all passes.
    fn work(self) -> u64 {
        u64::from(self.memory).saturating_mul(u64::from(self.iterations))
    }

    fn params(self, tag_bytes: usize) -> Result<argon2::Params, argon2::Error> {
        argon2::Params::new(self.memory, self.iterations, self.parallelism, Some(tag_bytes))
    }
}

/// Refuses a password too short to be hashed.
///
/// # Errors
/// It is not UTF-8 text or has fewer than eight characters.
pub fn check_length(password: &Secret) -> Result<(), Failure> {
    let text = std::str::from_utf8(password.expose())
        .map_err(|_| Failure::invalid("the password is not UTF-8 text").remedy("check the terminal's encoding"))?;
    if text.chars().count() < MIN_CHARACTERS {
        return Err(Failure::invalid(format!("the password has fewer than {MIN_CHARACTERS} characters"))
            .remedy("choose a longer one: length is the only rule, any characters will do"));
    }
    Ok(())
}

/// Refuses a cost that no hash should have.
///
/// # Errors
/// A value is outside what Argon2 defines, or more than this command would verify.
pub fn check_cost(cost: Cost) -> Result<(), Failure> {
    if cost.is_excessive() {
        return Err(Failure::usage("the cost is excessive").remedy(
            "stay within 4 GiB of memory, and 64 GiB for memory times iterations: more could not be verified here",
        ));
    }
    cost.params(TAG_BYTES).map(|_| ()).map_err(|_| {
        Failure::usage(format!(
            "Argon2 cannot run with {} KiB of memory, {} iterations and a parallelism of {}",
            cost.memory, cost.iterations, cost.parallelism
        ))
        .remedy("give at least 1 iteration, a parallelism of at least 1, and 8 KiB of memory for each lane")
    })
}

/// Hashes with Argon2id and a fresh salt.
///
/// # Errors
/// The system has no randomness or not enough memory.
pub fn hash(password: &Secret, cost: Cost) -> Result<Phc, Failure> {
    let mut salt = [0; SALT_BYTES];
    getrandom::fill(&mut salt).map_err(|error| Failure::io(format!("no randomness from the system: {error}")))?;
    hash_with_salt(password, cost, &salt)
}

fn hash_with_salt(password: &Secret, cost: Cost, salt: &[u8]) -> Result<Phc, Failure> {
    let mut phc = Phc {
        algorithm: Algorithm::Argon2id,
        version: Version::V0x13,
        cost,
        salt: salt.to_vec(),
        tag: vec![0; TAG_BYTES],
    };
    phc.tag = compute(&phc, password)?.to_vec();
    Ok(phc)
}

/// Whether the password is the one that was hashed. The tags are compared in constant time.
///
/// # Errors
/// The hash asks for more memory than there is.
pub fn verify(password: &Secret, phc: &Phc) -> Result<bool, Failure> {
    let computed = compute(phc, password)?;
    Ok(computed.ct_eq(&phc.tag).into())
}

/// The tag of a password under a hash's own parameters.
fn compute(phc: &Phc, password: &Secret) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let failure = |error: argon2::Error| match error {
        argon2::Error::OutOfMemory => Failure::io(format!("{} KiB of memory are not available", phc.cost.memory)),
        other => Failure::invalid(format!("malformed hash: {other}")),
    };
    let params = phc.cost.params(phc.tag.len()).map_err(failure)?;
    let mut tag = Zeroizing::new(vec![0; phc.tag.len()]);
    Argon2::new(phc.algorithm, phc.version, params)
        .hash_password_into(password.expose(), &phc.salt, &mut tag)
        .map_err(failure)?;
    Ok(tag)
}

/// How long one hash of this cost takes on this machine.
///
/// # Errors
/// As [`hash`].
pub fn measure(cost: Cost) -> Result<Duration, Failure> {
    let password = Secret::new(Zeroizing::new(b"measured, not kept".to_vec()));
    let start = std::time::Instant::now();
    hash_with_salt(&password, cost, &[0; SALT_BYTES])?;
    Ok(start.elapsed())
}
