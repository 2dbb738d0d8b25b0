//! A verified token, and everything that decisions need of it, worked out once.

use std::rc::Rc;

use serde_json::{Map, Value};

use crate::audit::{Masked, Masks, escape, scrub};
use crate::authz::scalar_text;
use crate::pipeline::short_digest;
use crate::text::Header;
use crate::time::UnixTime;
use crate::token::{Provider, TokenError, TokenTimes, VerifiedToken, Window};

/// Roles of a token beyond this many are not looked at.
const MAX_ROLES: usize = 64;

/// What is known of a caller once its token was verified. Only [`Session::new`] makes one, and only of such a token;
/// the command line's tests of policies assume some too.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) provider: usize,
    pub(crate) roles: Vec<Rc<str>>,
    /// The headers of `claim_to_headers` whose claims are there.
    pub(crate) headers: Vec<Header>,
    pub(crate) record: RecordedIdentity,
    claims: Map<String, Value>,
    times: TokenTimes,
    window: Window,
}

/// What records may say of a caller.
#[derive(Clone, Debug, Default)]
pub(crate) struct RecordedIdentity {
    /// The subject, masked where need be, escaped for JSON.
    pub(crate) user_id: Option<String>,
    pub(crate) masked: Masked,
    /// The first role that the policy knows.
    pub(crate) role: Option<Rc<str>>,
    /// The id of the key that verified the token: one of the policy's own. Escaped for JSON.
    pub(crate) kid: Option<String>,
    /// A short digest of `jti`.
    pub(crate) token_id: Option<String>,
}

impl Session {
    pub(crate) fn new(
        index: usize,
        provider: &Provider,
        token: VerifiedToken,
        known_roles: &[String],
        masks: &Masks,
    ) -> Self {
        Self::of_parts(index, provider, token.into_parts(), known_roles, masks)
    }

    /// A session of claims that nobody verified, for tests of policies and nowhere else.
    #[cfg(feature = "assumed-identity")]
    pub(crate) fn dangerously_assume(
        index: usize,
        provider: &Provider,
        claims: Map<String, Value>,
        times: TokenTimes,
        known_roles: &[String],
        masks: &Masks,
    ) -> Self {
        Self::of_parts(index, provider, (claims, times, None, Window::ALWAYS), known_roles, masks)
    }

    fn of_parts(
        index: usize,
        provider: &Provider,
        (claims, times, kid, window): (Map<String, Value>, TokenTimes, Option<String>, Window),
        known_roles: &[String],
        masks: &Masks,
    ) -> Self {
        let roles: Vec<Rc<str>> = match provider.roles_from.as_ref().and_then(|path| path.lookup(&claims)) {
            Some(Value::String(role)) => vec![role.as_str().into()],
            Some(Value::Array(roles)) => roles.iter().filter_map(Value::as_str).take(MAX_ROLES).map(Rc::from).collect(),
            _ => Vec::new(),
        };
        let headers = provider
            .claim_to_headers
            .iter()
            .filter_map(|(path, header)| Some((header.clone(), path.lookup(&claims).and_then(header_value)?.into())))
            .collect();
        let text = |claim: &str| claims.get(claim).and_then(Value::as_str);
        let mut masked = Masked::default();
        let mut note = |field: Masked, (value, hidden): (String, bool)| {
            masked.note(field, hidden);
            escape(&value)
        };
        let user_id = text("sub").map(|subject| note(Masked::USER_ID, masks.user_id(subject)));
        let kid = kid.as_deref().map(|kid| note(Masked::KID, scrub(kid)));
        let record = RecordedIdentity {
            user_id,
            masked,
            role: roles.iter().find(|role| known_roles.iter().any(|known| **known == ***role)).cloned(),
            kid,
            token_id: text("jti").map(short_digest),
        };
        Self { provider: index, roles, headers, record, claims, times, window }
    }

    pub(crate) const fn claims(&self) -> &Map<String, Value> {
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

/// A claim as the value of a header: scalars as they are, arrays joined with commas. Nothing where it would not be
/// one value, or where an element has a comma in it and would be read as two.
fn header_value(claim: &Value) -> Option<String> {
    let value = match claim {
        Value::Array(items) => {
            let items: Option<Vec<_>> =
                items.iter().map(|item| scalar_text(item).filter(|text| !text.contains(','))).collect();
            items?.join(",")
        }
        scalar => scalar_text(scalar)?.into_owned(),
    };
    let fits = !value.is_empty() && value.trim() == value && !value.chars().any(char::is_control);
    fits.then_some(value)
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// A session of nobody in particular.
    pub(crate) fn session() -> Session {
        Session {
            provider: 0,
            roles: Vec::new(),
            headers: Vec::new(),
            record: RecordedIdentity::default(),
            claims: Map::new(),
            times: TokenTimes::default(),
            window: Window::ALWAYS,
        }
    }
}

#[cfg(test)]
mod tests;
