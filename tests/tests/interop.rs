//! What the libraries people already use make, we take, and the other way round: PyJWT for
//! tokens, pwdlib for password hashes.

use serde_json::{Value, json};

use crate::harness::bench::Bench;
use crate::harness::client::Request;
use crate::harness::expect::Expect;
use crate::harness::policy;
use crate::harness::proxy::Setup;
use crate::harness::token::SECRET;
use crate::harness::tool::{portcullis, python};
use crate::harness::upstream::Upstream;

/// A key pair for every algorithm, a token signed with each, and the set of public keys.
const SIGN_WITH_ALL: &str = r#"
import json, sys, time, jwt
from cryptography.hazmat.primitives.asymmetric import rsa, ec, ed25519
from jwt.algorithms import RSAAlgorithm, ECAlgorithm, OKPAlgorithm

rsa_key = rsa.generate_private_key(65537, 2048)
keys = {a: (rsa_key, RSAAlgorithm) for a in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")}
keys |= {"ES256": (ec.generate_private_key(ec.SECP256R1()), ECAlgorithm),
         "ES384": (ec.generate_private_key(ec.SECP384R1()), ECAlgorithm),
         "ES512": (ec.generate_private_key(ec.SECP521R1()), ECAlgorithm),
         "EdDSA": (ed25519.Ed25519PrivateKey.generate(), OKPAlgorithm)}
now = int(time.time())
claims = {"sub": "ada", "role": "editor", "iss": "https://issuer.example.com", "aud": "portcullis-demo",
          "iat": now, "exp": now + 1800}
jwks, tokens = [], {}
for alg, (key, kind) in keys.items():
    jwk = json.loads(kind.to_jwk(key.public_key())) | {"kid": alg, "alg": alg, "use": "sig"}
    jwk.pop("key_ops", None)
    jwks.append(jwk)
    tokens[alg] = jwt.encode(claims, key, algorithm=alg, headers={"kid": alg})
print(json.dumps({"jwks": {"keys": jwks}, "tokens": tokens}))
"#;

#[test]
fn tokens_of_pyjwt_are_taken() {
    let signed: Value = serde_json::from_str(&python(SIGN_WITH_ALL, "")).unwrap();
    let tokens = signed["tokens"].as_object().unwrap();
    let mut asymmetric = policy::example();
    let provider = asymmetric["providers"][0].as_object_mut().unwrap();
    provider.remove("keys");
    provider.insert("local_jwks".to_owned(), json!({"inline": signed["jwks"].to_string()}));
    provider.insert("allowed_algorithms".to_owned(), tokens.keys().map(String::as_str).collect());

    let upstream = Upstream::start();
    let proxy = Setup::before(&upstream).policy("asymmetric", &asymmetric).start();
    let mut bench = Bench::new("tokens of PyJWT", &proxy, "asymmetric", &upstream);
    for (algorithm, token) in tokens {
        let token = token.as_str().unwrap();
        let put = |token: &str| Request::new("PUT", "/users/ada/documents/7").bearer(token);
        let allow = Expect::allow("owner_allowed").upstream("x-user-id", "ada").record("kid", algorithm.as_str());
        bench.row(algorithm, &put(token), &allow);
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let turned = signature.replacen(&signature[..1], if signature.starts_with('A') { "B" } else { "A" }, 1);
        bench.row(
            &format!("{algorithm}, forged"),
            &put(&format!("{signed}.{turned}")),
            &Expect::deny(401, "token_signature"),
        );
    }
    bench.finish();
    assert!(proxy.vm_failures().is_empty(), "{:?}", proxy.vm_failures());
}

/// The requirements' own snippet, as it stands in a service that has used it for years.
const THEIR_TOKEN: &str = r#"
import sys, jwt
from datetime import datetime, timedelta, timezone

def create_access_token(subject):
    expire = datetime.now(timezone.utc) + timedelta(minutes=30)
    to_encode = {"exp": expire, "sub": str(subject)}
    return jwt.encode(to_encode, sys.stdin.read(), algorithm="HS256")

print(create_access_token("ada"), end="")
"#;

#[test]
fn a_token_of_the_service_is_taken() {
    let policy = json!({
        "version": "v1",
        "providers": [{
            "name": "service",
            "allowed_algorithms": ["HS256"],
            "keys": [{"algorithm": "HS256", "secret": {"env": "SECRET_KEY"}}],
            "claim_to_headers": [{"claim": ["sub"], "header": "x-user-id"}],
        }],
        "routes": [{"name": "all", "match": {"path": "/{*rest}"}, "access": "authenticated"}],
    });
    let upstream = Upstream::start();
    let proxy = Setup::before(&upstream).host_env("SECRET_KEY", SECRET).policy("main", &policy).start();
    let mut bench = Bench::new("the service's token", &proxy, "main", &upstream);
    let token = python(THEIR_TOKEN, SECRET);
    bench.row(
        "create_access_token",
        &Request::get("/me").bearer(&token),
        &Expect::allow("authenticated").upstream("x-user-id", "ada"),
    );
    bench.finish();
}

const DECODE: &str = r#"
import json, sys, jwt
given = json.load(sys.stdin)
claims = jwt.decode(given["token"], given["secret"], algorithms=["HS256"], audience="portcullis-demo",
                    issuer="https://issuer.example.com", options={"require": ["exp", "iat", "sub"]})
print(json.dumps({"claims": claims, "header": jwt.get_unverified_header(given["token"])}))
"#;

#[test]
fn our_tokens_are_taken_by_pyjwt_and_by_the_filter() {
    let issue = [
        "token",
        "issue",
        "--sub",
        "ada",
        "--role",
        "editor",
        "--aud",
        "portcullis-demo",
        "--iss",
        "https://issuer.example.com",
        "--kid",
        "2026-11",
        "--secret-env",
        "SIGNING_SECRET",
    ];
    let said = portcullis(&issue, "", &[("SIGNING_SECRET", SECRET)]);
    assert_eq!(said.code, 0, "{}", said.err);
    let token = said.out.trim();
    let decoded: Value =
        serde_json::from_str(&python(DECODE, &json!({"token": token, "secret": SECRET}).to_string())).unwrap();
    let claims = &decoded["claims"];
    assert_eq!((&claims["sub"], &decoded["header"]["kid"]), (&json!("ada"), &json!("2026-11")), "{decoded}");
    let lifetime = claims["exp"].as_f64().unwrap() - claims["iat"].as_f64().unwrap();
    assert_eq!(lifetime, 1800.0, "half an hour unless told: {claims}");

    let upstream = Upstream::start();
    let proxy = Setup::before(&upstream).env("SECRET_KEY", SECRET).policy("main", &policy::example()).start();
    let mut bench = Bench::new("our token", &proxy, "main", &upstream);
    let own = Request::new("PUT", "/users/ada/documents/7").bearer(token);
    bench.row("issued, then shown", &own, &Expect::allow("owner_allowed").upstream("x-user-role", "editor"));
    bench.finish();
}

const PASSWORDS: [&str; 3] = ["päßwörd mit ümläuten", "a much longer one, with spaces and 数字 in it", "12345678"];

const HASH: &str = r#"
import json, sys
from pwdlib import PasswordHash
recommended = PasswordHash.recommended()
print(json.dumps([recommended.hash(password) for password in json.load(sys.stdin)]))
"#;

const VERIFY: &str = r#"
import json, sys
from pwdlib import PasswordHash
recommended = PasswordHash.recommended()
print(json.dumps([recommended.verify(password, digest) for password, digest in json.load(sys.stdin)]))
"#;

#[test]
fn password_hashes_go_both_ways() {
    let theirs: Vec<String> = serde_json::from_str(&python(HASH, &json!(PASSWORDS).to_string())).unwrap();
    let mut pairs = Vec::new();
    for (password, hash) in PASSWORDS.iter().zip(&theirs) {
        let verify = |password: &str| portcullis(&["password", "verify", "--hash", hash], password, &[]);
        assert_eq!(verify(password).code, 0, "pwdlib's hash of `{password}`: {:?}", verify(password));
        assert_eq!(verify("something else").code, 1, "pwdlib's hash of `{password}`, another password");
        let said = portcullis(&["password", "hash"], password, &[]);
        assert_eq!(said.code, 0, "{}", said.err);
        pairs.push((*password, said.out.trim().to_owned()));
        pairs.push(("something else", said.out.trim().to_owned()));
    }
    let verified: Vec<bool> = serde_json::from_str(&python(VERIFY, &json!(pairs).to_string())).unwrap();
    let expected: Vec<_> = PASSWORDS.iter().flat_map(|_| [true, false]).collect();
    assert_eq!(verified, expected, "pwdlib on our hashes");
}
