use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_engine::token::{Algorithm, KeySet};
use serde_json::{Map, Value, json};

use super::read::parse;
use super::set::{Likeness, PublishedSet};
use super::{Kind, PublicKey};
use crate::exit::{Exit, Failure};
use crate::signing::SigningKey;

const RSA: &str = include_str!("../../tests/keys/rsa2048.pem");
const P256: &str = include_str!("../../tests/keys/p256.pem");
const P256_PUBLIC: &str = include_str!("../../tests/keys/p256.public.pem");
const P384: &str = include_str!("../../tests/keys/p384.pem");
const P521: &str = include_str!("../../tests/keys/p521.pem");
const ED25519: &str = include_str!("../../tests/keys/ed25519.pem");

/// Multiples of the base point whose `x` begins with a zero byte, which is left out.
const SHORT_P256: (&str, &str) =
    ("VUOJSvPQDtfXQKvb11yWsGh3t4fbX3Dup4uQqNfACg", "u0yFo9jqKe-q-iRAaRLdhNWxTcMr9lbvbGvVil2UP5I");
const SHORT_P384: (&str, &str) = (
    "TRBLJu5WcfcsEMmGhB0-ZdKF4lFhYbe6o0GxJjG54ytvDViW2EMcUdXZOjfLyQ4",
    "8RoeP4t7kFOO5CzADuk0puLuJVQWB9j7ZceosR4viGhTiG7vOGXskzIAufJVmfKf",
);
const SHORT_P521: (&str, &str) = (
    "xoWOBrcEBOnNnj7LZiOVtEKcZIE5BT-1Ifgor2BrTT26oUted-_nWSj-HcEnov-o3jNIs8GFakKb-X5-McLlvWY",
    "ARg5KWp4mjvABFyKX7QsfRvZmPVESVebRGgXr70XJz5mLJfucple9CZAxVC5AT-tB2E1PHCGonLCQIi-lHaf0WZQ",
);

/// RFC 7638 section 3.1.
const RFC7638_N: &str = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMs\
tn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbIS\
D08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";

fn jwk(value: &Value) -> Result<PublicKey, Failure> {
    PublicKey::from_jwk(value.as_object().unwrap(), "the key")
}

fn one(text: &str) -> PublicKey {
    parse(text, "the key").unwrap().pop().unwrap().key
}

#[test]
fn thumbprints_are_those_of_the_rfcs() {
    for (value, expected, message) in [
        (
            json!({"kty": "RSA", "n": RFC7638_N, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"}),
            "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
            "RFC 7638 section 3.1",
        ),
        (
            json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}),
            "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
            "RFC 8037 appendix A.3",
        ),
        (
            json!({"kty": "OKP", "crv": "Ed25519", "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
                   "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}),
            "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
            "the private key of RFC 8037 appendix A.1",
        ),
    ] {
        assert_eq!(jwk(&value).unwrap().thumbprint(), expected, "{message}");
    }
}

#[test]
fn both_halves_have_one_name_in_any_form() {
    assert_eq!(one(P256), one(P256_PUBLIC));
    for pem in [RSA, P256, P384, P521, ED25519] {
        let key = one(pem);
        let published = Value::Object(key.to_jwk("any", None));
        assert_eq!(jwk(&published).unwrap(), key);
        assert_eq!(one(&published.to_string()).thumbprint(), key.thumbprint());
        assert_eq!(one(&json!({"keys": [published]}).to_string()), key);
    }
}

#[test]
fn every_new_key_is_read_back_as_it_is() {
    for algorithm in [Algorithm::RS256, Algorithm::ES256, Algorithm::ES384, Algorithm::ES512, Algorithm::EdDSA] {
        let made = SigningKey::generate(algorithm, 2048).unwrap();
        let pem = made.to_pem().unwrap().unwrap();
        assert!(pem.starts_with("-----BEGIN PRIVATE KEY-----\n"), "{algorithm}");
        assert!(pem.ends_with("-----END PRIVATE KEY-----\n"), "{algorithm}");
        let read = SigningKey::from_pem(&pem, "the key").unwrap();
        assert_eq!(read.public(), made.public(), "{algorithm}");
        let public = made.public().unwrap();
        assert!(public.algorithms().contains(&algorithm), "{algorithm}");
        assert_eq!(public.rsa_bits(), (algorithm == Algorithm::RS256).then_some(2048));
        assert_ne!(SigningKey::generate(algorithm, 2048).unwrap().public(), made.public(), "{algorithm}");
    }
    for (algorithm, command) in [
        (Algorithm::HS256, "portcullis secret generate"),
        (Algorithm::HS384, "portcullis secret generate --bits 512"),
        (Algorithm::HS512, "portcullis secret generate --bits 512"),
    ] {
        let failure = SigningKey::generate(algorithm, 2048).err().unwrap();
        assert_eq!((failure.exit, Kind::of(algorithm)), (Exit::Usage, None));
        assert!(failure.remedy.unwrap().ends_with(command), "{algorithm}");
    }
}

#[test]
fn a_modulus_is_without_leading_zeros() {
    let key = one(RSA);
    let PublicKey { members, .. } = &key;
    let padded =
        PublicKey::rsa(&[&[0, 0][..], &URL_SAFE_NO_PAD.decode(&members["n"]).unwrap()].concat(), &[0, 1, 0, 1]);
    assert_eq!(padded, key);
}

#[test]
fn a_key_is_for_tokens_where_the_engine_says_so() {
    let of = |pem: &str, algorithm, change: &dyn Fn(&mut Map<String, Value>)| {
        let mut jwk = one(pem).to_jwk("k", algorithm);
        change(&mut jwk);
        jwk
    };
    let with = |name: &'static str, value: Value| {
        move |jwk: &mut Map<String, Value>| drop(jwk.insert(name.to_owned(), value.clone()))
    };
    let without_curve = |jwk: &mut Map<String, Value>| drop(jwk.remove("crv"));
    for (jwk, expected, message) in [
        (of(P256, None, &|_| ()), true, "a key as it is published"),
        (of(P256, Some(Algorithm::ES256), &without_curve), true, "P-256 by its algorithm"),
        (of(P384, Some(Algorithm::ES384), &without_curve), true, "P-384 by its algorithm"),
        (of(P521, Some(Algorithm::ES512), &without_curve), true, "P-521 by its algorithm"),
        (of(P384, Some(Algorithm::ES256), &without_curve), false, "a curve that is not the key's"),
        (of(P256, Some(Algorithm::RS256), &without_curve), false, "an algorithm without a curve"),
        (of(P256, None, &without_curve), false, "no curve and no algorithm"),
        (of(P256, Some(Algorithm::ES256), &with("crv", json!(null))), false, "a curve that is no text"),
        (of(ED25519, Some(Algorithm::EdDSA), &without_curve), false, "an Edwards curve is named"),
        (of(RSA, None, &with("crv", json!("P-256"))), true, "an RSA key has no curve, whatever it says"),
        (of(P256, None, &with("key_ops", json!(["verify"]))), true, "operations with `verify`"),
        (of(P256, None, &with("key_ops", json!("verify"))), false, "operations that are no array"),
        (of(P256, None, &with("key_ops", json!(null))), false, "operations that are nothing"),
        (of(P256, None, &with("use", json!("sig"))), true, "a use"),
        (of(P256, None, &with("use", json!(["sig"]))), false, "a use that is no text"),
    ] {
        let set = json!({"keys": [jwk]}).to_string();
        assert_eq!(KeySet::from_public_jwks(set.as_bytes()).is_ok(), expected, "the engine: {message}");
        assert_eq!(parse(&set, "the set").is_ok(), expected, "{message}");
    }
    let named = one(P256).to_jwk("k", None);
    let short = of(P256, Some(Algorithm::ES256), &without_curve);
    assert_eq!(PublicKey::from_jwk(&short, "the key").unwrap().to_jwk("k", None), named, "the curve is published");
}

/// RFC 7518 section 6.2.1.2.
#[test]
fn a_coordinate_is_in_full_length() {
    for (kind, point, message) in
        [(Kind::P256, &SHORT_P256, "P-256"), (Kind::P384, &SHORT_P384, "P-384"), (Kind::P521, &SHORT_P521, "P-521")]
    {
        let (x, y) = point;
        let (kty, crv) = kind.names();
        let short = jwk(&json!({"kty": kty, "crv": crv, "x": x, "y": y})).unwrap();
        let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
        let full = |text: &str| {
            let number = bytes(text);
            [vec![0; kind.coordinate_bytes() - number.len()], number].concat()
        };
        assert!(bytes(x).len() < full(x).len() || bytes(y).len() < full(y).len(), "{message} is short");
        let whole = PublicKey::ec(kind, &[&[4][..], &full(x), &full(y)].concat());
        assert_eq!(short, whole, "{message}");
        assert_eq!(short.thumbprint(), whole.thumbprint(), "{message}");
        let published = short.to_jwk("k", None);
        assert_eq!(published["x"], URL_SAFE_NO_PAD.encode(full(x)), "{message}");
        assert_eq!(published["y"], URL_SAFE_NO_PAD.encode(full(y)), "{message}");
    }
}

#[test]
fn what_is_no_public_key_for_tokens_says_why() {
    let ec = |change: &dyn Fn(&mut Map<String, Value>)| {
        let mut jwk = one(P256).to_jwk("k", None);
        change(&mut jwk);
        Value::Object(jwk).to_string()
    };
    let with = |name: &'static str, value: Value| ec(&move |jwk| drop(jwk.insert(name.to_owned(), value.clone())));
    for (text, problem) in [
        (r#"{"kty": "oct", "k": "c2VjcmV0"}"#.to_owned(), "is a secret"),
        (r#"{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}"#.to_owned(), "the key: key 1 is a secret"),
        (with("use", json!("enc")), "not for signatures"),
        (with("key_ops", json!(["deriveKey"])), "not for signatures"),
        (with("key_ops", json!("verify")), "not for signatures"),
        (with("key_ops", json!(null)), "not for signatures"),
        (with("crv", json!("secp256k1")), "not a kind of key"),
        (with("crv", json!(null)), "not a kind of key"),
        (ec(&|jwk| drop(jwk.remove("crv"))), "not a kind of key"),
        (with("crv", json!("P-384")), "not a valid EC key"),
        (with("kty", json!("RSA")), "no `n`"),
        (with("x", json!("!")), "no `x`"),
        (with("y", one(P256).to_jwk("k", None)["x"].clone()), "not a valid EC key"),
        (with("alg", json!("ES384")), "another algorithm"),
        (with("alg", json!("none")), "another algorithm"),
        (with("kid", json!(7)), "`kid` that is not text"),
        (ec(&|jwk| drop(jwk.remove("y"))), "no `y`"),
        (ec(&|_| ()).replacen('{', r#"{"kty":"EC","#, 1), "without repeated members"),
        (
            r#"{"kty":"OKP","crv":"Ed25519","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}"#.to_owned(),
            "not a valid Ed25519",
        ),
        (r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#.to_owned(), "at least 2048 bits"),
        (r#"{"kty":"AKP","pub":"AQAB"}"#.to_owned(), "not a kind of key"),
        (r#"{"keys": {}}"#.to_owned(), "no `keys` array"),
        (r#"{"keys": [7]}"#.to_owned(), "key 1 is not a JSON object"),
        ("{".to_owned(), "not a JSON object"),
        ("qhFUJgd4Wm1Q5mG0bM3dHnI7zEr9sVc2XyKtLp8uAoE".to_owned(), "neither a key"),
        ("-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n".to_owned(), "a certificate"),
        ("-----BEGIN RSA PUBLIC KEY-----\nMA==\n-----END RSA PUBLIC KEY-----\n".to_owned(), "not in SPKI form"),
        ("-----BEGIN PUBLIC KEY-----\nMA==\n-----END PUBLIC KEY-----\n".to_owned(), "not a kind or size"),
        (include_str!("../../tests/keys/p256.encrypted.pem").to_owned(), "encrypted"),
        (include_str!("../../tests/keys/rsa1024.pem").to_owned(), "kind or size"),
    ] {
        let failure = parse(&text, "the key").unwrap_err();
        assert_eq!(failure.exit, Exit::Invalid, "{problem}");
        assert!(failure.cause.contains(problem), "{problem:?} not in {:?}", failure.cause);
    }
}

fn set(value: &Value) -> Result<PublishedSet, Failure> {
    PublishedSet::parse(&value.to_string(), "the set")
}

fn signing(kid: &str) -> Value {
    Value::Object(one(P256).to_jwk(kid, Some(Algorithm::ES256)))
}

fn names(kids: &[&str]) -> Vec<Option<String>> {
    kids.iter().map(|kid| Some((*kid).to_owned())).collect()
}

#[test]
fn rotating_keeps_the_newest_and_drops_what_is_named() {
    let new = signing("new").as_object().unwrap().clone();
    let old = set(&json!({"keys": [signing("c"), signing("b"), signing("a")]})).unwrap();
    for (adds, keep, retire, kept, dropped) in [
        (true, 2, &[][..], &["c"][..], &["b", "a"][..]),
        (true, 1, &[], &[], &["c", "b", "a"]),
        (true, 4, &[], &["c", "b", "a"], &[]),
        (true, 9, &[], &["c", "b", "a"], &[]),
        (true, 2, &["c"], &["b"], &["c", "a"]),
        (true, 9, &["c", "b", "a"], &[], &["c", "b", "a"]),
        (false, 9, &["b"], &["c", "a"], &["b"]),
        (false, 9, &["a", "b", "a"], &["c"], &["b", "a"]),
    ] {
        let retire: Vec<_> = retire.iter().map(|name| (*name).to_owned()).collect();
        let rotated = old.rotate(adds.then_some(&new), keep, &retire).unwrap();
        assert_eq!((rotated.kept, rotated.dropped), (names(kept), names(dropped)), "{adds} {keep} {retire:?}");
        let text: Value = serde_json::from_str(&rotated.set.to_text().unwrap()).unwrap();
        let found: Vec<_> = text["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap()).collect();
        let expected = [if adds { &["new"][..] } else { &[] }, kept].concat();
        assert_eq!(found, expected, "{adds} {keep} {retire:?}");
    }
    let all: Vec<_> = ["a", "b", "c"].map(str::to_owned).to_vec();
    let failure = old.rotate(None, 9, &all).unwrap_err();
    assert_eq!(failure.exit, Exit::Usage);
    assert!(failure.cause.contains("no key would be left"), "{}", failure.cause);
    let failure = old.rotate(None, 9, &["d".to_owned()]).unwrap_err();
    assert_eq!((failure.exit, failure.remedy.as_deref()), (Exit::Usage, Some("it has: c, b, a")));
}

#[test]
fn keys_that_verify_nothing_stay_and_do_not_count() {
    let with = |member: &str, value: Value| {
        let mut key = signing("other");
        key[member] = value;
        key
    };
    let small = PublicKey::rsa(&[0xff; 128], &[1, 0, 1]);
    for (other, message) in [
        (with("use", json!("enc")), "a key for encryption by its use"),
        (with("key_ops", json!(["encrypt"])), "a key for encryption by its operations"),
        (with("key_ops", json!(["sign"])), "operations without `verify`, which the engine passes over"),
        (with("key_ops", json!("verify")), "operations that are no array"),
        (with("kty", json!("AKP")), "a type that the engine does not know"),
        (with("crv", json!("P-384")), "a point that is not on its curve"),
        (with("crv", json!("secp256k1")), "another curve"),
        (with("alg", json!("ECDH-ES")), "an algorithm that signs nothing"),
        (with("alg", json!("RS256")), "an algorithm of another type"),
        (Value::Object(small.to_jwk("other", None)), "an RSA key of 1024 bits"),
        (
            json!({"kty": "OKP", "crv": "X25519", "kid": "other", "x": "3p7bfXt9wbTTW2HC7OQ1Nz-DQ8hbeGdNrfx-FG-IK08"}),
            "a key for key agreement",
        ),
    ] {
        let old = set(&json!({"keys": [other, signing("b"), signing("a")]})).unwrap();
        let rotated = old.rotate(signing("new").as_object(), 2, &[]).unwrap();
        assert_eq!((rotated.kept, rotated.dropped), (names(&["other", "b"]), names(&["a"])), "{message}");
        assert_eq!(rotated.previous.as_deref(), Some("b"), "{message}");
        let all = ["a".to_owned(), "b".to_owned()];
        let failure = old.rotate(None, 9, &all).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage, "{message}");
        assert!(failure.cause.contains("no key would be left"), "{message}: {}", failure.cause);
    }
}

#[test]
fn a_key_without_a_name_has_its_thumbprint_for_one() {
    let mut nameless = signing("x");
    nameless.as_object_mut().unwrap().remove("kid");
    let thumbprint = one(P256).thumbprint();
    let old = set(&json!({"keys": [signing("a"), nameless, {"kty": "new", "use": "sig"}]})).unwrap();
    let rotated = old.rotate(None, 9, std::slice::from_ref(&thumbprint)).unwrap();
    assert_eq!((rotated.kept, rotated.dropped), (vec![Some("a".to_owned()), None], vec![Some(thumbprint)]));
}

/// Digits that a number would lose, the order of members, and spaces: none of it is ours to change.
#[test]
fn what_is_kept_stays_as_it_was_written() {
    let key = signing("a").to_string().replacen('{', r#"{"z": 12345678901234567890123, "x5c" : [ ], "#, 1);
    let text = format!("{{\"keys\": [\n  {key}], \"next\": 1.50, \"also\": {{\"b\": 1, \"a\": 2}}}}");
    let old = PublishedSet::parse(&text, "the set").unwrap();
    let rotated = old.rotate(signing("new").as_object(), 2, &[]).unwrap().set.to_text().unwrap();
    for part in [key.as_str(), "1.50", "{\"b\": 1, \"a\": 2}"] {
        assert!(rotated.contains(part), "{part} not in {rotated}");
    }
    let again = PublishedSet::parse(&rotated, "the set").unwrap();
    assert_eq!(again.to_text().unwrap(), rotated);
}

#[test]
fn a_set_that_is_not_one_to_publish_is_refused() {
    let mut private = signing("p");
    private["d"] = json!("AQAB");
    for (value, problem) in [
        (json!({"keys": [private]}), "key 1 is private"),
        (json!({"keys": [signing("a"), {"kty": "oct", "k": "AQAB"}]}), "key 2 is private"),
        (json!({"keys": [signing("a"), signing("a")]}), "two keys of the name `a`"),
        (json!({"keys": [7]}), "key 1 is not a JSON object"),
        (json!({"keys": "none"}), "no `keys` array"),
        (signing("a"), "no `keys` array"),
        (json!([]), "not a JSON object"),
    ] {
        let failure = set(&value).unwrap_err();
        assert_eq!(failure.exit, Exit::Invalid, "{problem}");
        assert!(failure.cause.contains(problem), "{problem:?} not in {:?}", failure.cause);
        assert!(failure.remedy.is_some(), "{problem}");
    }
}

#[test]
fn a_new_key_is_like_the_newest() {
    let named = |pem: &str, algorithm| Value::Object(one(pem).to_jwk("k", algorithm));
    let mut encryption = named(P384, None);
    encryption["use"] = json!("enc");
    let mut signs_only = named(P384, None);
    signs_only["key_ops"] = json!(["sign"]);
    for (keys, algorithm, published, rsa_bits) in [
        (json!([]), Algorithm::ES256, Some(Algorithm::ES256), None),
        (json!([named(ED25519, None)]), Algorithm::EdDSA, Some(Algorithm::EdDSA), None),
        (json!([named(ED25519, Some(Algorithm::Ed25519))]), Algorithm::Ed25519, Some(Algorithm::Ed25519), None),
        (json!([named(P521, None)]), Algorithm::ES512, Some(Algorithm::ES512), None),
        (json!([named(RSA, None)]), Algorithm::RS256, None, Some(2048)),
        (json!([named(RSA, Some(Algorithm::PS384))]), Algorithm::PS384, Some(Algorithm::PS384), Some(2048)),
        (json!([{"kty": "new"}, named(ED25519, None)]), Algorithm::EdDSA, Some(Algorithm::EdDSA), None),
    ] {
        let likeness = set(&json!({"keys": keys})).unwrap().likeness();
        assert_eq!(likeness, Likeness { algorithm, published, rsa_bits }, "{keys}");
    }
    for other in [encryption, signs_only] {
        let likeness = set(&json!({"keys": [other]})).unwrap().likeness();
        assert_eq!(likeness.algorithm, Algorithm::ES256, "{other}");
    }
}
