//! Access tokens for people: what a sign-in says about its user, for half an hour.

use std::time::Duration;

use portcullis_engine::token::Algorithm;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::exit::Failure;
use crate::signing::{self, SigningKey};
use crate::{random, time};

#[cfg(test)]
mod tests;

/// How a person proved who they are, in the words of RFC 8176.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Methods {
    /// With a password.
    Password,
    /// With a password and a code that works once: an authenticator app's, or a recovery code.
    PasswordAndCode,
}

impl Methods {
    /// The value of `amr`.
    #[must_use]
    pub const fn names(self) -> &'static [&'static str] {
        match self {
            Self::Password => &["pwd"],
            Self::PasswordAndCode => &["pwd", "otp"],
        }
    }

    /// As it is kept: the names, separated by a space.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "pwd",
            Self::PasswordAndCode => "pwd otp",
        }
    }

    /// Reads what was kept; `None` for anything else.
    #[must_use]
    pub fn from_kept(text: &str) -> Option<Self> {
        [Self::Password, Self::PasswordAndCode].into_iter().find(|methods| methods.as_str() == text)
    }
}

/// What a token says about a person.
#[derive(Debug)]
pub struct Subject<'a> {
    /// The user's id.
    pub id: &'a str,
    /// The roles as of now.
    pub roles: &'a [String],
    /// When the person signed in, whenever the token was refreshed since.
    pub auth_time: i64,
    /// How they did.
    pub methods: Methods,
}

/// What all tokens have in common: who issues them, for whom, and with what key.
pub struct Issuer {
    /// The key.
    pub key: SigningKey,
    /// The algorithm, one that fits the key.
    pub algorithm: Algorithm,
    /// The key's name.
    pub kid: Option<String>,
    /// The `iss` claim.
    pub issuer: Option<String>,
    /// The `aud` claim.
    pub audiences: Vec<String>,
    /// How long a token is good for.
    pub lifetime: Duration,
}

impl Issuer {
    /// A signed token.
    ///
    /// # Errors
    /// It would expire as it is issued, or after the year 9999; the key could not sign; the system has no randomness.
    pub fn issue(&self, subject: &Subject<'_>, now: i64) -> Result<Zeroizing<String>, Failure> {
        let claims = self.claims(subject, now, &random::id()?)?;
        signing::sign(&self.key, self.algorithm, self.kid.as_deref(), &claims)
            .map(|signed| Zeroizing::new(signed.token))
    }

    fn claims(&self, subject: &Subject<'_>, now: i64, id: &str) -> Result<Map<String, Value>, Failure> {
        let mut claims = Map::new();
        let mut set = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        set("sub", subject.id.into());
        set("iat", now.into());
        set("exp", expiry(now, self.lifetime)?.into());
        set("jti", id.into());
        set("auth_time", subject.auth_time.into());
        set("amr", subject.methods.names().into());
        if let Some(issuer) = &self.issuer {
            set("iss", issuer.as_str().into());
        }
        for (name, values) in [("aud", &*self.audiences), ("role", subject.roles)] {
            if let Some(value) = one_or_several(values) {
                set(name, value);
            }
        }
        Ok(claims)
    }
}

/// When a token issued now ends.
///
/// # Errors
/// At once, or after the year 9999.
pub fn expiry(now: i64, lifetime: Duration) -> Result<i64, Failure> {
    let seconds = lifetime.as_secs();
    if seconds == 0 {
        return Err(Failure::usage("the token would expire as it is issued")
            .remedy("give --ttl at least one second, such as `30m`"));
    }
    let expiry = i64::try_from(seconds).ok().and_then(|seconds| now.checked_add(seconds));
    expiry
        .filter(|at| time::rfc3339(*at).is_some())
        .ok_or_else(|| Failure::usage("the token would expire after the year 9999").remedy("shorten --ttl"))
}

/// A claim's value: one becomes a string, several an array, and none is no claim.
#[must_use]
pub fn one_or_several(values: &[String]) -> Option<Value> {
    match values {
        [] => None,
        [one] => Some(one.as_str().into()),
        several => Some(several.into()),
    }
}
