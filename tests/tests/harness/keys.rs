//! Key pairs, and tokens signed with them by PyJWT, all made once a run.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::token::encode;
use super::tool::python;

/// A pair for every algorithm, and two for a rotation, each with its public key and tokens. Making RSA keys is slow:
/// one is for all algorithms.
const SIGN_WITH_ALL: &str = r#"
import json, time, jwt
from cryptography.hazmat.primitives.asymmetric import rsa, ec, ed25519
from jwt.algorithms import RSAAlgorithm, ECAlgorithm, OKPAlgorithm

rsa_key = rsa.generate_private_key(65537, 2048)
pairs = {a: (a, rsa_key, RSAAlgorithm) for a in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")}
pairs |= {"ES256": ("ES256", ec.generate_private_key(ec.SECP256R1()), ECAlgorithm),
          "ES384": ("ES384", ec.generate_private_key(ec.SECP384R1()), ECAlgorithm),
          "ES512": ("ES512", ec.generate_private_key(ec.SECP521R1()), ECAlgorithm),
          "EdDSA": ("EdDSA", ed25519.Ed25519PrivateKey.generate(), OKPAlgorithm),
          "old": ("RS256", rsa.generate_private_key(65537, 2048), RSAAlgorithm),
          "new": ("ES256", ec.generate_private_key(ec.SECP256R1()), ECAlgorithm)}
now = int(time.time())
claims = {"sub": "ada", "role": "editor", "iss": "https://issuer.example.com", "aud": "portcullis-demo",
          "iat": now, "exp": now + 1800}
made = {}
for kid, (algorithm, key, kind) in pairs.items():
    jwk = json.loads(kind.to_jwk(key.public_key())) | {"kid": kid, "alg": algorithm, "use": "sig"}
    jwk.pop("key_ops", None)
    count = 64 if kid in ("old", "new") else 1
    tokens = [jwt.encode(claims | {"jti": f"{kid}-{n}"}, key, algorithm=algorithm, headers={"kid": kid})
              for n in range(count)]
    made[kid] = {"algorithm": algorithm, "jwk": jwk, "tokens": tokens}
print(json.dumps(made))
"#;

/// A key pair, of which only the public key and some signatures are left.
#[derive(Debug)]
pub struct Pair {
    pub kid: String,
    pub algorithm: String,
    /// The public key.
    pub jwk: Value,
    /// Tokens for `ada`, an editor, no two alike.
    pub tokens: Vec<String>,
}

impl Pair {
    pub fn token(&self) -> &str {
        &self.tokens[0]
    }
}

/// One pair an algorithm, its `kid` the algorithm's name.
pub fn by_algorithm() -> Vec<&'static Pair> {
    made().values().filter(|pair| pair.kid == pair.algorithm).collect()
}

/// The key that signs at first: RS256, 2048 bits.
pub fn old() -> &'static Pair {
    &made()["old"]
}

/// The key that takes over: ES256.
pub fn new() -> &'static Pair {
    &made()["new"]
}

/// The set of these keys.
pub fn set<'a>(pairs: impl IntoIterator<Item = &'a Pair>) -> Value {
    let keys: Vec<_> = pairs.into_iter().map(|pair| pair.jwk.clone()).collect();
    json!({"keys": keys})
}

/// The same token with another signature: one bit of it is turned.
pub fn forged(token: &str) -> String {
    resigned(token, |signature| signature[0] ^= 1)
}

/// The same token with its signature changed.
pub fn resigned(token: &str, change: impl FnOnce(&mut Vec<u8>)) -> String {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let mut signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    change(&mut signature);
    format!("{signed}.{}", encode(signature))
}

fn made() -> &'static BTreeMap<String, Pair> {
    static MADE: OnceLock<BTreeMap<String, Pair>> = OnceLock::new();
    MADE.get_or_init(|| {
        let made: BTreeMap<String, Value> = serde_json::from_str(&python(SIGN_WITH_ALL, "")).unwrap();
        let pair = |(kid, made): (String, Value)| {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let tokens = made["tokens"].as_array().unwrap().iter().map(text).collect();
            let pair = Pair { kid: kid.clone(), algorithm: text(&made["algorithm"]), jwk: made["jwk"].clone(), tokens };
            (kid, pair)
        };
        made.into_iter().map(pair).collect()
    })
}
