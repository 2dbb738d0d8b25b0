//! What can be done with a refresh token: get the next one, or give it back.

use uuid::Uuid;

use crate::access::Methods;
use crate::actor::Actor;
use crate::exit::Failure;
use crate::refresh::RefreshToken;
use crate::store::{Action, Change, Error, Event, Family, Handle, Session, SignIn, Status, Store, User};

/// A family that goes on.
pub struct Refreshed {
    /// Whose it is, with their roles as of now.
    pub user: User,
    /// How they signed in.
    pub methods: Methods,
    /// When they signed in.
    pub auth_time: i64,
    /// The time, not before the moment up to which the user's tokens are void.
    pub at: i64,
}

/// Why a refresh token is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is not the last one of its family. The family has ended.
    Reused,
    /// Its family has ended, or never was; or its user is disabled.
    Over,
}

/// What signing out did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// One sign-in has ended.
    One,
    /// All have, and the tokens from them are void.
    All,
    /// It had ended before.
    Before,
}

/// Takes a refresh token and makes `next` the one that is good. All of it is one transaction: of two that come with the same
/// token, one is first and the other reuses it.
///
/// # Errors
/// The store cannot be read or written.
pub fn refresh(
    store: &mut Store,
    token: &RefreshToken,
    next: &RefreshToken,
    actor: &Actor,
) -> Result<Result<Refreshed, Refusal>, Failure> {
    Ok(store.write(async |session| {
        let Some((family, user)) = find(session, token).await? else { return Ok(Err(Refusal::Over)) };
        if user.status == Status::Erased || !token.is(&family.token) {
            session.end_family(&token.family()).await?;
            if user.status == Status::Erased {
                return Ok(Err(Refusal::Over));
            }
            let why = "a refresh token was used a second time";
            session.change(&user, Change::new(Action::RevokeFamily, actor, Some(why))).await?;
            return Ok(Err(Refusal::Reused));
        }
        if user.status != Status::Active || family.is_over(&user, session.now) {
            session.end_family(&token.family()).await?;
            return Ok(Err(Refusal::Over));
        }
        session.rotate(&token.family(), &token.digest(), &next.digest()).await?;
        let at = session.now.max(user.tokens_void_before);
        Ok(Ok(Refreshed { user, methods: family.methods, auth_time: family.started_at, at }))
    })?)
}

/// Whose refresh token it is, or was: of one that is used up, too, as long as its family lasts.
///
/// # Errors
/// The store cannot be read.
pub fn owner(store: &mut Store, token: &RefreshToken) -> Result<Option<Uuid>, Failure> {
    Ok(store.read(async |session| Ok(find(session, token).await?.map(|(_, user)| user.id)))?)
}

/// Ends the family of a refresh token, whichever of its tokens it is; with `all`, every other one of the same user too, and
/// the access tokens from them.
///
/// # Errors
/// The store cannot be read or written.
pub fn sign_out(store: &mut Store, token: &RefreshToken, all: bool, actor: &Actor) -> Result<Ended, Failure> {
    Ok(store.write(async |session| {
        let Some((family, user)) = find(session, token).await? else { return Ok(Ended::Before) };
        session.end_family(&token.family()).await?;
        if user.status == Status::Erased || family.is_over(&user, session.now) {
            return Ok(Ended::Before);
        }
        let (at, methods) = (session.now, family.methods);
        let out = SignIn { at, event: Event::SignOut, methods, recovery: false, failures: 0 };
        session.note(user.slot, &out).await?;
        if !all {
            return Ok(Ended::One);
        }
        end_all(session, &user, actor, None).await?;
        Ok(Ended::All)
    })?)
}

/// Ends every sign-in of a user, whoever has the tokens.
///
/// # Errors
/// There is no such user, or the store cannot be read or written.
pub fn sign_out_user(store: &mut Store, handle: &Handle, actor: &Actor, reason: Option<&str>) -> Result<User, Failure> {
    Ok(store.write(async |session| {
        let user = session.find(handle).await?;
        end_all(session, &user, actor, reason).await
    })?)
}

async fn end_all(session: &mut Session<'_>, user: &User, actor: &Actor, reason: Option<&str>) -> Result<User, Error> {
    session.end_families(user.slot).await?;
    let change = Change::new(Action::RevokeAll, actor, reason);
    session.change(user, Change { void_tokens: true, ..change }).await
}

async fn find(session: &mut Session<'_>, token: &RefreshToken) -> Result<Option<(Family, User)>, Error> {
    let Some(family) = session.family(&token.family()).await? else { return Ok(None) };
    let user = session.find(&Handle::Id(family.user)).await?;
    Ok(Some((family, user)))
}
