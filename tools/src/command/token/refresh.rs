//! `portcullis token refresh`.

use crate::actor::Actor;
use crate::cli::RefreshArgs;
use crate::command::grant::{self, Grant};
use crate::exit::{Exit, Failure};
use crate::sign_in::{Refusal, owner, refresh};
use crate::store::Store;
use crate::terminal::Terminal;

const AGAIN: &str = "sign in again: portcullis login";

/// Takes a refresh token, says whose it is in `whom`, and prints what comes after it.
///
/// # Errors
/// Why there is nothing to print.
pub fn run(args: &RefreshArgs, terminal: &mut Terminal, whom: &mut Option<String>) -> Result<Exit, Failure> {
    let issuer = grant::issuer(&args.tokens)?;
    let actor = Actor::current()?;
    let Some(token) = grant::refresh_token(&args.token)? else {
        return grant::refuse(
            "that is no refresh token",
            "give the whole of it: `rt_` and what follows, from `portcullis login`",
            args.json,
            terminal,
        );
    };
    let next = token.next()?;
    let mut store = Store::open(args.store.location()?)?;
    *whom = owner(&mut store, &token)?.map(|id| id.to_string());
    match refresh(&mut store, &token, &next, &actor)? {
        Ok(refreshed) => {
            let grant = Grant {
                user: &refreshed.user,
                methods: refreshed.methods,
                auth_time: refreshed.auth_time,
                at: refreshed.at,
                refresh: &next,
            };
            grant::print(&grant, &issuer, args.json, terminal)
        }
        Err(Refusal::Reused) => grant::refuse(
            "the refresh token was used before: all tokens of its sign-in are revoked, for somebody else may have them",
            AGAIN,
            args.json,
            terminal,
        ),
        Err(Refusal::Over) => grant::refuse(
            "the refresh token is not valid: it has expired or was revoked, or the account is disabled",
            AGAIN,
            args.json,
            terminal,
        ),
    }
}
