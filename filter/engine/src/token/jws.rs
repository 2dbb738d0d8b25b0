//! The compact serialisation of a JWS (RFC 7515 section 7.1), read strictly.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::{Algorithm, TokenError};
use crate::json;

/// A parsed, unverified token. Nothing in it may be believed.
pub(crate) struct CompactJws<'a> {
    pub(crate) algorithm: Algorithm,
    pub(crate) kid: Option<String>,
    pub(crate) signing_input: &'a [u8],
    pub(crate) signature: Vec<u8>,
    header: Map<String, Value>,
    payload: &'a str,
}

impl<'a> CompactJws<'a> {
    /// Splits and decodes a token: exactly three parts, none of the first two empty, base64url without padding, white
    /// space or stray bits (RFC 7515 section 2); a header without repeated members (section 4) or `crit`
    /// (section 4.1.11: nothing critical is understood here). `jku`, `jwk`, `x5u` and `x5c` are never looked at.
    pub(crate) fn parse(token: &'a str) -> Result<Self, TokenError> {
        let (signing_input, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed("parts"))?;
        let (header, payload) = signing_input.split_once('.').ok_or(TokenError::Malformed("parts"))?;
        if header.is_empty() || signature.is_empty() || payload.contains('.') {
            return Err(TokenError::Malformed("parts"));
        }
        let header = decode(header).ok_or(TokenError::Malformed("header encoding"))?;
        let Some(Value::Object(header)) = json::parse(&header) else { return Err(TokenError::Malformed("header")) };
        if header.contains_key("crit") || header.contains_key("b64") {
            return Err(TokenError::Malformed("critical header"));
        }
        let kid = match header.get("kid") {
            None => None,
            Some(Value::String(kid)) => Some(kid.clone()),
            Some(_) => return Err(TokenError::Malformed("kid")),
        };
        let algorithm = header.get("alg").and_then(Value::as_str).and_then(Algorithm::from_name);
        Ok(Self {
            algorithm: algorithm.ok_or(TokenError::AlgorithmNotAllowed(None))?,
            kid,
            signing_input: signing_input.as_bytes(),
            signature: decode(signature).ok_or(TokenError::Malformed("signature encoding"))?,
            header,
            payload,
        })
    }

    /// What kind of JWS it says it is.
    pub(crate) fn typ(&self) -> Option<&str> {
        self.header.get("typ").and_then(Value::as_str)
    }

    /// The payload, decoded.
    pub(crate) fn payload(&self) -> Result<Vec<u8>, TokenError> {
        decode(self.payload).ok_or(TokenError::Malformed("payload encoding"))
    }

    /// The payload as a claims set (RFC 7519 section 7.2), for a token that may be an access token: a `typ` other than
    /// `JWT` or `at+jwt` (RFC 8725 section 3.11, RFC 9068 section 2.1) and a nested token (`cty`) are refused.
    pub(crate) fn claims(&self) -> Result<Map<String, Value>, TokenError> {
        let typ_fits = match self.header.get("typ") {
            None => true,
            Some(Value::String(typ)) => {
                let subtype = strip_application(typ);
                subtype.eq_ignore_ascii_case("jwt") || subtype.eq_ignore_ascii_case("at+jwt")
            }
            Some(_) => false,
        };
        if !typ_fits || self.header.contains_key("cty") {
            return Err(TokenError::Malformed("type"));
        }
        match json::parse(&self.payload()?) {
            Some(Value::Object(claims)) => Ok(claims),
            _ => Err(TokenError::Malformed("claims")),
        }
    }
}

/// `typ` may leave out the prefix `application/` (RFC 7515 section 4.1.9).
fn strip_application(typ: &str) -> &str {
    match typ.split_once('/') {
        Some((prefix, subtype)) if prefix.eq_ignore_ascii_case("application") => subtype,
        _ => typ,
    }
}

pub(crate) fn decode(part: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(part).ok()
}
