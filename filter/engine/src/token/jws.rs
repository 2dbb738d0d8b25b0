//! The compact serialisation of a JWS (RFC 7515 section 7.1), read strictly.

use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Algorithm, TokenError};
use crate::json::{self, Json, Members};
use crate::text::{every, is_same, position, rposition};

/// How many headers are remembered: a policy's issuers seldom have more between them, each with a key or two.
const MAX_KNOWN: usize = 4;

/// Longest header that is remembered, in base64url.
const MAX_KNOWN_BYTES: usize = 1024;

/// A parsed, unverified token. Nothing in it may be believed.
pub(crate) struct CompactJws<'a> {
    pub(crate) header: Rc<JoseHeader>,
    pub(crate) signing_input: &'a [u8],
    pub(crate) signature: Vec<u8>,
    payload: &'a str,
}

/// What matters of a JOSE header (RFC 7515 section 4). `jku`, `jwk`, `x5u` and `x5c` are never looked at.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct JoseHeader {
    pub(crate) algorithm: Algorithm,
    pub(crate) kid: Option<String>,
    /// What kind of JWS it says it is.
    pub(crate) typ: Option<String>,
    /// Whether it may be an access token's: a `typ` other than `JWT` or `at+jwt` (RFC 8725 section 3.11, RFC 9068 section
    /// 2.1) and a nested token (`cty`) may not.
    for_access: bool,
}

impl JoseHeader {
    /// Decodes a header: no repeated members (RFC 7515 section 4), no `crit` (section 4.1.11: nothing critical is understood
    /// here).
    fn parse(encoded: &str) -> Result<Self, TokenError> {
        let header = decode(encoded).ok_or(TokenError::Malformed("header encoding"))?;
        let Some(Json::Object(header)) = json::read(&header) else { return Err(TokenError::Malformed("header")) };
        if header.get("crit").or(header.get("b64")).is_some() {
            return Err(TokenError::Malformed("critical header"));
        }
        let kid = match header.get("kid") {
            None => None,
            Some(Json::String(kid)) => Some(kid.clone().into_owned()),
            Some(_) => return Err(TokenError::Malformed("kid")),
        };
        let algorithm = header.get("alg").and_then(Json::as_str).and_then(Algorithm::from_name);
        let algorithm = algorithm.ok_or(TokenError::AlgorithmNotAllowed(None))?;
        let typ = header.get("typ").and_then(Json::as_str).map(str::to_owned);
        let typ_fits = match (header.get("typ"), &typ) {
            (None, _) => true,
            (Some(_), Some(typ)) => {
                let subtype = strip_application(typ);
                subtype.eq_ignore_ascii_case("jwt") || subtype.eq_ignore_ascii_case("at+jwt")
            }
            (Some(_), None) => false,
        };
        Ok(Self { algorithm, kid, typ, for_access: typ_fits && header.get("cty").is_none() })
    }
}

/// Headers that were parsed before: an issuer writes the same one into every token. Bounded, and found by the whole text;
/// whoever sends other headers makes others be parsed again, and no more.
#[derive(Debug, Default)]
pub(crate) struct KnownHeaders {
    known: Vec<(String, Rc<JoseHeader>)>,
    next: usize,
}

impl KnownHeaders {
    fn parse(&mut self, encoded: &str) -> Result<Rc<JoseHeader>, TokenError> {
        if let Some((_, header)) = self.known.iter().find(|(own, _)| is_same(own.as_bytes(), encoded.as_bytes())) {
            return Ok(Rc::clone(header));
        }
        let header = Rc::new(JoseHeader::parse(encoded)?);
        if encoded.len() <= MAX_KNOWN_BYTES {
            let entry = (encoded.to_owned(), Rc::clone(&header));
            match self.known.get_mut(self.next) {
                Some(place) => *place = entry,
                None => self.known.push(entry),
            }
            self.next = self.next.saturating_add(1) % MAX_KNOWN;
        }
        Ok(header)
    }
}

impl<'a> CompactJws<'a> {
    /// Splits and decodes a token: exactly three parts, none of the first two empty, base64url without padding, white
    /// space or stray bits (RFC 7515 section 2).
    pub(crate) fn parse(token: &'a str) -> Result<Self, TokenError> {
        Self::parse_knowing(token, &mut KnownHeaders::default())
    }

    /// The same, of a token whose header may be known.
    pub(crate) fn parse_knowing(token: &'a str, headers: &mut KnownHeaders) -> Result<Self, TokenError> {
        let (signing_input, header, payload, signature) = split(token).ok_or(TokenError::Malformed("parts"))?;
        Ok(Self {
            header: headers.parse(header)?,
            signing_input: signing_input.as_bytes(),
            signature: decode(signature).ok_or(TokenError::Malformed("signature encoding"))?,
            payload,
        })
    }

    /// The payload, decoded.
    pub(crate) fn payload(&self) -> Result<Vec<u8>, TokenError> {
        decode(self.payload).ok_or(TokenError::Malformed("payload encoding"))
    }

    /// The payload as a claims set (RFC 7519 section 7.2), of a token that may be an access token; decoded into `payload`.
    pub(crate) fn claims<'p>(&self, payload: &'p mut Vec<u8>) -> Result<Members<'p>, TokenError> {
        if !self.header.for_access {
            return Err(TokenError::Malformed("type"));
        }
        *payload = self.payload()?;
        match json::read(payload) {
            Some(Json::Object(claims)) => Ok(claims),
            _ => Err(TokenError::Malformed("claims")),
        }
    }
}

/// What is signed, its two parts, and the signature. The dots are found from both ends, and that there is no other many bytes
/// at a time: the standard library's searches are for texts of any size, and ten times as much code.
fn split(token: &str) -> Option<(&str, &str, &str, &str)> {
    let (first, last) = (position(token.as_bytes(), b'.')?, rposition(token.as_bytes(), b'.')?);
    let (signing_input, header) = (token.get(..last)?, token.get(..first)?);
    let (payload, signature) = (signing_input.get(first.saturating_add(1)..)?, token.get(last.saturating_add(1)..)?);
    let no_more = every(payload.as_bytes(), |byte| byte != b'.');
    (no_more && !header.is_empty() && !signature.is_empty()).then_some((signing_input, header, payload, signature))
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

#[cfg(test)]
mod tests;
