mod rsa;

#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use p256::ecdsa::signature::Signer as _;
use serde_json::{Value, json};

use super::crypto::{P256_ORDER, P384_ORDER, P521_ORDER, ecdsa_sig_value};
use super::*;
use crate::secret::Secret;
use crate::testing::{NOW, OTHER_SECRET, SECRET, amended, base64url, expiring, now, sign};

fn hmac(kid: Option<&str>, algorithm: Algorithm, secret: &[u8]) -> Key {
    Key::hmac(kid.map(str::to_owned), Some(algorithm), &Secret::new(secret.to_vec()))
}

fn rules() -> ClaimRules {
    ClaimRules { issuer: None, audiences: Vec::new(), clock_skew: 30.0, require_expiration: true, max_lifetime: None }
}

/// Takes HS256 tokens of one key, `k1`.
fn verifier() -> TokenVerifier {
    TokenVerifier {
        keys: KeySet::new(vec![hmac(Some("k1"), Algorithm::HS256, SECRET)]),
        algorithms: vec![Algorithm::HS256],
        rules: rules(),
        max_token_bytes: 8192,
    }
}

const HEADER: &str = r#"{"alg":"HS256"}"#;

/// Claims that are good.
fn good() -> String {
    expiring(json!({"sub": "u1"}))
}

/// The code of the reason that a verdict has; `ok` for none.
fn code(verdict: &Result<VerifiedToken, TokenError>) -> &'static str {
    verdict.as_ref().map_or_else(|error| error.reason().code(), |_| "ok")
}

#[track_caller]
fn check(verifier: &TokenVerifier, token: &str, expected: &str, message: &str) {
    let verdict = verifier.verify(token, now());
    assert_eq!(code(&verdict), expected, "{message}: {token}: {verdict:?}");
}

#[test]
fn a_token_has_three_parts() {
    let token = sign(HEADER, &good(), SECRET);
    let parts: Vec<&str> = token.split('.').collect();
    let (header, payload, signature) = (parts[0], parts[1], parts[2]);
    check(&verifier(), &token, "ok", "three parts");
    for (token, message) in [
        (String::new(), "nothing"),
        ("..".into(), "three empty parts"),
        (header.to_owned(), "one part"),
        (format!("{header}.{payload}"), "two parts"),
        (format!("{header}.{payload}."), "no signature"),
        (format!(".{payload}.{signature}"), "no header"),
        (format!("{header}.{payload}.{signature}."), "a fourth part, empty"),
        (format!("{header}.{payload}.{signature}.x"), "a fourth part"),
        (format!("{header}..{signature}.{payload}"), "an empty part in the middle"),
        (format!("{header}.{payload}.{signature}.{signature}.x"), "five parts, as of an encrypted token"),
        (format!(" {token}"), "a space before"),
        (format!("{token} "), "a space behind"),
        (format!("{token}\n"), "a line break behind"),
        (token.replace('.', ","), "other separators"),
        ("\u{fffd}".into(), "not ASCII"),
    ] {
        check(&verifier(), &token, "token_malformed", message);
    }
    let empty = sign(HEADER, "", SECRET);
    check(&verifier(), &empty, "token_malformed", "an empty payload, signed");
}

#[test]
fn parts_are_strict_base64url() {
    let token = sign(HEADER, &good(), SECRET);
    let (input, signature) = token.rsplit_once('.').unwrap();
    let (header, payload) = input.split_once('.').unwrap();
    // 32 bytes are 43 characters, the last of which has two bits too many.
    let stray = |text: &str| {
        let alphabet: Vec<char> = ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['-', '_']).collect();
        let last = text.chars().last().unwrap();
        let at = alphabet.iter().position(|letter| *letter == last).unwrap();
        format!("{}{}", text.strip_suffix(last).unwrap(), alphabet[at ^ 1])
    };
    for (token, message) in [
        (format!("{input}.{signature}="), "padding"),
        (format!("{input}.{}", stray(signature)), "stray bits at the end"),
        (format!("{input}.{}+", signature.split_at(42).0), "the other alphabet, +"),
        (format!("{input}.{}/", signature.split_at(42).0), "the other alphabet, /"),
        (format!("{input}.{} {}", signature.split_at(20).0, signature.split_at(20).1), "a space"),
        (format!("{input}.{}\n{}", signature.split_at(20).0, signature.split_at(20).1), "a line break"),
        (format!("{input}.A"), "a single character"),
        (format!("{header}=.{payload}.{signature}"), "padding of the header"),
        (format!("{}.{payload}.{signature}", header.replace('e', "%65")), "escapes"),
    ] {
        check(&verifier(), &token, "token_malformed", message);
    }
    // Signed as they stand, so that only the encoding is wrong.
    for (payload, message) in
        [(format!("{payload}="), "padding"), (format!("{payload} "), "a space"), (format!("{payload}+"), "an alphabet")]
    {
        let input = format!("{header}.{payload}");
        let tag = base64url(hmac_sha256::HMAC::mac(input.as_bytes(), SECRET));
        check(&verifier(), &format!("{input}.{tag}"), "token_malformed", message);
    }
}

#[test]
fn headers_are_read_strictly() {
    for (header, expected, message) in [
        (r#"{"alg":"HS256"}"#, "ok", "the least"),
        (r#"{"alg":"HS256","typ":"JWT"}"#, "ok", "a type"),
        (r#"{"alg":"HS256","typ":"jwt"}"#, "ok", "types are media types, and so in any case"),
        (r#"{"alg":"HS256","typ":"at+jwt"}"#, "ok", "an access token of RFC 9068"),
        (r#"{"alg":"HS256","typ":"application/at+jwt"}"#, "ok", "the whole media type"),
        (r#"{"alg":"HS256","typ":"APPLICATION/JWT"}"#, "ok", "the whole media type, in capitals"),
        (r#"{"alg":"HS256","typ":"id+jwt"}"#, "token_malformed", "another kind of token"),
        (r#"{"alg":"HS256","typ":"logout+jwt"}"#, "token_malformed", "a logout token"),
        (r#"{"alg":"HS256","typ":"JOSE"}"#, "token_malformed", "another type"),
        (r#"{"alg":"HS256","typ":"text/jwt"}"#, "token_malformed", "another media type"),
        (r#"{"alg":"HS256","typ":""}"#, "token_malformed", "an empty type"),
        (r#"{"alg":"HS256","typ":7}"#, "token_malformed", "a type that is no string"),
        (r#"{"alg":"HS256","typ":null}"#, "token_malformed", "a type that is null"),
        (r#"{"alg":"HS256","cty":"JWT"}"#, "token_malformed", "a nested token"),
        (r#"{"alg":"HS256","crit":["exp"],"exp":1}"#, "token_malformed", "something critical"),
        (r#"{"alg":"HS256","crit":[]}"#, "token_malformed", "an empty crit"),
        (r#"{"alg":"HS256","b64":false,"crit":["b64"]}"#, "token_malformed", "an unencoded payload"),
        (r#"{"alg":"HS256","b64":true}"#, "token_malformed", "b64 at all"),
        (r#"{"alg":"HS256","zip":"DEF"}"#, "ok", "unknown members are ignored (RFC 7515 section 4)"),
        (
            r#"{"alg":"HS256","jku":"https://evil.test/","jwk":{"kty":"oct","k":"AA"},"x5c":["AA"]}"#,
            "ok",
            "key members",
        ),
        (r#"{"alg":"HS256","alg":"HS256"}"#, "token_malformed", "a repeated member"),
        (r#"{"alg":"none","\u0061lg":"HS256"}"#, "token_malformed", "a repeated member, escaped"),
        (r#"{"typ":"JWT"}"#, "token_algorithm", "no alg"),
        (r#"{"alg":"none"}"#, "token_algorithm", "none"),
        (r#"{"alg":"None"}"#, "token_algorithm", "None"),
        (r#"{"alg":"hs256"}"#, "token_algorithm", "case matters"),
        (r#"{"alg":"HS256 "}"#, "token_algorithm", "a space"),
        (r#"{"alg":["HS256"]}"#, "token_algorithm", "an array"),
        (r#"{"alg":null}"#, "token_algorithm", "null"),
        (r#"{"alg":"HS512"}"#, "token_algorithm", "known, but not allowed"),
        (r#"{"alg":"ES256K"}"#, "token_algorithm", "a curve that is not supported"),
        (r#"{"alg":"RSA-OAEP"}"#, "token_algorithm", "an algorithm of encryption"),
        (r#"{"alg":"HS256","kid":7}"#, "token_malformed", "a kid that is no string"),
        (r#"{"alg":"HS256","kid":null}"#, "token_malformed", "a kid that is null"),
        (r#"["alg","HS256"]"#, "token_malformed", "an array"),
        (r#""HS256""#, "token_malformed", "a string"),
        (r#"{"alg":"HS256""#, "token_malformed", "cut off"),
        ("{\"alg\":\"HS256\"}\0", "token_malformed", "something behind it"),
        ("\u{feff}{\"alg\":\"HS256\"}", "token_malformed", "a byte order mark"),
        (" {\"alg\":\"HS256\"} ", "ok", "white space is part of JSON"),
    ] {
        check(&verifier(), &sign(header, &good(), SECRET), expected, message);
    }
}

#[test]
fn payloads_are_objects_without_repeated_members() {
    let exp = NOW + 60;
    for (payload, expected, message) in [
        (format!(r#"{{"exp":{exp}}}"#), "ok", "the least"),
        (format!(r#"{{"exp":{exp},"exp":{exp}}}"#), "token_malformed", "a repeated claim"),
        (format!(r#"{{"exp":{exp},"a":{{"b":1,"b":2}}}}"#), "token_malformed", "a repeated member further down"),
        (format!(r#"{{"exp":{exp},"sub":"a","s\u0075b":"b"}}"#), "token_malformed", "a repeated claim, escaped"),
        (format!("[{exp}]"), "token_malformed", "an array"),
        ("null".into(), "token_malformed", "null"),
        ("x".into(), "token_malformed", "no JSON"),
        (format!(r#"{{"exp":{exp}}}x"#), "token_malformed", "something behind it"),
        (format!(r#"{{"exp":{exp},"a":"\ud800"}}"#), "token_malformed", "a lone surrogate"),
        (format!(r#"{{"exp":{exp},"a":{}1{}}}"#, "[".repeat(200), "]".repeat(200)), "token_malformed", "nested deeply"),
    ] {
        check(&verifier(), &sign(HEADER, &payload, SECRET), expected, message);
    }
    let input = format!("{}.{}", base64url(HEADER), base64url(b"{\"exp\":9999999999,\"a\":\"\xff\"}"));
    let tag = base64url(hmac_sha256::HMAC::mac(input.as_bytes(), SECRET));
    check(&verifier(), &format!("{input}.{tag}"), "token_malformed", "not UTF-8");
}

#[test]
fn nothing_of_a_token_can_be_changed() {
    let token = sign(HEADER, &good(), SECRET);
    for at in 0..token.len() {
        for letter in ["A", "B", "-", ".", "="] {
            let mut changed = token.clone();
            changed.replace_range(at..=at, letter);
            if changed != token {
                assert!(verifier().verify(&changed, now()).is_err(), "{letter} at {at}");
            }
        }
    }
    for cut in 0..token.len() {
        assert!(verifier().verify(token.split_at(cut).0, now()).is_err(), "cut at {cut}");
    }
    check(&verifier(), &sign(HEADER, &good(), OTHER_SECRET), "token_signature", "signed with another secret");
    check(&verifier(), &sign(HEADER, &good(), b""), "token_signature", "signed with no secret");
    let long = format!("{token}A");
    check(&verifier(), &long, "token_signature", "a longer signature");
    let (input, _) = token.rsplit_once('.').unwrap();
    for length in [0, 1, 16, 31, 33, 64] {
        let tag = hmac_sha256::HMAC::mac(input.as_bytes(), SECRET);
        let tag: Vec<u8> = tag.iter().copied().cycle().take(length).collect();
        assert!(verifier().verify(&format!("{input}.{}", base64url(tag)), now()).is_err(), "a tag of {length} bytes");
    }
}

/// One key of each type, with what signs for it.
struct Signer {
    algorithms: &'static [Algorithm],
    key: Key,
    sign: fn(Algorithm, &[u8]) -> Vec<u8>,
}

const LONG_SECRET: &[u8] = b"a secret of sixty-four bytes, long enough for any of HMAC's hashes";

fn signers() -> Vec<Signer> {
    use Algorithm::{ES256, ES384, ES512, Ed25519, EdDSA, HS256, HS384, HS512};
    fn p256() -> p256::ecdsa::SigningKey {
        p256::ecdsa::SigningKey::from_slice(&[7; 32]).unwrap()
    }
    fn p384() -> p384::ecdsa::SigningKey {
        p384::ecdsa::SigningKey::from_slice(&[7; 48]).unwrap()
    }
    fn p521() -> p521::ecdsa::SigningKey {
        let mut scalar = [7; 66];
        scalar[0] = 0;
        p521::ecdsa::SigningKey::from_slice(&scalar).unwrap()
    }
    fn ed25519() -> ed25519_compact::KeyPair {
        ed25519_compact::KeyPair::from_seed(ed25519_compact::Seed::new([7; 32]))
    }
    fn point(sec1: &[u8]) -> (&[u8], &[u8]) {
        sec1[1..].split_at(sec1.len() / 2)
    }
    fn ec(curve: &str, sec1: &[u8]) -> Key {
        let (x, y) = point(sec1);
        Key::ec(None, curve, x, y).unwrap()
    }
    vec![
        Signer {
            algorithms: &[HS256, HS384, HS512],
            key: Key::hmac(None, None, &Secret::new(LONG_SECRET.to_vec())),
            sign: |algorithm, message| match algorithm {
                HS384 => hmac_sha512::sha384::HMAC::mac(message, LONG_SECRET).to_vec(),
                HS512 => hmac_sha512::HMAC::mac(message, LONG_SECRET).to_vec(),
                _ => hmac_sha256::HMAC::mac(message, LONG_SECRET).to_vec(),
            },
        },
        Signer {
            algorithms: &[ES256],
            key: ec("P-256", p256().verifying_key().to_sec1_point(false).as_bytes()),
            sign: |_, message| {
                let signature: p256::ecdsa::Signature = p256().sign(message);
                signature.to_bytes().to_vec()
            },
        },
        Signer {
            algorithms: &[ES384],
            key: ec("P-384", p384().verifying_key().to_sec1_point(false).as_bytes()),
            sign: |_, message| {
                let signature: p384::ecdsa::Signature = p384().sign(message);
                signature.to_bytes().to_vec()
            },
        },
        Signer {
            algorithms: &[ES512],
            key: ec("P-521", p521().verifying_key().to_sec1_point(false).as_bytes()),
            sign: |_, message| {
                let signature: p521::ecdsa::Signature = p521().sign(message);
                signature.to_bytes().to_vec()
            },
        },
        Signer {
            algorithms: &[EdDSA, Ed25519],
            key: Key::ed25519(None, None, ed25519().pk.as_slice()).unwrap(),
            sign: |_, message| ed25519().sk.sign(message, None).to_vec(),
        },
    ]
}

/// A token by a signer, whatever algorithm its header names.
fn signed_by(signer: &Signer, named: Algorithm, used: Algorithm) -> String {
    let input = format!("{}.{}", base64url(json!({"alg": named.name()}).to_string()), base64url(good()));
    let signature = (signer.sign)(used, input.as_bytes());
    format!("{input}.{}", base64url(signature))
}

#[test]
fn every_algorithm_verifies_with_its_own_keys_only() {
    let signers = signers();
    for (at, signer) in signers.iter().enumerate() {
        for used in signer.algorithms {
            for named in Algorithm::ALL {
                let token = signed_by(signer, *named, *used);
                for (with, other) in signers.iter().enumerate() {
                    let verifier = TokenVerifier {
                        keys: KeySet::new(vec![other.key.clone()]),
                        algorithms: Algorithm::ALL.to_vec(),
                        ..verifier()
                    };
                    let fits = other.algorithms.contains(named);
                    // Two names of one algorithm (RFC 9864 section 2.2).
                    let alike = [named, used].iter().all(|name| matches!(name, Algorithm::EdDSA | Algorithm::Ed25519));
                    let expected = match (at == with && (named == used || alike), fits) {
                        (true, _) => "ok",
                        (false, true) => "token_signature",
                        (false, false) => "token_unknown_key",
                    };
                    let message = format!("signed with {used}, named {named}, key of {:?}", other.algorithms);
                    check(&verifier, &token, expected, &message);
                }
            }
        }
    }
}

#[test]
fn the_allow_list_rules_whatever_the_keys_can() {
    for signer in signers() {
        for used in signer.algorithms {
            let token = signed_by(&signer, *used, *used);
            for allowed in Algorithm::ALL {
                let verifier = TokenVerifier {
                    keys: KeySet::new(vec![signer.key.clone()]),
                    algorithms: vec![*allowed],
                    ..verifier()
                };
                let expected = if allowed == used { "ok" } else { "token_algorithm" };
                check(&verifier, &token, expected, &format!("{used}, where {allowed} is allowed"));
            }
        }
    }
}

/// A public key is no secret: HMAC over a token with the bytes of a public key convinces nobody (RFC 8725 section 2.1).
#[test]
fn public_keys_are_never_secrets() {
    let modulus = jws::decode(rsa::MODULUS).unwrap();
    let rsa = Key::rsa(None, None, &modulus, &[1, 0, 1]).unwrap();
    let keys = signers().into_iter().skip(1).map(|signer| signer.key).chain([rsa]);
    for key in keys {
        let shown = format!("{key:?}");
        let verifier =
            TokenVerifier { keys: KeySet::new(vec![key]), algorithms: Algorithm::ALL.to_vec(), ..verifier() };
        for secret in [modulus.as_slice(), rsa::MODULUS.as_bytes(), b""] {
            check(&verifier, &sign(HEADER, &good(), secret), "token_unknown_key", &shown);
        }
    }
}

#[test]
fn rsa_signatures_verify() {
    let modulus = jws::decode(rsa::MODULUS).unwrap();
    let verifier = |algorithm| TokenVerifier {
        keys: KeySet::new(vec![Key::rsa(None, algorithm, &modulus, &[1, 0, 1]).unwrap()]),
        algorithms: Algorithm::ALL.to_vec(),
        ..verifier()
    };
    for (algorithm, signature) in rsa::SIGNATURES {
        let input = |name: &str| {
            format!("{}.{}", base64url(format!(r#"{{"alg":"{name}"}}"#)), base64url(r#"{"sub":"u1","exp":4102444800}"#))
        };
        check(&verifier(None), &format!("{}.{signature}", input(algorithm.name())), "ok", algorithm.name());
        check(
            &verifier(Some(algorithm)),
            &format!("{}.{signature}", input(algorithm.name())),
            "ok",
            "a key for this algorithm only",
        );
        for other in Algorithm::ALL.iter().filter(|other| **other != algorithm) {
            let token = format!("{}.{signature}", input(other.name()));
            let message = format!("signed with {algorithm}, named {other}");
            let expected =
                if verifier(None).keys.keys()[0].fits(*other) { "token_signature" } else { "token_unknown_key" };
            check(&verifier(None), &token, expected, &message);
            check(&verifier(Some(algorithm)), &token, "token_unknown_key", &message);
        }
        let bytes = jws::decode(signature).unwrap();
        for (changed, message) in [
            (bytes[1..].to_vec(), "a byte short"),
            ([&[0], bytes.as_slice()].concat(), "a byte long"),
            (vec![0; 256], "zero"),
            ([&[0; 255], [1].as_slice()].concat(), "one"),
            (modulus.clone(), "the modulus"),
        ] {
            let token = format!("{}.{}", input(algorithm.name()), base64url(changed));
            check(&verifier(None), &token, "token_signature", message);
        }
    }
}

#[test]
fn rsa_signatures_verify_whatever_the_exponent() {
    let payload = base64url(r#"{"sub":"u1","exp":4102444800}"#);
    let input = |name: Algorithm| format!("{}.{payload}", base64url(format!(r#"{{"alg":"{name}"}}"#)));
    for (exponent, modulus, signatures) in rsa::OF_OTHER_EXPONENTS {
        let jwk = rsa_key(json!({"n": modulus, "e": exponent}));
        let keys = KeySet::from_jwks(json!({"keys": [jwk]}).to_string().as_bytes(), false).unwrap();
        let verifier = TokenVerifier { keys, algorithms: Algorithm::ALL.to_vec(), ..verifier() };
        for (algorithm, signature) in signatures {
            check(&verifier, &format!("{}.{signature}", input(algorithm)), "ok", &format!("{algorithm}, {exponent}"));
            for bad in [vec![0; 256], [&[0; 255], [1].as_slice()].concat(), jws::decode(modulus).unwrap()] {
                let token = format!("{}.{}", input(algorithm), base64url(bad));
                check(&verifier, &token, "token_signature", &format!("{algorithm}, {exponent}, made up"));
            }
        }
        let (first, second) = (signatures[0].1, signatures[1].0);
        check(&verifier, &format!("{}.{first}", input(second)), "token_signature", "the other padding's");
    }
}

#[test]
fn ecdsa_signatures_have_one_form_and_no_zeros() {
    for signer in signers() {
        let [algorithm] = signer.algorithms else { continue };
        let verifier =
            TokenVerifier { keys: KeySet::new(vec![signer.key.clone()]), algorithms: vec![*algorithm], ..verifier() };
        let token = signed_by(&signer, *algorithm, *algorithm);
        let (input, signature) = token.rsplit_once('.').unwrap();
        let bytes = jws::decode(signature).unwrap();
        let half = bytes.len() / 2;
        for (changed, message) in [
            (vec![0; bytes.len()], "zeros (CVE-2022-21449)"),
            ([&vec![0; half], &bytes[half..]].concat(), "r is zero"),
            ([&bytes[..half], &vec![0; half]].concat(), "s is zero"),
            (vec![0xff; bytes.len()], "beyond the order"),
            (bytes[..bytes.len() - 1].to_vec(), "a byte short"),
            ([bytes.as_slice(), &[0]].concat(), "a byte long"),
            ([&[0x30, 0x44, 2, 32], &bytes[..half], &[2, 32], &bytes[half..]].concat(), "DER"),
        ] {
            let token = format!("{input}.{}", base64url(changed));
            check(&verifier, &token, "token_signature", &format!("{algorithm}: {message}"));
        }
    }
}

#[test]
fn a_kid_picks_the_key() {
    let keys = |kids: &[(Option<&str>, &[u8])]| TokenVerifier {
        keys: KeySet::new(kids.iter().map(|(kid, secret)| hmac(*kid, Algorithm::HS256, secret)).collect()),
        ..verifier()
    };
    let two = [(Some("k1"), SECRET), (Some("k2"), OTHER_SECRET)];
    let one_unnamed = [(Some("k1"), SECRET), (None, OTHER_SECRET)];
    for (given, kid, secret, expected, message) in [
        (two.as_slice(), Some("k1"), SECRET, "ok", "the first"),
        (&two, Some("k2"), OTHER_SECRET, "ok", "the second"),
        (&two, Some("k1"), OTHER_SECRET, "token_signature", "another key's signature"),
        (&two, Some("k3"), SECRET, "token_unknown_key", "a kid that no key has"),
        (&two, Some("K1"), SECRET, "token_unknown_key", "case matters"),
        (&two, Some(""), SECRET, "token_unknown_key", "an empty kid"),
        (&two, Some("../k1"), SECRET, "token_unknown_key", "a path"),
        (&two, None, OTHER_SECRET, "ok", "without a kid any key may serve"),
        (&two, None, b"neither", "token_signature", "without a kid, and no key's"),
        (&one_unnamed, Some("k1"), SECRET, "ok", "the named one"),
        (&one_unnamed, Some("k1"), OTHER_SECRET, "token_signature", "the named one only"),
        (&one_unnamed, Some("k9"), OTHER_SECRET, "ok", "an unknown kid may be the unnamed key's"),
        (&one_unnamed, Some("k9"), SECRET, "token_signature", "but not a named key's"),
        (&[], None, SECRET, "token_unknown_key", "no keys"),
    ] {
        let mut header = json!({"alg": "HS256"});
        if let Some(kid) = kid {
            header["kid"] = kid.into();
        }
        check(&keys(given), &sign(&header.to_string(), &good(), secret), expected, message);
    }
    let token = sign(r#"{"alg":"HS256"}"#, &good(), OTHER_SECRET);
    let verified = keys(&two).verify(&token, now()).unwrap();
    assert_eq!(verified.kid(), Some("k2"), "the kid is the key's that verified");
    let token = sign(r#"{"alg":"HS256","kid":"forged"}"#, &good(), OTHER_SECRET);
    assert_eq!(keys(&one_unnamed).verify(&token, now()).unwrap().kid(), None, "never the token's");
}

#[test]
fn few_keys_are_tried_for_a_token_that_names_none() {
    let mut keys: Vec<Key> = (0..8).map(|_| hmac(None, Algorithm::HS256, OTHER_SECRET)).collect();
    keys.push(hmac(None, Algorithm::HS256, SECRET));
    let verifier = TokenVerifier { keys: KeySet::new(keys), ..verifier() };
    check(&verifier, &sign(HEADER, &good(), SECRET), "token_signature", "the ninth is not tried");
}

#[test]
fn dates_are_checked_to_the_fraction() {
    let fraction = UnixTime::from_millis(NOW * 1000 + 500);
    for (claims, expected, message) in [
        (json!({"exp": NOW + 1}), "ok", "a second ahead"),
        (json!({"exp": NOW}), "ok", "now, within the skew"),
        (json!({"exp": NOW - 29}), "ok", "the last second of the skew"),
        (json!({"exp": NOW - 30}), "token_expired", "the end of the skew: not on or after"),
        (json!({"exp": NOW - 31}), "token_expired", "beyond the skew"),
        (json!({"exp": NOW as f64 - 29.5}), "token_expired", "a fraction beyond"),
        (json!({"exp": NOW as f64 - 29.25}), "ok", "a fraction within"),
        (json!({"exp": 0}), "token_expired", "zero is a date, and long gone"),
        (json!({"exp": -1}), "token_expired", "negative"),
        (json!({"exp": -0.0}), "token_expired", "negative zero"),
        (json!({"exp": -1e300}), "token_expired", "hugely negative"),
        (json!({"exp": 1e300}), "ok", "huge"),
        (json!({"exp": u64::MAX}), "ok", "the largest whole number"),
        (json!({"exp": i64::MIN}), "token_expired", "the smallest"),
        (json!({"exp": "1750000060"}), "token_claims", "a string"),
        (json!({"exp": null}), "token_claims", "null"),
        (json!({"exp": true}), "token_claims", "a boolean"),
        (json!({"exp": [NOW + 60]}), "token_claims", "an array"),
        (json!({}), "token_expiration_missing", "no exp"),
        (json!({"exp": NOW + 60, "nbf": NOW}), "ok", "from now on"),
        (json!({"exp": NOW + 60, "nbf": NOW + 30}), "ok", "ahead, within the skew"),
        (json!({"exp": NOW + 60, "nbf": NOW + 31}), "token_not_yet_valid", "ahead"),
        (json!({"exp": NOW + 60, "nbf": NOW as f64 + 30.75}), "token_not_yet_valid", "ahead by a fraction"),
        (json!({"exp": NOW + 60, "nbf": 1e300}), "token_not_yet_valid", "hugely ahead"),
        (json!({"exp": NOW + 60, "nbf": 0}), "ok", "ever since"),
        (json!({"exp": NOW + 60, "nbf": -5}), "ok", "before that"),
        (json!({"exp": NOW + 60, "nbf": "0"}), "token_claims", "a string"),
        (json!({"exp": NOW + 60, "iat": NOW + 30}), "ok", "signed in the future, within the skew"),
        (json!({"exp": NOW + 60, "iat": NOW + 31}), "token_not_yet_valid", "signed in the future"),
        (json!({"exp": NOW + 60, "iat": "now"}), "token_claims", "a string"),
        (json!({"exp": NOW + 60, "iat": -1}), "ok", "signed long ago"),
    ] {
        let token = sign(HEADER, &claims.to_string(), SECRET);
        let verdict = verifier().verify(&token, fraction);
        assert_eq!(code(&verdict), expected, "{message}: {claims}: {verdict:?}");
    }
    for (number, expected) in [("1e400", "token_malformed"), ("-1e400", "token_malformed"), ("NaN", "token_malformed")]
    {
        let token = sign(HEADER, &format!(r#"{{"exp":{number}}}"#), SECRET);
        check(&verifier(), &token, expected, "beyond a double");
    }
}

#[test]
fn without_a_clock_every_token_has_expired() {
    let token = sign(HEADER, &expiring(json!({"exp": 1e15})), SECRET);
    let verdict = verifier().verify(&token, UnixTime::from_millis(i64::MAX));
    assert_eq!(code(&verdict), "token_expired");
}

#[test]
fn expiration_may_be_optional_but_not_its_truth() {
    let verifier = TokenVerifier { rules: ClaimRules { require_expiration: false, ..rules() }, ..verifier() };
    for (claims, expected, message) in [
        (json!({}), "ok", "none"),
        (json!({"exp": NOW - 60}), "token_expired", "gone by"),
        (json!({"exp": 0}), "token_expired", "zero is not none"),
        (json!({"exp": null}), "token_claims", "null is not none"),
    ] {
        check(&verifier, &sign(HEADER, &claims.to_string(), SECRET), expected, message);
    }
}

#[test]
fn lifetimes_are_limited() {
    let limited = |require_expiration| TokenVerifier {
        rules: ClaimRules { require_expiration, max_lifetime: Some(3600.0), ..rules() },
        ..verifier()
    };
    for (claims, expected, message) in [
        (json!({"exp": NOW + 3600, "iat": NOW}), "ok", "just so long"),
        (json!({"exp": NOW + 3630, "iat": NOW}), "ok", "within the skew"),
        (json!({"exp": NOW + 3631, "iat": NOW}), "token_lifetime", "too long"),
        (json!({"exp": NOW + 60, "iat": NOW - 7200}), "token_lifetime", "too long, and most of it is over"),
        (json!({"exp": NOW + 3600}), "ok", "without iat, from now on"),
        (json!({"exp": NOW + 3631}), "token_lifetime", "without iat, too long from now on"),
        (json!({"exp": 1e308, "iat": -1e308}), "token_lifetime", "longer than a double holds"),
        (json!({}), "token_expiration_missing", "for ever"),
    ] {
        for require_expiration in [true, false] {
            check(&limited(require_expiration), &sign(HEADER, &claims.to_string(), SECRET), expected, message);
        }
    }
}

#[test]
fn issuers_and_audiences() {
    let strict = TokenVerifier {
        rules: ClaimRules {
            issuer: Some("https://issuer.test".into()),
            audiences: vec!["a".into(), "b".into()],
            ..rules()
        },
        ..verifier()
    };
    for (claims, expected, message) in [
        (json!({"iss": "https://issuer.test", "aud": "a"}), "ok", "a string"),
        (json!({"iss": "https://issuer.test", "aud": ["x", "b"]}), "ok", "one of several"),
        (json!({"iss": "https://issuer.test", "aud": ["x"]}), "token_audience", "none of them"),
        (json!({"iss": "https://issuer.test", "aud": []}), "token_audience", "an empty array"),
        (json!({"iss": "https://issuer.test", "aud": ""}), "token_audience", "an empty string"),
        (json!({"iss": "https://issuer.test", "aud": "A"}), "token_audience", "case matters"),
        (json!({"iss": "https://issuer.test", "aud": "a b"}), "token_audience", "a string is one audience"),
        (json!({"iss": "https://issuer.test", "aud": ["a", 7]}), "token_claims", "not only strings"),
        (json!({"iss": "https://issuer.test", "aud": {"a": 1}}), "token_claims", "an object"),
        (json!({"iss": "https://issuer.test", "aud": null}), "token_claims", "null"),
        (json!({"iss": "https://issuer.test"}), "token_audience", "none at all"),
        (json!({"iss": "https://issuer.test/", "aud": "a"}), "token_issuer", "a slash more"),
        (json!({"iss": "HTTPS://issuer.test", "aud": "a"}), "token_issuer", "case matters"),
        (json!({"iss": "", "aud": "a"}), "token_issuer", "an empty issuer"),
        (json!({"iss": ["https://issuer.test"], "aud": "a"}), "token_claims", "an array"),
        (json!({"iss": null, "aud": "a"}), "token_claims", "null"),
        (json!({"aud": "a"}), "token_issuer", "no issuer"),
    ] {
        check(&strict, &sign(HEADER, &expiring(claims), SECRET), expected, message);
    }
    for (claims, expected, message) in [
        (json!({"iss": "anyone", "aud": "anything"}), "ok", "where neither is asked for"),
        (json!({"aud": 7}), "token_claims", "a wrong type is wrong all the same"),
        (json!({"sub": "u\u{1f600}"}), "ok", "any subject"),
        (json!({"sub": "a\nb"}), "token_claims", "a line break in the subject"),
        (json!({"sub": "a\u{0}"}), "token_claims", "NUL in the subject"),
        (json!({"sub": "a\u{85}"}), "token_claims", "a control character beyond ASCII"),
        (json!({"sub": 7}), "token_claims", "a number for a subject"),
        (json!({"sub": null}), "token_claims", "null for a subject"),
        (json!({"jti": 7}), "token_claims", "a number for an id"),
        (json!({"jti": "a\u{7f}"}), "token_claims", "a control character in the id"),
    ] {
        check(&verifier(), &sign(HEADER, &expiring(claims), SECRET), expected, message);
    }
}

#[test]
fn tokens_are_limited_in_size_before_anything_else() {
    let token = sign(HEADER, &expiring(json!({"pad": "x".repeat(200)})), SECRET);
    for (max_token_bytes, expected) in
        [(token.len(), "ok"), (token.len() - 1, "token_too_large"), (64, "token_too_large")]
    {
        check(&TokenVerifier { max_token_bytes, ..verifier() }, &token, expected, "by its bytes");
    }
    let huge = "A".repeat(1_000_000);
    check(&verifier(), &huge, "token_too_large", "and not looked at");
}

#[test]
fn signatures_can_be_verified_alone() {
    let keys = KeySet::new(vec![hmac(None, Algorithm::HS256, SECRET)]);
    assert_eq!(verify_signature_only(&sign(HEADER, "any bytes", SECRET), &keys), Ok(b"any bytes".to_vec()));
    assert_eq!(verify_signature_only(&sign(HEADER, "", SECRET), &keys), Ok(Vec::new()), "an empty payload");
    let unnamed = Err(TokenError::UnknownSigner { has_kid: false });
    assert_eq!(verify_signature_only(&sign(HEADER, "x", b"y"), &keys), unnamed, "a key that may be looked for");
    let named = sign(r#"{"alg":"HS256","kid":"b"}"#, "x", b"y");
    let unknown = Err(TokenError::UnknownSigner { has_kid: true });
    assert_eq!(verify_signature_only(&named, &keys), unknown, "a key to be looked for");
    let known = KeySet::new(vec![hmac(Some("b"), Algorithm::HS256, SECRET)]);
    assert_eq!(verify_signature_only(&named, &known), Err(TokenError::BadSignature), "no other key would do");
    assert_eq!(verify_signature_only("x", &keys), Err(TokenError::Malformed("parts")));
    assert_eq!(verify_signature_only(&sign(HEADER, "x", SECRET), &KeySet::default()), Err(TokenError::UnknownKey));
}

fn oct(members: Value) -> Value {
    amended(json!({"kty": "oct", "k": base64url(LONG_SECRET)}), members)
}

fn ec(members: Value) -> Value {
    let p256 = p256::ecdsa::SigningKey::from_slice(&[7; 32]).unwrap();
    let point = p256.verifying_key().to_sec1_point(false);
    let (x, y) = point.as_bytes()[1..].split_at(32);
    amended(json!({"kty": "EC", "crv": "P-256", "x": base64url(x), "y": base64url(y)}), members)
}

/// The same without `crv`.
fn curveless(members: Value) -> Value {
    let mut key = ec(members);
    key.as_object_mut().unwrap().remove("crv");
    key
}

fn rsa_key(members: Value) -> Value {
    amended(json!({"kty": "RSA", "n": rsa::MODULUS, "e": "AQAB"}), members)
}

fn okp(members: Value) -> Value {
    // RFC 8037, appendix A.1.
    amended(json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}), members)
}

#[test]
fn keys_of_a_set_are_taken_or_passed_over() {
    let zeros = base64url([0; 32]);
    for (jwk, expected, message) in [
        (oct(json!({})), Ok(()), "a secret"),
        (oct(json!({"alg": "HS512", "use": "sig", "key_ops": ["sign", "verify"], "kid": "a", "x": 1})), Ok(()), "all"),
        (oct(json!({"use": "enc"})), Err("not for verifying signatures"), "for encryption"),
        (oct(json!({"use": "SIG"})), Err("not for verifying signatures"), "case matters"),
        (oct(json!({"use": 1})), Err("its `use` is missing or malformed"), "use is no string"),
        (oct(json!({"key_ops": ["sign"]})), Err("not for verifying signatures"), "only for signing"),
        (oct(json!({"key_ops": []})), Err("not for verifying signatures"), "for nothing"),
        (oct(json!({"key_ops": "verify"})), Err("not for verifying signatures"), "operations are an array"),
        (oct(json!({"key_ops": ["verify"]})), Ok(()), "for verifying"),
        (oct(json!({"alg": "RS256"})), Err("for an algorithm (`alg`) that is not"), "a secret for RSA"),
        (oct(json!({"alg": "HS1"})), Err("for an algorithm (`alg`) that is not"), "an algorithm that is not known"),
        (oct(json!({"alg": 256})), Err("its `alg` is missing or malformed"), "an algorithm that is no string"),
        (oct(json!({"kid": 1})), Err("its `kid` is missing or malformed"), "a kid that is no string"),
        (oct(json!({"k": "a+b"})), Err("its `k` is missing or malformed"), "another alphabet"),
        (oct(json!({"k": null})), Err("its `k` is missing or malformed"), "no secret"),
        (oct(json!({"k": base64url([1; 31])})), Err("an HMAC key is shorter than its hash"), "31 bytes"),
        (oct(json!({"k": base64url([1; 32])})), Ok(()), "32 bytes"),
        (oct(json!({"k": base64url([1; 47]), "alg": "HS384"})), Err("an HMAC key is shorter"), "47 bytes for HS384"),
        (oct(json!({"k": base64url([1; 63]), "alg": "HS512"})), Err("an HMAC key is shorter"), "63 bytes for HS512"),
        (rsa_key(json!({})), Ok(()), "an RSA key"),
        (rsa_key(json!({"alg": "PS512"})), Ok(()), "for PSS"),
        (rsa_key(json!({"alg": "ES256"})), Err("for an algorithm (`alg`) that is not"), "for another type"),
        (rsa_key(json!({"n": rsa::SHORT_MODULUS})), Err("an RSA key needs at least 2048 bits"), "1024 bits"),
        (rsa_key(json!({"n": ""})), Err("an RSA key needs at least 2048 bits"), "no bits"),
        (
            rsa_key(json!({"n": base64url([vec![0; 200], vec![0xff; 200]].concat())})),
            Err("an RSA key needs at least 2048 bits"),
            "zeros make no key longer",
        ),
        (rsa_key(json!({"n": base64url([0xff; 512])})), Ok(()), "4096 bits"),
        (
            rsa_key(json!({"n": base64url([vec![0; 9], vec![0xff; 512]].concat())})),
            Ok(()),
            "zeros make no key too long",
        ),
        (
            rsa_key(json!({"n": base64url([vec![1], vec![0xff; 512]].concat())})),
            Err("an RSA key of more than 4096 bits"),
            "4097 bits",
        ),
        (rsa_key(json!({"n": base64url([0xfe; 256])})), Err("not a valid RSA key"), "an even modulus"),
        (rsa_key(json!({"e": ""})), Err("an RSA exponent that is even, under 3, or"), "no exponent"),
        (rsa_key(json!({"e": "AA"})), Err("an RSA exponent that is even, under 3, or"), "an exponent of zero"),
        (rsa_key(json!({"e": "AQ"})), Err("an RSA exponent that is even, under 3, or"), "an exponent of one"),
        (rsa_key(json!({"e": "Ag"})), Err("an RSA exponent that is even, under 3, or"), "an exponent of two"),
        (rsa_key(json!({"e": "Aw"})), Ok(()), "an exponent of three"),
        (rsa_key(json!({"e": "AAAAAAAAAAM"})), Ok(()), "an exponent of three, behind zeros"),
        (rsa_key(json!({"e": base64url([1, 0, 0])})), Err("an RSA exponent that is even"), "an even exponent"),
        (rsa_key(json!({"e": base64url([1, 0xff, 0xff, 0xff, 0xff])})), Ok(()), "an exponent of 33 bits"),
        (rsa_key(json!({"e": base64url([2, 0, 0, 0, 1])})), Err("or of more than 33 bits"), "an exponent of 34 bits"),
        (rsa_key(json!({"e": base64url([0xff; 200])})), Err("of more than 33 bits"), "an exponent that takes for ever"),
        (rsa_key(json!({"e": null})), Err("its `e` is missing or malformed"), "null for an exponent"),
        (ec(json!({})), Ok(()), "a P-256 key"),
        (ec(json!({"alg": "ES256"})), Ok(()), "for its algorithm"),
        (ec(json!({"alg": "ES384"})), Err("for an algorithm (`alg`) that is not"), "for another curve's"),
        (ec(json!({"alg": "HS256"})), Err("for an algorithm (`alg`) that is not"), "for HMAC"),
        (ec(json!({"crv": "P-384"})), Err("not a valid EC key"), "another curve"),
        (ec(json!({"crv": "secp256k1"})), Err("on a curve (`crv`) that is not"), "a curve that is not supported"),
        (ec(json!({"crv": null})), Err("its `crv` is missing or malformed"), "null for a curve"),
        (ec(json!({"x": zeros, "y": zeros})), Err("not a valid EC key"), "not on the curve"),
        (ec(json!({"y": ec(json!({}))["x"]})), Err("not a valid EC key"), "not on the curve either"),
        (ec(json!({"x": base64url([1; 31])})), Err("not a valid EC key"), "another coordinate, and short"),
        (ec(json!({"x": base64url([0; 33])})), Err("not a valid EC key"), "a long coordinate"),
        (ec(json!({"x": ""})), Err("not a valid EC key"), "no coordinate"),
        (curveless(json!({"alg": "ES256"})), Ok(()), "a curve that its algorithm tells"),
        (curveless(json!({"alg": "ES512"})), Err("not a valid EC key"), "another algorithm's"),
        (curveless(json!({})), Err("on a curve (`crv`) that is not"), "no curve at all"),
        (okp(json!({})), Ok(()), "an Ed25519 key"),
        (okp(json!({"alg": "EdDSA"})), Ok(()), "for its algorithm"),
        (okp(json!({"alg": "Ed25519"})), Ok(()), "for the algorithm of RFC 9864"),
        (okp(json!({"crv": "X25519"})), Err("on a curve (`crv`) that is not"), "for key agreement"),
        (okp(json!({"crv": "Ed448"})), Err("on a curve (`crv`) that is not"), "another curve that is not supported"),
        (okp(json!({"x": base64url([1; 31])})), Err("not a valid Ed25519 key"), "a byte short"),
        (okp(json!({"x": zeros})), Err("not a valid Ed25519 key"), "a point of small order"),
        (okp(json!({"x": base64url([0xff; 32])})), Err("not a valid Ed25519 key"), "no canonical point"),
        (okp(json!({"x": base64url([2; 32])})), Err("not a valid Ed25519 key"), "no point"),
        (json!({"kty": "AKP"}), Err("of a type (`kty`) that is not"), "a type that is not known"),
        (json!({}), Err("of a type (`kty`) that is not"), "no type"),
        (json!("x"), Err("not a JSON object"), "no object"),
    ] {
        let alone = json!({"keys": [jwk]}).to_string();
        match (KeySet::from_jwks(alone.as_bytes(), false), expected) {
            (Ok(keys), Ok(())) => assert_eq!(keys.keys().len(), 1, "{message}"),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{message}: {error}"),
            (found, _) => panic!("{message}: {found:?}"),
        }
        // Beside a good key, a bad one is passed over (RFC 7517 section 5); a short secret is not.
        let beside = json!({"keys": [jwk, ec(json!({"kid": "good"}))]}).to_string();
        let found = KeySet::from_jwks(beside.as_bytes(), false);
        match expected {
            Err(error) if error.contains("HMAC") => {
                assert_eq!(found.err(), Some(JwksError::SecretTooShort), "{message}")
            }
            _ => assert_eq!(found.unwrap().keys().len(), if expected.is_ok() { 2 } else { 1 }, "{message}"),
        }
    }
    let short = json!({"keys": [oct(json!({"k": "c2hvcnQ"}))]}).to_string();
    assert!(KeySet::from_jwks(short.as_bytes(), true).is_ok(), "short secrets, where they are asked for");
}

#[test]
fn a_set_without_a_usable_key_says_why() {
    let cases = [
        (json!([]), "no keys", "no keys"),
        (json!([oct(json!({}))]), "ok", "no usable key: a secret, which a published set cannot have"),
        (
            json!([oct(json!({})), oct(json!({"use": "enc"})), rsa_key(json!({"n": rsa::SHORT_MODULUS})), 7]),
            "ok",
            "no usable key: a secret, which a published set cannot have; an RSA key needs at least 2048 bits; \
             not a JSON object",
        ),
        (
            json!([{"kty": "AKP"}, {"kty": "AKP", "k": "AA"}, ec(json!({"use": "enc"}))]),
            "no usable key: of a type (`kty`) that is not supported; not for verifying signatures, as its `use` or \
             `key_ops` says",
            "no usable key: of a type (`kty`) that is not supported; not for verifying signatures, as its `use` or \
             `key_ops` says",
        ),
        (
            json!([ec(json!({"d": "AA"})), okp(json!({"d": null})), rsa_key(json!({"p": "AA"}))]),
            "ok",
            "no usable key: a private key, with its `d`, which a published set cannot have: anybody can sign with it; \
             a private key, with its `p`, which a published set cannot have: anybody can sign with it",
        ),
        (json!([oct(json!({})), ec(json!({}))]), "ok", "ok"),
        (json!([ec(json!({"d": "AA"})), ec(json!({}))]), "ok", "ok"),
    ];
    for (keys, expected, expected_published) in cases {
        let document = json!({"keys": keys}).to_string();
        let said = |read: Result<KeySet, JwksError>| read.map_or_else(|error| error.to_string(), |_| "ok".to_owned());
        assert_eq!(said(KeySet::from_jwks(document.as_bytes(), false)), expected, "{document}");
        assert_eq!(said(KeySet::from_public_jwks(document.as_bytes())), expected_published, "published: {document}");
    }
}

#[test]
fn a_key_of_a_set_with_an_algorithm_serves_no_other() {
    let jwks = json!({"keys": [oct(json!({"alg": "HS384"}))]}).to_string();
    let keys = KeySet::from_jwks(jwks.as_bytes(), false).unwrap();
    let [key] = keys.keys() else { panic!("one key") };
    for algorithm in Algorithm::ALL {
        assert_eq!(key.fits(*algorithm), *algorithm == Algorithm::HS384, "{algorithm}");
    }
    assert!(
        !key.verify(Algorithm::HS256, b"x", &hmac_sha256::HMAC::mac(b"x", LONG_SECRET), Crypto::PORTABLE),
        "not even when asked"
    );
}

#[test]
fn keys_and_secrets_are_not_shown() {
    let key = hmac(Some("k1"), Algorithm::HS256, SECRET);
    let secret = Secret::new(SECRET.to_vec());
    let policy = crate::testing::policy(&crate::testing::with_routes(json!([
        {"name": "r", "match": {"path": "/"}, "access": "authenticated"},
    ])));
    for shown in
        [format!("{key:?}"), format!("{secret:?}"), format!("{:?}", KeySet::new(vec![key])), format!("{policy:?}")]
    {
        let bytes: Vec<String> = SECRET.iter().map(u8::to_string).collect();
        assert!(!shown.contains(std::str::from_utf8(SECRET).unwrap()), "{shown}");
        assert!(!shown.contains(&bytes.join(", ")), "{shown}");
        assert!(!shown.contains("97, 32, 115"), "{shown}");
    }
}

#[test]
fn errors_say_what_is_wrong_without_the_token() {
    for (error, expected) in [
        (TokenError::Malformed("parts"), "malformed token: parts"),
        (TokenError::TooLarge { bytes: 9000, limit: 8192 }, "token of 9000 bytes, 8192 allowed"),
        (TokenError::AlgorithmNotAllowed(None), "algorithm unknown is not allowed"),
        (TokenError::AlgorithmNotAllowed(Some(Algorithm::HS256)), "algorithm HS256 is not allowed"),
        (TokenError::UnknownKey, "no key fits its kid and algorithm"),
        (TokenError::BadSignature, "wrong signature"),
        (TokenError::UnknownSigner { has_kid: true }, "wrong signature, and no key has its kid"),
        (TokenError::UnknownSigner { has_kid: false }, "wrong signature"),
        (TokenError::Expired { now: now(), exp: 1.5 }, "expired at 1.5, now 1750000000"),
        (TokenError::NotYetValid { claim: "nbf", now: now(), at: 2e9 }, "`nbf` is 2000000000, now 1750000000"),
        (TokenError::ExpirationMissing, "no `exp` claim"),
        (TokenError::LifetimeTooLong { seconds: 7200.0, limit: 60.0 }, "valid for 7200 seconds, 60 allowed"),
        (TokenError::IssuerNotAllowed, "issuer is not the expected one"),
        (TokenError::AudienceNotAllowed, "audience is not an expected one"),
        (TokenError::BadClaim("aud"), "claim `aud` is malformed"),
    ] {
        assert_eq!(error.to_string(), expected);
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod properties {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_text_panics(text in "[A-Za-z0-9_.=-]{0,200}") {
            let _ = verifier().verify(&text, now());
        }

        #[test]
        fn no_signed_header_or_payload_panics(header in ".{0,60}", payload in ".{0,60}") {
            let _ = verifier().verify(&sign(&header, &payload, SECRET), now());
        }

        #[test]
        fn no_dates_panic(exp in any::<f64>(), nbf in any::<f64>(), iat in any::<i64>(), at in any::<i64>()) {
            let verifier = TokenVerifier { rules: ClaimRules { max_lifetime: Some(60.0), ..rules() }, ..verifier() };
            let claims = json!({"exp": exp, "nbf": nbf, "iat": iat});
            let _ = verifier.verify(&sign(HEADER, &claims.to_string(), SECRET), UnixTime::from_millis(at));
        }

        #[test]
        fn no_key_set_panics(n in prop::collection::vec(any::<u8>(), 0..300), e in prop::collection::vec(any::<u8>(), 0..9)) {
            let _ = Key::rsa(None, None, &n, &e);
            let _ = Key::ec(None, "P-256", n.get(..32).unwrap_or(&n), &e);
            let _ = Key::ed25519(None, None, n.get(..32).unwrap_or(&n));
            let _ = KeySet::from_jwks(&n, false);
        }
    }
}

#[test]
fn ecdsa_signatures_become_der_as_the_libraries_write_it() {
    let number = |width: usize, digits: &[u8]| [vec![0; width - digits.len()].as_slice(), digits].concat();
    let digits: [&[u8]; 7] = [&[1], &[0x7f], &[0x80], &[0xff, 0], &[0, 0x80, 1], &[0x42; 31], &[0x9a; 20]];
    for r in digits {
        for s in digits {
            let of = |width: usize| [number(width, r), number(width, s)].concat();
            let (p256, p384, p521) = (of(32), of(48), of(66));
            let written = p256::ecdsa::Signature::from_slice(&p256).unwrap().to_der();
            assert_eq!(
                ecdsa_sig_value(&p256, &P256_ORDER).as_deref(),
                Some(written.as_bytes()),
                "P-256: {r:x?} {s:x?}"
            );
            let written = p384::ecdsa::Signature::from_slice(&p384).unwrap().to_der();
            assert_eq!(
                ecdsa_sig_value(&p384, &P384_ORDER).as_deref(),
                Some(written.as_bytes()),
                "P-384: {r:x?} {s:x?}"
            );
            let written = p521::ecdsa::Signature::from_slice(&p521).unwrap().to_der();
            assert_eq!(
                ecdsa_sig_value(&p521, &P521_ORDER).as_deref(),
                Some(written.as_bytes()),
                "P-521: {r:x?} {s:x?}"
            );
        }
    }
    // Long enough that its length takes two bytes.
    let long = [0x01; 132];
    let written = p521::ecdsa::Signature::from_slice(&long).unwrap().to_der();
    assert_eq!(
        ecdsa_sig_value(&long, &P521_ORDER).as_deref(),
        Some(written.as_bytes()),
        "P-521, two numbers without leading zeros"
    );
    for bad in [&P256_ORDER, &[0xff; 32]] {
        let both = [[&[1; 32], bad.as_slice()].concat(), [bad.as_slice(), &[1; 32]].concat()];
        assert!(both.iter().all(|bad| ecdsa_sig_value(bad, &P256_ORDER).is_none()), "not below the order: {bad:x?}");
    }
    // The last number that is.
    let below = |order: &[u8]| order.split_last().map(|(last, rest)| [rest, &[last - 1]].concat()).unwrap().repeat(2);
    let last = [below(&P256_ORDER), below(&P384_ORDER), below(&P521_ORDER)];
    assert!(p256::ecdsa::Signature::from_slice(&last[0]).is_ok() && ecdsa_sig_value(&last[0], &P256_ORDER).is_some());
    assert!(p384::ecdsa::Signature::from_slice(&last[1]).is_ok() && ecdsa_sig_value(&last[1], &P384_ORDER).is_some());
    assert!(p521::ecdsa::Signature::from_slice(&last[2]).is_ok() && ecdsa_sig_value(&last[2], &P521_ORDER).is_some());
    assert!(p256::ecdsa::Signature::from_slice(&P256_ORDER.repeat(2)).is_err(), "the libraries know the same order");
    assert!(p384::ecdsa::Signature::from_slice(&P384_ORDER.repeat(2)).is_err(), "the libraries know the same order");
    assert!(p521::ecdsa::Signature::from_slice(&P521_ORDER.repeat(2)).is_err(), "the libraries know the same order");
    for (bad, message) in [
        (vec![1; 63], "a byte too few"),
        (vec![1; 65], "a byte too many"),
        (Vec::new(), "nothing"),
        ([vec![0; 32], vec![1; 32]].concat(), "r is zero"),
        ([vec![1; 32], vec![0; 32]].concat(), "s is zero"),
    ] {
        assert_eq!(ecdsa_sig_value(&bad, &P256_ORDER), None, "{message}");
    }
}
