//! Tokens: found, verified, and only then believed.

mod algorithm;
mod claims;
mod crypto;
mod error;
mod extract;
mod jwks;
mod jws;
mod keys;
mod window;

use std::sync::Arc;

pub use algorithm::Algorithm;
pub use claims::ClaimRules;
pub(crate) use claims::{ClaimPath, TokenTimes};
pub(crate) use crypto::Crypto;
pub use crypto::{HostCrypto, Proven, SignatureCheck};
pub use error::TokenError;
pub(crate) use extract::{Extracted, Place, Sources, TokenSource, without_cookie, without_param};
pub use jwks::JwksError;
pub(crate) use jwks::{KeyKind, LocalEntry, private_member};
pub(crate) use keys::KeyId;
pub use keys::{Key, KeyError, KeySet};
use serde_json::{Map, Value};
pub use window::Window;

pub(crate) use self::jws::{CompactJws, JoseHeader, KnownHeaders};
use crate::json::{Json, Members};
use crate::text::Text;
use crate::time::UnixTime;
use crate::worker::RemoteKeys;

/// Who issues tokens, and what makes one of theirs good.
#[derive(Clone, Debug)]
pub(crate) struct Provider {
    pub(crate) name: String,
    pub(crate) verifier: TokenVerifier,
    pub(crate) forward: bool,
    pub(crate) roles_from: Option<RolesFrom>,
    pub(crate) claim_to_headers: Vec<(ClaimPath, Text)>,
    /// Which fetched set the keys are in; `None` where they are the verifier's own.
    pub(crate) remote: Option<usize>,
    /// Whether the identity feed speaks of its tokens.
    pub(crate) in_feed: bool,
}

/// Where the roles of a token's subject are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RolesFrom {
    /// In a claim of the token.
    Claim(ClaimPath),
    /// In the identity feed.
    Feed,
}

impl Provider {
    fn issuer(&self) -> Option<&str> {
        self.verifier.rules.issuer.as_deref()
    }

    fn prove<'k>(&'k self, jws: &'k CompactJws<'_>, means: Means<'k>) -> Result<&'k Key, TokenError> {
        self.verifier.prove(jws, self.keys(means.fetched), means.now, means.crypto)
    }

    fn keys<'k>(&'k self, fetched: &'k [RemoteKeys]) -> Result<&'k KeySet, TokenError> {
        match self.remote {
            None => Ok(&self.verifier.keys),
            Some(set) => fetched.get(set).and_then(|set| set.keys.as_ref()).ok_or(TokenError::KeysUnavailable),
        }
    }
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
    kid: Option<Arc<KeyId>>,
}

/// The same, its claims where they stand in the decoded token, and when it is good. Nothing else makes one but the command
/// line's tests of policies.
#[derive(Debug)]
pub(crate) struct Verified<'p> {
    claims: Members<'p>,
    times: TokenTimes,
    kid: Option<Arc<KeyId>>,
    window: Window,
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
        self.kid.as_ref().map(|kid| kid.id.as_str())
    }
}

impl<'p> Verified<'p> {
    fn new(claims: Members<'p>, times: TokenTimes, key: &Key) -> Self {
        Self { claims, times, kid: key.key_id().cloned(), window: key.window() }
    }

    /// Claims that nobody verified, for tests of policies and nowhere else.
    #[cfg(feature = "assumed-identity")]
    pub(crate) const fn dangerously_assume(claims: Members<'p>, times: TokenTimes) -> Self {
        Self { claims, times, kid: None, window: Window::ALWAYS }
    }

    pub(crate) fn into_parts(self) -> (Members<'p>, TokenTimes, Option<Arc<KeyId>>, Window) {
        (self.claims, self.times, self.kid, self.window)
    }
}

impl From<Verified<'_>> for VerifiedToken {
    fn from(token: Verified<'_>) -> Self {
        Self { claims: token.claims.into(), kid: token.kid }
    }
}

impl TokenVerifier {
    /// Verifies a token: size, form, algorithm, key, signature, claims, in this order.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn verify(&self, token: &str, now: UnixTime) -> Result<VerifiedToken, TokenError> {
        self.check_size(token)?;
        let jws = CompactJws::parse(token)?;
        let key = self.prove(&jws, Ok(&self.keys), now, Crypto::PORTABLE)?;
        let mut payload = Vec::new();
        self.believe(jws.claims(&mut payload)?, key, now).map(VerifiedToken::from)
    }

    const fn check_size(&self, token: &str) -> Result<(), TokenError> {
        if token.len() > self.max_token_bytes {
            return Err(TokenError::TooLarge { bytes: token.len(), limit: self.max_token_bytes });
        }
        Ok(())
    }

    /// The key that made the signature, by an algorithm that is allowed.
    fn prove<'k>(
        &self,
        jws: &'k CompactJws<'_>,
        keys: Result<&'k KeySet, TokenError>,
        now: UnixTime,
        crypto: Crypto<'_>,
    ) -> Result<&'k Key, TokenError> {
        if !self.algorithms.contains(&jws.header.algorithm) {
            return Err(TokenError::AlgorithmNotAllowed(Some(jws.header.algorithm)));
        }
        verify_signature(jws, keys?, Some(now), crypto)
    }

    /// The claims of a token that this key has signed, where they are what is asked of them.
    fn believe<'p>(&self, claims: Members<'p>, key: &Key, now: UnixTime) -> Result<Verified<'p>, TokenError> {
        let times = self.rules.check(&claims, now)?;
        Ok(Verified::new(claims, times, key))
    }
}

/// Verifies the signature of any compact JWS, whatever its payload is, and gives the payload out. No claim is looked at:
/// for vectors and debugging, never for a decision.
///
/// # Errors
/// What is wrong with its form, its key or its signature.
pub fn verify_signature_only(token: &str, keys: &KeySet) -> Result<Vec<u8>, TokenError> {
    let jws = CompactJws::parse(token)?;
    verify_signature(&jws, keys, None, Crypto::PORTABLE)?;
    jws.payload()
}

/// The key that made the signature.
pub(crate) fn verify_signature<'k>(
    jws: &'k CompactJws<'_>,
    keys: &'k KeySet,
    now: Option<UnixTime>,
    crypto: Crypto<'_>,
) -> Result<&'k Key, TokenError> {
    let mut tried = false;
    let JoseHeader { algorithm, kid, .. } = &*jws.header;
    for key in keys.candidates(kid.as_deref(), *algorithm, now) {
        tried = true;
        if key.verify(*algorithm, jws.signing_input, &jws.signature, crypto) {
            return Ok(key);
        }
    }
    Err(match kid.as_deref() {
        _ if !tried => TokenError::UnknownKey,
        Some(kid) if keys.has(kid) => TokenError::BadSignature,
        kid => TokenError::UnknownSigner { has_kid: kid.is_some() },
    })
}

/// What a verification is done with, beside the token and the policy.
#[derive(Clone, Copy)]
pub(crate) struct Means<'a> {
    pub(crate) fetched: &'a [RemoteKeys],
    pub(crate) crypto: Crypto<'a>,
    pub(crate) now: UnixTime,
}

/// Why no provider takes a token.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Refusal {
    /// The provider that refused it, where one was asked.
    pub(crate) provider: Option<usize>,
    pub(crate) error: TokenError,
    /// The fetched set in which a key for it may yet be found.
    pub(crate) wants: Option<usize>,
}

impl Refusal {
    const fn by_nobody(error: TokenError) -> Self {
        Self { provider: None, error, wants: None }
    }

    fn of(index: usize, provider: &Provider, error: TokenError) -> Self {
        let wants = if error.may_be_for_want_of_a_key() { provider.remote } else { None };
        Self { provider: Some(index), error, wants }
    }
}

/// Verifies a token under the providers that may have issued it, and says which did.
///
/// With more than one provider in question, the token's `iss` picks among them, before anything is believed: those that
/// name it, or else those that name none (RFC 7519 section 4.1.1).
pub(crate) fn verify_under<'p>(
    providers: &[Provider],
    eligible: &[usize],
    token: &str,
    means: Means<'_>,
    headers: &mut KnownHeaders,
    payload: &'p mut Vec<u8>,
) -> Result<(usize, Verified<'p>), Refusal> {
    if let [index] = eligible
        && let Some(provider) = providers.get(*index)
    {
        let verified = verify_as(provider, token, means, headers, payload);
        return verified.map(|verified| (*index, verified)).map_err(|error| Refusal::of(*index, provider, error));
    }
    verify_under_one_of(providers, eligible, token, means, headers, payload)
}

fn verify_as<'p>(
    provider: &Provider,
    token: &str,
    means: Means<'_>,
    headers: &mut KnownHeaders,
    payload: &'p mut Vec<u8>,
) -> Result<Verified<'p>, TokenError> {
    provider.verifier.check_size(token)?;
    let jws = CompactJws::parse_knowing(token, headers)?;
    let key = provider.prove(&jws, means)?;
    provider.verifier.believe(jws.claims(payload)?, key, means.now)
}

#[inline(never)]
fn verify_under_one_of<'p>(
    providers: &[Provider],
    eligible: &[usize],
    token: &str,
    means: Means<'_>,
    headers: &mut KnownHeaders,
    payload: &'p mut Vec<u8>,
) -> Result<(usize, Verified<'p>), Refusal> {
    let eligible = eligible.iter().filter_map(|index| providers.get(*index).map(|provider| (*index, provider)));
    let eligible: Vec<(usize, &Provider)> = eligible.collect();
    let limit = eligible.iter().map(|(_, provider)| provider.verifier.max_token_bytes).max().unwrap_or(0);
    if token.len() > limit {
        return Err(Refusal::by_nobody(TokenError::TooLarge { bytes: token.len(), limit }));
    }
    let jws = CompactJws::parse_knowing(token, headers).map_err(Refusal::by_nobody)?;
    let claims = jws.claims(payload).map_err(Refusal::by_nobody)?;
    let issuer = claims.get("iss").and_then(Json::as_str);
    let mut asked = eligible.clone();
    asked.retain(|(_, provider)| issuer.is_some() && provider.issuer() == issuer);
    if asked.is_empty() {
        asked = eligible;
        asked.retain(|(_, provider)| provider.issuer().is_none());
    }
    let mut refusal = Refusal::by_nobody(TokenError::IssuerNotAllowed);
    for (index, provider) in asked {
        let proved = provider.verifier.check_size(token).and_then(|()| provider.prove(&jws, means));
        match proved.and_then(|key| Ok((key, provider.verifier.rules.check(&claims, means.now)?))) {
            Ok((key, times)) => return Ok((index, Verified::new(claims, times, key))),
            Err(error) => {
                let next = Refusal::of(index, provider, error);
                let wants = refusal.wants.or(next.wants);
                if refusal.provider.is_none() || next.error.progress() > refusal.error.progress() {
                    refusal = next;
                }
                refusal.wants = wants;
            }
        }
    }
    Err(refusal)
}

#[cfg(test)]
mod tests;
