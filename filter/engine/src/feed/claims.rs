//! The first line of a feed: what was signed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::{FeedError, MAX_LINE_BYTES, TYP};
use crate::json;
use crate::time::UnixTime;
use crate::token::{CompactJws, Crypto, KeySet, verify_signature};

/// The payload of the JWS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedClaims {
    /// Counts up with every change.
    pub version: u64,
    /// Of a delta: the lowest version of a full feed that it applies to.
    pub base: Option<u64>,
    /// When it was made, in seconds since the epoch.
    pub iat: u64,
    /// From when on it is too old to be believed, in seconds since the epoch.
    pub exp: Option<u64>,
    /// How many bytes of content follow the line.
    pub size: u64,
    /// Their SHA-256.
    pub sha256: [u8; 32],
}

impl FeedClaims {
    /// The claims of this content.
    #[must_use]
    pub fn of(content: &[u8], version: u64, base: Option<u64>, iat: u64, exp: Option<u64>) -> Self {
        let size = u64::try_from(content.len()).unwrap_or(u64::MAX);
        Self { version, base, iat, exp, size, sha256: Sha256::digest(content).into() }
    }

    /// The payload to sign.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut members = Map::new();
        members.insert("version".into(), self.version.into());
        if let Some(base) = self.base {
            members.insert("base".into(), base.into());
        }
        members.insert("iat".into(), self.iat.into());
        if let Some(exp) = self.exp {
            members.insert("exp".into(), exp.into());
        }
        members.insert("size".into(), self.size.into());
        members.insert("sha256".into(), URL_SAFE_NO_PAD.encode(self.sha256).into());
        Value::Object(members).to_string()
    }

    /// Reads a payload; members that are not known are refused with it.
    ///
    /// # Errors
    /// [`FeedError::Line`].
    pub fn from_json(payload: &[u8]) -> Result<Self, FeedError> {
        let Some(Value::Object(mut members)) = json::parse(payload) else {
            return Err(FeedError::Line("the payload is not a JSON object without repeated members"));
        };
        let mut number = |name| match members.remove(name) {
            None => Ok(None),
            Some(value) => value.as_u64().map(Some).ok_or(FeedError::Line("a member is not a whole number")),
        };
        let (version, base, iat, exp) = (number("version")?, number("base")?, number("iat")?, number("exp")?);
        let size = number("size")?;
        let sha256 = members.remove("sha256").and_then(|value| URL_SAFE_NO_PAD.decode(value.as_str()?).ok());
        let sha256 = sha256.and_then(|hash| hash.try_into().ok());
        if !members.is_empty() {
            return Err(FeedError::Line("the payload has members that this version does not know"));
        }
        let (Some(version), Some(iat), Some(size), Some(sha256)) = (version, iat, size, sha256) else {
            return Err(FeedError::Line("the payload lacks one of version, iat, size, sha256"));
        };
        if version == 0 || base.is_some_and(|base| base == 0 || base > version) {
            return Err(FeedError::Line("versions start at 1, and a base is no later than its delta"));
        }
        Ok(Self { version, base, iat, exp, size, sha256 })
    }

    /// The end of its time.
    pub(crate) fn expires(&self) -> Option<UnixTime> {
        self.exp.map(|exp| UnixTime::from_seconds(i64::try_from(exp).unwrap_or(i64::MAX)))
    }

    /// Reads the first line of a file and verifies it. Gives where the content begins, too.
    pub(crate) fn of_file(file: &[u8], keys: &KeySet) -> Result<(Self, usize), FeedError> {
        let head = file.get(..file.len().min(MAX_LINE_BYTES.saturating_add(1))).unwrap_or_default();
        let end = head.iter().position(|byte| *byte == b'\n').ok_or(FeedError::Line("no end within 4096 bytes"))?;
        let line = head.get(..end).and_then(|line| std::str::from_utf8(line).ok());
        let line = line.ok_or(FeedError::Line("not text"))?;
        let jws = CompactJws::parse(line).map_err(|_| FeedError::Line("not a compact JWS"))?;
        if jws.header.typ.as_deref() != Some(TYP) {
            return Err(FeedError::Line("its `typ` is not `portcullis-feed+jws`"));
        }
        verify_signature(&jws, keys, None, Crypto::PORTABLE).map_err(FeedError::Signature)?;
        let payload = jws.payload().map_err(|_| FeedError::Line("the payload is not base64url"))?;
        Ok((Self::from_json(&payload)?, end.saturating_add(1)))
    }
}

/// The JWS header of a feed, for those who sign one.
#[must_use]
pub fn signing_header(algorithm: crate::token::Algorithm, kid: Option<&str>) -> String {
    match kid {
        Some(kid) => json!({"alg": algorithm.name(), "kid": kid, "typ": TYP}),
        None => json!({"alg": algorithm.name(), "typ": TYP}),
    }
    .to_string()
}
