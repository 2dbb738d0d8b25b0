//! The claims of a token whose signature was verified: one path, whatever verified it (RFC 7519 section 4.1).

use serde_json::{Map, Value};

use super::TokenError;
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
    pub(crate) fn lookup<'c>(&self, claims: &'c Map<String, Value>) -> Option<&'c Value> {
        let (first, rest) = self.0.split_first()?;
        rest.iter().try_fold(claims.get(first)?, |value, name| value.as_object()?.get(name))
    }
}

impl ClaimRules {
    /// Checks the registered claims, and gives out the dates, for the time after.
    pub(crate) fn check(&self, claims: &Map<String, Value>, now: UnixTime) -> Result<TokenTimes, TokenError> {
        let issuer = text(claims, "iss")?;
        text(claims, "sub")?;
        text(claims, "jti")?;
        let audiences = audiences(claims)?;
        let times = TokenTimes { exp: date(claims, "exp")?, nbf: date(claims, "nbf")?, iat: date(claims, "iat")? };
        self.check_times(&times, now)?;
        if self.issuer.is_some() && self.issuer.as_deref() != issuer {
            return Err(TokenError::IssuerNotAllowed);
        }
        if !self.audiences.is_empty() && !self.audiences.iter().any(|allowed| audiences.contains(&allowed.as_str())) {
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

/// A StringOrURI claim. Control characters have no place in one, and none of ours in a header or a log.
fn text<'c>(claims: &'c Map<String, Value>, name: &'static str) -> Result<Option<&'c str>, TokenError> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::String(value)) if !value.chars().any(char::is_control) => Ok(Some(value)),
        Some(_) => Err(TokenError::BadClaim(name)),
    }
}

/// A NumericDate: a JSON number of seconds, with or without a fraction (RFC 7519 section 2).
fn date(claims: &Map<String, Value>, name: &'static str) -> Result<Option<f64>, TokenError> {
    match claims.get(name) {
        None => Ok(None),
        Some(value) => match value.as_f64().filter(|seconds| seconds.is_finite()) {
            Some(seconds) => Ok(Some(seconds)),
            None => Err(TokenError::BadClaim(name)),
        },
    }
}

/// `aud`: a string, or an array of strings (RFC 7519 section 4.1.3).
fn audiences(claims: &Map<String, Value>) -> Result<Vec<&str>, TokenError> {
    match claims.get("aud") {
        None => Ok(Vec::new()),
        Some(Value::String(one)) => Ok(vec![one]),
        Some(Value::Array(many)) => {
            many.iter().map(|entry| entry.as_str().ok_or(TokenError::BadClaim("aud"))).collect()
        }
        Some(_) => Err(TokenError::BadClaim("aud")),
    }
}
