//! A verified token, and everything that decisions need of it, worked out once.

use std::borrow::Cow;
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use crate::api_key::ApiKeys;
use crate::audit::{Masked, Masks, Scrubbed, escape, members};
use crate::authz::{HeldRoles, Roles, scalar_text};
use crate::headers::HeaderEdit;
use crate::json::{Json, Members};
use crate::pipeline::short_digest;
use crate::text::{Text, has_control};
use crate::time::UnixTime;
use crate::token::{ClaimPath, Provider, RolesFrom, TokenError, TokenTimes, Verified, Window};

/// Roles of a token beyond this many are not looked at.
const MAX_ROLES: usize = 64;

/// What is known of a caller once its token or API key was verified. Only [`Session::new`] and [`Session::of_key`] make
/// one, and only of such; the command line's tests of policies assume some too.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) provider: usize,
    pub(crate) roles: HeldRoles,
    /// Adds the headers of `claim_to_headers` whose claims are there.
    pub(crate) headers: Rc<[HeaderEdit]>,
    pub(crate) record: RecordedIdentity,
    /// The claims that tell owners, as text, in the order of the policy's list of them.
    owners: Vec<Option<Box<str>>>,
    /// Those that are asked for again.
    claims: Members<'static>,
    times: TokenTimes,
    window: Window,
    /// Under which of the worker's feeds the token was last found good; 0 is none yet.
    pub(crate) obeyed: Cell<u64>,
}

/// Stands for every feed: assumed callers are in none.
#[cfg(feature = "assumed-identity")]
pub(crate) const EXEMPT: u64 = u64::MAX;

/// What records may say of a caller.
#[derive(Clone, Debug, Default)]
pub(crate) struct RecordedIdentity {
    /// The member of the subject, masked where need be.
    pub(crate) user_id: Box<str>,
    pub(crate) masked: Masked,
    /// The first role that the policy knows.
    pub(crate) role: Option<Rc<str>>,
    /// The id of the key that verified the token: one of the policy's own; or of the API key. Escaped for JSON.
    pub(crate) kid: Option<Arc<str>>,
    /// The members of the provider, of that id, and of a short digest of `jti`.
    pub(crate) origin: Box<str>,
}

impl Session {
    /// A session of claims that nobody verified, for tests of policies and nowhere else.
    #[cfg(feature = "assumed-identity")]
    pub(crate) fn dangerously_assume(
        index: usize,
        provider: &Provider,
        claims: Members<'_>,
        times: TokenTimes,
        policy_roles: &Roles,
        masks: &Masks,
    ) -> Self {
        let token = Verified::dangerously_assume(claims, times);
        let session = Self::new(index, provider, token, policy_roles, masks);
        session.obeyed.set(EXEMPT);
        session
    }

    /// The session of an API key that was proved: its owner, as a token would name it, and its own roles.
    pub(crate) fn of_key<'r>(
        keys: &ApiKeys,
        id: &str,
        owner: &str,
        roles: impl Iterator<Item = &'r str>,
        policy_roles: &Roles,
        masks: &Masks,
    ) -> Self {
        let roles: Vec<Rc<str>> = roles.take(MAX_ROLES).map(Rc::from).collect();
        let mut claims = Members::default();
        claims.set("sub", Some(Json::String(owner.into())));
        for claim in &keys.role_claims {
            set_roles(&mut claims, claim, &roles);
        }
        let headers = headers_of(&keys.claim_to_headers, &claims);
        let record = RecordedIdentity::new(None, &claims, &roles, Some(Scrubbed::of(id)), policy_roles, masks);
        let (times, window) = (TokenTimes::default(), Window::ALWAYS);
        let owners = owners(&policy_roles.owners, &claims);
        let claims = policy_roles.asked.keep(claims);
        let roles = HeldRoles::new(roles, &policy_roles.table);
        Self { provider: usize::MAX, roles, headers, record, owners, claims, times, window, obeyed: Cell::new(0) }
    }

    /// The same session with the roles that the feed gives its subject. They stand in the claim `role`, too, in the place
    /// of any that the token has.
    pub(crate) fn with_roles<'r>(
        &self,
        roles: impl Iterator<Item = &'r str>,
        provider: &Provider,
        policy_roles: &Roles,
    ) -> Self {
        let roles: Vec<Rc<str>> = roles.take(MAX_ROLES).map(Rc::from).collect();
        let mut claims = self.claims.clone();
        set_roles(&mut claims, "role", &roles);
        let headers = headers_of(&provider.claim_to_headers, &claims);
        let record = RecordedIdentity { role: known(&roles, policy_roles), ..self.record.clone() };
        let (provider, times, window) = (self.provider, self.times, self.window);
        let owners = owners(&policy_roles.owners, &claims);
        let claims = policy_roles.asked.keep(claims);
        let roles = HeldRoles::new(roles, &policy_roles.table);
        Self { provider, roles, headers, record, owners, claims, times, window, obeyed: Cell::new(0) }
    }

    pub(crate) fn new(
        index: usize,
        provider: &Provider,
        token: Verified<'_>,
        policy_roles: &Roles,
        masks: &Masks,
    ) -> Self {
        let (claims, times, kid, window) = token.into_parts();
        let held = match &provider.roles_from {
            Some(RolesFrom::Claim(path)) => path.lookup(&claims),
            // None before the feed was asked; those of an assumed caller are assumed, too.
            Some(RolesFrom::Feed) => claims.get("role").filter(|_| cfg!(feature = "assumed-identity")),
            None => None,
        };
        let roles: Vec<Rc<str>> = match held {
            Some(Json::String(role)) => vec![(**role).into()],
            Some(Json::Array(roles)) => roles.iter().filter_map(Json::as_str).take(MAX_ROLES).map(Rc::from).collect(),
            _ => Vec::new(),
        };
        let headers = headers_of(&provider.claim_to_headers, &claims);
        let kid = kid.map(|kid| kid.recorded.clone());
        let record = RecordedIdentity::new(Some(&provider.name), &claims, &roles, kid, policy_roles, masks);
        let owners = owners(&policy_roles.owners, &claims);
        let claims = policy_roles.asked.keep(claims);
        let roles = HeldRoles::new(roles, &policy_roles.table);
        Self { provider: index, roles, headers, record, owners, claims, times, window, obeyed: Cell::new(0) }
    }

    /// When the token was made, in seconds.
    pub(crate) const fn issued_at(&self) -> Option<f64> {
        self.times.iat
    }

    /// One of the claims that tell owners.
    pub(crate) fn owner(&self, index: usize) -> Option<&str> {
        self.owners.get(index)?.as_deref()
    }

    /// The claims that [`Roles::asked`] names.
    pub(crate) const fn claims(&self) -> &Members<'static> {
        &self.claims
    }

    /// Checks what time may have changed since the token was verified.
    pub(crate) fn recheck(&self, provider: &Provider, now: UnixTime) -> Result<(), TokenError> {
        if !self.window.contains(now) {
            return Err(TokenError::UnknownKey);
        }
        provider.verifier.rules.check_times(&self.times, now)
    }
}

impl RecordedIdentity {
    fn new(
        provider: Option<&str>,
        claims: &Members<'_>,
        roles: &[Rc<str>],
        kid: Option<Scrubbed>,
        policy_roles: &Roles,
        masks: &Masks,
    ) -> Self {
        let text = |claim: &str| claims.get(claim).and_then(Json::as_str);
        let mut masked = Masked::default();
        let user_id = text("sub").map(|subject| {
            let (value, hidden) = masks.user_id(subject);
            masked.note(Masked::USER_ID, hidden);
            escape(value)
        });
        let kid = kid.map(|kid| {
            masked.note(Masked::KID, kid.hidden);
            kid.text
        });
        let token_id = text("jti").map(short_digest);
        let origin = members(&[("provider", provider), ("kid", kid.as_deref()), ("token_id", token_id.as_deref())]);
        let user_id = members(&[("user_id", user_id.as_deref())]);
        Self { user_id, masked, role: known(roles, policy_roles), kid, origin }
    }
}

fn owners(paths: &[ClaimPath], claims: &Members<'_>) -> Vec<Option<Box<str>>> {
    let text = |path: &ClaimPath| path.lookup(claims).and_then(scalar_text).map(|text| text.as_ref().into());
    paths.iter().map(text).collect()
}

/// The first of some roles that the policy knows.
fn known(roles: &[Rc<str>], policy_roles: &Roles) -> Option<Rc<str>> {
    roles.iter().find(|role| policy_roles.known.iter().any(|known| **known == ***role)).cloned()
}

/// Roles as a token would have them: one as text, several as a list, none not at all.
fn set_roles(claims: &mut Members<'_>, claim: &str, roles: &[Rc<str>]) {
    let named = |role: &Rc<str>| Json::String(role.to_string().into());
    let value = match roles {
        [] => None,
        [role] => Some(named(role)),
        roles => Some(Json::Array(roles.iter().map(named).collect())),
    };
    claims.set(claim, value);
}

fn headers_of(claim_to_headers: &[(ClaimPath, Text)], claims: &Members<'_>) -> Rc<[HeaderEdit]> {
    let header = |(path, header): &(ClaimPath, Text)| {
        let value = path.lookup(claims).and_then(header_value)?;
        Some(HeaderEdit::Add(header.clone(), Text::Shared(value.as_ref().into())))
    };
    claim_to_headers.iter().filter_map(header).collect()
}

/// A claim as the value of a header: scalars as they are, arrays joined with commas. Nothing where it would not be
/// one value, or where an element has a comma in it and would be read as two.
fn header_value<'c>(claim: &'c Json<'_>) -> Option<Cow<'c, str>> {
    let value = match claim {
        Json::Array(items) => joined(items)?.into(),
        scalar => scalar_text(scalar)?,
    };
    let fits = !value.is_empty() && value.trim() == value && !has_control(&value);
    fits.then_some(value)
}

#[inline(never)]
fn joined(items: &[Json<'_>]) -> Option<String> {
    let items = items.iter().map(|item| scalar_text(item).filter(|text| !text.contains(',')));
    Some(items.collect::<Option<Vec<_>>>()?.join(","))
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// A session of nobody in particular.
    pub(crate) fn session() -> Session {
        Session {
            provider: 0,
            roles: HeldRoles::default(),
            headers: Rc::new([]),
            record: RecordedIdentity::default(),
            owners: Vec::new(),
            claims: Members::default(),
            times: TokenTimes::default(),
            window: Window::ALWAYS,
            obeyed: Cell::new(0),
        }
    }
}

#[cfg(test)]
mod tests;
