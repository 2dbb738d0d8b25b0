//! The claims of a token whose signature was verified: one path, whatever verified it (RFC 7519 section 4.1).

use super::TokenError;
use crate::json::{Json, Members};
use crate::text::has_control;
use crate::time::UnixTime;

/// What a provider asks of the claims.
#[derive(Clone, Debug)]
pub struct ClaimRules {
    /// `iss` must be this, where it is set.
    pub issuer: Option<String>,
    /// One of these must be in `aud`, where there are any.
    pub audiences: Vec<String>,
    /// Tolerance for clocks that differ, in seconds.
    pub clock_skew: f64,
    /// Whether a token without `exp` is refused.
    pub require_expiration: bool,
    /// For how many seconds a token may be valid.
    pub max_lifetime: Option<f64>,
}

/// A path of claim names from the top of the claims set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClaimPath(pub(crate) Vec<String>);

impl ClaimPath {
    pub(crate) fn lookup<'c, 't>(&self, claims: &'c Members<'t>) -> Option<&'c Json<'t>> {
        let (first, rest) = self.0.split_first()?;
        rest.iter().try_fold(claims.get(first)?, |value, name| value.as_object()?.get(name))
    }
}

impl ClaimRules {
    /// Checks the registered claims, and gives out the dates, for the time after.
    pub(crate) fn check(&self, claims: &Members<'_>, now: UnixTime) -> Result<TokenTimes, TokenError> {
        let Registered { issuer, audiences, times } = Registered::read(claims)?;
        self.check_times(&times, now)?;
        if self.issuer.is_some() && self.issuer.as_deref() != issuer {
            return Err(TokenError::IssuerNotAllowed);
        }
        if !self.audiences.is_empty()
            && !self.audiences.iter().any(|allowed| audiences.is_some_and(|own| names(own, allowed)))
        {
            return Err(TokenError::AudienceNotAllowed);
        }
        Ok(times)
    }

    /// Checks the dates: all of the claims that time can change.
    pub(crate) fn check_times(&self, times: &TokenTimes, now: UnixTime) -> Result<(), TokenError> {
        let seconds = now.seconds();
        match times.exp {
            // A lifetime without an end is longer than any limit.
            None if self.require_expiration || self.max_lifetime.is_some() => {
                return Err(TokenError::ExpirationMissing);
            }
            // RFC 7519 section 4.1.4: not accepted "on or after"; zero and negative dates are no exception.
            Some(exp) if exp <= 0.0 || seconds >= exp + self.clock_skew => {
                return Err(TokenError::Expired { now, exp });
            }
            _ => {}
        }
        // `iat` in the future: section 4.1.6 leaves it open; a token cannot be older than its own signing.
        for (claim, at) in [("nbf", times.nbf), ("iat", times.iat)] {
            if let Some(at) = at.filter(|at| *at > seconds + self.clock_skew) {
                return Err(TokenError::NotYetValid { claim, now, at });
            }
        }
        if let (Some(limit), Some(exp)) = (self.max_lifetime, times.exp) {
            let lifetime = exp - times.iat.unwrap_or(seconds);
            if lifetime > limit + self.clock_skew {
                return Err(TokenError::LifetimeTooLong { seconds: lifetime, limit });
            }
        }
        Ok(())
    }
}

/// The dates of a token, in seconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TokenTimes {
    exp: Option<f64>,
    nbf: Option<f64>,
    pub(crate) iat: Option<f64>,
}

/// The registered claims, each of the type that it must have (RFC 7519 section 4.1).
#[derive(Default)]
struct Registered<'c, 't> {
    issuer: Option<&'c str>,
    audiences: Option<&'c Json<'t>>,
    times: TokenTimes,
}

impl<'c, 't> Registered<'c, 't> {
    fn read(claims: &'c Members<'t>) -> Result<Self, TokenError> {
        let mut found = Self::default();
        for (name, value) in claims.iter() {
            match name {
                "iss" => found.issuer = Some(text("iss", value)?),
                "sub" => drop(text("sub", value)?),
                "jti" => drop(text("jti", value)?),
                "aud" => found.audiences = Some(audiences(value)?),
                "exp" => found.times.exp = Some(date("exp", value)?),
                "nbf" => found.times.nbf = Some(date("nbf", value)?),
                "iat" => found.times.iat = Some(date("iat", value)?),
                _ => {}
            }
        }
        Ok(found)
    }
}

/// A StringOrURI claim. Control characters have no place in one, and none of ours in a header or a log.
fn text<'c>(name: &'static str, value: &'c Json<'_>) -> Result<&'c str, TokenError> {
    value.as_str().filter(|value| !has_control(value)).ok_or(TokenError::BadClaim(name))
}

/// A NumericDate: a JSON number of seconds, with or without a fraction (RFC 7519 section 2).
fn date(name: &'static str, value: &Json<'_>) -> Result<f64, TokenError> {
    value.as_f64().filter(|seconds| seconds.is_finite()).ok_or(TokenError::BadClaim(name))
}

/// `aud`: a string, or an array of strings (RFC 7519 section 4.1.3).
fn audiences<'c, 't>(value: &'c Json<'t>) -> Result<&'c Json<'t>, TokenError> {
    let fits = match value {
        Json::String(_) => true,
        Json::Array(many) => many.iter().all(|one| one.as_str().is_some()),
        _ => false,
    };
    fits.then_some(value).ok_or(TokenError::BadClaim("aud"))
}

/// Whether these audiences name this one.
fn names(audiences: &Json<'_>, audience: &str) -> bool {
    match audiences {
        Json::Array(many) => many.iter().any(|one| one.as_str() == Some(audience)),
        one => one.as_str() == Some(audience),
    }
}
