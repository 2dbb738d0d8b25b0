//! What a caller brings: whether it may try, whose API key it is, and what the identity feed says of it.

use std::rc::Rc;

use super::{Asked, Facts, Passage, Step, Trace};
use crate::api_key::ApiKey;
use crate::authz::{Authentication, Principal};
use crate::decision::DenyReason;
use crate::feed::{Digest16, Feeds};
use crate::json::{self, Json};
use crate::lockout::{Attempt, Lockout, Standing};
use crate::policy::Policy;
use crate::request::{Lookup, RequestHead};
use crate::session::Session;
use crate::time::UnixTime;
use crate::token::{CompactJws, Extracted, Provider, RolesFrom};
use crate::worker::Worker;

/// A token or an API key; nothing where there is none.
pub(super) type Credentials<'a> = (Option<Extracted<'a>>, Option<&'a [u8]>);

impl Policy {
    /// The one credential of a request.
    pub(super) fn credentials<'a>(&'a self, head: &'a RequestHead<'a>) -> Result<Credentials<'a>, DenyReason> {
        let token = self.sources.extract(head)?;
        let Some(keys) = &self.api_keys else { return Ok((token, None)) };
        // An empty header is no credential.
        let found = Lookup::of(head.envelope.all(&keys.header).filter(|value| !value.is_empty()));
        match (found, token) {
            (Lookup::Absent, token) => Ok((token, None)),
            (Lookup::One(key), None) => Ok((None, Some(key))),
            (Lookup::One(_) | Lookup::Many, _) => Err(DenyReason::CredentialsMultiple),
        }
    }

    /// Whether the caller may try, before anything that it brings is looked at.
    pub(super) fn admit(
        &self,
        passage: &mut Passage<'_>,
        asked: &Asked<'_, impl Facts>,
        worker: &Worker,
    ) -> Result<(), DenyReason> {
        let Some(lockout) = &self.lockout else { return Ok(()) };
        self.admit_under(lockout, passage, asked, worker)
    }

    #[inline(never)]
    fn admit_under(
        &self,
        lockout: &Lockout,
        passage: &mut Passage<'_>,
        asked: &Asked<'_, impl Facts>,
        worker: &Worker,
    ) -> Result<(), DenyReason> {
        let login = passage.matched.as_ref().is_some_and(|matched| matched.route.login);
        if !login && passage.token.is_none() && passage.api_key.is_none() {
            return Ok(());
        }
        let address = if lockout.by_address { asked.client() } else { None };
        let account = if lockout.by_account { claimed_account(passage) } else { None };
        let counter = lockout.counter(address, account.as_deref(), &worker.lockout_key);
        match asked.facts.standing(lockout, &counter, login) {
            Standing::Open => {
                passage.attempt = Some(Attempt { counter, reserved: login, failed: false });
                Ok(())
            }
            Standing::Locked(seconds) => {
                passage.locked_for = Some(seconds);
                Err(DenyReason::LockedOut)
            }
        }
    }

    /// Finds the key, and whether its secret is the right one.
    #[inline(never)]
    pub(super) fn authenticate_key(
        &self,
        text: &[u8],
        passage: &mut Passage<'_>,
        asked: &Asked<'_, impl Facts>,
        worker: &Worker,
        trace: &mut impl Trace,
    ) -> Result<(), DenyReason> {
        match self.session_of_key(text, asked, worker) {
            Ok(session) => {
                trace.step(Step::Authentication, true, || {
                    let id = session.record.kid.as_deref().unwrap_or_default();
                    format!("API key `{id}`, roles: [{}]", session.roles.names().join(", "))
                });
                let principal = Principal { provider: None, session };
                passage.authentication = Authentication::Authenticated(principal);
                Ok(())
            }
            Err((reason, session)) => {
                trace.step(Step::Authentication, false, || format!("API key: {reason}"));
                passage.shut_out = session;
                Err(reason)
            }
        }
    }

    /// Whose key it is; or why it is refused, and whose it is where its secret is the right one.
    fn session_of_key(
        &self,
        text: &[u8],
        asked: &Asked<'_, impl Facts>,
        worker: &Worker,
    ) -> Result<Rc<Session>, (DenyReason, Option<Rc<Session>>)> {
        let unknown = || (DenyReason::ApiKeyUnknown, None);
        let (Some(keys), Some(source)) = (&self.api_keys, &self.identity_feed) else {
            return Err((DenyReason::InternalError, None));
        };
        let key = ApiKey::parse(text).ok_or_else(unknown)?;
        let (feeds, _) = worker.feed.ask(source, asked.now).map_err(|reason| (reason, None))?;
        let row = feeds.key(&Digest16::key(key.id));
        // One that is not there takes as long as one with another secret.
        let proved = key.is_proved_by(&row.map_or([0; 32], |row| row.secret_sha256()));
        let row = row.filter(|_| proved).ok_or_else(unknown)?;
        let owner = row.owner().ok_or_else(unknown)?;
        let session = Session::of_key(keys, key.id, owner, row.roles(), &self.roles, &self.audit.masks);
        let session = Rc::new(session);
        let expired = row.expires() != 0 && asked.now >= UnixTime::from_seconds(i64::from(row.expires()));
        let refused = if expired {
            Some(DenyReason::ApiKeyExpired)
        } else if !row.admits(|| asked.client()) {
            Some(DenyReason::ApiKeyAddress)
        } else {
            let subject = feeds.subject(&Digest16::subject(owner));
            subject.is_some_and(|subject| subject.is_disabled()).then_some(DenyReason::SubjectDisabled)
        };
        match refused {
            None => Ok(session),
            Some(reason) => Err((reason, Some(session))),
        }
    }

    /// Whether a verified token is still good by the identity feed, with the roles that it gives where they come from there.
    /// A token that was good under the feed in force is not looked up again.
    pub(super) fn obey_feed(
        &self,
        session: Rc<Session>,
        provider: &Provider,
        token: &Extracted<'_>,
        worker: &mut Worker,
        now: UnixTime,
    ) -> Result<Rc<Session>, DenyReason> {
        let Some(source) = self.identity_feed.as_ref().filter(|_| provider.in_feed) else { return Ok(session) };
        #[cfg(feature = "assumed-identity")]
        if session.obeyed.get() == crate::session::EXEMPT {
            return Ok(session);
        }
        let (feeds, serial) = worker.feed.ask(source, now)?;
        if session.obeyed.get() == serial {
            return Ok(session);
        }
        let renewed = self.look_up(&session, provider, feeds)?;
        let session = match renewed {
            Some(renewed) => {
                worker.cache.insert(token.source_index, &token.token, Rc::clone(&renewed));
                renewed
            }
            None => session,
        };
        session.obeyed.set(serial);
        Ok(session)
    }

    /// Whether a feed lets a token be, and its session with the roles of the feed where they come from there.
    #[inline(never)]
    fn look_up(
        &self,
        session: &Session,
        provider: &Provider,
        feeds: &Feeds,
    ) -> Result<Option<Rc<Session>>, DenyReason> {
        let named = |claim: &str| session.claims().get(claim).and_then(Json::as_str);
        let subject = named("sub").and_then(|subject| feeds.subject(&Digest16::subject(subject)));
        if subject.is_some_and(|subject| subject.is_disabled()) {
            return Err(DenyReason::SubjectDisabled);
        }
        let before = subject.map_or(0, |subject| subject.tokens_before());
        if before != 0 && session.issued_at().is_none_or(|issued| issued < f64::from(before)) {
            return Err(DenyReason::TokenRevoked);
        }
        if named("jti").is_some_and(|jti| feeds.is_revoked(&Digest16::token(jti))) {
            return Err(DenyReason::TokenRevoked);
        }
        if provider.roles_from != Some(RolesFrom::Feed) {
            return Ok(None);
        }
        let roles = subject.and_then(|subject| subject.roles()).into_iter().flatten();
        Ok(Some(Rc::new(session.with_roles(roles, provider, &self.roles))))
    }
}

/// Whom the caller says it is. Not believed: it only says what is counted.
fn claimed_account(passage: &Passage<'_>) -> Option<String> {
    if let Some(key) = passage.api_key {
        return ApiKey::parse(key).map(|key| key.id.to_owned());
    }
    let token = passage.token.as_ref()?;
    let jws = CompactJws::parse(token.text()).ok()?;
    let payload = jws.payload().ok()?;
    json::read(&payload)?.as_object()?.get("sub").and_then(Json::as_str).map(str::to_owned)
}

#[cfg(test)]
mod tests;
