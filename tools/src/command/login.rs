//! `portcullis login`.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use super::grant::{self, Grant};
use crate::actor::Actor;
use crate::cli::LoginArgs;
use crate::exit::{Exit, Failure};
use crate::input;
use crate::refresh::RefreshToken;
use crate::sign_in::{SignedIn, sign_in};
use crate::store::{Lifetime, Store};
use crate::terminal::Terminal;
use crate::time;

/// The one answer to whatever is wrong.
const REFUSED: &str = "the e-mail address, the password or the code is wrong";

/// How few recovery codes are worth a warning.
const FEW_CODES: usize = 3;

/// Signs somebody in, says whom in `whom`, and prints their tokens.
///
/// # Errors
/// Why nobody could be signed in; or the one answer to everything that is wrong.
pub fn run(args: &LoginArgs, terminal: &mut Terminal, whom: &mut Option<String>) -> Result<Exit, Failure> {
    let issuer = grant::issuer(&args.tokens)?;
    let mut store = Store::open(args.store.location()?)?;
    let actor = Actor::current()?;
    let address = match &args.email {
        Some(address) => address.clone(),
        None => ask_for_address()?,
    };
    *whom = Some(address.clone());
    let credentials = input::credentials(args.password.source(false), args.code.source())?;
    let refresh = RefreshToken::generate()?;
    let lifetime = Lifetime { whole: seconds(args.refresh_ttl), idle: seconds(args.refresh_idle) };
    let Some(signed_in) = sign_in(&mut store, &address, &credentials, &refresh, lifetime, &actor)? else {
        return grant::refuse(
            REFUSED,
            "try again, with the code of the second factor if one is set up; after ten failures, wait up to 15 minutes first, \
             or ask an administrator",
            args.json,
            terminal,
        );
    };
    tell(&signed_in, terminal);
    let SignedIn { user, methods, at, .. } = &signed_in;
    let grant = Grant { user, methods: *methods, auth_time: *at, at: *at, refresh: &refresh };
    grant::print(&grant, &issuer, args.json, terminal)
}

/// What the person should know: who else tried, and what is running out.
fn tell(signed_in: &SignedIn, terminal: &mut Terminal) {
    let failures = &signed_in.failures;
    if failures.count > 0 {
        let times = if failures.count == 1 { "once" } else { "times" };
        let count = if failures.count == 1 { String::new() } else { format!("{} ", failures.count) };
        let last = time::rfc3339(failures.last_at).unwrap_or_default();
        terminal.note(format_args!("signing in had failed {count}{times} since the last time, at last on {last}"));
    }
    if failures.codes > 0 {
        terminal.warn("somebody had the right password and a wrong code: if that was not you, set another password");
    }
    if let Some(left) = signed_in.codes_left {
        let say = format!("that was a recovery code, and {left} are left");
        if left <= FEW_CODES {
            terminal.warn(format_args!("{say}: have the second factor reset and set up again"));
        } else {
            terminal.note(say);
        }
    }
}

fn ask_for_address() -> Result<String, Failure> {
    let nobody = || Failure::usage("no e-mail address given").remedy("name it: portcullis login alice@example.com");
    if !io::stdin().is_terminal() {
        return Err(nobody());
    }
    let mut address = String::new();
    let asked = write!(io::stderr(), "e-mail: ").and_then(|()| io::stdin().read_line(&mut address));
    asked.map_err(|error| Failure::io(format!("the terminal cannot be read: {error}")))?;
    let address = address.trim();
    if address.is_empty() { Err(nobody()) } else { Ok(address.to_owned()) }
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}
