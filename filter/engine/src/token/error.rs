//! Why a token is not accepted.

use super::Algorithm;
use crate::decision::DenyReason;
use crate::time::UnixTime;

/// What is wrong with a token. Carries what helps to explain it, never the token.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// Not a compact JWS with a JWT claims set; says which part.
    #[error("malformed token: {0}")]
    Malformed(&'static str),
    /// Longer than allowed.
    #[error("token of {bytes} bytes, {limit} allowed")]
    TooLarge {
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        limit: usize,
    },
    /// Its `alg` is not in `allowed_algorithms`; `None` where the engine does not know it.
    #[error("algorithm {} is not allowed", .0.map_or("unknown", Algorithm::name))]
    AlgorithmNotAllowed(Option<Algorithm>),
    /// No key has its `kid`, or none fits its algorithm.
    #[error("no key fits its kid and algorithm")]
    UnknownKey,
    /// The issuer's keys have not been fetched yet, or not for too long.
    #[error("the issuer's keys are not available")]
    KeysUnavailable,
    /// A key fits, but the signature is not its.
    #[error("wrong signature")]
    BadSignature,
    /// It names no key that is there, and the signature is of none of those that may have made it: one that is not there may have.
    #[error("wrong signature{}", if *.has_kid { ", and no key has its kid" } else { "" })]
    UnknownSigner {
        /// Whether it names a key at all.
        has_kid: bool,
    },
    /// `exp` has passed.
    #[error("expired at {exp}, now {}", now.seconds())]
    Expired {
        /// The time of the check.
        now: UnixTime,
        /// The claim, in seconds.
        exp: f64,
    },
    /// `nbf` or `iat` lies ahead.
    #[error("`{claim}` is {at}, now {}", now.seconds())]
    NotYetValid {
        /// Which claim.
        claim: &'static str,
        /// The time of the check.
        now: UnixTime,
        /// The claim, in seconds.
        at: f64,
    },
    /// No `exp`.
    #[error("no `exp` claim")]
    ExpirationMissing,
    /// Valid for longer than allowed.
    #[error("valid for {seconds} seconds, {limit} allowed")]
    LifetimeTooLong {
        /// For how long it is valid.
        seconds: f64,
        /// For how long it may be.
        limit: f64,
    },
    /// `iss` is not the provider's, or no provider has it.
    #[error("issuer is not the expected one")]
    IssuerNotAllowed,
    /// No `aud` is one of the provider's.
    #[error("audience is not an expected one")]
    AudienceNotAllowed,
    /// A registered claim has the wrong type.
    #[error("claim `{0}` is malformed")]
    BadClaim(&'static str),
}

impl TokenError {
    /// How far verification came: what is said of a token that a key signed is truer than what is said of one that no
    /// key may have signed.
    pub(crate) const fn progress(&self) -> u8 {
        match self {
            Self::TooLarge { .. } | Self::UnknownKey | Self::AlgorithmNotAllowed(_) => 0,
            Self::BadSignature | Self::UnknownSigner { .. } => 1,
            Self::KeysUnavailable => 2,
            _ => 3,
        }
    }

    /// Whether another key might change it.
    pub(crate) const fn may_be_for_want_of_a_key(&self) -> bool {
        matches!(self, Self::UnknownKey | Self::UnknownSigner { .. } | Self::KeysUnavailable)
    }

    /// The reason code.
    #[must_use]
    pub const fn reason(&self) -> DenyReason {
        match self {
            Self::Malformed(_) => DenyReason::TokenMalformed,
            Self::TooLarge { .. } => DenyReason::TokenTooLarge,
            Self::AlgorithmNotAllowed(_) => DenyReason::TokenAlgorithm,
            Self::UnknownKey => DenyReason::TokenUnknownKey,
            Self::KeysUnavailable => DenyReason::KeysUnavailable,
            Self::BadSignature | Self::UnknownSigner { .. } => DenyReason::TokenSignature,
            Self::Expired { .. } => DenyReason::TokenExpired,
            Self::NotYetValid { .. } => DenyReason::TokenNotYetValid,
            Self::ExpirationMissing => DenyReason::TokenExpirationMissing,
            Self::LifetimeTooLong { .. } => DenyReason::TokenLifetime,
            Self::IssuerNotAllowed => DenyReason::TokenIssuer,
            Self::AudienceNotAllowed => DenyReason::TokenAudience,
            Self::BadClaim(_) => DenyReason::TokenClaims,
        }
    }
}
