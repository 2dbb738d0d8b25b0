//! `portcullis user set-password`.

use zeroize::Zeroizing;

use super::change::change;
use super::{Checked, open, report};
use crate::cli::SetPasswordArgs;
use crate::exit::{Exit, Failure};
use crate::input;
use crate::password;
use crate::store::{Action, Error, Status};
use crate::terminal::Terminal;

/// Gives a user another password, and ends their sessions.
///
/// # Errors
/// It is too short, or the user was erased.
pub fn run(args: &SetPasswordArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    // Whoever mistyped the address should hear so before they type a password twice.
    let mut store = open(&args.change.store)?;
    let user = store.read(async |session| session.find(&args.change.user).await)?;
    if user.status == Status::Erased {
        return Err(Error::Erased.into());
    }
    let secret = input::password(args.password.source(true))?;
    let mut checked = Checked::default();
    checked.password(&secret);
    checked.text("/reason", args.change.reason.as_deref());
    checked.finish("the change")?;
    let hash = password::hash(&secret, store.settings().cost)?.to_string();
    let hash = Zeroizing::new(hash);
    drop(store);
    let user = change(&args.change, Action::SetPassword, |_, change| {
        change.password = Some(hash.clone());
        change.void_tokens = true;
        Ok(())
    })?;
    report(&args.change, &user, "has another password, and tokens from before are void", terminal)
}
