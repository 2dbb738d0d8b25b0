//! Tokens: found, verified, and only then believed.

mod algorithm;
mod claims;
mod error;
mod extract;
mod jwks;
mod jws;
mod keys;

pub use algorithm::Algorithm;
pub use claims::ClaimRules;
pub(crate) use claims::{ClaimPath, TokenTimes};
pub use error::TokenError;
pub(crate) use extract::{Extracted, Place, Sources, TokenSource, without_cookie, without_param};
pub use jwks::JwksError;
pub use keys::{Key, KeyError, KeySet};
use serde_json::{Map, Value};

use self::jws::CompactJws;
use crate::text::Text;
use crate::time::UnixTime;

/// Who issues tokens, and what makes one of theirs good.
#[derive(Clone, Debug)]
pub(crate) struct Provider {
    pub(crate) name: String,
    pub(crate) verifier: TokenVerifier,
    pub(crate) forward: bool,
    pub(crate) roles_from: Option<ClaimPath>,
    pub(crate) claim_to_headers: Vec<(ClaimPath, Text)>,
}

/// Everything that verifying a token takes, but the token and the time.
#[derive(Clone, Debug)]
pub struct TokenVerifier {
    /// The keys.
    pub keys: KeySet,
    /// The algorithms a token may use.
    pub algorithms: Vec<Algorithm>,
    /// What is asked of the claims.
    pub rules: ClaimRules,
    /// How long a token may be.
    pub max_token_bytes: usize,
}

/// The claims of a token that was verified. Only verification makes one.
#[derive(Clone, Debug)]
pub struct VerifiedToken {
    claims: Map<String, Value>,
    times: TokenTimes,
    kid: Option<String>,
}

impl VerifiedToken {
    /// The claims.
    #[must_use]
    pub const fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    /// The id of the key that verified it.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    pub(crate) fn into_parts(self) -> (Map<String, Value>, TokenTimes, Option<String>) {
        (self.claims, self.times, self.kid)
    }
}

impl TokenVerifier {
    /// Verifies a token: size, form, algorithm, key, signature, claims, in this order.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn verify(&self, token: &str, now: UnixTime) -> Result<VerifiedToken, TokenError> {
        self.check_size(token)?;
        self.verify_parsed(&CompactJws::parse(token)?, now)
    }

    const fn check_size(&self, token: &str) -> Result<(), TokenError> {
        if token.len() > self.max_token_bytes {
            return Err(TokenError::TooLarge { bytes: token.len(), limit: self.max_token_bytes });
        }
        Ok(())
    }

    fn verify_parsed(&self, jws: &CompactJws<'_>, now: UnixTime) -> Result<VerifiedToken, TokenError> {
        if !self.algorithms.contains(&jws.algorithm) {
            return Err(TokenError::AlgorithmNotAllowed(Some(jws.algorithm)));
        }
        let kid = verify_signature(jws, &self.keys)?;
        let claims = jws.claims()?;
        let times = self.rules.check(&claims, now)?;
        Ok(VerifiedToken { claims, times, kid })
    }
}

/// Verifies the signature of any compact JWS, whatever its payload is, and gives the payload out. No claim is looked at:
/// for vectors and debugging, never for a decision.
///
/// # Errors
/// What is wrong with its form, its key or its signature.
pub fn verify_signature_only(token: &str, keys: &KeySet) -> Result<Vec<u8>, TokenError> {
    let jws = CompactJws::parse(token)?;
    verify_signature(&jws, keys)?;
    jws.payload()
}

fn verify_signature(jws: &CompactJws<'_>, keys: &KeySet) -> Result<Option<String>, TokenError> {
    let mut tried = false;
    for key in keys.candidates(jws.kid.as_deref(), jws.algorithm) {
        tried = true;
        if key.verify(jws.algorithm, jws.signing_input, &jws.signature) {
            return Ok(key.kid().map(str::to_owned));
        }
    }
    Err(if tried { TokenError::BadSignature } else { TokenError::UnknownKey })
}

/// Verifies a token under the providers that may have issued it, and says which did.
///
/// With more than one provider in question, the token's `iss` picks among them, before anything is believed: those that
/// name it, or else those that name none (RFC 7519 section 4.1.1).
pub(crate) fn verify_under(
    providers: &[Provider],
    eligible: &[usize],
    token: &str,
    now: UnixTime,
) -> Result<(usize, VerifiedToken), (Option<usize>, TokenError)> {
    let eligible =
        eligible.iter().filter_map(|index| providers.get(*index).map(|provider| (*index, &provider.verifier)));
    let eligible: Vec<(usize, &TokenVerifier)> = eligible.collect();
    if let [(index, verifier)] = eligible.as_slice() {
        let verified = verifier.verify(token, now);
        return verified.map(|verified| (*index, verified)).map_err(|error| (Some(*index), error));
    }
    let limit = eligible.iter().map(|(_, verifier)| verifier.max_token_bytes).max().unwrap_or(0);
    if token.len() > limit {
        return Err((None, TokenError::TooLarge { bytes: token.len(), limit }));
    }
    let jws = CompactJws::parse(token).map_err(|error| (None, error))?;
    let claims = jws.claims().map_err(|error| (None, error))?;
    let issuer = claims.get("iss").and_then(Value::as_str);
    let mut asked = eligible.clone();
    asked.retain(|(_, verifier)| issuer.is_some() && verifier.rules.issuer.as_deref() == issuer);
    if asked.is_empty() {
        asked = eligible;
        asked.retain(|(_, verifier)| verifier.rules.issuer.is_none());
    }
    let mut refusal = (None, TokenError::IssuerNotAllowed);
    for (index, verifier) in asked {
        match verifier.check_size(token).and_then(|()| verifier.verify_parsed(&jws, now)) {
            Ok(verified) => return Ok((index, verified)),
            // The provider whose key fits has the better reason than those whose key does not.
            Err(error) if refusal.0.is_none() || !error.is_about_keys() => refusal = (Some(index), error),
            Err(_) => {}
        }
    }
    Err(refusal)
}

#[cfg(test)]
mod tests;
