//! Replies of our own: the only status table.

use std::borrow::Cow;
use std::rc::Rc;

use crate::decision::DenyReason;
use crate::header_map::HeaderBlock;
use crate::input::{Violation, errors_member};
use crate::step_up::StepUp;
use crate::text::{Header, Text};

/// A response that the filter gives instead of the upstream's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalReply {
    /// The status code.
    pub status: u16,
    /// Its headers that other replies have, too.
    common: Rc<HeaderBlock>,
    /// The rest of its headers.
    own: Vec<Header>,
    /// The body: a problem document (RFC 9457), or nothing.
    pub body: Vec<u8>,
}

impl LocalReply {
    pub(crate) const fn new(status: u16, common: Rc<HeaderBlock>, own: Vec<Header>, body: Vec<u8>) -> Self {
        Self { status, common, own, body }
    }

    /// Its headers, each name once.
    pub fn headers(&self) -> impl Iterator<Item = &Header> {
        self.common.headers().iter().chain(&self.own)
    }

    /// Its headers, as [`parse_header_map`](crate::parse_header_map) reads them.
    #[must_use]
    pub fn header_map(&self) -> Cow<'_, [u8]> {
        self.common.map_with(&self.own)
    }

    pub(crate) fn push(&mut self, name: &'static str, value: Text) {
        self.own.push((name.into(), value));
    }

    /// Leaves out what CORS allows.
    pub(crate) fn withhold_cors(&mut self) {
        self.own.retain(|(name, _)| !name.starts_with("access-control-"));
    }
}

/// A refusal, and whether the caller had proved who it is by then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Denial<'r> {
    pub(crate) reason: DenyReason,
    pub(crate) authenticated: bool,
    /// What the route asks of the caller's authentication.
    pub(crate) step_up: Option<&'r StepUp>,
    /// What the client must change.
    pub(crate) violations: &'r [Violation],
    /// For how many seconds the caller is locked out.
    pub(crate) locked_for: Option<u32>,
}

impl Denial<'_> {
    /// The status of each reason.
    pub(crate) const fn status(self) -> u16 {
        match self.reason {
            DenyReason::RequestMalformed
            | DenyReason::PathMalformed
            | DenyReason::PathAmbiguous
            | DenyReason::HeaderDuplicate
            | DenyReason::TokenMultiple
            | DenyReason::CredentialsMultiple
            | DenyReason::BodyIncomplete => 400,
            DenyReason::CredentialsMissing
            | DenyReason::TokenMalformed
            | DenyReason::TokenTooLarge
            | DenyReason::TokenAlgorithm
            | DenyReason::TokenUnknownKey
            | DenyReason::TokenSignature
            | DenyReason::TokenExpired
            | DenyReason::TokenNotYetValid
            | DenyReason::TokenExpirationMissing
            | DenyReason::TokenLifetime
            | DenyReason::TokenIssuer
            | DenyReason::TokenAudience
            | DenyReason::TokenClaims
            | DenyReason::TokenRevoked
            | DenyReason::SubjectDisabled
            | DenyReason::ApiKeyUnknown
            | DenyReason::ApiKeyExpired
            | DenyReason::StepUpRequired => 401,
            DenyReason::RouteNotFound if self.authenticated => 403,
            DenyReason::RouteNotFound => 401,
            DenyReason::RoleMissing
            | DenyReason::RoleDenied
            | DenyReason::OwnerDenied
            | DenyReason::ConditionDenied
            | DenyReason::IpDenied
            | DenyReason::ApiKeyAddress
            | DenyReason::CorsOrigin
            | DenyReason::CorsMethod
            | DenyReason::CorsHeaders => 403,
            DenyReason::BodyTooLarge => 413,
            DenyReason::MediaTypeUnsupported => 415,
            DenyReason::InputInvalid => 422,
            DenyReason::InternalError => 500,
            DenyReason::LockedOut => 429,
            DenyReason::KeysUnavailable | DenyReason::FeedUnavailable => 503,
        }
    }

    /// What is said of credentials (RFC 6750 section 3): no `error` where none came, `invalid_token` for a bad one,
    /// `insufficient_scope` where a good one is not enough.
    pub(crate) const fn challenge(self) -> Challenge {
        match (self.status(), self.reason) {
            (401, DenyReason::StepUpRequired) => Challenge::None,
            (401, DenyReason::CredentialsMissing | DenyReason::RouteNotFound) => Challenge::Credentials,
            (401, _) => Challenge::InvalidToken,
            (
                403,
                DenyReason::RoleMissing
                | DenyReason::RoleDenied
                | DenyReason::OwnerDenied
                | DenyReason::ConditionDenied,
            ) => Challenge::InsufficientScope,
            _ => Challenge::None,
        }
    }

    /// The challenge of a route that asks for a stronger or newer sign-in: what would make a good token enough.
    pub(crate) fn step_up_challenge(self) -> Option<Text> {
        let step_up = self.step_up.filter(|_| self.reason == DenyReason::StepUpRequired);
        step_up.map(|step_up| step_up.challenge().clone())
    }
}

/// The challenges that are the same for everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Challenge {
    None,
    Credentials,
    InvalidToken,
    InsufficientScope,
}

impl Challenge {
    pub(crate) const COUNT: usize = 4;

    /// `WWW-Authenticate`.
    pub(crate) const fn text(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Credentials => Some(r#"Bearer realm="portcullis""#),
            Self::InvalidToken => Some(r#"Bearer realm="portcullis", error="invalid_token""#),
            Self::InsufficientScope => Some(r#"Bearer realm="portcullis", error="insufficient_scope""#),
        }
    }
}

impl Denial<'_> {
    /// `Retry-After` in seconds (RFC 9110 section 10.2.3): keys and feeds come within moments, or when somebody mends
    /// something.
    pub(crate) fn retry_after(self) -> Option<Text> {
        match self.reason {
            DenyReason::KeysUnavailable | DenyReason::FeedUnavailable => Some("2".into()),
            DenyReason::LockedOut => Some(self.locked_for.unwrap_or(1).to_string().into()),
            _ => None,
        }
    }
}

/// The body of a problem document, the same for every reason of a status but for what is to be changed. Request ids are
/// hexadecimal, and titles ours: nothing else in it needs escaping.
pub(crate) fn problem_body(status: u16, request_id: Option<&str>, violations: &[Violation]) -> Vec<u8> {
    let mut body = String::with_capacity(160);
    body.push_str(r#"{"type":"about:blank","title":""#);
    body.push_str(title(status));
    body.push_str(r#"","status":"#);
    body.push_str(std::str::from_utf8(&status_digits(status)).unwrap_or_default());
    if let Some(id) = request_id {
        body.push_str(r#","request_id":""#);
        body.push_str(id);
        body.push('"');
    }
    body.push_str(&errors_member(violations));
    body.push('}');
    body.into_bytes()
}

/// A status as it is written in ASCII, without the cost of formatting.
pub(crate) fn status_digits(status: u16) -> [u8; 3] {
    let digit = |divisor: u16| b'0' + u8::try_from(status / divisor % 10).unwrap_or_default();
    [digit(100), digit(10), digit(1)]
}

/// The reason phrase of a status (RFC 9110 section 15); that of its class where it has none.
const fn title(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        506 => "Variant Also Negotiates",
        507 => "Insufficient Storage",
        508 => "Loop Detected",
        510 => "Not Extended",
        511 => "Network Authentication Required",
        _ => "Internal Server Error",
    }
}
