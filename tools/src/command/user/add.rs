//! `portcullis user add`.

use super::{Checked, for_programs, name, open};
use crate::actor::Actor;
use crate::cli::UserAddArgs;
use crate::exit::{Exit, Failure};
use crate::input;
use crate::password;
use crate::store::{Action, Change, NewUser, Status};
use crate::terminal::Terminal;

/// Adds a user and prints their id.
///
/// # Errors
/// What is wrong with the input, all of it; or the address is taken.
pub fn run(args: &UserAddArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let actor = Actor::current()?;
    let mut checked = Checked::default();
    let email = checked.email(&args.email);
    let roles = checked.roles(args.role.iter().map(String::as_str));
    let name_given = checked.text("/name", args.name.as_deref());
    let notes = checked.text("/notes", args.notes.as_deref());
    let reason = checked.text("/reason", args.reason.as_deref());
    let mut store = open(&args.store)?;
    let secret = input::password(args.password.source(true))?;
    checked.password(&secret);
    checked.finish("the user")?;
    let (Some(email), Some(roles)) = (email, roles) else { return Err(Failure::invalid("the user is not valid")) };

    // Hashing takes longer than anybody should wait for the store.
    let hash = password::hash(&secret, store.settings().cost)?.to_string();
    let new = NewUser {
        id: None,
        email: &email,
        name: name_given,
        notes,
        roles: &roles,
        status: Status::Active,
        password: Some(&hash),
    };
    let user = store.write(async |session| session.add(&new, &Change::new(Action::Add, &actor, reason)).await)?;
    if args.json {
        terminal.json(&for_programs(&user))?;
    } else {
        terminal.note(format_args!("added {} as {}", name(&user), user.roles));
        terminal.line(user.id)?;
    }
    Ok(Exit::Good)
}
