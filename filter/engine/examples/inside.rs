//! What the engine alone costs, for `tests/bench/inside.mjs`: the requests of the bench, decided again and again, with no host
//! around it. `inside KIND ROUNDS` decides 20,000 requests a round, and yields before each, so that other code may run in
//! between; `inside nothing ROUNDS` does nothing but yield. `inside lookup ROUNDS` looks as many tokens up a round in
//! an identity feed that revokes a million, half of them among these, and prints the microseconds that one took.

use std::io::Write as _;
use std::net::IpAddr;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_compact::{KeyPair, Seed};
use portcullis_engine::feed::{Digest16, Draft, FeedClaims, RevokedEntry, read, signing_header};
use portcullis_engine::token::{Algorithm, HostCrypto, KeySet, Proven, SignatureCheck};
use portcullis_engine::{Facts, Policy, RequestAction, Secret, SecretLookup, UnixTime, Worker, parse_header_map};
use serde_json::{Value, json};

#[cfg(target_family = "wasm")]
#[global_allocator]
static MEMORY: portcullis_memory::Lists = portcullis_memory::Lists::new();

/// Requests a round, each with a token of its own: ten times as many as are kept.
const REQUESTS: usize = 20_000;

const NOW: i64 = 1_750_000_000;
const SECRET: &str = "a-secret-of-the-bench-alone-32-bytes-long";

/// Tokens that the feed revokes.
const REVOKED: usize = 1_000_000;

/// A public key; the host that is asked about its signatures believes them all but one.
const KEYS: &str = r#"{"keys":[{"kty":"EC","kid":"bench","alg":"ES256","crv":"P-256",
    "x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#;

struct Host;

impl Facts for Host {
    fn now(&self) -> UnixTime {
        UnixTime::from_seconds(NOW)
    }

    fn client(&self) -> Option<IpAddr> {
        Some([127, 0, 0, 1].into())
    }

    fn has_body(&self) -> Option<bool> {
        Some(false)
    }
}

impl HostCrypto for Host {
    fn verify_signature(&self, check: &SignatureCheck<'_>) -> Option<bool> {
        // The test at load asks for a bad one by adding this letter.
        Some(!check.message.ends_with(b"x"))
    }
}

fn policy(algorithm: &str) -> Value {
    let (member, keys) = match algorithm {
        "HS256" => ("keys", json!([{"kid": "bench", "algorithm": "HS256", "secret": {"env": "SECRET_KEY"}}])),
        _ => ("local_jwks", json!({"inline": KEYS})),
    };
    let provider = json!({
        "name": "local", member: keys, "issuer": "https://issuer.example.com", "audiences": ["portcullis-demo"],
        "allowed_algorithms": [algorithm], "max_lifetime": "24h", "roles_from": {"claim": ["role"]},
        "claim_to_headers": [{"claim": ["sub"], "header": "x-user-id"}, {"claim": ["role"], "header": "x-user-role"}],
    });
    json!({
        "version": "v1",
        "providers": [provider],
        "roles": {"editor": {"read": "any", "write": "own"}},
        "routes": [{"name": "documents", "match": {"path": "/users/{owner}/documents/{id}"}, "access": "role_table",
                    "owner": {"param": "owner", "claim": ["sub"]}}],
        "cors": {"allow_origins": ["https://app.example.com"], "allow_credentials": true},
    })
}

fn token(algorithm: &str, number: usize, good: bool) -> String {
    let header = json!({"alg": algorithm, "kid": "bench", "typ": "JWT"});
    let claims = json!({
        "sub": "7", "role": "editor", "iss": "https://issuer.example.com", "aud": "portcullis-demo",
        "iat": NOW, "exp": NOW + 86_000, "jti": format!("{number:032x}"),
    });
    let input =
        format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()));
    let signature = match algorithm {
        "HS256" => hmac_sha256::HMAC::mac(input.as_bytes(), if good { SECRET } else { "another" }).to_vec(),
        // Two numbers that may be those of a signature.
        _ => vec![0x42; 64],
    };
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// The header map of a browser's request, as the host hands it over.
fn request(token: &str) -> Vec<u8> {
    let authorization = format!("Bearer {token}");
    serialize(&[
        (":authority", "api.example.com"),
        (":path", "/users/7/documents/1"),
        (":method", "PUT"),
        (":scheme", "http"),
        (
            "user-agent",
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36",
        ),
        ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
        ("accept-encoding", "gzip, deflate, br"),
        ("accept-language", "en-US,en;q=0.9"),
        ("cache-control", "max-age=0"),
        ("authorization", &authorization),
        ("x-forwarded-proto", "http"),
        ("x-request-id", "0f8fad5b-d9cb-469f-a165-70867728950e"),
    ])
}

fn serialize(headers: &[(&str, &str)]) -> Vec<u8> {
    let number = |length: usize| u32::try_from(length).unwrap_or_default().to_le_bytes();
    let mut map = number(headers.len()).to_vec();
    for (name, value) in headers {
        map.extend([number(name.len()), number(value.len())].concat());
    }
    for (name, value) in headers {
        map.extend([name.as_bytes(), &[0], value.as_bytes(), &[0]].concat());
    }
    map
}

/// Decides a request and edits its response, as the filter does; what comes out of it is only counted.
fn decide(policy: &Policy, worker: &mut Worker, request: &[u8], response: &[u8]) -> usize {
    // The host's answers are copies.
    let (request, response) = (request.to_vec(), response.to_vec());
    let headers = parse_header_map(&request).unwrap_or_default();
    let verdict = policy.decide(&headers, &Host, worker, &mut ());
    let changed = match &verdict.action {
        RequestAction::Reply(reply) => reply.header_map().len(),
        RequestAction::Continue(edits) => {
            let headers = parse_header_map(&response).unwrap_or_default();
            edits.iter().count() + verdict.response.edits(&headers).iter().count()
        }
    };
    changed + verdict.audit.map_or(0, |record| record.line(Some(200)).len())
}

/// A signed feed, as the filter reads one.
fn feed() -> Result<portcullis_engine::feed::Feed, String> {
    let pair = KeyPair::from_seed(Seed::new([7; 32]));
    let row = |number: usize| RevokedEntry { digest: digest(number), expires: u32::MAX };
    let draft = Draft { revoked: (0..REVOKED).map(row).collect(), ..Draft::default() };
    let content = draft.encode().map_err(|error| error.to_string())?;
    let claims = FeedClaims::of(&content, 1, None, 5, None).to_json();
    let encoded = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let input = format!("{}.{}", encoded(&signing_header(Algorithm::EdDSA, None)), encoded(&claims));
    let signature = URL_SAFE_NO_PAD.encode(pair.sk.sign(&input, None).as_ref());
    let file = [format!("{input}.{signature}\n").as_bytes(), &content].concat();
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(pair.pk.as_ref())});
    let keys = KeySet::from_public_jwks(json!({"keys": [jwk]}).to_string().as_bytes());
    read(file, &keys.map_err(|error| error.to_string())?).map_err(|error| error.to_string())
}

fn digest(number: usize) -> Digest16 {
    Digest16::token(&number.to_string())
}

/// The microseconds that one look-up takes.
fn look_up(rounds: usize) -> Result<f64, String> {
    let feed = feed()?;
    // Far apart, so that no look-up finds what the one before has left at hand.
    let asked: Vec<Digest16> = (0..REQUESTS).map(|number| digest(number * (2 * REVOKED / REQUESTS))).collect();
    let begun = Instant::now();
    let found = (0..rounds).flat_map(|_| &asked).filter(|digest| feed.revoked(digest).is_some()).count();
    let took = begun.elapsed();
    if found != rounds * REQUESTS / 2 {
        return Err(format!("{found} found"));
    }
    Ok(took.as_secs_f64() * 1e6 / (rounds * REQUESTS) as f64)
}

fn main() -> Result<(), String> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kind, rounds] = arguments.as_slice() else { return Err("inside KIND ROUNDS".into()) };
    let rounds: usize = rounds.parse().map_err(|error| format!("{rounds}: {error}"))?;
    if kind == "lookup" {
        let microseconds = look_up(rounds)?;
        return writeln!(std::io::stdout(), "{microseconds:.3}").map_err(|error| error.to_string());
    }
    if kind == "nothing" {
        (0..rounds * REQUESTS).for_each(|_| std::thread::yield_now());
        return Ok(());
    }
    let (algorithm, distinct, good) = match kind.as_str() {
        "hot" => ("HS256", 1, true),
        "cold-hs256" => ("HS256", REQUESTS, true),
        "cold-es256" => ("ES256", REQUESTS, true),
        "flood" => ("HS256", 1, false),
        _ => return Err(format!("no kind {kind}")),
    };
    let secrets = |_: &str| SecretLookup::Value(Secret::new(SECRET.as_bytes().to_vec()));
    let policy =
        Policy::load(policy(algorithm).to_string().as_bytes(), &secrets).map_err(|errors| format!("{errors:?}"))?;
    let mut worker = Worker::new(&policy, Proven::by(&Host, &policy.algorithms_for_host()));
    let requests: Vec<Vec<u8>> = (0..distinct).map(|number| request(&token(algorithm, number, good))).collect();
    let response =
        serialize(&[(":status", "200"), ("content-length", "2"), ("content-type", "text/plain"), ("server", "envoy")]);
    // A function of its own: V8 never compiles well what is entered once, as this one is.
    let decide = std::hint::black_box(decide as fn(&Policy, &mut Worker, &[u8], &[u8]) -> usize);
    let mut sum = 0_usize;
    for request in requests.iter().cycle().take(rounds * REQUESTS) {
        std::thread::yield_now();
        sum = sum.wrapping_add(decide(&policy, &mut worker, request, &response));
    }
    std::hint::black_box(sum);
    Ok(())
}
