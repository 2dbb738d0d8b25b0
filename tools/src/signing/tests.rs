use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_simple::prelude::*;
use p521::ecdsa::signature::Verifier as _;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use portcullis_engine::token::Algorithm;

use super::{SigningKey, sign};
use crate::exit::Exit;
use crate::input::Secret;

const RSA: &str = include_str!("../../tests/keys/rsa2048.pem");
const P256: &str = include_str!("../../tests/keys/p256.pem");
const P384: &str = include_str!("../../tests/keys/p384.pem");
const P521: &str = include_str!("../../tests/keys/p521.pem");
const ED25519: &str = include_str!("../../tests/keys/ed25519.pem");
const SECRET: &[u8] = &[7; 64];

fn hmac(bytes: &[u8]) -> SigningKey {
    SigningKey::Hmac(Secret::new(Zeroizing::new(bytes.to_vec())))
}

fn claims() -> Map<String, Value> {
    let Value::Object(claims) = json!({"sub": "alice", "n": 9_007_199_254_740_993_u64}) else { panic!() };
    claims
}

fn token(key: &SigningKey, algorithm: Algorithm) -> String {
    sign(key, algorithm, Some("k1"), &claims()).unwrap().token
}

fn verified(token: &str, result: Result<JWTClaims<Map<String, Value>>, jwt_simple::Error>) {
    let verified = result.unwrap();
    assert_eq!(verified.subject.as_deref(), Some("alice"), "{token}");
}

#[test]
fn jwt_simple_verifies_what_is_signed() {
    macro_rules! check {
        ($key:expr, $algorithm:ident, $public:expr) => {
            let token = token(&$key, Algorithm::$algorithm);
            verified(&token, $public.verify_token(&token, None));
        };
    }
    check!(hmac(SECRET), HS256, HS256Key::from_bytes(SECRET));
    check!(hmac(SECRET), HS384, HS384Key::from_bytes(SECRET));
    check!(hmac(SECRET), HS512, HS512Key::from_bytes(SECRET));
    let key = |pem| SigningKey::from_pem(pem, "key").unwrap();
    check!(key(RSA), RS256, RS256KeyPair::from_pem(RSA).unwrap().public_key());
    check!(key(RSA), RS384, RS384KeyPair::from_pem(RSA).unwrap().public_key());
    check!(key(RSA), RS512, RS512KeyPair::from_pem(RSA).unwrap().public_key());
    check!(key(RSA), PS256, PS256KeyPair::from_pem(RSA).unwrap().public_key());
    check!(key(RSA), PS384, PS384KeyPair::from_pem(RSA).unwrap().public_key());
    check!(key(RSA), PS512, PS512KeyPair::from_pem(RSA).unwrap().public_key());
    check!(key(P256), ES256, ES256KeyPair::from_pem(P256).unwrap().public_key());
    check!(key(P384), ES384, ES384KeyPair::from_pem(P384).unwrap().public_key());
    check!(key(ED25519), EdDSA, Ed25519KeyPair::from_pem(ED25519).unwrap().public_key());
}

#[test]
fn es512_signatures_verify() {
    use p256::pkcs8::DecodePrivateKey;
    let token = token(&SigningKey::from_pem(P521, "key").unwrap(), Algorithm::ES512);
    let (input, signature) = token.rsplit_once('.').unwrap();
    let signature = p521::ecdsa::Signature::from_slice(&URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap();
    let key = p521::ecdsa::SigningKey::from_pkcs8_pem(P521).unwrap();
    key.verifying_key().verify(input.as_bytes(), &signature).unwrap();
}

/// The signature was computed with Python's `hmac`.
#[test]
fn a_token_is_the_same_every_time() {
    let token = sign(&hmac(&[b'k'; 32]), Algorithm::HS256, None, &claims()).unwrap().token;
    assert_eq!(
        token,
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJuIjo5MDA3MTk5MjU0NzQwOTkzLCJzdWIiOiJhbGljZSJ9.\
         FKq55ccCEgYReBdEaPM2llWLG7mnvJw3yxLb3mSzJMs"
    );
}

#[test]
fn the_algorithm_follows_from_the_key() {
    for (key, wanted, expected) in [
        (hmac(SECRET), None, Ok(Algorithm::HS256)),
        (hmac(SECRET), Some(Algorithm::HS512), Ok(Algorithm::HS512)),
        (hmac(SECRET), Some(Algorithm::RS256), Err(Exit::Usage)),
        (hmac(&[0; 32]), None, Ok(Algorithm::HS256)),
        (hmac(&[0; 31]), None, Err(Exit::Invalid)),
        (hmac(&[0; 48]), Some(Algorithm::HS384), Ok(Algorithm::HS384)),
        (hmac(&[0; 47]), Some(Algorithm::HS384), Err(Exit::Invalid)),
        (hmac(&[0; 63]), Some(Algorithm::HS512), Err(Exit::Invalid)),
        (SigningKey::from_pem(RSA, "key").unwrap(), None, Ok(Algorithm::RS256)),
        (SigningKey::from_pem(RSA, "key").unwrap(), Some(Algorithm::PS384), Ok(Algorithm::PS384)),
        (SigningKey::from_pem(RSA, "key").unwrap(), Some(Algorithm::HS256), Err(Exit::Usage)),
        (SigningKey::from_pem(P256, "key").unwrap(), None, Ok(Algorithm::ES256)),
        (SigningKey::from_pem(P256, "key").unwrap(), Some(Algorithm::ES384), Err(Exit::Usage)),
        (SigningKey::from_pem(P384, "key").unwrap(), None, Ok(Algorithm::ES384)),
        (SigningKey::from_pem(P521, "key").unwrap(), None, Ok(Algorithm::ES512)),
        (SigningKey::from_pem(ED25519, "key").unwrap(), None, Ok(Algorithm::EdDSA)),
    ] {
        assert_eq!(key.algorithm(wanted).map_err(|failure| failure.exit), expected, "{wanted:?}");
    }
}

#[test]
fn keys_that_cannot_sign_say_why() {
    for (pem, problem) in [
        (include_str!("../../tests/keys/p256.public.pem"), "public key"),
        (include_str!("../../tests/keys/p256.encrypted.pem"), "encrypted"),
        (include_str!("../../tests/keys/p256.sec1.pem"), "not in PKCS#8 form"),
        (include_str!("../../tests/keys/rsa2048.pkcs1.pem"), "not in PKCS#8 form"),
        (include_str!("../../tests/keys/rsa1024.pem"), "kind or size"),
        (include_str!("../../tests/keys/secp256k1.pem"), "kind or size"),
        (include_str!("../../tests/keys/ed448.pem"), "kind or size"),
        ("-----BEGIN PRIVATE KEY-----\nMA==\n-----END PRIVATE KEY-----\n", "kind or size"),
        ("-----BEGIN PRIVATE KEY-----", "kind or size"),
        ("qhFUJgd4Wm1Q5mG0bM3dHnI7zEr9sVc2XyKtLp8uAoE", "not a private key"),
        ("", "not a private key"),
    ] {
        let failure = SigningKey::from_pem(pem, "`key.pem`").err().unwrap();
        assert_eq!(failure.exit, Exit::Invalid, "{problem}");
        assert!(failure.cause.contains(problem), "{}", failure.cause);
        assert!(failure.remedy.is_some(), "{}", failure.cause);
    }
}
