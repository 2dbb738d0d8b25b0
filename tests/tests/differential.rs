//! Tokens, whole and mutated, put to the engine and to the library `jsonwebtoken`, whose cryptography is another too.
//!
//! What the engine accepts, the other must accept. What it refuses and the other accepts is refused for a reason that
//! is listed here; each has an example, so that a reason that is none any more does not stay.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken as theirs;
use portcullis_engine::token::{Algorithm, ClaimRules, KeySet, TokenError, TokenVerifier};
use portcullis_engine::{DenyReason, UnixTime};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Map, Value, json};

use crate::harness::tool::python;

/// Mutated tokens of a run.
const CASES: u32 = 4096;

/// Where the mutations begin, unless `PORTCULLIS_SEED` says otherwise: the same ones in every run.
const SEED: u64 = 2026;

const ISSUER: &str = "https://issuer.example.com";
const AUDIENCE: &str = "portcullis-demo";
const SKEW: u32 = 30;
const ALGORITHMS: [&str; 4] = ["HS256", "RS256", "ES256", "EdDSA"];

/// Private keys as `jsonwebtoken` reads them, and all their public halves.
const KEYS: &str = r#"
import base64, json, secrets, sys
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

pairs = {"RS256": (rsa.generate_private_key(65537, 2048), RSAAlgorithm, PrivateFormat.TraditionalOpenSSL),
         "ES256": (ec.generate_private_key(ec.SECP256R1()), ECAlgorithm, PrivateFormat.PKCS8),
         "EdDSA": (ed25519.Ed25519PrivateKey.generate(), OKPAlgorithm, PrivateFormat.PKCS8)}
secret = secrets.token_bytes(32)
jwks = [{"kty": "oct", "kid": "HS256", "k": base64.urlsafe_b64encode(secret).rstrip(b"=").decode()}]
private = {"HS256": base64.b64encode(secret).decode()}
for name, (key, kind, form) in pairs.items():
    jwk = json.loads(kind.to_jwk(key.public_key()))
    jwks.append({member: jwk[member] for member in ("kty", "crv", "n", "e", "x", "y") if member in jwk} | {"kid": name})
    private[name] = base64.b64encode(key.private_bytes(Encoding.DER, form, NoEncryption())).decode()
print(json.dumps({"jwks": jwks, "private": private}))
"#;

/// Why the engine may refuse what the other accepts.
struct Stricter {
    reason: DenyReason,
    why: &'static str,
    /// Whether it is so of this token.
    holds: fn(&Text) -> bool,
    /// A token it is so of.
    example: fn(&Keys) -> String,
}

const STRICTER: [Stricter; 7] = [
    Stricter {
        reason: DenyReason::TokenMalformed,
        why: "a repeated member: two readers would see two claims (RFC 7519 section 4 allows either)",
        holds: |text| repeats(&text.claims) || repeats(&text.header),
        example: |keys| keys.sign("HS256", &header("HS256").to_string(), &repeated("role", "admin")),
    },
    Stricter {
        reason: DenyReason::TokenMalformed,
        why: "nothing critical is understood here (RFC 7515 section 4.1.11)",
        holds: |text| text.header_value().get("crit").is_some(),
        example: |keys| keys.good(|header, _| drop(header.insert("crit".into(), json!(["exp"])))),
    },
    Stricter {
        reason: DenyReason::TokenMalformed,
        why: "another type of token is no access token (RFC 8725 section 3.11), nor is one in another",
        holds: |text| {
            let typ = &text.header_value()["typ"];
            text.header_value().get("cty").is_some() || !(typ.is_null() || typ == "JWT" || typ == "at+jwt")
        },
        example: |keys| keys.good(|header, _| drop(header.insert("typ".into(), json!("dpop+jwt")))),
    },
    Stricter {
        reason: DenyReason::TokenUnknownKey,
        why: "the `kid` picks the key; the other is handed one and does not look",
        holds: |text| text.header_value()["kid"] != text.header_value()["alg"],
        example: |keys| keys.good(|header, _| drop(header.insert("kid".into(), json!("another")))),
    },
    Stricter {
        reason: DenyReason::TokenNotYetValid,
        why: "a token cannot be older than its signing; the other does not look at `iat`",
        holds: |text| text.claims_value()["iat"].as_f64().is_some_and(|iat| iat > (now() + i64::from(SKEW)) as f64),
        example: |keys| keys.good(|_, claims| drop(claims.insert("iat".into(), json!(now() + 3600)))),
    },
    Stricter {
        reason: DenyReason::TokenClaims,
        why: "a registered claim of the wrong type, `null` included; the other looks at those it was asked for",
        holds: |text| {
            let claims = text.claims_value();
            let dates =
                ["exp", "nbf", "iat"].iter().any(|name| claims.get(name).is_some_and(|value| !value.is_number()));
            dates || ["iss", "sub", "jti"].iter().any(|name| claims.get(name).is_some_and(|value| !value.is_string()))
        },
        example: |keys| keys.good(|_, claims| drop(claims.insert("iss".into(), json!([ISSUER])))),
    },
    Stricter {
        reason: DenyReason::TokenClaims,
        why: "control characters have no place in a name that becomes a header",
        holds: |text| {
            let claims = text.claims_value();
            let controls = |name: &&str| claims[*name].as_str().is_some_and(|text| text.chars().any(char::is_control));
            ["iss", "sub", "jti"].iter().any(controls)
        },
        example: |keys| keys.good(|_, claims| drop(claims.insert("sub".into(), json!("a\u{0}b")))),
    },
];

/// Where the other refuses what the engine accepts: RFC 7519 section 2 has a NumericDate before 1970 too, and a token
/// that is good since then is good. No `exp` is one: such a token has expired.
fn is_older_than_the_epoch(text: &Text) -> bool {
    text.claims_value()["nbf"].as_f64().is_some_and(|nbf| nbf < 0.0)
}

#[test]
fn what_the_engine_accepts_another_library_accepts() {
    let seed = std::env::var("PORTCULLIS_SEED").ok().map_or(SEED, |seed| seed.parse().expect("a number"));
    eprintln!("{CASES} mutated tokens from PORTCULLIS_SEED={seed}");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let keys = Keys::made();
    let (accepted, refused) = (std::cell::Cell::new(0_u32), std::cell::Cell::new(0_u32));
    let outcome = runner.run(&mutation(), |mutation| {
        let token = mutation.token(keys);
        match keys.agree(&token) {
            Ok(true) => accepted.set(accepted.get() + 1),
            Ok(false) => refused.set(refused.get() + 1),
            Err(difference) => return Err(TestCaseError::fail(format!("{difference}\n{token}"))),
        }
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("PORTCULLIS_SEED={seed}: {failure}"));
    // A generator that makes nothing good, or nothing bad, proves nothing.
    assert!(accepted.get() > CASES / 20 && refused.get() > CASES / 4, "{accepted:?} accepted, {refused:?} refused");
}

/// A token that nobody changed is good to both, so what the mutations show is theirs.
#[test]
fn what_nobody_changed_is_good_to_both() {
    let keys = Keys::made();
    for algorithm in ALGORITHMS {
        let token = keys.sign(algorithm, &header(algorithm).to_string(), &claims().to_string());
        assert_eq!(keys.agree(&token), Ok(true), "{algorithm}");
    }
}

#[test]
fn every_listed_difference_is_one() {
    let keys = Keys::made();
    for Stricter { reason, why, holds, example } in &STRICTER {
        let token = example(keys);
        assert_eq!(keys.ours(&token).map_err(|error| error.reason()), Err(*reason), "{why}");
        assert!(keys.others(&token).is_ok(), "{why}: the other refuses it too: {:?}", keys.others(&token));
        assert!(holds(&Text::of(&token)), "{why}");
    }
    let token = keys.good(|_, claims| drop(claims.insert("nbf".into(), json!(-1))));
    assert!(keys.ours(&token).is_ok() && keys.others(&token).is_err() && is_older_than_the_epoch(&Text::of(&token)));
}

struct Keys {
    set: KeySet,
    private: BTreeMap<String, theirs::EncodingKey>,
    public: BTreeMap<String, theirs::DecodingKey>,
}

impl Keys {
    fn made() -> &'static Self {
        static MADE: OnceLock<Keys> = OnceLock::new();
        MADE.get_or_init(|| {
            let made: Value = serde_json::from_str(&python(KEYS, "")).unwrap();
            let set = json!({"keys": made["jwks"]}).to_string();
            let (mut private, mut public) = (BTreeMap::new(), BTreeMap::new());
            for jwk in made["jwks"].as_array().unwrap() {
                let name = jwk["kid"].as_str().unwrap().to_owned();
                let der = STANDARD.decode(made["private"][&name].as_str().unwrap()).unwrap();
                let key = match name.as_str() {
                    "HS256" => theirs::EncodingKey::from_secret(&der),
                    "RS256" => theirs::EncodingKey::from_rsa_der(&der),
                    "ES256" => theirs::EncodingKey::from_ec_der(&der),
                    _ => theirs::EncodingKey::from_ed_der(&der),
                };
                private.insert(name.clone(), key);
                let jwk: theirs::jwk::Jwk = serde_json::from_value(jwk.clone()).unwrap();
                public.insert(name, theirs::DecodingKey::from_jwk(&jwk).unwrap());
            }
            Self { set: KeySet::from_jwks(set.as_bytes(), false).unwrap(), private, public }
        })
    }

    fn sign(&self, key: &str, header: &str, claims: &str) -> String {
        let input = format!("{}.{}", encode(header), encode(claims));
        let signature = theirs::crypto::sign(input.as_bytes(), &self.private[key], key.parse().unwrap()).unwrap();
        format!("{input}.{signature}")
    }

    /// A good token, changed before it was signed.
    fn good(&self, change: impl Fn(&mut Map<String, Value>, &mut Map<String, Value>)) -> String {
        let (mut header, mut claims) = (header("ES256"), claims());
        change(header.as_object_mut().unwrap(), claims.as_object_mut().unwrap());
        self.sign("ES256", &header.to_string(), &claims.to_string())
    }

    fn ours(&self, token: &str) -> Result<Value, TokenError> {
        let rules = ClaimRules {
            issuer: Some(ISSUER.into()),
            audiences: vec![AUDIENCE.into()],
            clock_skew: f64::from(SKEW),
            require_expiration: true,
            max_lifetime: None,
        };
        let algorithms = ALGORITHMS.iter().filter_map(|name| Algorithm::from_name(name)).collect();
        let verifier = TokenVerifier { keys: self.set.clone(), algorithms, rules, max_token_bytes: 8192 };
        verifier.verify(token, UnixTime::from_seconds(now())).map(|verified| Value::Object(verified.claims().clone()))
    }

    fn others(&self, token: &str) -> Result<Value, String> {
        let decode = || {
            let header = theirs::decode_header(token)?;
            let name = format!("{:?}", header.alg);
            let key = self.public.get(&name).ok_or(theirs::errors::ErrorKind::InvalidAlgorithm)?;
            let mut rules = theirs::Validation::new(header.alg);
            rules.leeway = SKEW.into();
            rules.validate_nbf = true;
            rules.set_issuer(&[ISSUER]);
            rules.set_audience(&[AUDIENCE]);
            rules.set_required_spec_claims(&["exp", "iss", "aud"]);
            Ok(theirs::decode::<Value>(token, key, &rules)?.claims)
        };
        decode().map_err(|error: theirs::errors::Error| error.to_string())
    }

    /// Whether both accept a token, or else how they differ.
    fn agree(&self, token: &str) -> Result<bool, String> {
        match (self.ours(token), self.others(token)) {
            (Ok(ours), Ok(others)) if ours == others => Ok(true),
            (Ok(ours), Ok(others)) => Err(format!("the engine reads {ours}, the other {others}")),
            (Ok(_), Err(_)) if is_older_than_the_epoch(&Text::of(token)) => Ok(true),
            (Ok(_), Err(error)) => Err(format!("the engine accepts what the other refuses: {error}")),
            (Err(_), Err(_)) => Ok(false),
            (Err(error), Ok(_)) => {
                let text = Text::of(token);
                let listed = STRICTER.iter().any(|row| row.reason == error.reason() && (row.holds)(&text));
                if listed { Ok(false) } else { Err(format!("the engine alone refuses it, unlisted: {error}")) }
            }
        }
    }
}

/// A token whose parts can be decoded, as they can in all that the other accepts.
struct Text {
    header: String,
    claims: String,
}

impl Text {
    fn of(token: &str) -> Self {
        let part = |index| {
            let part: &str = token.split('.').nth(index).unwrap_or_default();
            String::from_utf8(URL_SAFE_NO_PAD.decode(part).unwrap_or_default()).unwrap_or_default()
        };
        Self { header: part(0), claims: part(1) }
    }

    fn header_value(&self) -> Value {
        serde_json::from_str(&self.header).unwrap_or_default()
    }

    fn claims_value(&self) -> Value {
        serde_json::from_str(&self.claims).unwrap_or_default()
    }
}

/// Whether an object repeats a member: it has fewer than its text has names. The generator's values have no quotes.
fn repeats(text: &str) -> bool {
    let members = serde_json::from_str::<Map<String, Value>>(text).map_or(0, |members| members.len());
    text.matches("\":").count() > members
}

/// A change to a good token.
#[derive(Clone, Debug)]
struct Mutation {
    algorithm: &'static str,
    /// The key that signs, whatever the header says.
    key: &'static str,
    header: Vec<Edit>,
    claims: Vec<Edit>,
    /// What is done to the text after signing.
    text: Option<TextEdit>,
}

#[derive(Clone, Debug)]
enum Edit {
    Set(&'static str, Value),
    Remove(&'static str),
    Repeat(&'static str, &'static str),
}

#[derive(Clone, Debug)]
enum TextEdit {
    Flip(Index, u8),
    Truncate(Index),
    Insert(Index, char),
    Delete(Index),
    /// Another claims set under the signature of the first.
    Swap(Value),
    Pad(usize),
    /// The standard alphabet in the place of the one for URLs.
    Standard,
    /// A bit that belongs to no byte.
    StrayBit(usize),
    Unsigned,
}

impl Mutation {
    fn token(&self, keys: &Keys) -> String {
        let header = edited(header(self.algorithm), &self.header);
        let claims = edited(claims(), &self.claims);
        let token = keys.sign(self.key, &header, &claims);
        self.text.as_ref().map_or(token.clone(), |edit| edit.apply(&token))
    }
}

impl TextEdit {
    fn apply(&self, token: &str) -> String {
        let mut bytes = token.as_bytes().to_vec();
        let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
        match self {
            Self::Flip(at, bit) => {
                let at = at.index(bytes.len());
                bytes[at] ^= 1 << (bit % 7);
                return String::from_utf8(bytes).unwrap();
            }
            Self::Truncate(at) => return token[..at.index(token.len())].to_owned(),
            Self::Insert(at, letter) => {
                let mut text = token.to_owned();
                text.insert(at.index(token.len() + 1), *letter);
                return text;
            }
            Self::Delete(at) => {
                bytes.remove(at.index(bytes.len()));
                return String::from_utf8(bytes).unwrap();
            }
            Self::Swap(claims) => parts[1] = encode(&claims.to_string()),
            Self::Pad(part) => parts[*part].push_str("=="),
            Self::Standard => return token.replace('-', "+").replace('_', "/"),
            Self::StrayBit(part) => {
                let last = parts[*part].pop().unwrap();
                const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
                let value = LETTERS.find(last).unwrap() ^ 1;
                parts[*part].push(LETTERS.as_bytes()[value].into());
            }
            Self::Unsigned => parts[2].clear(),
        }
        parts.join(".")
    }
}

/// The object as text, edited; a repeated member comes last, where most readers take it from.
fn edited(object: Value, edits: &[Edit]) -> String {
    let mut object = object;
    let members = object.as_object_mut().unwrap();
    let mut repeated = String::new();
    for edit in edits {
        match edit {
            Edit::Set(name, value) => drop(members.insert((*name).to_owned(), value.clone())),
            Edit::Remove(name) => drop(members.remove(*name)),
            Edit::Repeat(name, value) => repeated.push_str(&format!(r#","{name}":"{value}""#)),
        }
    }
    let text = object.to_string();
    format!("{}{repeated}}}", text.strip_suffix('}').unwrap())
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let algorithm = || select(&ALGORITHMS[..]);
    // Mostly the key that fits, or little else would be tried.
    let key = prop_oneof![4 => Just(None), 1 => algorithm().prop_map(Some)];
    let edits = |edit| proptest::collection::vec(edit, 0..3);
    let text = prop_oneof![2 => Just(None), 1 => text_edit().prop_map(Some)];
    (algorithm(), key, edits(header_edit().boxed()), edits(claims_edit().boxed()), text).prop_map(
        |(algorithm, key, header, claims, text)| {
            let key = key.unwrap_or(algorithm);
            Mutation { algorithm, key, header, claims, text }
        },
    )
}

fn header_edit() -> impl Strategy<Value = Edit> {
    let algorithms =
        ["HS256", "hs256", "none", "None", "", "RS256", "ES256", "EdDSA", "PS256", "ES384", "RS512", "Ed25519"];
    prop_oneof![
        select(algorithms.to_vec()).prop_map(|name| Edit::Set("alg", name.into())),
        select(vec![json!("another"), json!(""), json!("HS256"), json!("RS256"), json!(7)])
            .prop_map(|kid| Edit::Set("kid", kid)),
        select(vec!["JWT", "jwt", "at+jwt", "application/at+jwt", "JWS", "dpop+jwt", ""])
            .prop_map(|typ| Edit::Set("typ", typ.into())),
        select(vec!["alg", "kid", "typ"]).prop_map(Edit::Remove),
        select(vec!["alg", "kid", "typ"]).prop_map(|name| Edit::Repeat(name, "HS256")),
        Just(Edit::Set("cty", json!("JWT"))),
        Just(Edit::Set("crit", json!(["exp"]))),
        Just(Edit::Set("jku", json!("https://evil.example/keys"))),
    ]
}

fn claims_edit() -> impl Strategy<Value = Edit> {
    // Clear of the very second in which a date passes: the other reads the clock itself.
    let offsets = [-100_000, -3600, -60, -35, -20, 0, 20, 40, 60, 3600, 100_000];
    let dates = ["exp", "nbf", "iat"];
    let odd = vec![json!(null), json!("1"), json!(true), json!(0), json!(-1), json!(1.5), json!([1]), json!({})];
    let audiences = vec![
        json!(AUDIENCE),
        json!([AUDIENCE]),
        json!(["else", AUDIENCE]),
        json!([]),
        json!("else"),
        json!([AUDIENCE, 7]),
        json!(7),
        json!(null),
        json!("Portcullis-Demo"),
    ];
    let issuers = vec![json!(ISSUER), json!(format!("{ISSUER}/")), json!([ISSUER]), json!(""), json!(null), json!({})];
    let names = vec![json!("eve"), json!("a\u{0}b"), json!(7), json!(null), json!("\u{e9}\u{1f600}")];
    prop_oneof![
        (select(dates.to_vec()), select(offsets.to_vec()), any::<bool>()).prop_map(|(name, offset, fraction)| {
            let at = now() + offset;
            Edit::Set(name, if fraction { json!(at as f64 + 0.25) } else { json!(at) })
        }),
        (select(dates.to_vec()), select(odd)).prop_map(|(name, value)| Edit::Set(name, value)),
        select(audiences).prop_map(|value| Edit::Set("aud", value)),
        select(issuers).prop_map(|value| Edit::Set("iss", value)),
        (select(vec!["sub", "jti"]), select(names)).prop_map(|(name, value)| Edit::Set(name, value)),
        select(vec!["exp", "aud", "iss", "sub"]).prop_map(Edit::Remove),
        select(vec!["sub", "iss", "aud", "role"]).prop_map(|name| Edit::Repeat(name, "eve")),
    ]
}

fn text_edit() -> impl Strategy<Value = TextEdit> {
    let part = || 0..3_usize;
    prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, bit)| TextEdit::Flip(at, bit)),
        any::<Index>().prop_map(TextEdit::Truncate),
        (any::<Index>(), select(vec!['=', '.', '+', '/', ' ', '\n', 'A', '\u{e9}']))
            .prop_map(|(at, letter)| TextEdit::Insert(at, letter)),
        any::<Index>().prop_map(TextEdit::Delete),
        Just(TextEdit::Swap(json!({"iss": ISSUER, "aud": AUDIENCE, "sub": "eve", "exp": now() + 3600}))),
        part().prop_map(TextEdit::Pad),
        Just(TextEdit::Standard),
        part().prop_map(TextEdit::StrayBit),
        Just(TextEdit::Unsigned),
    ]
}

fn header(algorithm: &str) -> Value {
    json!({"alg": algorithm, "kid": algorithm, "typ": "JWT"})
}

fn claims() -> Value {
    json!({"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "role": "editor", "exp": now() + 1800, "iat": now()})
}

/// Good claims with one of them said again.
fn repeated(name: &'static str, value: &'static str) -> String {
    edited(claims(), &[Edit::Repeat(name, value)])
}

fn encode(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

/// The time of the run's first question: one for all, so that the same seed makes the same tokens but for it.
fn now() -> i64 {
    static NOW: OnceLock<i64> = OnceLock::new();
    *NOW.get_or_init(|| i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap())
}
