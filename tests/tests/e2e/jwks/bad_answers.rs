//! Answers that are no set of keys: none of them is worse than none at all.

use std::time::Duration;

use serde_json::{Value, json};

use super::{ask, document, healthy, policy, setup};
use crate::harness::bench::Bench;
use crate::harness::client::fetch;
use crate::harness::eventually;
use crate::harness::expect::Expect;
use crate::harness::jwks::{Answer, KeyServer};
use crate::harness::keys::{self, Pair};
use crate::harness::proxy::Setup;
use crate::harness::table::Table;
use crate::harness::token::{SECRET, Token, encode};
use crate::harness::upstream::Upstream;

/// Each of them would bring the new key, if it were taken.
fn bad_answers() -> Vec<(&'static str, Answer)> {
    let set = keys::set([keys::new()]);
    let text = set.to_string();
    let padded = |size: usize| Answer::bytes(format!("{text}{}", " ".repeat(size)));
    let html = "<!doctype html><title>Sign in</title><p>Your network wants to know you";
    vec![
        ("nothing", Answer::bytes("")),
        ("garbage", Answer::bytes(b"\x00\xff\xfe\x80keys")),
        ("half a set", Answer::bytes(&text[..text.len() / 2])),
        ("a set and more", Answer::bytes(format!("{text}{text}"))),
        ("an empty set", Answer::json(&json!({"keys": []}))),
        ("an empty object", Answer::json(&json!({}))),
        ("null", Answer::json(&Value::Null)),
        ("a list", Answer::json(&set["keys"])),
        ("keys that are no list", Answer::json(&json!({"keys": {"new": set["keys"][0]}}))),
        ("keys of no kind we know", Answer::json(&json!({"keys": [{"kty": "AKP", "kid": "new", "pub": "AA"}]}))),
        ("a secret", Answer::json(&json!({"keys": [{"kty": "oct", "kid": "new", "k": encode(SECRET)}]}))),
        ("a page", Answer::bytes(html).header("content-type", "text/html")),
        ("600 KiB", padded(600 * 1024)),
        ("10 MB", padded(10_000_000)),
        ("10 MB of brackets", Answer::bytes(format!(r#"{{"keys":{}"#, "[".repeat(10_000_000)))),
        ("500 KiB of brackets", Answer::bytes(format!(r#"{{"keys":{}"#, "[".repeat(500_000)))),
        ("a failure", Answer::json(&set).status(500)),
        ("unavailable", Answer::json(&set).status(503).header("retry-after", "3600")),
        ("not found", Answer::json(&set).status(404)),
        ("no content", Answer::bytes("").status(204)),
        ("moved", Answer::json(&set).status(301).header("location", "http://issuer.example.com/other.json")),
        ("found", Answer::json(&set).status(302).header("location", "/other.json")),
        ("too slow", Answer::json(&set).slow(Duration::from_secs(10))),
        ("no answer", Answer::closed()),
        ("half an answer", Answer::json(&set).cut(20)),
        ("half an answer, and silence", Answer::json(&set).stuck(20)),
    ]
}

/// Every row has a path, and counters, of its own: all of them go bad, and good again, at once.
#[test]
fn good_keys_outlive_bad_answers() {
    let upstream = Upstream::start();
    let server = KeyServer::start(Answer::bytes("").status(404));
    server.on("/other.json", Answer::keys([keys::new()]));
    let rows = bad_answers();
    let path = |number: usize| format!("/row-{number}.json");
    let name = |number: usize| format!("row_{number}");
    let mut setup = setup(&upstream, &server);
    for number in 0..rows.len() {
        server.on(&path(number), Answer::keys([keys::old()]));
        let mut policy = policy(&json!({"path": path(number), "cache_duration": "1s", "timeout": "250ms"}));
        policy["stat_prefix"] = json!(name(number));
        setup = setup.policy(&name(number), &policy);
    }
    let proxy = setup.start();
    let ask = |number: usize, pair: &Pair| fetch(proxy.address(&name(number)), &document(pair.token())).status;
    let counted = |number: usize, what: &str| proxy.metric(&format!("portcullis_{}_jwks_fetch_{what}", name(number)));
    let seen = |number: usize| server.count(&path(number));
    // One fetch at a time: by the second, the first was dealt with.
    let await_two_each = || {
        let before: Vec<_> = (0..rows.len()).map(seen).collect();
        for (number, before) in before.into_iter().enumerate() {
            eventually("two fetches", || (seen(number) >= before + 2).then_some(()));
        }
    };

    for (number, (_, answer)) in rows.iter().enumerate() {
        eventually("good keys", || (ask(number, keys::old()) == 200).then_some(()));
        server.on(&path(number), answer.clone());
    }
    await_two_each();
    let good: Vec<_> = (0..rows.len()).map(|number| counted(number, "success")).collect();
    await_two_each();
    let mut table = Table::new("bad answers");
    for (number, (row, _)) in rows.iter().enumerate() {
        let answers = (ask(number, keys::old()), ask(number, keys::new()));
        table.holds(row, answers == (200, 401), || format!("old and new key's tokens: {answers:?}"));
        let (good, bad) = (counted(number, "success") - good[number], counted(number, "failed"));
        table.holds(&format!("{row}, counted"), good == 0.0 && bad > 0.0, || format!("{good} good, {bad} bad"));
    }
    table.finish();
    assert_eq!(server.count("/other.json"), 0, "a redirect was followed");

    for number in 0..rows.len() {
        server.on(&path(number), Answer::keys([keys::old(), keys::new()]));
    }
    for (number, (row, _)) in rows.iter().enumerate() {
        eventually(row, || (ask(number, keys::new()) == 200).then_some(()));
        assert_eq!(ask(number, keys::old()), 200, "{row}");
    }
    healthy(&proxy);
}

/// What is as large as allowed is taken, and a key that is not for us does not spoil the rest.
#[test]
fn good_keys_are_found_among_others() {
    let upstream = Upstream::start();
    let mut set = keys::set([keys::old(), keys::new()]);
    let keys = set["keys"].as_array_mut().unwrap();
    keys.insert(0, json!({"kty": "AKP", "kid": "later", "alg": "ML-DSA-44", "pub": "AA"}));
    keys.insert(1, json!({"kty": "RSA", "kid": "encrypts", "use": "enc", "n": keys[1]["n"], "e": "AQAB"}));
    keys.insert(2, json!({"kty": "oct", "kid": "secret", "k": encode(SECRET)}));
    let mut private = keys::by_algorithm().into_iter().find(|pair| pair.kid == "ES256").unwrap().jwk.clone();
    private["d"] = json!("AA");
    keys.insert(3, private);
    let padded = format!("{set}{}", " ".repeat(500 * 1024));
    let server = KeyServer::start(Answer::bytes(padded));
    let proxy = setup(&upstream, &server).policy("main", &policy(&json!({}))).start();
    let mut bench = Bench::new("others", &proxy, "main", &upstream);
    for pair in [keys::old(), keys::new()] {
        let allow = Expect::allow("role_allowed").record("kid", pair.kid.as_str());
        bench.row(&pair.kid, &document(pair.token()), &allow);
    }
    let leaked = keys::by_algorithm().into_iter().find(|pair| pair.kid == "ES256").unwrap();
    bench.row("a private key", &document(leaked.token()), &Expect::deny(401, "token_unknown_key"));
    let log = proxy.log();
    for (level, reason) in [
        ("info", "for an algorithm (`alg`) that is not supported"),
        ("info", "not for verifying signatures"),
        ("warning", "a secret, which a published set cannot have"),
        ("warning", "a private key, with its `d`"),
    ] {
        let said = log.lines().any(|line| line.contains(reason) && line.contains(&format!("[{level}]")));
        bench.holds(reason, said, || log.clone());
    }
    bench.finish();
}

/// Whoever can read a set of public keys knows what is in it: nothing in it is a secret.
#[test]
fn a_secret_in_a_public_set_verifies_nothing() {
    let upstream = Upstream::start();
    let mut set = keys::set([keys::old()]);
    for (kid, algorithm) in [("2026-11", json!("HS256")), ("bare", Value::Null)] {
        let mut key = json!({"kty": "oct", "kid": kid, "k": encode(SECRET), "alg": algorithm});
        if algorithm.is_null() {
            key.as_object_mut().unwrap().remove("alg");
        }
        set["keys"].as_array_mut().unwrap().push(key);
    }
    let server = KeyServer::start(Answer::json(&set));
    let mut shared = policy(&json!({"timeout": "500ms"}));
    shared["providers"][0]["allowed_algorithms"] = json!(["RS256", "HS256"]);
    // A policy may as well be refused for asking for it; then there is nothing to be proved.
    let setup = |policy: &Value| -> Setup { super::setup(&upstream, &server).policy("main", policy) };
    let proxies =
        [setup(&policy(&json!({"timeout": "500ms"}))).launch().map_err(|log| panic!("{log}")), setup(&shared).launch()];
    for proxy in proxies.into_iter().flatten() {
        let mut table = Table::new("a secret in a public set");
        let public = ask(&proxy, keys::old().token());
        table.holds("the public key", public == 200, || public.to_string());
        let secret = Token::of("ada", "editor");
        let rsa = keys::old().jwk["n"].as_str().unwrap().to_owned();
        for (name, token) in [
            ("by its name", secret.clone()),
            ("without a name", secret.clone().head("kid", Value::Null)),
            ("without an algorithm", secret.clone().head("kid", "bare")),
            ("of the public key's name", secret.clone().head("kid", "old").secret(rsa)),
            ("of the public key's document", secret.clone().head("kid", "old").secret(keys::old().jwk.to_string())),
        ] {
            let status = ask(&proxy, &token.mint());
            table.holds(name, status == 401, || status.to_string());
        }
        table.finish();
        healthy(&proxy);
    }
}
