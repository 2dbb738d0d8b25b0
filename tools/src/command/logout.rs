//! `portcullis logout`.

use serde_json::json;

use super::grant;
use crate::actor::Actor;
use crate::cli::LogoutArgs;
use crate::exit::{Exit, Failure};
use crate::sign_in::{Ended, owner, sign_out, sign_out_user};
use crate::store::Store;
use crate::terminal::Terminal;

/// Ends a sign-in, or all of a user's, and says whose in `whom`.
///
/// # Errors
/// What was given is no refresh token, there is no such user, or the store cannot be written.
pub fn run(args: &LogoutArgs, terminal: &mut Terminal, whom: &mut Option<String>) -> Result<Exit, Failure> {
    let actor = Actor::current()?;
    let ended = match &args.user {
        Some(handle) => {
            let mut store = Store::open(args.store.location()?)?;
            sign_out_user(&mut store, handle, &actor, args.reason.as_deref())?;
            Ended::All
        }
        None => {
            let token = grant::refresh_token(&args.token)?.ok_or_else(|| {
                Failure { exit: Exit::No, cause: "that is no refresh token".to_owned(), remedy: None }
                    .remedy("give the whole of it: `rt_` and what follows, from `portcullis login`")
            })?;
            let mut store = Store::open(args.store.location()?)?;
            *whom = owner(&mut store, &token)?.map(|id| id.to_string());
            sign_out(&mut store, &token, args.all, &actor)?
        }
    };
    let (word, text) = match ended {
        Ended::One => ("one", "signed out: no refresh token of this sign-in works any more"),
        Ended::All => {
            ("all", "signed out everywhere: refresh tokens are gone, and access tokens issued so far are void")
        }
        Ended::Before => ("none", "that sign-in had ended already"),
    };
    if args.json {
        terminal.json(&json!({"ended": word}))?;
    } else {
        terminal.note(text);
    }
    Ok(Exit::Good)
}
