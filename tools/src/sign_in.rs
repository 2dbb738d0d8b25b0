//! Signing in: an address, a password and a code, or one answer for everything else.
//!
//! What is wrong is told neither by a word nor by the time it takes: an address that nobody has goes the way of another
//! user's, with the same statements and one password hashed, to the same end.

mod attempt;
mod refreshing;

use zeroize::Zeroizing;

use crate::access::Methods;
use crate::actor::Actor;
use crate::exit::Failure;
use crate::input::Credentials;
use crate::password::{self, StoredHash};
use crate::refresh::RefreshToken;
use crate::store::{Candidate, Failures, Lifetime, Store, User};

use attempt::Attempt;
pub use refreshing::{Ended, Refusal, owner, refresh, sign_out, sign_out_user};

#[cfg(test)]
mod tests;

/// Somebody who got in.
pub struct SignedIn {
    /// Who.
    pub user: User,
    /// How.
    pub methods: Methods,
    /// When, for `auth_time` and `iat`: not before the moment up to which the user's tokens are void.
    pub at: i64,
    /// Who failed before.
    pub failures: Failures,
    /// How many recovery codes are left, where one was used.
    pub codes_left: Option<usize>,
}

/// Lets somebody in, or nobody: `None` is the answer to a wrong address, password or code, to a disabled account, and to
/// anybody after too many failures. `token` becomes the first of a family.
///
/// # Errors
/// The store cannot be read or written, or a hash asks for more memory than there is.
pub fn sign_in(
    store: &mut Store,
    address: &str,
    credentials: &Credentials,
    token: &RefreshToken,
    lifetime: Lifetime,
    actor: &Actor,
) -> Result<Option<SignedIn>, Failure> {
    let cost = store.settings().cost;
    let Some(Candidate { user, real }) = store.read(async |session| session.candidate(address).await)? else {
        // Without any user, there is nobody whose absence could show.
        password::verify_any(&credentials.password, &StoredHash::decoy(cost)?, cost)?;
        return Ok(None);
    };
    let hash = match &user.password {
        Some(hash) => StoredHash::parse(hash).map_err(|_| Failure::io("a password's hash in the store is damaged"))?,
        None => StoredHash::decoy(cost)?,
    };
    let verified = password::verify_any(&credentials.password, &hash, cost)?;
    let right = verified.matches & real & user.password.is_some();
    let rehashed = if right && verified.needs_rehash {
        Some(Zeroizing::new(password::hash(&credentials.password, cost)?.to_string()))
    } else {
        None
    };
    let attempt =
        Attempt { seen: &user, real, right, code: credentials.code.as_ref(), rehashed, token, lifetime, actor };
    Ok(store.write(async |session| attempt.settle(session).await)?)
}
