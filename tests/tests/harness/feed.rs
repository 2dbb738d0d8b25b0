//! Identity feeds, written with the engine's encoder and signed by another library.

use base64::Engine as _;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use portcullis_engine::feed::{Digest16, Draft, FeedClaims, KeyEntry, RevokedEntry, SubjectEntry, TYP};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::jwks::Answer;
use super::token::now;

/// Where the tests' policies look for the feed.
pub const FULL: &str = "/feed";
/// Where they look for what changed since.
pub const DELTA: &str = "/delta";

/// The secret part of every API key here.
const SECRET: &str = "c2VjcmV0IG9mIGV4YWN0bHkgMzIgYnl0ZXMsIG9r_-0";

/// RFC 8032 section 7.1, tests 1 and 2.
const SEEDS: [&str; 2] = [
    "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
    "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
];

/// The public half of the first.
pub fn key() -> Value {
    json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})
}

/// The same in a set with another that was there before or is to come.
pub fn keys() -> Value {
    json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw"}, key()]})
}

/// The public half of another alone.
pub fn other_key() -> Value {
    json!({"kty": "OKP", "crv": "Ed25519", "x": "_FHNjmIYoaONpH7QAjDwWAgW7RO6MwOsXeuRFUiQgCU"})
}

/// The policy's side; `changes` to it.
pub fn source(changes: &Value) -> Value {
    let mut feed = json!({
        "cluster": "feed", "authority": "feed.example.com", "path": FULL, "key": key().to_string(),
        "interval": "1s", "timeout": "1s", "stale_after": "10m",
    });
    feed.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    feed
}

/// A feed to be.
#[derive(Clone, Debug, Default)]
pub struct Feed {
    version: u64,
    base: Option<u64>,
    exp: Option<u64>,
    draft: Draft,
}

impl Feed {
    pub fn full(version: u64) -> Self {
        Self { version, ..Self::default() }
    }

    /// What changed since a full feed of `base` or later.
    pub fn delta(version: u64, base: u64) -> Self {
        Self { version, base: Some(base), ..Self::default() }
    }

    pub fn expires(mut self, at: i64) -> Self {
        self.exp = u64::try_from(at).ok();
        self
    }

    pub fn disabled(self, name: &str) -> Self {
        self.subject(SubjectEntry { disabled: true, ..subject(name) })
    }

    /// As if `name` were never named.
    pub fn enabled_again(self, name: &str) -> Self {
        self.subject(SubjectEntry { removed: true, ..subject(name) })
    }

    /// Voids the tokens of `name` from before this second.
    pub fn void_before(self, name: &str, at: i64) -> Self {
        self.subject(SubjectEntry { tokens_before: u32::try_from(at).unwrap(), ..subject(name) })
    }

    pub fn roles(self, name: &str, roles: &[&str]) -> Self {
        self.subject(SubjectEntry { roles: Some(owned(roles)), ..subject(name) })
    }

    fn subject(mut self, entry: SubjectEntry) -> Self {
        self.draft.subjects.push(entry);
        self
    }

    /// Revokes tokens that nobody has.
    pub fn revoked_many(mut self, count: u32) -> Self {
        let row = |number: u32| RevokedEntry { digest: Digest16::token(&format!("many-{number}")), expires: u32::MAX };
        self.draft.revoked.extend((0..count).map(row));
        self
    }

    /// API keys of one owner, from number 1,000 on.
    pub fn api_keys_many(self, count: u32) -> Self {
        (1000..count.saturating_add(1000)).fold(self, |feed, number| feed.api_key(number, "robot", &["viewer"]))
    }

    pub fn revoked(mut self, jti: &str) -> Self {
        let expires = u32::try_from(now() + 3600).unwrap();
        self.draft.revoked.push(RevokedEntry { digest: Digest16::token(jti), expires });
        self
    }

    /// An API key of `owner` with these roles, for [`api_key`] of the same number.
    pub fn api_key(self, number: u32, owner: &str, roles: &[&str]) -> Self {
        self.api_key_with(number, owner, roles, |_| ())
    }

    pub fn api_key_with(
        mut self,
        number: u32,
        owner: &str,
        roles: &[&str],
        change: impl FnOnce(&mut KeyEntry),
    ) -> Self {
        let mut entry = KeyEntry {
            digest: Digest16::key(&key_id(number)),
            secret_sha256: Sha256::digest(SECRET).into(),
            expires: 0,
            owner: Some(owner.to_owned()),
            roles: Some(owned(roles)),
            networks: None,
        };
        change(&mut entry);
        self.draft.keys.push(entry);
        self
    }

    /// The file.
    pub fn file(self) -> Vec<u8> {
        let content = self.draft.clone().encode().unwrap();
        self.signed(&content, 0)
    }

    /// The file, signed by a key that the policy does not have.
    pub fn forged(self) -> Vec<u8> {
        let content = self.draft.clone().encode().unwrap();
        self.signed(&content, 1)
    }

    /// A file of any content, rightly signed.
    pub fn of_content(self, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut content = self.draft.clone().encode().unwrap();
        change(&mut content);
        self.signed(&content, 0)
    }

    fn signed(self, content: &[u8], key: usize) -> Vec<u8> {
        let claims =
            FeedClaims::of(content, self.version, self.base, u64::try_from(now()).unwrap(), self.exp).to_json();
        let claims: Value = serde_json::from_str(&claims).unwrap();
        let header = Header { typ: Some(TYP.to_owned()), ..Header::new(Algorithm::EdDSA) };
        let line = jsonwebtoken::encode(&header, &claims, &signing_key(SEEDS[key])).unwrap();
        [line.as_bytes(), b"\n", content].concat()
    }

    /// What a server answers that has this feed.
    pub fn answer(self) -> Answer {
        served(self.version, self.file())
    }
}

/// A file as a server has it that knows its version.
pub fn served(version: u64, file: impl AsRef<[u8]>) -> Answer {
    Answer::bytes(file).header("content-type", "application/octet-stream").header("etag", &format!("\"{version}\""))
}

/// The text of an API key.
pub fn api_key(number: u32) -> String {
    format!("pk_{}_{SECRET}", key_id(number))
}

/// The same with another secret.
pub fn wrong_api_key(number: u32) -> String {
    api_key(number).replace("c2Vj", "d2Vj")
}

fn key_id(number: u32) -> String {
    format!("key{number:09}")
}

fn subject(name: &str) -> SubjectEntry {
    let digest = Digest16::subject(name);
    SubjectEntry { digest, disabled: false, removed: false, tokens_before: 0, roles: None }
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// A feed as the program of the documentation makes it.
pub fn documented(version: u64, disabled: &str, revoked: &str) -> Vec<u8> {
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs");
    let script = format!(
        r#"
import base64, sys
sys.dont_write_bytecode = True
sys.path.insert(0, {docs:?})
from identity_feed import Ed25519PrivateKey, feed
key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex({:?}))
print(base64.urlsafe_b64encode(feed(key, {version}, [{disabled:?}], {{{revoked:?}: 4000000000}})).decode())
"#,
        SEEDS[0]
    );
    base64::engine::general_purpose::URL_SAFE.decode(super::tool::python(&script, "").trim()).unwrap()
}

/// PKCS #8 (RFC 8410 section 7) around a seed.
fn signing_key(seed: &str) -> EncodingKey {
    let bytes = format!("302e020100300506032b657004220420{seed}");
    let byte = |at: usize| u8::from_str_radix(&bytes[at..at + 2], 16).unwrap();
    let der: Vec<u8> = (0..bytes.len()).step_by(2).map(byte).collect();
    EncodingKey::from_ed_der(&der)
}
