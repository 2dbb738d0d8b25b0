//! `portcullis user totp confirm`.

use serde_json::json;
use zeroize::Zeroizing;

use crate::actor::Actor;
use crate::cli::ConfirmArgs;
use crate::exit::{Exit, Failure};
use crate::input;
use crate::recovery::{CODES, RecoveryCode};
use crate::store::{Action, Change, Error, Store};
use crate::terminal::Terminal;
use crate::totp::Totp;

/// Turns a second factor on, once the app was shown to have its secret, and shows its recovery codes.
///
/// # Errors
/// There is nothing to confirm, the code is wrong, or the store cannot be written.
pub fn run(args: &ConfirmArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let actor = Actor::current()?;
    let mut store = Store::open(args.store.location()?)?;
    let code = input::code(args.code.source())?;
    let typed = Zeroizing::new(String::from_utf8_lossy(code.expose()).replace(' ', ""));
    let codes = (0..CODES).map(|_| RecoveryCode::generate()).collect::<Result<Vec<_>, _>>()?;
    let user = store.write(async |session| {
        let user = session.find(&args.user).await?;
        let Some(factor) = session.second_factor(&user).await? else {
            return Err(Error::Refused(
                "the user has no second factor to confirm",
                "make one first: portcullis user totp enroll USER",
            ));
        };
        if factor.confirmed {
            return Err(Error::Refused(
                "the user's second factor is confirmed already",
                "for another, take it away first: portcullis user totp reset USER --reason …",
            ));
        }
        let Some(step) = Totp::new(&factor.secret)?.step(&typed, session.now, None) else {
            return Err(Error::Refused(
                "the code is wrong",
                "type the one the app shows now; if it is that, compare the clocks of this machine and the phone",
            ));
        };
        let digests: Vec<_> = codes.iter().map(|code| code.digest(user.id.as_bytes())).collect();
        session.confirm_second_factor(user.slot, step, &digests).await?;
        session.change(&user, Change::new(Action::ConfirmTotp, &actor, None)).await
    })?;
    if args.json {
        let codes: Vec<Zeroizing<String>> = codes.iter().map(RecoveryCode::expose).collect();
        let codes: Vec<&str> = codes.iter().map(|code| code.as_str()).collect();
        terminal.json(&json!({"id": user.id.to_string(), "recovery_codes": codes}))?;
    } else {
        for code in &codes {
            terminal.line(&*code.expose())?;
        }
        terminal.flush()?;
        terminal.note("signing in takes a code from now on; each of these recovery codes does for one, once");
        terminal.note("keep them where the phone is not: they are not shown again");
    }
    Ok(Exit::Good)
}
