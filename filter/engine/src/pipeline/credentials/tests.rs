#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use std::net::IpAddr;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::feed::{Digest16, Draft, Feed, KeyEntry, RevokedEntry, SubjectEntry, read};
use crate::lockout::{Counter, Lockout, Standing};
use crate::pipeline::Facts;
use crate::policy::Policy;
use crate::testing::{NOW, Request, after, amended, feed_keys, now, policy, provider, signed_feed, with_feed};
use crate::time::UnixTime;
use crate::token::{HostCrypto, Proven};
use crate::worker::Worker;

const SECRET: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA_-";

fn subject(name: &str) -> SubjectEntry {
    let digest = Digest16::subject(name);
    SubjectEntry { digest, disabled: false, removed: false, tokens_before: 0, roles: None }
}

fn api_key(id: &str, owner: &str) -> KeyEntry {
    KeyEntry {
        digest: Digest16::key(id),
        secret_sha256: Sha256::digest(SECRET).into(),
        expires: 0,
        owner: Some(owner.to_owned()),
        roles: Some(vec!["admin".into()]),
        networks: None,
    }
}

fn seconds(at: i64) -> u32 {
    u32::try_from(at).expect("this century")
}

fn draft() -> Draft {
    Draft {
        subjects: vec![
            SubjectEntry { disabled: true, ..subject("mallory") },
            SubjectEntry { tokens_before: seconds(NOW - 100), ..subject("bob") },
            SubjectEntry { roles: Some(vec!["editor".into(), "admin".into()]), ..subject("ada") },
        ],
        revoked: vec![RevokedEntry { digest: Digest16::token("gone"), expires: seconds(NOW + 60) }],
        keys: vec![
            api_key("aaaaaaaaaaaa", "ada"),
            KeyEntry { expires: seconds(NOW), ..api_key("bbbbbbbbbbbb", "ada") },
            KeyEntry { networks: Some(vec!["10.0.0.0/8".into()]), ..api_key("cccccccccccc", "ada") },
            api_key("dddddddddddd", "mallory"),
            KeyEntry { roles: None, ..api_key("eeeeeeeeeeee", "carol") },
        ],
    }
}

fn feed(version: u64, base: Option<u64>, draft: Draft) -> Feed {
    read(signed_feed(version, base, draft), &feed_keys()).expect("a feed")
}

fn worker(policy: &Policy) -> Worker {
    let mut worker = Worker::new(policy, Proven::NOTHING);
    worker.take_feed(policy, feed(1, None, draft()), now()).expect("a feed");
    worker
}

fn key(id: &str) -> Request {
    Request::get("/admin").with("x-api-key", format!("pk_{id}_{SECRET}"))
}

fn token(claims: Value) -> Request {
    Request::get("/me").bearer(claims)
}

#[test]
fn tokens_are_held_against_the_feed() {
    let policy = policy(&with_feed(json!({})));
    let mut worker = worker(&policy);
    for (claims, expected, message) in [
        (json!({"sub": "carol"}), "authenticated", "of whom nothing is said"),
        (json!({"sub": "ada"}), "authenticated", "whose roles are said"),
        (json!({"sub": "mallory"}), "subject_disabled", "switched off"),
        (json!({"sub": "carol", "jti": "gone"}), "token_revoked", "revoked"),
        (json!({"sub": "carol", "jti": "here"}), "authenticated", "another one"),
        (json!({"sub": "bob", "iat": NOW - 101}), "token_revoked", "made before"),
        (json!({"sub": "bob", "iat": NOW - 100}), "authenticated", "made then"),
        (json!({"sub": "bob", "iat": 1_749_999_899.5}), "token_revoked", "made half a second before"),
        (json!({"sub": "bob"}), "token_revoked", "made nobody knows when"),
        (json!({}), "authenticated", "of nobody"),
    ] {
        for time in ["at first", "again"] {
            let verdict = token(claims.clone()).decide_with(&policy, &mut worker);
            assert_eq!(verdict.decision.reason(), expected, "{message}, {time}");
            if verdict.status() == Some(401) {
                let challenge = verdict.reply().header("www-authenticate");
                assert_eq!(challenge, Some(r#"Bearer realm="portcullis", error="invalid_token""#), "{message}");
            }
        }
    }
}

/// Of a token that is in the cache, too.
#[test]
fn another_feed_is_obeyed_at_once() {
    let policy = policy(&with_feed(json!({})));
    let mut worker = worker(&policy);
    let carol = token(json!({"sub": "carol", "jti": "c"}));
    let expect = |worker: &mut Worker, reason: &str| {
        assert_eq!(carol.decide_with(&policy, worker).decision.reason(), reason);
    };
    expect(&mut worker, "authenticated");
    let off = Draft { subjects: vec![SubjectEntry { disabled: true, ..subject("carol") }], ..Draft::default() };
    worker.take_feed(&policy, feed(2, Some(1), off), now()).expect("a delta");
    expect(&mut worker, "subject_disabled");
    worker.take_feed(&policy, feed(3, Some(1), Draft::default()), now()).expect("a delta");
    expect(&mut worker, "authenticated");
    let revoked = vec![RevokedEntry { digest: Digest16::token("c"), expires: 1 }];
    worker.take_feed(&policy, feed(4, None, Draft { revoked, ..Draft::default() }), now()).expect("a full feed");
    expect(&mut worker, "token_revoked");
    assert!(worker.take_feed(&policy, feed(3, None, draft()), now()).is_err(), "an older one");
    expect(&mut worker, "token_revoked");
}

#[test]
fn without_a_feed_nobody_gets_in_who_must_be_somebody() {
    for (on_stale, age, expected, message) in [
        ("deny", None, "feed_unavailable", "none yet"),
        ("serve", None, "feed_unavailable", "none to serve"),
        ("deny", Some(599), "authenticated", "young enough"),
        ("deny", Some(600), "feed_unavailable", "too old"),
        ("serve", Some(600), "authenticated", "too old, and believed"),
    ] {
        let policy = policy(&with_feed(json!({"on_stale": on_stale, "stale_after": "10m"})));
        let mut worker = Worker::new(&policy, Proven::NOTHING);
        if let Some(age) = age {
            let at = UnixTime::from_seconds(NOW - age);
            worker.take_feed(&policy, feed(1, None, draft()), at).expect("a feed");
        }
        let verdict = token(json!({"sub": "carol"})).decide_with(&policy, &mut worker);
        assert_eq!(verdict.decision.reason(), expected, "{message}");
        if expected == "feed_unavailable" {
            assert_eq!((verdict.status(), verdict.reply().header("retry-after")), (Some(503), Some("2")), "{message}");
            assert_eq!(verdict.reply().header("www-authenticate"), None, "{message}");
            assert_eq!(key("aaaaaaaaaaaa").decide_with(&policy, &mut worker).decision.reason(), expected, "{message}");
        }
        let open = Request::get("/open").bearer(json!({"sub": "mallory"})).decide_with(&policy, &mut worker);
        assert_eq!(open.decision.reason(), "public", "{message}");
        let nobody = Request::get("/me").decide_with(&policy, &mut worker);
        assert_eq!(nobody.decision.reason(), "credentials_missing", "{message}");
        worker.confirm_feed(&policy, now());
        let later = token(json!({"sub": "carol"})).decide_with(&policy, &mut worker);
        assert_eq!(later.decision.reason() == "authenticated", age.is_some(), "{message}: asked again");
    }
}

#[test]
fn providers_that_the_feed_does_not_speak_of_need_none() {
    let other = amended(provider(), json!({"name": "other", "from_headers": [{"name": "x-other"}]}));
    let document = amended(with_feed(json!({"providers": ["other"]})), json!({"providers": [provider(), other]}));
    let policy = policy(&document);
    let mut worker = Worker::new(&policy, Proven::NOTHING);
    let mallory = token(json!({"sub": "mallory"}));
    assert_eq!(mallory.decide_with(&policy, &mut worker).decision.reason(), "authenticated");
    let text = crate::testing::token(json!({"sub": "carol"}));
    let other = Request::get("/me").with("x-other", text);
    assert_eq!(other.decide_with(&policy, &mut worker).decision.reason(), "feed_unavailable");
}

#[test]
fn api_keys_are_known_by_their_id_and_proved_by_their_secret() {
    let policy = policy(&with_feed(json!({})));
    let mut worker = worker(&policy);
    let wrong = format!("pk_aaaaaaaaaaaa_{}", SECRET.replace('_', "A"));
    for (request, status, expected, message) in [
        (key("aaaaaaaaaaaa"), None, "role_allowed", "a good one"),
        (key("bbbbbbbbbbbb"), Some(401), "api_key_expired", "its time is over"),
        (key("bbbbbbbbbbbb").at(NOW - 1), None, "role_allowed", "a second before"),
        (key("cccccccccccc"), Some(403), "api_key_address", "from elsewhere"),
        (key("cccccccccccc").from("10.9.8.7"), None, "role_allowed", "from its network"),
        (key("cccccccccccc").from("nowhere"), Some(403), "api_key_address", "from nobody knows where"),
        (key("dddddddddddd"), Some(401), "subject_disabled", "its owner is switched off"),
        (key("eeeeeeeeeeee"), Some(403), "role_missing", "without roles"),
        (key("ffffffffffff"), Some(401), "api_key_unknown", "an id that nobody has"),
        (Request::get("/admin").with("x-api-key", wrong), Some(401), "api_key_unknown", "another secret"),
        (Request::get("/admin").with("x-api-key", "nonsense"), Some(401), "api_key_unknown", "no key at all"),
        (Request::get("/admin").with("x-api-key", b"\xff"), Some(401), "api_key_unknown", "no text"),
        (Request::get("/admin").with("x-api-key", ""), Some(401), "credentials_missing", "an empty header"),
        (key("aaaaaaaaaaaa").role("admin"), Some(400), "credentials_multiple", "beside a token"),
        (key("aaaaaaaaaaaa").with("x-api-key", "x"), Some(400), "credentials_multiple", "two keys"),
    ] {
        let verdict = request.decide_with(&policy, &mut worker);
        assert_eq!((verdict.status(), verdict.decision.reason()), (status, expected), "{message}");
        if status == Some(401) && expected != "credentials_missing" {
            let challenge = verdict.reply().header("www-authenticate");
            assert_eq!(challenge, Some(r#"Bearer realm="portcullis", error="invalid_token""#), "{message}");
        }
        assert!(!verdict.line(200).contains(SECRET), "{message}: never recorded");
    }
}

/// An incident is followed by who it was that came again; whose secret is wrong is nobody.
#[test]
fn records_name_whom_the_feed_shuts_out() {
    let policy = policy(&with_feed(json!({})));
    let mut worker = worker(&policy);
    let wrong = format!("pk_aaaaaaaaaaaa_{}", SECRET.replace('_', "A"));
    for (request, user, key_id, message) in [
        (token(json!({"sub": "mallory"})), Some("mallory"), Some("k1"), "switched off"),
        (token(json!({"sub": "carol", "jti": "gone"})), Some("carol"), Some("k1"), "a revoked token"),
        (key("dddddddddddd"), Some("mallory"), Some("dddddddddddd"), "a key of somebody switched off"),
        (key("bbbbbbbbbbbb"), Some("ada"), Some("bbbbbbbbbbbb"), "a key whose time is over"),
        (key("cccccccccccc"), Some("ada"), Some("cccccccccccc"), "a key from elsewhere"),
        (key("ffffffffffff"), None, None, "a key that nobody has"),
        (Request::get("/admin").with("x-api-key", wrong), None, None, "another secret"),
    ] {
        let verdict = request.decide_with(&policy, &mut worker);
        assert!(verdict.status().is_some_and(|status| status >= 401), "{message}");
        let found = (verdict.recorded("user_id"), verdict.recorded("kid"), verdict.recorded("role"));
        assert_eq!(found, (user.map(Value::from), key_id.map(Value::from), None), "{message}");
    }
}

#[test]
fn the_owner_of_a_key_is_who_calls() {
    let policy = policy(&with_feed(json!({})));
    let mut worker = worker(&policy);
    let verdict = key("aaaaaaaaaaaa").decide_with(&policy, &mut worker);
    let sent = after(verdict.edits(), &[("x-api-key", "k"), ("x-user-id", "forged")]);
    let own = [("x-user-id".to_owned(), "ada".to_owned()), ("x-user-role".to_owned(), "admin".to_owned())];
    assert_eq!(sent, own, "never the key");
    for (member, expected) in
        [("user_id", json!("ada")), ("role", json!("admin")), ("kid", json!("aaaaaaaaaaaa")), ("provider", json!(null))]
    {
        assert_eq!(verdict.recorded(member).unwrap_or_default(), expected, "{member}");
    }
    let open = key("aaaaaaaaaaaa").without(":path").with(":path", "/open").decide_with(&policy, &mut worker);
    assert_eq!(after(open.edits(), &[("x-api-key", "k")]), [], "nor to a public route");
    let disguised = Request::get("/open").with("x_api_key", "k").decide_with(&policy, &mut worker);
    assert_eq!(after(disguised.edits(), &[("x_api_key", "k")]), [], "nor in another spelling");
    let editor = KeyEntry { roles: Some(vec!["editor".into()]), ..api_key("aaaaaaaaaaaa", "ada") };
    let delta = Draft { keys: vec![editor], ..Draft::default() };
    worker.take_feed(&policy, feed(2, Some(1), delta), now()).expect("a delta");
    let write = |owner: &str| {
        let request = Request::new("PUT", &format!("/users/{owner}"));
        request
            .with("x-api-key", format!("pk_aaaaaaaaaaaa_{SECRET}"))
            .decide_with(&policy, &mut Worker::new(&policy, Proven::NOTHING))
    };
    assert_eq!(write("ada").decision.reason(), "feed_unavailable");
    for (owner, expected) in [("ada", "owner_allowed"), ("bob", "owner_denied")] {
        let request = Request::new("PUT", &format!("/users/{owner}"));
        let request = request.with("x-api-key", format!("pk_aaaaaaaaaaaa_{SECRET}"));
        assert_eq!(request.decide_with(&policy, &mut worker).decision.reason(), expected, "{owner}");
    }
}

#[test]
fn a_policy_may_have_keys_alone() {
    let policy = policy(&amended(with_feed(json!({})), json!({"providers": []})));
    let mut worker = worker(&policy);
    assert_eq!(key("aaaaaaaaaaaa").decide_with(&policy, &mut worker).decision.reason(), "role_allowed");
    assert_eq!(Request::get("/me").decide_with(&policy, &mut worker).decision.reason(), "credentials_missing");
}

#[test]
fn roles_come_from_the_feed_where_they_should() {
    let from_feed = amended(provider(), json!({"roles_from": {"feed": true}}));
    let policy = policy(&amended(with_feed(json!({})), json!({"providers": [from_feed]})));
    let mut worker = worker(&policy);
    let admin = |claims: Value| Request::get("/admin").bearer(claims);
    let ada = admin(json!({"sub": "ada"}));
    let verdict = ada.decide_with(&policy, &mut worker);
    assert_eq!((verdict.decision.reason(), verdict.recorded("role")), ("role_allowed", Some(json!("admin"))));
    let sent = after(verdict.edits(), &[]);
    assert!(sent.contains(&("x-user-role".to_owned(), "editor,admin".to_owned())), "{sent:?}");
    for (claims, expected, message) in [
        (json!({"sub": "carol", "role": "admin"}), "role_missing", "the token's own are none"),
        (json!({"sub": "bob", "iat": NOW, "role": "admin"}), "role_missing", "nothing is said of them"),
        (json!({"role": "admin"}), "role_missing", "nobody's"),
    ] {
        let verdict = admin(claims).decide_with(&policy, &mut worker);
        assert_eq!(verdict.decision.reason(), expected, "{message}");
    }
    let viewer = SubjectEntry { roles: Some(vec!["viewer".into()]), ..subject("ada") };
    let delta = Draft { subjects: vec![viewer], ..Draft::default() };
    worker.take_feed(&policy, feed(2, Some(1), delta), now()).expect("a delta");
    for time in ["at once", "and again"] {
        assert_eq!(ada.decide_with(&policy, &mut worker).decision.reason(), "role_denied", "{time}");
    }
}

/// A host that has locked somebody out.
struct Locked(Request);

impl HostCrypto for Locked {}

impl Facts for Locked {
    fn now(&self) -> UnixTime {
        now()
    }

    fn client(&self) -> Option<IpAddr> {
        self.0.client()
    }

    fn standing(&self, _: &Lockout, _: &Counter, _: bool) -> Standing {
        Standing::Locked(77)
    }
}

#[test]
fn who_is_locked_out_learns_nothing() {
    let document = amended(with_feed(json!({})), json!({"lockout": {"max_failures": 3, "login_routes": ["open"]}}));
    let policy = policy(&document);
    let mut worker = worker(&policy);
    for (request, expected, message) in [
        (token(json!({"sub": "carol"})), "locked_out", "a good token"),
        (Request::get("/me").with("authorization", "Bearer x"), "locked_out", "a bad one"),
        (key("aaaaaaaaaaaa"), "locked_out", "a good key"),
        (Request::new("POST", "/open"), "locked_out", "a route where passwords are checked"),
        (Request::get("/me"), "credentials_missing", "nothing to look at"),
    ] {
        let verdict = policy.decide(&request.map(), &Locked(request.clone()), &mut worker, &mut ());
        assert_eq!(verdict.decision.reason(), expected, "{message}");
        if expected == "locked_out" {
            assert_eq!((verdict.status(), verdict.reply().header("retry-after")), (Some(429), Some("77")), "{message}");
            assert_eq!(verdict.attempt, None, "{message}: nothing to count");
        }
    }
}

#[test]
fn guesses_are_counted_and_mistakes_are_not() {
    let document = amended(
        with_feed(json!({})),
        json!({"lockout": {"max_failures": 3, "key": ["ip", "account"], "login_routes": ["open"]}}),
    );
    let policy = policy(&document);
    let mut worker = worker(&policy);
    let good = |claims: Value| token(claims);
    let bad = |text: &str| Request::get("/me").with("authorization", format!("Bearer {text}"));
    let forged = crate::testing::sign(r#"{"alg":"HS256","kid":"k1"}"#, &json!({"exp": NOW + 60}).to_string(), b"other");
    for (request, failed, message) in [
        (good(json!({"sub": "carol"})), None, "a good token"),
        (bad("x"), Some(true), "garbage"),
        (bad(&forged), Some(true), "a forged token"),
        (good(json!({"sub": "carol", "exp": NOW - 1000})), None, "one that was good"),
        (good(json!({"sub": "mallory"})), None, "one whose subject is switched off"),
        (key("ffffffffffff"), Some(true), "a key that nobody has"),
        (key("bbbbbbbbbbbb"), None, "a key whose time is over"),
        (Request::new("POST", "/open"), Some(false), "a password for the upstream to check"),
        (Request::get("/me"), None, "nothing"),
    ] {
        let attempt = request.decide_with(&policy, &mut worker).attempt;
        assert_eq!(attempt.map(|attempt| attempt.failed), failed, "{message}");
        assert!(attempt.is_none_or(|attempt| attempt.failed || attempt.reserved), "{message}");
    }
    let counters: Vec<Option<Counter>> = [
        bad(&crate::testing::sign(r#"{"alg":"HS256"}"#, r#"{"sub":"a"}"#, b"x")),
        bad(&crate::testing::sign(r#"{"alg":"HS256"}"#, r#"{"sub":"b"}"#, b"x")),
        bad(&crate::testing::sign(r#"{"alg":"HS256"}"#, r#"{"sub":"a"}"#, b"y")),
    ]
    .iter()
    .map(|request| request.decide_with(&policy, &mut worker).attempt.map(|attempt| attempt.counter))
    .collect();
    assert!(counters[0] != counters[1] && counters[0] == counters[2], "by the account it claims: {counters:?}");
}
