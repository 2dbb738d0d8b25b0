//! `portcullis init`.

use std::path::Path;

use serde_json::json;
use zeroize::Zeroizing;

use super::user::Checked;
use crate::actor::Actor;
use crate::cli::{Encoding, InitArgs};
use crate::command::secret;
use crate::exit::{Exit, Failure};
use crate::file;
use crate::input;
use crate::password::{self, Cost};
use crate::store::{self, Action, Change, MASTER_VARIABLE, NewUser, Role, Roles, Status, Store};
use crate::terminal::Terminal;

/// What is never overwritten, in the words of a message.
const WHAT: &str = "stores, keys and secrets";

/// Makes a store, its keys, a secret to sign tokens with, and a first administrator: all of them, or none.
///
/// # Errors
/// One of the files exists, something about the administrator is not valid, or a file cannot be written.
pub fn run(args: &InitArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let actor = Actor::current()?;
    let location = args.store.location()?;
    let secret_file = Some(args.secret_file.as_path()).filter(|_| !args.no_secret);
    for path in [Some(location.store.as_path()), Some(&location.keys), secret_file].into_iter().flatten() {
        file::must_be_new(path, WHAT)?;
    }
    let cost = args.cost.cost(Cost::RECOMMENDED);
    password::check_cost(cost)?;
    let mut checked = Checked::default();
    let email = checked.email(&args.email);
    let name = checked.text("/name", args.name.as_deref());
    let password = input::password(args.password.source(true))?;
    checked.password(&password);
    checked.finish("the administrator")?;
    let (Some(email), Some(roles)) = (email, Roles::new([Role::Admin])) else {
        return Err(Failure::invalid("the administrator is not valid"));
    };
    super::store::warn_if_weak(cost, terminal);
    let hash = Zeroizing::new(password::hash(&password, cost)?.to_string());

    let sealed = location.master.is_some();
    let (store_path, keys_path) = (location.store.clone(), location.keys.clone());
    let mut store = Store::create(location, cost)?;
    let new = NewUser {
        id: None,
        email: &email,
        name,
        notes: None,
        roles: &roles,
        status: Status::Active,
        password: Some(&hash),
    };
    let change = Change::new(Action::Add, &actor, Some("portcullis init"));
    let made = store
        .write(async |session| session.add(&new, &change).await)
        .map_err(Failure::from)
        .and_then(|user| secret_file.map_or(Ok(()), write_secret).map(|()| user));
    let user = made.inspect_err(|_| {
        // Half of it would be in the way of the next attempt.
        store::discard(&store_path, &keys_path);
    })?;

    if args.json {
        terminal.json(&json!({
            "store": store_path.to_string_lossy(),
            "key_file": keys_path.to_string_lossy(),
            "key_file_encrypted": sealed,
            "secret_file": secret_file.map(Path::to_string_lossy),
            "id": user.id,
        }))?;
        return Ok(Exit::Good);
    }
    terminal.line(user.id)?;
    terminal.flush()?;
    terminal.note(format_args!("made the store `{}` with {} as administrator", store_path.display(), email.as_str()));
    terminal.say("keep:");
    terminal.say(format_args!("  {}: the accounts. Back it up with `portcullis store backup`", store_path.display()));
    terminal.say(format_args!(
        "  {}: the keys of what is personal in it. Back it up apart from the store, and keep only its newest copy",
        keys_path.display()
    ));
    if sealed {
        terminal.say(format_args!(
            "  {MASTER_VARIABLE}: opens that file. Keep it in a secret manager: without it, the keys are lost"
        ));
    }
    if let Some(path) = secret_file {
        let path = path.display();
        terminal.say(format_args!(
            "  {path}: signs tokens. Give it to whoever signs and to Envoy: export SECRET_KEY=\"$(cat {path})\""
        ));
    }
    terminal.say("next: portcullis user add alice@example.com --role editor");
    Ok(Exit::Good)
}

fn write_secret(path: &Path) -> Result<(), Failure> {
    let mut text = secret::random(256, Encoding::Base64url)?;
    text.push('\n');
    file::write_new(path, &text, WHAT)
}
