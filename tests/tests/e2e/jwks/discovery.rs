//! Keys found through the issuer's own description of itself.

use serde_json::{Value, json};

use super::{AUTHORITY, ask, await_failures, document, healthy, policy, setup, succeeded};
use crate::harness::bench::Bench;
use crate::harness::client::fetch;
use crate::harness::eventually;
use crate::harness::expect::Expect;
use crate::harness::jwks::{Answer, KeyServer, PATH};
use crate::harness::keys;
use crate::harness::table::Table;
use crate::harness::upstream::Upstream;

const ISSUER: &str = "https://issuer.example.com";
const URI: &str = "https://issuer.example.com/jwks.json";
const DESCRIPTION: &str = "/.well-known/openid-configuration";

/// The policy without a path, with some changes.
fn discovered(timeout: &str) -> Value {
    policy(&json!({"path": null, "issuer_discovery": true, "timeout": timeout}))
}

/// What the issuer at `path` should say of itself.
fn description(path: &str, jwks_uri: &str) -> Value {
    json!({"issuer": format!("{ISSUER}{path}"), "jwks_uri": jwks_uri, "token_endpoint": format!("{ISSUER}/token")})
}

#[test]
fn an_issuer_says_where_its_keys_are() {
    let upstream = Upstream::start();
    let server = KeyServer::start(Answer::bytes("").status(404));
    server.on("/keys/v2?set=all", Answer::keys([keys::old()]));
    server.on(DESCRIPTION, Answer::json(&description("", "https://issuer.example.com/keys/v2?set=all")));
    let proxy = setup(&upstream, &server).concurrency(4).policy("main", &discovered("20s")).start();
    for token in &keys::old().tokens {
        assert_eq!(ask(&proxy, token), 200);
    }
    let fetches = server.fetches();
    let paths: Vec<_> = fetches.iter().map(|fetch| fetch.path.as_str()).collect();
    assert_eq!(paths, [DESCRIPTION, "/keys/v2?set=all"], "one worker, one fetch of each");
    for fetch in &fetches {
        assert_eq!(fetch.headers.one("host").as_deref(), Some(AUTHORITY));
    }
    healthy(&proxy);
}

/// OpenID Connect Discovery 1.0, section 4.1: a path of the issuer's comes first.
#[test]
fn an_issuer_with_a_path_is_described_below_it() {
    let upstream = Upstream::start();
    let server = KeyServer::start(Answer::keys([keys::old()]));
    let described = format!("/tenant{DESCRIPTION}");
    server.on(&described, Answer::json(&description("/tenant", URI)));
    let mut policy = discovered("20s");
    policy["providers"][0]["issuer"] = json!(format!("{ISSUER}/tenant"));
    let proxy = setup(&upstream, &server).policy("main", &policy).start();
    let mut bench = Bench::new("an issuer with a path", &proxy, "main", &upstream);
    bench.row("another's token", &document(keys::old().token()), &Expect::deny(401, "token_issuer"));
    bench.finish();
    assert_eq!((server.count(&described), server.count(PATH)), (1, 1));
}

/// What is said of somebody else's keys, or by somebody else, is not believed. Every row has an issuer of its own, whose
/// tokens nobody has: once the keys are there, a token is refused for its issuer.
#[test]
fn a_wrong_description_brings_no_keys() {
    let upstream = Upstream::start();
    let elsewhere = KeyServer::start(Answer::keys([keys::old()]));
    let server = KeyServer::start(Answer::keys([keys::old()]));
    let rows = wrong_descriptions(&format!("http://{}{PATH}", elsewhere.address));
    let mut setup = setup(&upstream, &server);
    for (number, (_, answer)) in rows.iter().enumerate() {
        server.on(&format!("/{number}{DESCRIPTION}"), answer.clone());
        let mut policy = discovered("200ms");
        policy["providers"][0]["issuer"] = json!(format!("{ISSUER}/{number}"));
        setup = setup.policy(&format!("row-{number}"), &policy);
    }
    let proxy = setup.start();
    let mut table = Table::new("a wrong description");
    let answer = |number: usize| fetch(proxy.address(&format!("row-{number}")), &document(keys::old().token())).status;
    for (number, (name, _)) in rows.iter().enumerate() {
        // One at a time: by the second, the first was dealt with.
        eventually("two fetches", || (server.count(&format!("/{number}{DESCRIPTION}")) >= 2).then_some(()));
        let status = answer(number);
        table.holds(name, status == 503, || status.to_string());
    }
    table.finish();
    assert_eq!(server.count(PATH), 0, "keys were fetched that no description led to");
    assert!(elsewhere.fetches().is_empty());
    assert_eq!(succeeded(&proxy), 0.0);
    for (number, (name, _)) in rows.iter().enumerate() {
        server.on(&format!("/{number}{DESCRIPTION}"), Answer::json(&description(&format!("/{number}"), URI)));
        eventually(name, || (answer(number) == 401).then_some(()));
    }
    healthy(&proxy);
}

fn wrong_descriptions(elsewhere: &str) -> Vec<(&'static str, Answer)> {
    let mut rows: Vec<(&'static str, Answer)> = Vec::new();
    let wrong_uris = [
        ("another authority", json!("https://keys.example.org/jwks.json")),
        ("another port", json!("https://issuer.example.com:8443/jwks.json")),
        ("an address", json!(elsewhere)),
        ("a subdomain", json!("https://jwks.issuer.example.com/jwks.json")),
        ("a longer name", json!("https://issuer.example.com.evil.example/jwks.json")),
        ("a user's name", json!("https://issuer.example.com@evil.example/jwks.json")),
        ("a backslash", json!("https://evil.example\\@issuer.example.com/jwks.json")),
        ("no scheme", json!("issuer.example.com/jwks.json")),
        ("another scheme", json!("file://issuer.example.com/jwks.json")),
        ("a path alone", json!("/jwks.json")),
        ("a line break", json!("https://issuer.example.com/jwks.json\r\nx-injected: 1")),
        ("a space", json!("https://issuer.example.com/jwks.json HTTP/1.1")),
        ("no text", json!(["https://issuer.example.com/jwks.json"])),
        ("nothing", Value::Null),
    ];
    for (name, uri) in wrong_uris {
        let mut wrong = description(&format!("/{}", rows.len()), URI);
        wrong["jwks_uri"] = uri;
        rows.push((name, Answer::json(&wrong)));
    }
    for (name, issuer) in [
        ("another issuer", json!("https://other.example.com")),
        ("another path", json!("https://issuer.example.com/another")),
        ("no path", json!(ISSUER)),
        ("a slash more", json!(format!("{ISSUER}/{}/", rows.len() + 3))),
        ("capitals", json!(format!("https://ISSUER.example.com/{}", rows.len() + 4))),
        ("no issuer", Value::Null),
    ] {
        let mut wrong = description("", URI);
        wrong["issuer"] = issuer;
        rows.push((name, Answer::json(&wrong)));
    }
    let good = |number: usize| description(&format!("/{number}"), URI);
    let at = rows.len();
    rows.extend([
        ("half of it", Answer::bytes(&good(at).to_string()[..60])),
        ("a failure", Answer::json(&good(at + 1)).status(500)),
        ("a redirect", Answer::json(&good(at + 2)).status(302).header("location", PATH)),
        ("10 MB", Answer::bytes(format!("{}{}", good(at + 3), " ".repeat(10_000_000)))),
        ("keys", Answer::keys([keys::old()])),
    ]);
    rows
}

/// Once found, keys are kept as others are: whatever happens to the description.
#[test]
fn a_description_that_goes_wrong_costs_no_keys() {
    let upstream = Upstream::start();
    let server = KeyServer::start(Answer::keys([keys::old()]));
    server.on(DESCRIPTION, Answer::json(&description("", URI)));
    let mut policy = discovered("500ms");
    policy["providers"][0]["remote_jwks"]["cache_duration"] = json!("1s");
    let proxy = setup(&upstream, &server).policy("main", &policy).start();
    assert_eq!(ask(&proxy, keys::old().token()), 200);
    server.on(DESCRIPTION, Answer::json(&json!({"issuer": "https://other.example.com"})));
    server.answer(Answer::keys([keys::new()]));
    await_failures(&proxy);
    assert_eq!(ask(&proxy, keys::old().token()), 200);
    healthy(&proxy);
}
