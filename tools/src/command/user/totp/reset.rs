//! `portcullis user totp reset`.

use serde_json::json;

use crate::actor::Actor;
use crate::cli::ResetArgs;
use crate::exit::{Exit, Failure};
use crate::store::{Action, Change, Error, Store};
use crate::terminal::Terminal;

/// Takes a second factor away, ends its user's sign-ins, and forgets who failed.
///
/// # Errors
/// There is none, or the store cannot be written.
pub fn run(args: &ResetArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let actor = Actor::current()?;
    let user = Store::open(args.store.location()?)?.write(async |session| {
        let user = session.find(&args.user).await?;
        if session.second_factor(&user).await?.is_none() {
            return Err(Error::Refused("the user has no second factor", "there is nothing to take away"));
        }
        session.remove_second_factor(user.slot).await?;
        session.forget_failures(user.slot).await?;
        session.end_families(user.slot).await?;
        let change = Change::new(Action::ResetTotp, &actor, Some(&args.reason));
        session.change(&user, Change { void_tokens: true, ..change }).await
    })?;
    if args.json {
        terminal.json(&json!({"id": user.id.to_string(), "version": user.version}))?;
    } else {
        terminal.note("the second factor is gone, and every sign-in has ended: a password is enough now");
    }
    Ok(Exit::Good)
}
