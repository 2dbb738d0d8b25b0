#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use serde_json::{Value, json};

use crate::testing::{amended, errors, feed_jwk, policy, provider, with_feed};

/// The policy with a member of `identity_feed` changed; `null` takes it out.
fn feed(member: &str, value: Value) -> Value {
    let mut document = with_feed(json!({}));
    let feed = document["identity_feed"].as_object_mut().expect("a feed");
    if value.is_null() {
        feed.remove(member);
    } else {
        feed.insert(member.to_owned(), value);
    }
    document
}

#[track_caller]
fn check(document: &Value, path: &str, message: &str, remedy: &str) {
    let errors = errors(document);
    let shown: Vec<String> = errors.iter().map(ToString::to_string).collect();
    let [error] = errors.as_slice() else { panic!("{} errors: {shown:#?}", errors.len()) };
    assert_eq!(error.path, path, "{error}");
    assert!(error.message.contains(message), "{error}");
    assert!(error.remedy.contains(remedy), "{error}");
}

#[test]
fn what_is_left_out_has_a_default() {
    let policy = policy(&with_feed(json!({})));
    let feed = policy.identity_feed().expect("a feed");
    assert_eq!((feed.timeout().as_secs(), feed.stale_after().as_secs()), (2, 600));
    assert_eq!(feed.on_stale(), crate::feed::OnStale::Deny);
    assert_eq!(policy.api_key_header(), Some("x-api-key"));
    assert_eq!(policy.warnings(), []);
}

#[test]
fn a_key_or_a_set_of_them_verifies() {
    for key in [feed_jwk().to_string(), json!({"keys": [feed_jwk()]}).to_string()] {
        policy(&feed("key", json!(key)));
    }
}

#[test]
fn mistakes_of_the_feed() {
    let private = amended(feed_jwk(), json!({"d": "AAAA"})).to_string();
    for (member, value, path, message, remedy) in [
        ("cluster", json!(null), "", "missing field `cluster`", "Envoy cluster"),
        ("cluster", json!("a b"), ".cluster", "with spaces", "as Envoy has it"),
        ("authority", json!(null), "", "missing field `authority`", "host"),
        ("path", json!(null), "", "missing field `path`", "/portcullis/feed"),
        ("path", json!("feed"), ".path", "not a path", "begin it with `/`"),
        ("delta_path", json!("feed"), ".delta_path", "not a path", "begin it with `/`"),
        ("key", json!(null), "", "missing field `key`", "portcullis key jwks"),
        ("key", json!("nonsense"), ".key", "not a JSON object", "portcullis key jwks"),
        ("key", json!(private), ".key", "private key", "public key alone"),
        ("key", json!(r#"{"kty":"oct","k":"AAAA"}"#), ".key", "secret", "public key alone"),
        ("key", json!(r#"{"keys":[{"kty":"oct","k":"AAAA"}]}"#), ".key", "secret", "public key alone"),
        ("interval", json!("1ms"), ".interval", "is not between", "choose a time"),
        ("interval", json!("2h"), ".interval", "is not between", "choose a time"),
        ("timeout", json!("1m"), ".timeout", "is not between", "choose a time"),
        ("stale_after", json!("9s"), ".stale_after", "less than two intervals", "at least 10s"),
        ("stale_after", json!("31d"), ".stale_after", "is not between", "choose a time"),
        ("on_stale", json!("allow"), ".on_stale", "`allow` is not one of the choices", "deny, serve"),
        ("providers", json!([]), ".providers", "an empty list", "leave the field out"),
        ("providers", json!(["local", "elsewhere"]), ".providers[1]", "no provider is called `elsewhere`", "`name`"),
        ("url", json!("https://feed.test"), ".url", "unknown field `url`", "known here"),
    ] {
        check(&feed(member, value), &format!("identity_feed{path}"), message, remedy);
    }
}

/// A provider with a mistake is there all the same: for the feed, and for the header of API keys.
#[test]
fn a_provider_that_cannot_be_read_is_there() {
    let mut document = feed("providers", json!(["local"]));
    document["api_keys"]["header"] = json!("x-user-id");
    let changes =
        json!({"allowed_algorithms": ["HS257"], "claim_to_headers": [{"claim": ["sub"], "header": "x-user-id"}]});
    document["providers"] = json!([amended(provider(), changes)]);
    let found: Vec<String> = errors(&document).into_iter().map(|error| error.path).collect();
    assert_eq!(found, ["providers[0].allowed_algorithms[0]", "api_keys.header"]);
}

#[test]
fn mistakes_of_api_keys_and_roles() {
    let with = |members: Value| amended(with_feed(json!({})), members);
    let roles_from = |value: Value| json!({"providers": [amended(provider(), json!({"roles_from": value}))]});
    let mut without = with_feed(json!({}));
    without.as_object_mut().expect("a policy").remove("identity_feed");
    check(&without, "api_keys", "there is none", "add `identity_feed`");
    for (members, path, message, remedy) in [
        (json!({"api_keys": {}}), "api_keys", "missing field `header`", "x-api-key"),
        (json!({"api_keys": {"header": "a b"}}), "api_keys.header", "not a header name", "letters"),
        (json!({"api_keys": {"header": "authorization"}}), "api_keys.header", "cannot carry API keys", "of its own"),
        (json!({"api_keys": {"header": "x-portcullis-key"}}), "api_keys.header", "cannot carry", "of its own"),
        (json!({"api_keys": {"header": "x_user_id"}}), "api_keys.header", "header of a provider", "of their own"),
        (roles_from(json!({"feed": true, "claim": ["role"]})), "providers[0].roles_from", "both", "keep one"),
        (roles_from(json!({"feed": false})), "providers[0].roles_from.feed", "from nowhere", "feed: true"),
        (roles_from(json!({"feed": 1})), "providers[0].roles_from.feed", "not a number", "`true`"),
    ] {
        check(&with(members), path, message, remedy);
    }
    let tokens = amended(provider(), json!({"from_headers": [{"name": "X-API-Key"}]}));
    check(&with(json!({"providers": [tokens]})), "api_keys.header", "header of a provider", "of their own");
    let from_feed = amended(provider(), json!({"roles_from": {"feed": true}}));
    without.as_object_mut().expect("a policy").remove("api_keys");
    let alone = amended(without, json!({"providers": [from_feed.clone()]}));
    check(&alone, "providers[0].roles_from.feed", "there is no `identity_feed`", "add `identity_feed`");
    let other = amended(provider(), json!({"name": "other"}));
    let document = amended(with_feed(json!({"providers": ["other"]})), json!({"providers": [from_feed, other]}));
    check(&document, "providers[0].roles_from.feed", "does not speak of", "identity_feed.providers");
}

/// A condition on the header that keys come in would never hold: it is taken away.
#[test]
fn the_header_of_api_keys_is_nobody_elses() {
    let route = json!({"name": "a", "match": {"path": "/a"}, "access": "authenticated",
                       "when": [{"claim": ["sub"], "equals": {"header": "x-api-key"}}]});
    let errors = errors(&amended(with_feed(json!({})), json!({"routes": [route]})));
    assert_eq!(errors[0].path, "routes[0].when[0].equals.header", "{errors:?}");
}
