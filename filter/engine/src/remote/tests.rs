#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use serde_json::json;

use super::*;
use crate::testing::now;

const ED25519: &str =
    r#"{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

fn remote() -> RemoteJwks {
    RemoteJwks {
        cluster: "issuer".into(),
        authority: "issuer.test".into(),
        path: "/keys".into(),
        discovery_of: None,
        cache_duration: Duration::from_secs(600),
        timeout: Duration::from_secs(1),
        base_interval: Duration::from_secs(1),
        max_interval: Duration::from_secs(30),
        stale_for: Duration::from_secs(3600),
    }
}

fn discovering() -> RemoteJwks {
    RemoteJwks { discovery_of: Some("https://issuer.test/a".into()), ..remote() }
}

fn after(millis: u64) -> UnixTime {
    now().plus(Duration::from_millis(millis))
}

/// A set that came a moment ago.
fn fresh() -> FetchState {
    remote().succeeded(&remote().begun(&FetchState::NEVER, now()), now())
}

#[test]
fn keys_are_fetched_at_once_and_before_they_grow_old() {
    assert!(remote().is_due(&FetchState::NEVER, false, now()), "at the start");
    let state = fresh();
    assert_eq!((state.generation(), state.finished()), (1, 1));
    assert!(!remote().is_due(&state, false, after(479_000)), "not in the first 80 %");
    assert!(remote().is_due(&state, false, after(540_000)), "in the last 10 %");
    assert_eq!(remote().good_until(&state), after(4_200_000), "cache_duration and stale_for");
}

#[test]
fn fetches_of_a_fleet_are_spread() {
    let due = |start: u64| {
        let state = remote().succeeded(&FetchState::NEVER, after(start));
        (0..600).find(|second| remote().is_due(&state, false, after(start + second * 1000)))
    };
    let times: std::collections::BTreeSet<_> = (0..200).map(due).collect();
    assert!(times.iter().all(|time| time.is_some_and(|time| (480..=540).contains(&time))), "{times:?}");
    assert!(times.len() > 20, "{times:?}");
}

#[test]
fn one_worker_has_the_turn_until_it_is_done_or_gone() {
    let busy = remote().begun(&FetchState::NEVER, now());
    assert!(!remote().is_due(&busy, true, after(1999)), "under way");
    assert!(remote().is_due(&busy, false, after(2000)), "its worker is gone");
    let busy = discovering().begun(&FetchState::NEVER, now());
    assert!(!discovering().is_due(&busy, false, after(2999)), "two requests take twice as long");
    assert_eq!(
        remote().patience(&busy, after(10)),
        Some(Duration::from_millis(1000)),
        "what is under way may bring the key"
    );
}

#[test]
fn a_fetch_that_is_abandoned_is_anybodys_turn() {
    let busy = remote().begun(&fresh(), after(500_000));
    let state = remote().abandoned(&busy, after(500_001));
    assert!(remote().is_due(&state, false, after(500_001)));
    assert_eq!((state.generation(), state.finished()), (1, 1), "nothing has ended, and nothing failed");
}

#[test]
fn failures_keep_the_keys_and_wait_longer_each_time() {
    let mut state = fresh();
    let mut waits = Vec::new();
    for _ in 0..7 {
        state = remote().failed(&state, now());
        waits.push((0..100).find(|second| remote().is_due(&state, false, after(second * 1000))));
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30].map(Some));
    assert_eq!((state.generation(), state.finished()), (1, 8));
    assert_eq!(remote().good_until(&state), after(4_200_000), "no later than before");
    let state = remote().succeeded(&state, now());
    assert_eq!(remote().failed(&state, now()), FetchState { failures: 1, ..remote().failed(&state, now()) });
    let first = remote().failed(&FetchState::NEVER, now());
    assert!(remote().is_due(&first, false, after(125)), "sooner while there is nothing");
}

#[test]
fn unknown_kids_ask_at_most_every_three_seconds() {
    let state = fresh();
    assert!(remote().is_due(&state, true, after(1)), "keys that came as they should do not count");
    let asked = remote().succeeded(&remote().begun(&state, after(1)), after(2));
    assert!(!remote().is_due(&asked, true, after(3000)));
    assert!(remote().is_due(&asked, true, after(3001)));
    assert_eq!(remote().patience(&asked, after(2000)), None, "further away than an answer");
    assert_eq!(
        remote().patience(&asked, after(2002)),
        Some(Duration::from_millis(1999)),
        "the wait for the fetch, and for its answer"
    );
    assert_eq!(remote().patience(&asked, after(3001)), Some(Duration::from_millis(1000)), "it may begin at once");
    let failed = remote().failed(&remote().begun(&state, after(1)), after(2));
    assert!(!remote().is_due(&failed, true, after(1000)), "failures do not make it more often");
}

#[test]
fn a_clock_that_is_set_back_stops_nothing() {
    let state = remote().begun(&remote().failed(&fresh(), after(9_000_000)), after(9_000_000));
    assert!(remote().is_due(&state, false, now()), "a turn that would take hours is none");
    assert!(remote().is_due(&FetchState { busy_until: now(), ..state }, true, now()));
}

#[test]
fn states_survive_being_kept() {
    for state in [FetchState::NEVER, fresh(), remote().failed(&fresh(), after(5))] {
        assert_eq!(FetchState::decode(&state.encode()), state);
    }
    let bytes = fresh().encode();
    for wrong in [&[][..], &bytes[1..], &[&bytes[..], &[0]].concat(), &[9; 48]] {
        assert_eq!(FetchState::decode(wrong), FetchState::NEVER, "{wrong:?}");
    }
}

#[test]
fn answers_are_keys_or_nothing() {
    let keys = Stage::Keys("/keys".into());
    let read = |body: &str| match remote().read(&keys, 200, body.as_bytes()) {
        Ok(Answer::Keys { keys, passed_over }) => (keys.keys().len(), passed_over),
        answer => panic!("{answer:?}"),
    };
    assert_eq!(read(ED25519), (1, vec![]));
    let others = r#"{"keys": [{"kty": "AKP"}, {"kty": "OKP", "d": "AA"}, {"kty": "AKP", "kid": "b"}, "#;
    let beside = ED25519.replacen(r#"{"keys": ["#, others, 1);
    assert_eq!(read(&beside), (1, vec![KeyError::Type, KeyError::Private("d")]), "each reason once");
    let secret = r#"{"keys": [{"kty": "oct", "kid": "s", "k": "c2VjcmV0IG9mIG1vcmUgdGhhbiB0aGlydHktdHdvIGJ5dGVz"}]}"#;
    for (status, body, message) in [
        (404, ED25519, "a status other than 200"),
        (301, ED25519, "a redirect"),
        (204, "", "nothing"),
        (200, "", "an empty body"),
        (200, "<html>", "a page"),
        (200, "{}", "no keys"),
        (200, r#"{"keys": []}"#, "an empty set"),
        (200, r#"{"keys": [{"kty": "EC"}]}"#, "nothing usable"),
        (200, secret, "secrets that everybody can read"),
    ] {
        assert!(remote().read(&keys, status, body.as_bytes()).is_err(), "{message}");
    }
}

#[test]
fn discovery_leads_to_keys_of_the_same_issuer_and_host() {
    let document = |issuer: &str, uri: &str| json!({"issuer": issuer, "jwks_uri": uri}).to_string();
    let read = |text: &str| match discovering().read(&Stage::Discovery, 200, text.as_bytes()) {
        Ok(Answer::Next(Stage::Keys(path))) => Ok(path),
        Ok(other) => panic!("{other:?}"),
        Err(error) => Err(error.to_string()),
    };
    let issuer = "https://issuer.test/a";
    for (uri, path) in [
        ("https://issuer.test/a/keys", "/a/keys"),
        ("https://ISSUER.test:443/keys?v=1#x", "/keys?v=1"),
        ("http://issuer.test/keys", "/keys"),
        ("https://issuer.test", "/"),
    ] {
        assert_eq!(read(&document(issuer, uri)).as_deref(), Ok(path), "{uri}");
    }
    for (text, message) in [
        (document("https://issuer.test/b", "https://issuer.test/keys"), "another issuer"),
        (document("https://issuer.test/a/", "https://issuer.test/keys"), "not exactly the issuer"),
        (document(issuer, "https://evil.test/keys"), "another host"),
        (document(issuer, "https://issuer.test:8443/keys"), "another port"),
        (document(issuer, "https://issuer.test@evil.test/keys"), "a host in disguise"),
        (document(issuer, "ftp://issuer.test/keys"), "another scheme"),
        (document(issuer, "/keys"), "no URI"),
        (document(issuer, "https://issuer.test/ke ys"), "a space"),
        (document(issuer, "https://issuer.test/k\r\nx: y"), "another header"),
        (json!({"issuer": issuer}).to_string(), "no jwks_uri"),
        ("[]".into(), "no object"),
        (format!(r#"{{"issuer": "{issuer}", "issuer": "x"}}"#), "an issuer twice"),
    ] {
        assert!(read(&text).is_err(), "{message}");
    }
    assert_eq!(discovering().first_stage(), Stage::Discovery);
}

#[test]
fn an_issuer_says_where_its_document_is() {
    let known =
        |authority: &str, path: &str| Ok((authority.to_owned(), format!("{path}/.well-known/openid-configuration")));
    for (issuer, expected, message) in [
        ("https://issuer.test", known("issuer.test", ""), "a host"),
        ("https://issuer.test/", known("issuer.test", ""), "a slash behind it"),
        ("https://issuer.test/realms/a", known("issuer.test", "/realms/a"), "a path"),
        ("https://issuer.test/realms/a/", known("issuer.test", "/realms/a"), "a path with a slash"),
        ("https://issuer.test/a@b", known("issuer.test", "/a@b"), "an at sign in the path"),
        ("https://issuer.test:8443/a", known("issuer.test:8443", "/a"), "a port"),
        ("https://[2001:db8::1]:8443", known("[2001:db8::1]:8443", ""), "an address"),
        ("issuer.test", Err("it is no https URL"), "no scheme"),
        ("http://issuer.test", known("issuer.test", ""), "http"),
        ("HTTPS://issuer.test", Err("it is no https URL"), "no token has it so"),
        ("urn:issuer", Err("it is no https URL"), "a name"),
        ("", Err("it is no https URL"), "nothing"),
        ("https://", Err("it is no https URL"), "no host"),
        ("https:///a", Err("it is no https URL"), "no host before a path"),
        ("https://:443", Err("it has no host"), "a port alone"),
        ("https://issuer.test/a b", Err("it is no https URL"), "a space"),
        ("https://issuer.test\\evil.test", Err("it has no host"), "a backslash"),
        ("https://issuer.test?t=1", Err("it has a query or a fragment"), "a query"),
        ("https://issuer.test/a?t=1", Err("it has a query or a fragment"), "a query behind a path"),
        ("https://issuer.test/a?", Err("it has a query or a fragment"), "an empty query"),
        ("https://issuer.test#a", Err("it has a query or a fragment"), "a fragment"),
        ("https://issuer.test/#", Err("it has a query or a fragment"), "an empty fragment"),
        ("https://u:p@issuer.test", Err("it names a user"), "a user with a password"),
        ("https://u@issuer.test/a", Err("it names a user"), "a user"),
        ("https://@issuer.test", Err("it names a user"), "an empty user"),
    ] {
        assert_eq!(discovery_place(issuer), expected, "{message}: {issuer}");
    }
}

#[test]
fn places_are_told_apart() {
    let other = |edit: fn(&mut RemoteJwks)| {
        let mut other = remote();
        edit(&mut other);
        other.id()
    };
    assert_eq!(remote().id(), other(|remote| remote.timeout = Duration::ZERO), "the place is the same");
    for (id, message) in [
        (other(|remote| remote.cluster = "b".into()), "cluster"),
        (other(|remote| remote.authority = "b".into()), "authority"),
        (other(|remote| remote.path = "/b".into()), "path"),
        (discovering().id(), "discovery"),
    ] {
        assert_ne!(remote().id(), id, "{message}");
    }
}
