//! `portcullis user set-role`, `set-details`, `disable` and `enable`.

use super::{Checked, open, report};
use crate::actor::Actor;
use crate::cli::{SetDetailsArgs, SetRoleArgs, UserChangeArgs};
use crate::exit::{Exit, Failure};
use crate::store::{Action, Change, Details, Error, Status, User};
use crate::terminal::Terminal;

/// Gives a user other roles.
///
/// # Errors
/// A role is none, or the user has just these.
pub fn set_role(args: &SetRoleArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let mut checked = Checked::default();
    let roles = checked.roles(args.role.iter().map(String::as_str));
    checked.text("/reason", args.change.reason.as_deref());
    checked.finish("the change")?;
    let user = change(&args.change, Action::SetRole, |user, change| {
        if roles.as_ref() == Some(&user.roles) {
            return Err(Error::Refused("the user has these roles already", "nothing was changed"));
        }
        change.roles.clone_from(&roles);
        Ok(())
    })?;
    report(&args.change, &user, &format!("is {} now", user.roles), terminal)
}

/// Corrects what is personal about a user.
///
/// # Errors
/// Something is not valid, or the address is taken.
pub fn set_details(args: &SetDetailsArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let mut checked = Checked::default();
    let email = args.email.as_deref().map(|text| checked.email(text));
    let given = |option: &Option<String>, text: Option<&str>| option.is_some().then(|| text.map(str::to_owned));
    let name = given(&args.name, checked.text("/name", args.name.as_deref()));
    let notes = given(&args.notes, checked.text("/notes", args.notes.as_deref()));
    checked.text("/reason", args.change.reason.as_deref());
    checked.finish("the change")?;
    let user = change(&args.change, Action::SetDetails, |user, change| {
        let old = user.details.as_ref().ok_or(Error::Erased)?;
        let email = email.as_ref().and_then(Option::as_ref).map(|email| email.as_str().to_owned());
        let new = Details {
            email: email.unwrap_or_else(|| old.email.clone()),
            name: name.clone().unwrap_or_else(|| old.name.clone()),
            notes: notes.clone().unwrap_or_else(|| old.notes.clone()),
        };
        if new == *old {
            return Err(Error::Refused("the user has these details already", "nothing was changed"));
        }
        change.details = Some(new);
        Ok(())
    })?;
    report(&args.change, &user, "has other details now", terminal)
}

/// Keeps a user from signing in, and ends their sessions.
///
/// # Errors
/// They are disabled already.
pub fn disable(args: &UserChangeArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let user = change(args, Action::Disable, |user, change| {
        if user.status == Status::Disabled {
            return Err(Error::Refused("the user is disabled already", "nothing was changed"));
        }
        change.status = Some(Status::Disabled);
        change.void_tokens = true;
        Ok(())
    })?;
    report(args, &user, "is disabled, and tokens from before are void", terminal)
}

/// Lets a disabled user sign in again.
///
/// # Errors
/// They are not disabled.
pub fn enable(args: &UserChangeArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let user = change(args, Action::Enable, |user, change| {
        if user.status == Status::Active {
            return Err(Error::Refused("the user is not disabled", "nothing was changed"));
        }
        change.status = Some(Status::Active);
        Ok(())
    })?;
    report(args, &user, "can sign in again; tokens from before stay void", terminal)
}

/// One change of one user, as `fill` says it from what they are now.
pub(super) fn change(
    args: &UserChangeArgs,
    action: Action,
    fill: impl Fn(&User, &mut Change<'_>) -> Result<(), Error>,
) -> Result<User, Failure> {
    let actor = Actor::current()?;
    let mut checked = Checked::default();
    let reason = checked.text("/reason", args.reason.as_deref());
    checked.finish("the change")?;
    let mut store = open(&args.store)?;
    Ok(store.write(async |session| {
        let user = session.find(&args.user).await?;
        if user.status == Status::Erased {
            return Err(Error::Erased);
        }
        let mut change = Change::new(action, &actor, reason);
        fill(&user, &mut change)?;
        session.change(&user, change).await
    })?)
}
