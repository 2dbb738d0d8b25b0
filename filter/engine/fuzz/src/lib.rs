//! What the targets share: a fixed time, a policy with every feature, keys, and tokens that those keys signed.

#![forbid(unsafe_code)]

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_engine::token::{HostCrypto, Proven};
use portcullis_engine::{Facts, FetchState, HeaderName, Policy, Secret, SecretLookup, UnixTime, Worker};
use serde_json::Value;

/// The time of everything, in seconds.
pub const NOW: i64 = 1_750_000_000;

/// What `{env: SECRET_KEY}` holds.
pub const SECRET: &[u8] = b"a secret of exactly 32 bytes, ok";

/// What `{env: OLD_SECRET_KEY}` holds.
pub const OLD_SECRET: &[u8] = b"the secret before it, a bit longer";

/// A policy with every feature; its partner's keys are those of [`Signed`].
const POLICY: &str = include_str!("../fixtures/policy.json");

const SIGNED: &str = include_str!("../fixtures/signed.json");

/// Headers as the engine takes them.
#[must_use]
pub fn headers<'h, const N: usize>(pairs: [(&'h str, &'h [u8]); N]) -> [(HeaderName<'h>, &'h [u8]); N] {
    pairs.map(|(name, value)| (HeaderName::parse(name.as_bytes()).expect("names are ASCII"), value))
}

/// The secrets of policies.
#[must_use]
pub fn secrets(name: &str) -> SecretLookup {
    match name {
        "SECRET_KEY" => SecretLookup::Value(Secret::new(SECRET.to_vec())),
        "OLD_SECRET_KEY" => SecretLookup::Value(Secret::new(OLD_SECRET.to_vec())),
        "ELSEWHERE" => SecretLookup::Unknown,
        _ => SecretLookup::Unset,
    }
}

/// Public keys, and tokens that their private halves signed before these were thrown away: no input can hold another.
pub struct Signed {
    /// The key set.
    pub jwks: String,
    /// The tokens; the last one has expired.
    pub tokens: Vec<String>,
}

impl Signed {
    /// Those that `seeds.py` made.
    #[must_use]
    pub fn load() -> Self {
        let document: Value = serde_json::from_str(SIGNED).expect("signed.json is JSON");
        let tokens = document["tokens"].as_array().expect("it has tokens").iter();
        let tokens = tokens.map(|token| token.as_str().expect("a token is text").to_owned()).collect();
        Self { jwks: document["jwks"].to_string(), tokens }
    }

    /// Whether a token says what one of these does, whatever its signature is: of ECDSA there are several.
    #[must_use]
    pub fn has_signed(&self, token: &str) -> bool {
        let said = |token: &str| token.rsplit_once('.').map(|(input, _)| input.to_owned());
        said(token).is_some_and(|input| self.tokens.iter().any(|own| said(own).as_deref() == Some(&input)))
    }
}

/// The policy with every feature.
#[must_use]
pub fn policy(signed: &Signed) -> Policy {
    let mut document: Value = serde_json::from_str(POLICY).expect("policy.json is JSON");
    document["providers"][1]["local_jwks"]["inline"] = signed.jwks.as_str().into();
    load(&document)
}

/// A policy that must be good.
#[must_use]
pub fn load(document: &Value) -> Policy {
    Policy::load(document.to_string().as_bytes(), &secrets).unwrap_or_else(|errors| panic!("{errors:?}"))
}

/// A worker that has fetched the keys of every issuer.
#[must_use]
pub fn informed(policy: &Policy, signed: &Signed) -> Worker {
    let mut worker = Worker::new(policy, Proven::NOTHING);
    for (index, remote) in policy.remote_jwks().iter().enumerate() {
        let state = remote.succeeded(&FetchState::NEVER, UnixTime::from_seconds(NOW));
        worker.learn(policy, index, &state, signed.jwks.as_bytes()).expect("the key set is good");
    }
    worker
}

/// Base64url without padding.
#[must_use]
pub fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A compact JWS with a good HS256 tag over any header and payload, however wrong they are.
#[must_use]
pub fn sign(header: &[u8], payload: &[u8], secret: &[u8]) -> String {
    let input = format!("{}.{}", base64url(header), base64url(payload));
    let tag = hmac_sha256::HMAC::mac(input.as_bytes(), secret);
    format!("{input}.{}", base64url(&tag))
}

/// A request's time and client.
pub struct At {
    /// The time.
    pub now: UnixTime,
    /// The client's address.
    pub client: Option<IpAddr>,
}

impl HostCrypto for At {}

impl Facts for At {
    fn now(&self) -> UnixTime {
        self.now
    }

    fn client(&self) -> Option<IpAddr> {
        self.client
    }
}

/// A header map as hosts hand it over (proxy-wasm ABI 0.2.1, "Serialized map").
#[must_use]
pub fn serialize(headers: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let number = |length: usize| u32::try_from(length).expect("inputs are short").to_le_bytes();
    let mut out = number(headers.len()).to_vec();
    for (name, value) in headers {
        out.extend(number(name.len()));
        out.extend(number(value.len()));
    }
    for text in headers.iter().flat_map(|(name, value)| [name, value]) {
        out.extend(text);
        out.push(0);
    }
    out
}
