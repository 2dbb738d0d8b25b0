//! `portcullis user totp enroll`.

use serde_json::json;
use zeroize::Zeroizing;

use crate::actor::Actor;
use crate::cli::EnrollArgs;
use crate::exit::{Exit, Failure};
use crate::store::{Action, Change, Error, Store};
use crate::terminal::Terminal;
use crate::totp::{SECRET_BYTES, Totp};
use crate::{qr, random};

/// Gives a user a secret to be confirmed, and shows it.
///
/// # Errors
/// There is no such user, they have a second factor already, or the store cannot be written.
pub fn run(args: &EnrollArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let actor = Actor::current()?;
    let secret = random::bytes::<SECRET_BYTES>()?;
    // Refused before anything is written.
    Totp::labelled(&*secret, "", &args.issuer)?;
    let user = Store::open(args.store.location()?)?.write(async |session| {
        let user = session.find(&args.user).await?;
        if session.second_factor(&user).await?.is_some_and(|factor| factor.confirmed) {
            return Err(Error::Refused(
                "the user has a second factor already",
                "take it away first: portcullis user totp reset USER --reason …",
            ));
        }
        let user = session.change(&user, Change::new(Action::EnrollTotp, &actor, args.reason.as_deref())).await?;
        session.set_second_factor(&user, &*secret).await?;
        Ok(user)
    })?;
    let account = user.details.as_ref().map(|details| details.email.as_str()).unwrap_or_default();
    let totp = Totp::labelled(&*secret, account, &args.issuer)?;
    let (uri, typed) = (totp.uri()?, totp.base32());
    if args.json {
        terminal.json(&json!({"id": user.id.to_string(), "uri": *uri, "secret": *typed}))?;
        return Ok(Exit::Good);
    }
    if let Some(columns) = terminal.out_width {
        match qr::render(&uri, columns, terminal.out_palette.is_on())? {
            Some(code) => terminal.line(&*code)?,
            None => terminal.note("the terminal is too narrow for a QR code"),
        }
        terminal.line(format_args!("to type where no camera is: {}", &*in_fours(&typed)))?;
    }
    terminal.line(&*uri)?;
    terminal.flush()?;
    terminal.note("scan or type it now, it is not shown again; then: portcullis user totp confirm USER");
    Ok(Exit::Good)
}

/// In groups that an eye can keep.
fn in_fours(text: &str) -> Zeroizing<String> {
    let mut grouped = Zeroizing::new(String::with_capacity(text.len() * 2));
    for (index, c) in text.chars().enumerate() {
        if index > 0 && index.is_multiple_of(4) {
            grouped.push(' ');
        }
        grouped.push(c);
    }
    grouped
}
