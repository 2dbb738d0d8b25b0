//! What is decided, and why: the closed list of reasons.

use std::fmt;

macro_rules! reasons {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $code:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$doc])* $variant,)+ }

        impl $name {
            /// Every reason there is, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The code that audit records, metrics and the command line use.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.code())
            }
        }
    };
}

reasons! {
    /// Why a request was let through or answered with success.
    AllowReason {
        /// The route is public.
        Public = "public",
        /// The caller proved who it is, which is all the route asks.
        Authenticated = "authenticated",
        /// One of the caller's roles may.
        RoleAllowed = "role_allowed",
        /// The caller owns what it asks for, and its role may with its own.
        OwnerAllowed = "owner_allowed",
        /// The role may with its own, and the service is told to check whose it is.
        OwnerUpstream = "owner_upstream",
        /// A CORS preflight, answered with 204.
        CorsPreflight = "cors_preflight",
    }
}

reasons! {
    /// Why a request was refused.
    DenyReason {
        /// A pseudo-header, the query or the host is missing or malformed.
        RequestMalformed = "request_malformed",
        /// The path has no normal form.
        PathMalformed = "path_malformed",
        /// A server that compares paths carelessly would take it for another route's.
        PathAmbiguous = "path_ambiguous",
        /// A header that must stand alone stands twice.
        HeaderDuplicate = "header_duplicate",
        /// A token in more than one place.
        TokenMultiple = "token_multiple",
        /// A token and an API key.
        CredentialsMultiple = "credentials_multiple",
        /// No token where one is needed.
        CredentialsMissing = "credentials_missing",
        /// Not three parts of strict base64url holding JSON objects without repeated members.
        TokenMalformed = "token_malformed",
        /// Longer than `max_token_bytes`.
        TokenTooLarge = "token_too_large",
        /// An algorithm that is not in `allowed_algorithms`, or `crit`, or a type that is no access token.
        TokenAlgorithm = "token_algorithm",
        /// No key of the provider fits.
        TokenUnknownKey = "token_unknown_key",
        /// The keys of the token's issuer have not been fetched yet.
        KeysUnavailable = "keys_unavailable",
        /// The signature is wrong.
        TokenSignature = "token_signature",
        /// `exp` has passed.
        TokenExpired = "token_expired",
        /// `nbf` or `iat` lies ahead.
        TokenNotYetValid = "token_not_yet_valid",
        /// No `exp` where one is required.
        TokenExpirationMissing = "token_expiration_missing",
        /// Valid for longer than `max_lifetime`.
        TokenLifetime = "token_lifetime",
        /// From an issuer that no provider names.
        TokenIssuer = "token_issuer",
        /// For another audience.
        TokenAudience = "token_audience",
        /// A registered claim of the wrong type or with control characters.
        TokenClaims = "token_claims",
        /// Revoked by its `jti`, or made before its subject's tokens were voided.
        TokenRevoked = "token_revoked",
        /// The account of the token or of the key's owner is switched off.
        SubjectDisabled = "subject_disabled",
        /// No such API key, or not its secret.
        ApiKeyUnknown = "api_key_unknown",
        /// The API key's time is over.
        ApiKeyExpired = "api_key_expired",
        /// The API key may not be used from this address.
        ApiKeyAddress = "api_key_address",
        /// There is no identity feed yet, or none that is new enough to be believed.
        FeedUnavailable = "feed_unavailable",
        /// Too many failed authentications; nothing was looked at.
        LockedOut = "locked_out",
        /// No route matches.
        RouteNotFound = "route_not_found",
        /// The token names no role that the policy knows.
        RoleMissing = "role_missing",
        /// No role of the caller may do this.
        RoleDenied = "role_denied",
        /// The role may only with its own, and this is not the caller's.
        OwnerDenied = "owner_denied",
        /// A `when` condition does not hold.
        ConditionDenied = "condition_denied",
        /// The caller must authenticate more strongly, or anew.
        StepUpRequired = "step_up_required",
        /// The client's address is not admitted.
        IpDenied = "ip_denied",
        /// A body of a kind that the route does not take.
        MediaTypeUnsupported = "media_type_unsupported",
        /// A body larger than the route takes.
        BodyTooLarge = "body_too_large",
        /// A parameter or the body is not what the route asks for.
        InputInvalid = "input_invalid",
        /// The client went before its body was whole.
        BodyIncomplete = "body_incomplete",
        /// A preflight from an origin that is not allowed.
        CorsOrigin = "cors_origin",
        /// A preflight for a method that is not allowed.
        CorsMethod = "cors_method",
        /// A preflight for a header that is not allowed.
        CorsHeaders = "cors_headers",
        /// Something unforeseen in the filter; always denies.
        InternalError = "internal_error",
    }
}

/// Allowed or refused, and for which reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    /// Goes on to the upstream, or a preflight answered with success.
    Allow(AllowReason),
    /// Refused.
    Deny(DenyReason),
    /// Would have been refused, were the policy or the route not in `dry_run`.
    DryRunDeny(DenyReason),
}

impl Decision {
    /// The word of the audit record and the metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow(_) => "allow",
            Self::Deny(_) => "deny",
            Self::DryRunDeny(_) => "dry_run_deny",
        }
    }

    /// How many there are.
    pub const COUNT: usize = AllowReason::ALL.len() + 2 * DenyReason::ALL.len();

    /// Its place among all of them, below [`Self::COUNT`].
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Allow(reason) => reason as usize,
            Self::Deny(reason) => AllowReason::ALL.len() + reason as usize,
            Self::DryRunDeny(reason) => AllowReason::ALL.len() + DenyReason::ALL.len() + reason as usize,
        }
    }

    /// The code of the reason.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Allow(reason) => reason.code(),
            Self::Deny(reason) | Self::DryRunDeny(reason) => reason.code(),
        }
    }
}

/// What kind of event an audit record tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Authentication,
    Authorization,
    Validation,
    Cors,
    Access,
}

impl Event {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Authentication => "authentication",
            Self::Authorization => "authorization",
            Self::Validation => "validation",
            Self::Cors => "cors",
            Self::Access => "access",
        }
    }
}

impl Decision {
    pub(crate) const fn event(self) -> Event {
        match self {
            Self::Allow(AllowReason::CorsPreflight) => Event::Cors,
            Self::Allow(_) => Event::Access,
            Self::Deny(reason) | Self::DryRunDeny(reason) => reason.event(),
        }
    }
}

impl DenyReason {
    pub(crate) const fn event(self) -> Event {
        match self {
            Self::RequestMalformed
            | Self::PathMalformed
            | Self::PathAmbiguous
            | Self::HeaderDuplicate
            | Self::TokenMultiple
            | Self::CredentialsMultiple
            | Self::MediaTypeUnsupported
            | Self::BodyTooLarge
            | Self::InputInvalid
            | Self::BodyIncomplete => Event::Validation,
            Self::CredentialsMissing
            | Self::TokenMalformed
            | Self::TokenTooLarge
            | Self::TokenAlgorithm
            | Self::TokenUnknownKey
            | Self::KeysUnavailable
            | Self::TokenSignature
            | Self::TokenExpired
            | Self::TokenNotYetValid
            | Self::TokenExpirationMissing
            | Self::TokenLifetime
            | Self::TokenIssuer
            | Self::TokenAudience
            | Self::TokenClaims
            | Self::TokenRevoked
            | Self::SubjectDisabled
            | Self::ApiKeyUnknown
            | Self::ApiKeyExpired
            | Self::FeedUnavailable
            | Self::LockedOut
            | Self::StepUpRequired => Event::Authentication,
            Self::RouteNotFound
            | Self::RoleMissing
            | Self::RoleDenied
            | Self::OwnerDenied
            | Self::ConditionDenied
            | Self::IpDenied
            | Self::ApiKeyAddress
            | Self::InternalError => Event::Authorization,
            Self::CorsOrigin | Self::CorsMethod | Self::CorsHeaders => Event::Cors,
        }
    }

    /// Whether what was presented may have been a guess: no key that counts had signed it. Tokens that expired or were
    /// revoked once were good, and those who hold them are no guessers.
    pub(crate) const fn is_guess(self) -> bool {
        matches!(
            self,
            Self::TokenMalformed
                | Self::TokenTooLarge
                | Self::TokenAlgorithm
                | Self::TokenUnknownKey
                | Self::TokenSignature
                | Self::TokenIssuer
                | Self::TokenAudience
                | Self::TokenClaims
                | Self::ApiKeyUnknown
        )
    }
}
