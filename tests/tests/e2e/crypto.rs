//! Who verifies signatures, the host or the module, changes no answer.

use serde_json::{Value, json};

use crate::harness::bench::Bench;
use crate::harness::client::Request;
use crate::harness::eventually;
use crate::harness::expect::Exchange;
use crate::harness::keys::{self, Pair, resigned};
use crate::harness::policy::{self, CRYPTO};
use crate::harness::proxy::{Proxy, Setup};
use crate::harness::table::Table;
use crate::harness::token::encode;
use crate::harness::upstream::Upstream;

const FOREIGN: &str = "proxy_call_foreign_function";

/// Tokens of one key, and what is made of them by somebody who has no key.
fn tokens(pair: &Pair) -> Vec<(&'static str, String)> {
    let token = pair.token();
    let parts: Vec<_> = token.split('.').collect();
    let [header, payload, signature] = parts.as_slice() else { panic!("{token}") };
    let changed = |change: &dyn Fn(&mut Vec<u8>)| resigned(token, |signature| change(signature));
    let filled = |byte: u8| changed(&|signature| signature.fill(byte));
    let renamed = |kid: Value, algorithm: &str| {
        let head = json!({"alg": algorithm, "typ": "JWT", "kid": kid});
        format!("{}.{payload}.{signature}", encode(head.to_string()))
    };
    let claims = json!({"sub": "root", "role": "admin", "iss": "https://issuer.example.com", "aud": "portcullis-demo",
        "iat": 1, "exp": 99_999_999_999_i64});
    let mut tokens = vec![
        ("good", token.to_owned()),
        ("first bit", changed(&|signature| signature[0] ^= 0x80)),
        ("last bit", changed(&|signature| *signature.last_mut().unwrap() ^= 1)),
        (
            "middle bit",
            changed(&|signature| {
                let middle = signature.len() / 2;
                signature[middle] ^= 0x10;
            }),
        ),
        ("zeros", filled(0)),
        ("ones", filled(0xff)),
        (
            "one byte less",
            changed(&|signature| {
                signature.pop();
            }),
        ),
        ("one byte more", changed(&|signature| signature.push(0))),
        ("one zero first", changed(&|signature| signature.insert(0, 0))),
        ("twice", changed(&|signature| signature.extend(signature.clone()))),
        ("one byte", changed(&|signature| signature.truncate(1))),
        ("16 KiB", changed(&|signature| signature.resize(4096, 1))),
        ("no signature", format!("{header}.{payload}.")),
        ("other claims", format!("{header}.{}.{signature}", encode(claims.to_string()))),
        ("another key's", format!("{header}.{payload}.{}", keys::new().token().rsplit_once('.').unwrap().1)),
        ("no algorithm", renamed(json!(pair.kid), "none")),
        ("a secret's algorithm", renamed(json!(pair.kid), "HS256")),
        ("no key", renamed(json!("nobody"), &pair.algorithm)),
    ];
    if pair.algorithm.starts_with("ES") {
        tokens.extend([
            ("as DER", changed(&|signature| *signature = der(signature))),
            (
                "r alone",
                changed(&|signature| {
                    let half = signature.len() / 2;
                    signature[half..].fill(0);
                }),
            ),
            (
                "s alone",
                changed(&|signature| {
                    let half = signature.len() / 2;
                    signature[..half].fill(0);
                }),
            ),
            (
                "r and s exchanged",
                changed(&|signature| {
                    let half = signature.len() / 2;
                    signature.rotate_left(half);
                }),
            ),
        ]);
    }
    for other in keys::by_algorithm() {
        if other.kid != pair.kid {
            tokens.push(("another algorithm's name", renamed(json!(pair.kid), &other.algorithm)));
            tokens.push(("another key's name", renamed(json!(other.kid), &pair.algorithm)));
        }
    }
    tokens
}

/// An ECDSA signature as X.509 and most libraries write it, and RFC 7518 does not.
fn der(signature: &[u8]) -> Vec<u8> {
    let (r, s) = signature.split_at(signature.len() / 2);
    let integer = |number: &[u8]| {
        let start = number.iter().position(|byte| *byte != 0).unwrap_or(number.len() - 1);
        let mut body = number[start..].to_vec();
        if body[0] >= 0x80 {
            body.insert(0, 0);
        }
        [vec![2, u8::try_from(body.len()).unwrap()], body].concat()
    };
    let body = [integer(r), integer(s)].concat();
    let length = u8::try_from(body.len()).unwrap();
    let head = if length < 0x80 { vec![0x30, length] } else { vec![0x30, 0x81, length] };
    [head, body].concat()
}

fn put(token: &str) -> Request {
    Request::new("PUT", "/users/ada/documents/7").bearer(token)
}

/// Status, reason, and what got through.
fn answer(exchange: &Exchange) -> (u16, String, usize) {
    let reason = exchange.record.as_ref().map(|record| record.text("reason")).unwrap_or_default();
    (exchange.response.status, reason, exchange.seen.len())
}

/// Sends every token to each of the proxies' listeners: the answers are the same, and a forged token has no good one.
fn compare(name: &'static str, upstream: &Upstream, listeners: &[(&Proxy, &str)]) {
    let mut table = Table::new(name);
    let mut benches: Vec<_> =
        listeners.iter().map(|(proxy, listener)| Bench::new(name, proxy, listener, upstream)).collect();
    for pair in keys::by_algorithm() {
        for (made, token) in tokens(pair) {
            let answers: Vec<_> = benches.iter_mut().map(|bench| answer(&bench.exchange(&put(&token)))).collect();
            let expected = if made == "good" { (200, 1) } else { (401, 0) };
            let right = answers.iter().all(|answer| *answer == answers[0] && (answer.0, answer.2) == expected);
            table.holds(&format!("{}, {made}", pair.algorithm), right, || format!("{answers:?}"));
        }
    }
    table.finish();
}

#[test]
fn every_answer_is_the_same() {
    let upstream = Upstream::start();
    let pairs = keys::by_algorithm();
    let setup = |setup: Setup| {
        CRYPTO.iter().fold(setup, |setup, crypto| setup.policy(crypto, &policy::asymmetric(crypto, &pairs))).start()
    };
    let whole = setup(Setup::before(&upstream));
    // A host that refuses the call, as one that does not know it would.
    let without = setup(Setup::before(&upstream).deny_capability(FOREIGN));
    compare(
        "auto and portable",
        &upstream,
        &[(&whole, "auto"), (&whole, "portable"), (&without, "auto"), (&without, "portable")],
    );
    for proxy in [&whole, &without] {
        assert!(proxy.vm_failures().is_empty(), "{:?}", proxy.vm_failures());
    }
}

/// How often the module has asked for a function of the host's own.
fn foreign_calls(proxy: &Proxy) -> usize {
    proxy.log().matches(&format!("[vm->host] env.{FOREIGN}")).count()
}

/// How often while `request` was answered.
fn foreign_calls_of(proxy: &Proxy, request: &Request) -> usize {
    let ends = |proxy: &Proxy| proxy.log().matches("[host->vm] proxy_on_delete").count();
    let (calls, ended) = (foreign_calls(proxy), ends(proxy));
    assert_eq!(proxy.client("main").send(request).status, 200);
    eventually("the request's end in Envoy's log", || (ends(proxy) > ended).then_some(()));
    foreign_calls(proxy) - calls
}

#[test]
fn the_host_verifies_where_it_can() {
    let upstream = Upstream::start();
    let pairs = keys::by_algorithm();
    let mut table = Table::new("who verifies");
    for crypto in CRYPTO {
        let proxy = Setup::before(&upstream).policy("main", &policy::asymmetric(crypto, &pairs)).trace().start();
        for algorithm in ["RS256", "ES256"] {
            let pair = pairs.iter().find(|pair| pair.kid == algorithm).unwrap();
            let cold = foreign_calls_of(&proxy, &put(pair.token()));
            table.holds(&format!("{crypto}, {algorithm}"), cold == usize::from(crypto == "auto"), || {
                format!("{cold} calls for a new token")
            });
            let known = foreign_calls_of(&proxy, &put(pair.token()));
            table.holds(&format!("{crypto}, {algorithm}, known"), known == 0, || format!("{known} calls"));
        }
        if crypto == "portable" {
            let calls = foreign_calls(&proxy);
            table.holds("portable asks for nothing, not even at load", calls == 0, || format!("{calls} calls"));
        }
        assert!(proxy.vm_failures().is_empty(), "{:?}", proxy.vm_failures());
    }
    table.finish();
}

#[test]
fn a_host_that_may_not_be_asked_is_done_without() {
    let upstream = Upstream::start();
    let pairs = keys::by_algorithm();
    let policy = policy::asymmetric("auto", &pairs);
    let proxy = Setup::before(&upstream).policy("main", &policy).deny_capability(FOREIGN).trace().start();
    for pair in pairs {
        assert_eq!(proxy.client("main").send(&put(pair.token())).status, 200, "{}", pair.algorithm);
        let forged = proxy.client("main").send(&put(&keys::forged(pair.token())));
        assert_eq!(forged.status, 401, "{}, forged", pair.algorithm);
    }
    assert!(proxy.vm_failures().is_empty(), "{:?}", proxy.vm_failures());
}
