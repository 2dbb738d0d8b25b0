//! What tests share: a time, a caller, tokens, policies, requests.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::config::PolicyError;
use crate::decision::Decision;
use crate::feed::{Draft, FeedClaims, signing_header};
use crate::headers::HeaderEdit;
use crate::pipeline::{Facts, Objection, RequestAction, Step, Trace, Verdict};
use crate::policy::Policy;
use crate::reply::LocalReply;
use crate::request::{HeaderName, borrow_headers};
use crate::secret::{Secret, SecretLookup};
use crate::time::UnixTime;
use crate::token::{Algorithm, HostCrypto, KeySet, Proven};
use crate::worker::Worker;

/// The time of every test, in seconds: 2025-06-15T15:06:40Z.
pub(crate) const NOW: i64 = 1_750_000_000;

/// What `{env: SECRET_KEY}` holds.
pub(crate) const SECRET: &[u8] = b"a secret of exactly 32 bytes, ok";

/// What `{env: OTHER_KEY}` holds.
pub(crate) const OTHER_SECRET: &[u8] = b"another secret, of 41 bytes, for provider";

/// What `{env: HEX_KEY, encoding: hex}` holds, and `{env: BASE64_KEY, encoding: base64url}`.
pub(crate) const HEX_SECRET: &[u8] = &[
    0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff, //
    0xff, 0xee, 0xdd, 0xcc, 0xbb, 0xaa, 0x99, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 0x00,
];

pub(crate) const fn now() -> UnixTime {
    UnixTime::from_seconds(NOW)
}

pub(crate) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A compact JWS with an HS256 tag over any header and payload, however wrong they are.
pub(crate) fn sign(header: &str, payload: &str, secret: &[u8]) -> String {
    let input = format!("{}.{}", base64url(header), base64url(payload));
    let tag = hmac_sha256::HMAC::mac(input.as_bytes(), secret);
    format!("{input}.{}", base64url(tag))
}

/// A good HS256 token for the provider of [`with_routes`], with these claims; `exp` is added where it is not there.
pub(crate) fn token(claims: Value) -> String {
    sign(r#"{"alg":"HS256","typ":"JWT","kid":"k1"}"#, &expiring(claims), SECRET)
}

/// The claims as text, with an `exp` an hour ahead unless they have one.
pub(crate) fn expiring(mut claims: Value) -> String {
    if let Some(members) = claims.as_object_mut() {
        members.entry("exp").or_insert_with(|| json!(NOW + 3600));
    }
    claims.to_string()
}

pub(crate) fn secrets(name: &str) -> SecretLookup {
    match name {
        "SECRET_KEY" => SecretLookup::Value(Secret::new(SECRET.to_vec())),
        "OTHER_KEY" => SecretLookup::Value(Secret::new(OTHER_SECRET.to_vec())),
        "SHORT_KEY" => SecretLookup::Value(Secret::new(b"31 bytes are one too few, sorry".to_vec())),
        "LONG_KEY" => SecretLookup::Value(Secret::new(SECRET.repeat(2))),
        "HEX_KEY" => SecretLookup::Value(Secret::new(
            b"00112233445566778899aabbccddeeffFFEEDDCCBBAA99887766554433221100".to_vec(),
        )),
        "BASE64_KEY" => SecretLookup::Value(Secret::new(base64url(HEX_SECRET).into_bytes())),
        "ELSEWHERE" => SecretLookup::Unknown,
        _ => SecretLookup::Unset,
    }
}

/// Compiles a document, or says what is wrong with it.
#[track_caller]
pub(crate) fn policy(document: &Value) -> Policy {
    match Policy::load(document.to_string().as_bytes(), &secrets) {
        Ok(policy) => policy,
        Err(errors) => {
            let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
            panic!("the policy is refused:\n{}", errors.join("\n"));
        }
    }
}

/// The errors of a document that must not compile.
#[track_caller]
pub(crate) fn errors(document: &Value) -> Vec<PolicyError> {
    match Policy::load(document.to_string().as_bytes(), &secrets) {
        Ok(_) => panic!("the policy is accepted: {document}"),
        Err(errors) => errors,
    }
}

/// A policy with one HS256 provider, a role table, and these routes.
pub(crate) fn with_routes(routes: Value) -> Value {
    json!({
        "version": "v1",
        "providers": [provider()],
        "roles": {
            "admin": {"read": "any", "write": "any"},
            "editor": {"read": "any", "write": "own"},
            "viewer": {"read": "any", "write": "none"},
        },
        "routes": routes,
    })
}

/// The provider of [`with_routes`].
pub(crate) fn provider() -> Value {
    json!({
        "name": "local",
        "allowed_algorithms": ["HS256"],
        "keys": [{"kid": "k1", "algorithm": "HS256", "secret": {"env": "SECRET_KEY"}}],
        "roles_from": {"claim": ["role"]},
        "claim_to_headers": [
            {"claim": ["sub"], "header": "x-user-id"},
            {"claim": ["role"], "header": "x-user-role"},
        ],
    })
}

/// The policy of [`with_routes`] with an identity feed and API keys; `changes` to `identity_feed`.
pub(crate) fn with_feed(changes: Value) -> Value {
    let feed = json!({"cluster": "feed", "authority": "feed.test", "path": "/feed", "key": feed_jwk().to_string()});
    let routes = json!([
        {"name": "open", "match": {"path": "/open"}, "access": "public"},
        {"name": "me", "match": {"path": "/me"}, "access": "authenticated"},
        {"name": "admin", "match": {"path": "/admin"}, "access": "roles", "roles": ["admin"]},
        {"name": "own", "match": {"path": "/users/{owner}"}, "access": "role_table",
         "owner": {"param": "owner", "claim": ["sub"]}},
    ]);
    amended(with_routes(routes), json!({"identity_feed": amended(feed, changes), "api_keys": {"header": "x-api-key"}}))
}

fn feed_pair(seed: u8) -> ed25519_compact::KeyPair {
    ed25519_compact::KeyPair::from_seed(ed25519_compact::Seed::new([seed; 32]))
}

/// The key that feeds are signed with.
pub(crate) fn feed_jwk() -> Value {
    json!({"kty": "OKP", "crv": "Ed25519", "x": base64url(*feed_pair(7).pk)})
}

pub(crate) fn feed_keys() -> KeySet {
    KeySet::from_public_jwks(json!({"keys": [feed_jwk()]}).to_string().as_bytes()).expect("a key")
}

/// The first line of a feed, however wrong it is.
pub(crate) fn feed_line(header: &str, payload: &str, seed: u8) -> String {
    let input = format!("{}.{}", base64url(header), base64url(payload));
    let signature = base64url(*feed_pair(seed).sk.sign(input.as_bytes(), None));
    format!("{input}.{signature}")
}

pub(crate) fn feed_file(line: &str, content: &[u8]) -> Vec<u8> {
    [line.as_bytes(), b"\n", content].concat()
}

/// A feed as it should be.
pub(crate) fn signed_feed(version: u64, base: Option<u64>, draft: Draft) -> Vec<u8> {
    let content = draft.encode().expect("content");
    let claims = FeedClaims::of(&content, version, base, 5, None).to_json();
    feed_file(&feed_line(&signing_header(Algorithm::EdDSA, None), &claims, 7), &content)
}

/// A document with some top-level members replaced or added.
pub(crate) fn amended(mut document: Value, members: Value) -> Value {
    if let (Some(document), Value::Object(members)) = (document.as_object_mut(), members) {
        document.extend(members);
    }
    document
}

/// A request, and who sends it.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    client: Option<IpAddr>,
    now: UnixTime,
}

impl Request {
    pub(crate) fn new(method: &str, target: &str) -> Self {
        Self { headers: Vec::new(), client: "203.0.113.9".parse().ok(), now: now() }
            .with(":method", method)
            .with(":path", target)
            .with(":authority", "api.example.com")
    }

    pub(crate) fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    pub(crate) fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(own, _)| own != name);
        self
    }

    /// With a good token of these claims.
    pub(crate) fn bearer(self, claims: Value) -> Self {
        self.with("authorization", format!("Bearer {}", token(claims)))
    }

    /// With a good token of user `u1` in this role.
    pub(crate) fn role(self, role: &str) -> Self {
        self.bearer(json!({"sub": "u1", "role": role}))
    }

    pub(crate) fn from(mut self, client: &str) -> Self {
        self.client = client.parse().ok();
        self
    }

    pub(crate) fn at(mut self, seconds: i64) -> Self {
        self.now = UnixTime::from_seconds(seconds);
        self
    }

    /// The headers as the engine takes them.
    pub(crate) fn map(&self) -> Vec<(HeaderName<'_>, &[u8])> {
        borrow_headers(&self.headers).unwrap()
    }

    pub(crate) fn decide(&self, policy: &Policy) -> Verdict {
        self.decide_with(policy, &mut Worker::new(policy, Proven::NOTHING))
    }

    /// With what an earlier decision kept.
    pub(crate) fn decide_with(&self, policy: &Policy, worker: &mut Worker) -> Verdict {
        policy.decide(&self.map(), self, worker, &mut ())
    }

    /// Every reason that speaks against the request, the first of which must be what it is refused for.
    #[track_caller]
    pub(crate) fn objections(&self, policy: &Policy) -> Vec<Objection> {
        let objections = policy.objections(&self.map(), self, &mut Worker::new(policy, Proven::NOTHING));
        let decisive = match self.decide(policy).decision {
            Decision::Allow(_) => None,
            Decision::Deny(reason) | Decision::DryRunDeny(reason) => Some(reason),
        };
        assert_eq!(objections.first().map(|objection| objection.reason), decisive, "{self:?} {objections:?}");
        objections
    }

    pub(crate) fn steps(&self, policy: &Policy) -> Vec<(Step, bool, String)> {
        let mut steps = Steps(Vec::new());
        policy.decide(&self.map(), self, &mut Worker::new(policy, Proven::NOTHING), &mut steps);
        steps.0
    }
}

impl HostCrypto for Request {}

impl Facts for Request {
    fn now(&self) -> UnixTime {
        self.now
    }

    fn client(&self) -> Option<IpAddr> {
        self.client
    }
}

struct Steps(Vec<(Step, bool, String)>);

impl Trace for Steps {
    fn step(&mut self, step: Step, passed: bool, detail: impl FnOnce() -> String) {
        self.0.push((step, passed, detail()));
    }
}

impl Verdict {
    /// The reply, which must be one.
    #[track_caller]
    pub(crate) fn reply(&self) -> &LocalReply {
        match &self.action {
            RequestAction::Reply(reply) => reply,
            RequestAction::Continue(_) => panic!("the request goes on: {}", self.decision.reason()),
        }
    }

    /// What the upstream is sent, which must be something.
    #[track_caller]
    pub(crate) fn edits(&self) -> Vec<&HeaderEdit> {
        match &self.action {
            RequestAction::Continue(edits) => edits.iter().collect(),
            RequestAction::Reply(reply) => panic!("answered with {}: {}", reply.status, self.decision.reason()),
        }
    }

    /// The status of the reply; `None` where the request goes on.
    pub(crate) fn status(&self) -> Option<u16> {
        match &self.action {
            RequestAction::Reply(reply) => Some(reply.status),
            RequestAction::Continue(_) => None,
        }
    }

    /// The decision and its reason, as the audit record has them.
    pub(crate) fn outcome(&self) -> (&'static str, &'static str) {
        (self.decision.as_str(), self.decision.reason())
    }

    /// The audit line, which must be one.
    #[track_caller]
    pub(crate) fn line(&self, status: u16) -> String {
        self.audit.clone().map(|record| record.line(Some(status))).expect("a record")
    }

    /// A member of the audit line.
    #[track_caller]
    pub(crate) fn recorded(&self, member: &str) -> Option<Value> {
        let line: Value = serde_json::from_str(&self.line(200)).expect("JSON");
        line.get(member).cloned()
    }
}

impl LocalReply {
    /// A header; `None` where it is absent. No header may be there twice.
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found: Vec<&str> = self.headers().filter(|(own, _)| **own == *name).map(|(_, value)| &**value).collect();
        assert!(found.len() < 2, "`{name}` is there {} times", found.len());
        found.first().copied()
    }
}

/// A header map after the edits, sorted by name.
pub(crate) fn after<'e>(
    edits: impl IntoIterator<Item = &'e HeaderEdit>,
    before: &[(&str, &str)],
) -> Vec<(String, String)> {
    let mut headers: Vec<(String, String)> =
        before.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    for edit in edits {
        match edit {
            HeaderEdit::Add(name, value) => {
                assert!(!headers.iter().any(|(own, _)| **own == **name), "`{name}` is there already");
                headers.push((name.to_string(), value.to_string()));
            }
            HeaderEdit::Append(name, value) => headers.push((name.to_string(), value.to_string())),
            HeaderEdit::Remove(name) => headers.retain(|(own, _)| **own != **name),
            HeaderEdit::Set(name, value) => {
                headers.retain(|(own, _)| **own != **name);
                headers.push((name.to_string(), value.to_string()));
            }
        }
    }
    headers.sort_by(|(left, _), (right, _)| left.cmp(right));
    headers
}

/// The name of a header.
pub(crate) fn header_name(name: &str) -> HeaderName<'_> {
    HeaderName::parse(name.as_bytes()).unwrap()
}

/// Headers of a message.
pub(crate) fn headers<'a, V: AsRef<[u8]> + ?Sized>(pairs: &[(&'a str, &'a V)]) -> Vec<(HeaderName<'a>, &'a [u8])> {
    pairs.iter().copied().map(|(name, value)| (header_name(name), value.as_ref())).collect()
}
