//! `portcullis user`.

mod add;
mod change;
mod check;
mod consent;
mod erase;
mod export;
mod history;
mod import;
mod list;
mod password;
mod show;
mod sign_ins;
mod totp;

use serde_json::{Value, json};

use crate::cli::{ConsentCommand, StoreInput, UserChangeArgs, UserCommand};
use crate::exit::{Exit, Failure};
use crate::store::{Handle, Status, Store, User};
use crate::terminal::{Terminal, visible};
use crate::time;

pub use check::Checked;

/// Runs a command under `user`.
///
/// # Errors
/// Why it could not do its work.
pub fn run(command: &UserCommand, terminal: &mut Terminal) -> Result<Exit, Failure> {
    match command {
        UserCommand::Add(args) => add::run(args, terminal),
        UserCommand::List(args) => list::run(args, terminal),
        UserCommand::Show(args) => show::run(args, terminal),
        UserCommand::SetRole(args) => change::set_role(args, terminal),
        UserCommand::SetPassword(args) => password::run(args, terminal),
        UserCommand::SetDetails(args) => change::set_details(args, terminal),
        UserCommand::Disable(args) => change::disable(args, terminal),
        UserCommand::Enable(args) => change::enable(args, terminal),
        UserCommand::History(args) => history::run(args, terminal),
        UserCommand::Export(args) => export::run(args, terminal),
        UserCommand::Erase(args) => erase::run(args, terminal),
        UserCommand::Prune(args) => erase::prune(args, terminal),
        UserCommand::Consent(ConsentCommand::Give(args)) => consent::record(args, true, terminal),
        UserCommand::Consent(ConsentCommand::Withdraw(args)) => consent::record(args, false, terminal),
        UserCommand::Consent(ConsentCommand::List(args)) => consent::list(args, terminal),
        UserCommand::Totp(command) => totp::run(command, terminal),
        UserCommand::Import(args) => import::run(args, terminal),
    }
}

/// What the store has about a user: as they are now, their history, and their sign-ins.
///
/// # Errors
/// There is none, or the store cannot be read.
pub fn evidence(input: &StoreInput, handle: &Handle) -> Result<Value, Failure> {
    let mut store = open(input)?;
    let (user, versions, sign_ins) = store.read(async |session| {
        let user = session.find(handle).await?;
        let versions = session.history(&user).await?;
        let sign_ins = sign_ins::read(session, &user).await?;
        Ok((user, versions, sign_ins))
    })?;
    let changes = std::iter::once(None).chain(versions.iter().map(Some)).zip(&versions);
    let versions: Vec<Value> = changes.map(|(before, version)| history::for_programs(before, version)).collect();
    let mut evidence = for_programs(&user);
    if let Value::Object(members) = &mut evidence {
        members.insert("versions".to_owned(), versions.into());
        members.insert("access".to_owned(), sign_ins.for_programs());
    }
    Ok(evidence)
}

/// Opens the store that the options name.
fn open(input: &StoreInput) -> Result<Store, Failure> {
    Ok(Store::open(input.location()?)?)
}

/// A user for programs. Never the hash of their password.
fn for_programs(user: &User) -> Value {
    let details = user.details.as_ref();
    json!({
        "id": user.id,
        "email": details.map(|details| &details.email),
        "name": details.and_then(|details| details.name.as_ref()),
        "notes": details.and_then(|details| details.notes.as_ref()),
        "roles": user.roles.names(),
        "status": user.status.name(),
        "version": user.version,
        "created_at": moment(user.created_at),
        "changed_at": moment(user.changed_at),
        "last_login_at": user.last_login_at.and_then(moment),
        "tokens_void_before": Some(user.tokens_void_before).filter(|at| *at > 0).and_then(moment),
        "has_password": user.password.is_some(),
    })
}

fn moment(seconds: i64) -> Option<String> {
    time::rfc3339(seconds)
}

/// What to call a user in a message to whoever named them: the address if they have one.
fn name(user: &User) -> String {
    user.details.as_ref().map_or_else(|| user.id.to_string(), |details| visible(&details.email))
}

/// Says what became of a user: the object for programs, a sentence for people.
fn report(args: &UserChangeArgs, user: &User, done: &str, terminal: &mut Terminal) -> Result<Exit, Failure> {
    if args.json {
        terminal.json(&for_programs(user))?;
    } else {
        terminal.note(format_args!("{} {done}; version {}", name(user), user.version));
    }
    Ok(Exit::Good)
}

/// The status in a colour.
fn status(user: &User, terminal: &Terminal) -> String {
    let (palette, name) = (terminal.out_palette, user.status.name());
    match user.status {
        Status::Active => palette.green(name),
        Status::Disabled => palette.yellow(name),
        Status::Erased => palette.dim(name),
    }
}
