//! `portcullis token revoke` and `unrevoke`.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_engine::feed::Digest16;
use serde_json::{Map, Value, json};

use crate::actor::Actor;
use crate::cli::{RevokeBefore, TokenRevokeArgs, TokenUnrevokeArgs};
use crate::command::user::Checked;
use crate::exit::{Exit, Failure};
use crate::input;
use crate::sign_in::sign_out_user;
use crate::store::{Action, Change, Error, Handle, RevokedToken, Status, Store, User};
use crate::terminal::Terminal;
use crate::time;

#[cfg(test)]
mod tests;

/// What makes the filter know.
const NEXT: &str = "portcullis feed build";

/// Revokes one token, or all of a user's from before a moment.
///
/// # Errors
/// It is no token, has expired, or is revoked already; there is no such user; or the store cannot be written.
pub fn run(args: &TokenRevokeArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    if let Some(handle) = &args.which.user {
        return revoke_before(args, handle, terminal);
    }
    let token = token(args)?;
    let expires_at = u32::try_from(token.expires).map_err(|_| {
        Failure::usage("the token expires after February 2106, which no feed can say").remedy("check --expires")
    })?;
    if token.expires <= time::now() {
        return Err(refused("the token has expired already", "nothing was changed: the filter refuses it anyway"));
    }
    let digest = Digest16::token(&token.jti).0;
    let mut store = Store::open(args.store.location()?)?;
    if !store.write(async |session| session.revoke_token(RevokedToken { digest, expires_at }).await)? {
        return Err(refused("the token is revoked already", "nothing was changed"));
    }
    let expires = time::rfc3339(token.expires);
    if args.json {
        terminal.json(&json!({"jti": token.jti, "expires_at": expires}))?;
    } else {
        let until = expires.unwrap_or_default();
        terminal
            .note(format_args!("the token is revoked, and kept in mind until {until}, when it expires; next: {NEXT}"));
    }
    Ok(Exit::Good)
}

/// Takes the revocation of a token back.
///
/// # Errors
/// It is no token, or is not revoked; or the store cannot be written.
pub fn undo(args: &TokenUnrevokeArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let jti = match (&args.which.token_file, &args.which.jti) {
        (Some(path), _) => id(&read(path)?)?,
        (None, jti) => jti.clone().unwrap_or_default(),
    };
    let digest = Digest16::token(&jti).0;
    let mut store = Store::open(args.store.location()?)?;
    if !store.write(async |session| session.unrevoke_token(digest).await)? {
        return Err(refused("the token is not revoked", "nothing was changed"));
    }
    if args.json {
        terminal.json(&json!({"jti": jti}))?;
    } else {
        terminal.note(format_args!("the token is no longer revoked; next: {NEXT}"));
    }
    Ok(Exit::Good)
}

fn revoke_before(args: &TokenRevokeArgs, handle: &Handle, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let actor = Actor::current()?;
    let mut checked = Checked::default();
    let reason = checked.text("/reason", args.reason.as_deref());
    checked.finish("the change")?;
    let mut store = Store::open(args.store.location()?)?;
    let user = match args.before {
        RevokeBefore::Now => sign_out_user(&mut store, handle, &actor, reason)?,
        RevokeBefore::At(moment) => store.write(async |session| {
            let user = session.find(handle).await?;
            let mut change = Change::new(Action::RevokeAll, &actor, reason);
            change.void_tokens_before = Some(before(moment, &user, session.now)?);
            session.change(&user, change).await
        })?,
    };
    let moment = time::rfc3339(user.tokens_void_before);
    if args.json {
        terminal.json(&json!({"user": user.id, "tokens_void_before": moment, "version": user.version}))?;
    } else {
        let moment = moment.unwrap_or_default();
        terminal.note(format_args!("tokens from before {moment} are void; version {}; next: {NEXT}", user.version));
    }
    Ok(Exit::Good)
}

/// A moment that can be voided up to: not one to come, or nobody could sign in until then.
fn before(moment: i64, user: &User, now: i64) -> Result<i64, Error> {
    if user.status == Status::Erased {
        return Err(Error::Erased);
    }
    if moment > now.saturating_add(1) {
        return Err(Error::Refused(
            "that moment is yet to come",
            "`--before now` makes all tokens void that there are",
        ));
    }
    if moment <= user.tokens_void_before {
        return Err(Error::Refused("the tokens from before that are void already", "nothing was changed"));
    }
    Ok(moment)
}

/// What is needed of a token to revoke it.
struct Named {
    jti: String,
    expires: i64,
}

fn token(args: &TokenRevokeArgs) -> Result<Named, Failure> {
    let Some(path) = &args.which.token_file else {
        let (jti, expires) = (args.which.jti.clone().unwrap_or_default(), args.expires.unwrap_or_default());
        if jti.is_empty() {
            return Err(Failure::usage("--jti is empty").remedy("check the variable it comes from"));
        }
        return Ok(Named { jti, expires });
    };
    let claims = read(path)?;
    let jti = id(&claims)?;
    let said = claims.get("exp").and_then(Value::as_f64).map(ceiling);
    let expires = args.expires.or(said).ok_or_else(|| {
        Failure::invalid("the token does not say when it expires")
            .remedy("say until when to keep it in mind, with --expires")
    })?;
    Ok(Named { jti, expires })
}

/// The claims of a token, which need not be verified: whoever revokes one that is forged harms nobody.
fn read(path: &Path) -> Result<Map<String, Value>, Failure> {
    parse(&input::token(Some(path))?).ok_or_else(|| {
        Failure::invalid(format!("{} is not a JSON Web Token", input::describe(path)))
            .remedy("give one token: three base64url parts with dots between them")
    })
}

fn parse(token: &str) -> Option<Map<String, Value>> {
    let parts: Vec<&str> = token.trim().split('.').collect();
    let [_header, payload, _signature] = parts.as_slice() else { return None };
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}

fn id(claims: &Map<String, Value>) -> Result<String, Failure> {
    claims.get("jti").and_then(Value::as_str).filter(|jti| !jti.is_empty()).map(str::to_owned).ok_or_else(|| {
        Failure::invalid("the token has no `jti`, by which single ones are revoked")
            .remedy("revoke all that its user has: portcullis token revoke --user USER")
    })
}

/// The first whole second that is not before it (RFC 7519 section 2 lets it have a fraction).
fn ceiling(seconds: f64) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "the cast saturates, and what no feed can say is refused")]
    let seconds = seconds.ceil() as i64;
    seconds
}

fn refused(cause: &str, remedy: &str) -> Failure {
    Failure { exit: Exit::No, cause: cause.to_owned(), remedy: Some(remedy.to_owned()) }
}
