//! `portcullis user show`.

use super::{for_programs, moment, open, status};
use crate::cli::UserShowArgs;
use crate::exit::{Exit, Failure};
use crate::terminal::{Terminal, visible};
use crate::time;

/// Prints a user as they are now.
///
/// # Errors
/// There is none.
pub fn run(args: &UserShowArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let mut store = open(&args.store)?;
    let user = store.read(async |session| session.find(&args.user).await)?;
    if args.json {
        terminal.json(&for_programs(&user))?;
        return Ok(Exit::Good);
    }
    let now = time::now();
    let when = |at| format!("{}, {}", moment(at).unwrap_or_default(), time::relative(at, now));
    let details = user.details.as_ref();
    let text = |text: Option<&String>| text.map(|text| visible(text));
    let void = Some(user.tokens_void_before).filter(|at| *at > 0);
    for (label, value) in [
        ("id", Some(user.id.to_string())),
        ("e-mail", text(details.map(|details| &details.email))),
        ("name", text(details.and_then(|details| details.name.as_ref()))),
        ("notes", text(details.and_then(|details| details.notes.as_ref()))),
        ("roles", Some(user.roles.names().join(", "))),
        ("status", Some(status(&user, terminal))),
        ("added", Some(when(user.created_at))),
        ("changed", Some(format!("{}, version {}", when(user.changed_at), user.version))),
        ("signed in", Some(user.last_login_at.map_or_else(|| "never".to_owned(), when))),
        ("tokens void before", void.and_then(moment)),
    ] {
        if let Some(value) = value {
            let label = terminal.out_palette.bold(&format!("{label:<18}"));
            terminal.line(format_args!("{label}  {value}"))?;
        }
    }
    if user.is_left_over {
        terminal
            .note("the user was erased after this copy of the store was made: run `portcullis store check --repair`");
    }
    Ok(Exit::Good)
}
