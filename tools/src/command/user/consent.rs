//! `portcullis user consent`.

use serde_json::{Value, json};

use super::{Checked, moment, name, open, report};
use crate::actor::Actor;
use crate::cli::{ConsentArgs, UserShowArgs};
use crate::exit::{Exit, Failure};
use crate::store::{Action, Change, Consent, Error};
use crate::terminal::{Terminal, visible};

/// As the schema has it.
const MAX_CHARACTERS: usize = 100;

/// Records that a user agreed to a text, or took that back.
///
/// # Errors
/// The purpose or the version is none, or there was nothing to take back.
pub fn record(args: &ConsentArgs, given: bool, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let actor = Actor::current()?;
    let mut checked = Checked::default();
    let reason = checked.text("/reason", args.change.reason.as_deref());
    let purpose = word(&mut checked, "/purpose", &args.purpose);
    let text_version = word(&mut checked, "/text_version", &args.text_version);
    checked.finish("the consent")?;
    let mut store = open(&args.change.store)?;
    let user = store.write(async |session| {
        let user = session.find(&args.change.user).await?;
        let consents = session.consents(&user).await?;
        let last = consents.iter().rev().find(|consent| consent.purpose == purpose);
        let same = last.is_some_and(|last| last.given && last.text_version == text_version);
        if given && same {
            return Err(Error::Refused("the user has agreed to this already", "nothing was changed"));
        }
        if !given && !last.is_some_and(|last| last.given) {
            return Err(Error::Refused("the user has not agreed to this", "see `portcullis user consent list`"));
        }
        let change = Change::new(Action::GiveConsent, &actor, reason);
        session.consent(&user, (purpose, text_version, given), change).await
    })?;
    let done = if given { "agreed" } else { "took back what they agreed" };
    report(&args.change, &user, &format!("{done} to {purpose} {text_version}"), terminal)
}

fn word<'t>(checked: &mut Checked, pointer: &'static str, text: &'t str) -> &'t str {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > MAX_CHARACTERS || text.chars().any(char::is_control) {
        checked.problem(pointer, format!("must have 1 to {MAX_CHARACTERS} characters, on one line"));
    }
    text
}

/// Tells what a user agreed to and took back.
///
/// # Errors
/// There is no such user.
pub fn list(args: &UserShowArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let mut store = open(&args.store)?;
    let (user, consents) = store.read(async |session| {
        let user = session.find(&args.user).await?;
        let consents = session.consents(&user).await?;
        Ok((user, consents))
    })?;
    if args.json {
        let consents: Vec<_> = consents.iter().map(for_programs).collect();
        terminal.json(&json!({"id": user.id, "consents": consents}))?;
        return Ok(Exit::Good);
    }
    terminal.note(name(&user));
    for consent in &consents {
        let Consent { purpose, text_version, given, at, .. } = consent;
        let (at, given) = (moment(*at).unwrap_or_default(), if *given { "given" } else { "withdrawn" });
        terminal.line(format_args!("{at}  {given:<9}  {} {}", visible(purpose), visible(text_version)))?;
    }
    Ok(Exit::Good)
}

/// A consent for programs.
pub(super) fn for_programs(consent: &Consent) -> Value {
    json!({
        "purpose": consent.purpose,
        "text_version": consent.text_version,
        "given": consent.given,
        "at": moment(consent.at),
        "version": consent.version,
    })
}
