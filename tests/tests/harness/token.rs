//! Tokens made here, by code that shares nothing with the engine that checks them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::{Sha256, Sha384, Sha512};

/// The secret every test policy's HS256 key reads from the environment.
pub const SECRET: &str = "correct-horse-battery-staple-0123456789abcdef";

/// Seconds since 1970.
pub fn now() -> i64 {
    let elapsed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(elapsed.as_secs()).unwrap()
}

#[derive(Clone, Copy, Debug)]
pub enum Alg {
    Hs256,
    Hs384,
    Hs512,
}

impl Alg {
    pub fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
        }
    }

    fn sign(self, secret: &[u8], message: &[u8]) -> Vec<u8> {
        macro_rules! mac {
            ($hash:ty) => {{
                let mut mac = Hmac::<$hash>::new_from_slice(secret).unwrap();
                mac.update(message);
                mac.finalize().into_bytes().to_vec()
            }};
        }
        match self {
            Self::Hs256 => mac!(Sha256),
            Self::Hs384 => mac!(Sha384),
            Self::Hs512 => mac!(Sha512),
        }
    }
}

/// A token to be: its header, its claims, and how it is signed.
#[derive(Clone, Debug)]
pub struct Token {
    algorithm: Alg,
    secret: Vec<u8>,
    header: Value,
    claims: Value,
}

impl Token {
    /// A token the example policy takes: half an hour to live, for `subject` in `role`.
    pub fn of(subject: &str, role: &str) -> Self {
        Self {
            algorithm: Alg::Hs256,
            secret: SECRET.as_bytes().to_vec(),
            header: json!({"alg": "HS256", "typ": "JWT", "kid": "2026-11"}),
            claims: json!({
                "iss": "https://issuer.example.com", "aud": "portcullis-demo",
                "sub": subject, "role": role, "iat": now(), "exp": now() + 1800,
            }),
        }
    }

    /// Sets a claim; `null` takes it out.
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        set(&mut self.claims, name, value.into());
        self
    }

    /// Sets a header member; `null` takes it out.
    pub fn head(mut self, name: &str, value: impl Into<Value>) -> Self {
        set(&mut self.header, name, value.into());
        self
    }

    /// Signs with another algorithm, and says so in the header.
    pub fn algorithm(mut self, algorithm: Alg) -> Self {
        self.algorithm = algorithm;
        self.head("alg", algorithm.name())
    }

    pub fn secret(mut self, secret: impl AsRef<[u8]>) -> Self {
        self.secret = secret.as_ref().to_vec();
        self
    }

    pub fn mint(&self) -> String {
        sign(self.algorithm, &self.secret, self.header.to_string(), self.claims.to_string())
    }

    /// The same token with an empty signature.
    pub fn unsigned(&self) -> String {
        format!("{}.{}.", encode(self.header.to_string()), encode(self.claims.to_string()))
    }

    /// A signature that was right until one of its bits was turned.
    pub fn forged(&self) -> String {
        super::keys::forged(&self.mint())
    }
}

/// Signs any header and payload, JSON or not.
pub fn sign(algorithm: Alg, secret: &[u8], header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
    let signed = format!("{}.{}", encode(header), encode(payload));
    let signature = algorithm.sign(secret, signed.as_bytes());
    format!("{signed}.{}", encode(signature))
}

pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn set(object: &mut Value, name: &str, value: Value) {
    let object = object.as_object_mut().unwrap();
    if value.is_null() {
        object.remove(name);
    } else {
        object.insert(name.to_owned(), value);
    }
}
