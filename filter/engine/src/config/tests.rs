#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use serde_json::{Value, json};

use super::*;
use crate::audit::{AuditLevel, Sinks};
use crate::testing::{
    HEX_SECRET, Request, SECRET, after, amended, base64url, errors, expiring, headers, policy, provider, secrets, sign,
    token, with_routes,
};

/// A policy with one route of each kind, to be broken by [`set`].
fn sound() -> Value {
    amended(
        with_routes(json!([
            {"name": "open", "match": {"path": "/open"}, "access": "public"},
            {"name": "admin", "match": {"path": "/admin/{*rest}"}, "access": "roles", "roles": ["admin"]},
            {
                "name": "docs",
                "match": {"path": "/users/{owner}/docs", "methods": ["GET", "PUT"], "hosts": ["api.example.com"]},
                "access": "role_table",
                "owner": {"param": "owner", "claim": ["sub"]},
                "when": [{"claim": ["scope"], "contains": "docs"}],
                "ip": {"allow": ["10.0.0.0/8"]},
            },
        ])),
        json!({
            "cors": {"allow_origins": ["https://app.example.com"]},
            "security_headers": {"preset": "api"},
            "errors": {"hide_upstream_5xx": true},
            "audit": {"level": "all", "sinks": ["access_log", "log"]},
            "cache": {"max_entries": 16, "max_bytes": 65536},
            "stat_prefix": "edge",
        }),
    )
}

/// Puts a value where a JSON pointer says, making the member or item where it is not there; `null` takes it away.
fn set(document: &mut Value, pointer: &str, value: Value) {
    let (parent, last) = pointer.rsplit_once('/').unwrap();
    let parent = document.pointer_mut(parent).unwrap_or_else(|| panic!("nothing at {parent}"));
    match parent {
        Value::Object(members) if value.is_null() => drop(members.remove(last)),
        Value::Object(members) => drop(members.insert(last.to_owned(), value)),
        Value::Array(items) => match last.parse::<usize>().unwrap() {
            index if index < items.len() => items[index] = value,
            _ => items.push(value),
        },
        _ => panic!("{pointer} leads through a scalar"),
    }
}

fn with(changes: &[(&str, Value)]) -> Value {
    let mut document = sound();
    for (pointer, value) in changes {
        set(&mut document, pointer, value.clone());
    }
    document
}

/// The document with a line for each value and key, as YAML has them.
fn numbered(value: &Value, line: &mut u32) -> Node {
    *line += 1;
    let start = Some(*line);
    let value = match value {
        Value::Null => NodeValue::Null,
        Value::Bool(value) => NodeValue::Bool(*value),
        Value::Number(value) => NodeValue::Number(value.as_f64().unwrap()),
        Value::String(value) => NodeValue::String(value.clone()),
        Value::Array(items) => NodeValue::Seq(items.iter().map(|item| numbered(item, line)).collect()),
        Value::Object(members) => NodeValue::Map(
            members
                .iter()
                .map(|(name, value)| (Key { line: Some(*line + 1), name: name.clone() }, numbered(value, line)))
                .collect(),
        ),
    };
    Node { line: start, value }
}

/// That one change makes one error, at this path, with these words in its message and its remedy, and a line in YAML.
#[track_caller]
fn check(cases: &[(&str, Value, &str, &str, &str)]) {
    for (pointer, value, path, message, remedy) in cases {
        let document = with(&[(pointer, value.clone())]);
        let errors = errors(&document);
        let with_lines = Policy::compile(&numbered(&document, &mut 0), &secrets).unwrap_err();
        assert!(with_lines.iter().all(|error| error.line.is_some()), "{pointer} = {value}: {with_lines:?}");
        let shown: Vec<String> = errors.iter().map(ToString::to_string).collect();
        let [error] = errors.as_slice() else { panic!("{pointer} = {value}: {} errors: {shown:#?}", errors.len()) };
        assert_eq!(error.path, *path, "{pointer} = {value}: {error}");
        assert!(error.message.contains(message), "{pointer} = {value}: {error}");
        assert!(error.remedy.contains(remedy), "{pointer} = {value}: {error}");
    }
}

#[test]
fn the_sound_policy_is_sound() {
    let policy = policy(&sound());
    assert_eq!(policy.route_names().collect::<Vec<_>>(), ["open", "admin", "docs"]);
    assert_eq!(policy.stat_prefix(), Some("edge"));
    assert_eq!(policy.sinks(), Sinks { access_log: true, log: true });
    assert_eq!(policy.warnings(), []);
}

#[test]
fn mistakes_of_the_document() {
    check(&[
        ("/version", json!(null), "", "missing field `version`", "version: v1"),
        ("/version", json!("v2"), "version", "`v2` is not one of the choices", "v1"),
        ("/version", json!(1), "version", "a number is not one of the choices", "v1"),
        ("/mode", json!("dry"), "mode", "`dry` is not one", "enforce, dry_run"),
        ("/routes", json!(null), "", "missing field `routes`", "everything is refused"),
        ("/routes", json!([]), "routes", "an empty list", "everything is refused"),
        ("/routes", vec![Value::Null; 100_001].into(), "routes", "more than 100000 routes", "use parameters"),
        ("/routes", json!({}), "routes", "a list is needed here, not a mapping", "a list"),
        ("/stat_prefix", json!("a b"), "stat_prefix", "`a b` is not a prefix", "letters"),
        ("/stat_prefix", json!(""), "stat_prefix", "empty text", "leave the field out"),
        ("/stat_prefix", json!("x".repeat(65)), "stat_prefix", "is not a prefix", "letters"),
        ("/polices", json!([]), "polices", "unknown field `polices`", "known here: version, mode"),
        ("/provider", json!([]), "provider", "unknown field `provider`", "did you mean `providers`?"),
        ("/errors", json!({"hide": true}), "errors.hide", "unknown field", "hide_upstream_5xx"),
        ("/errors", json!(true), "errors", "a mapping is needed here, not a boolean", "a mapping"),
        ("/errors/hide_upstream_5xx", json!("yes"), "errors.hide_upstream_5xx", "not a string", "`true` or `false`"),
        ("/cache/max_entries", json!(-1), "cache.max_entries", "from 0 to 1000000", "a whole number"),
        ("/cache/max_bytes", json!(4e9), "cache.max_bytes", "from 0 to 1073741824", "a whole number"),
        ("/cache/size", json!(1), "cache.size", "unknown field `size`", "known here: max_entries"),
        ("/audit/level", json!("some"), "audit.level", "`some` is not one", "all, denied, none"),
        ("/audit/sinks/0", json!("file"), "audit.sinks[0]", "`file` is not one", "access_log, log"),
    ]);
}

#[test]
fn mistakes_of_the_audit() {
    let short = json!({"env": "SHORT_KEY"});
    let unset = json!({"env": "NOT_SET"});
    let (mask, chain) = ("/audit/mask", "/audit/chain");
    let owner = json!({"path_params": ["owner"]});
    let unknown = json!({"path_params": ["owner", "id"], "key": {"env": "OTHER_KEY"}});
    check(&[
        ("/audit/sample", json!(1.5), "audit.sample", "a number from 0 to 1", "a share, such as 0.1"),
        ("/audit/sample", json!(-0.1), "audit.sample", "a number from 0 to 1", "a share, such as 0.1"),
        ("/audit/sample", json!("0.1"), "audit.sample", "a number from 0 to 1", "a share, such as 0.1"),
        ("/audit/samples", json!(1), "audit.samples", "unknown field", "did you mean `sample`?"),
        ("/audit/burst", json!(20), "audit.burst", "a mapping is needed", "a mapping"),
        ("/audit/burst", json!({}), "audit.burst", "missing field `max`", "such as 20"),
        ("/audit/burst", json!({"max": 0}), "audit.burst.max", "from 1 to 1000000", "a whole number"),
        ("/audit/burst", json!({"max": 1, "interval": "1"}), "audit.burst.interval", "not a duration", "500ms"),
        ("/audit/burst", json!({"max": 1, "interval": "9ms"}), "audit.burst.interval", "from a second", "10s"),
        ("/audit/burst", json!({"max": 1, "interval": "2h"}), "audit.burst.interval", "to an hour", "10s"),
        ("/audit/burst", json!({"max": 1, "per": "ip"}), "audit.burst.per", "unknown field", "known here: max"),
        (mask, json!({"user_id": "truncate"}), "audit.mask.user_id", "`truncate` is not one", "none, hash"),
        (mask, json!({"ip_address": "drop"}), "audit.mask.ip_address", "`drop` is not one", "none, truncate, hash"),
        (mask, json!({"user_id": "hash"}), "audit.mask", "hashes without a key", "AUDIT_MASK_KEY"),
        (mask, json!({"ip_address": "hash"}), "audit.mask", "hashes without a key", "AUDIT_MASK_KEY"),
        (mask, owner, "audit.mask", "hashes without a key", "AUDIT_MASK_KEY"),
        (mask, unknown, "audit.mask.path_params[1]", "no route has a parameter `id`", "in braces"),
        (mask, json!({"key": short}), "audit.mask.key.env", "has 31 bytes", "secret generate"),
        (mask, json!({"email": "hash"}), "audit.mask.email", "unknown field", "known here: user_id"),
        (chain, json!({}), "audit.chain", "missing field `key`", "{env: AUDIT_KEY}"),
        (chain, json!({"key": "AUDIT_KEY"}), "audit.chain.key", "a mapping is needed", "a mapping"),
        (chain, json!({"key": unset}), "audit.chain.key.env", "`NOT_SET` is not set", "environment_variables"),
        (chain, json!({"key": short}), "audit.chain.key.env", "has 31 bytes", "secret generate"),
        (
            chain,
            json!({"key": {"env": "OTHER_KEY"}, "checkpoint": "1d"}),
            "audit.chain.checkpoint",
            "not from a second to an hour",
            "10s",
        ),
    ]);
}

#[test]
fn an_audit_with_everything_compiles() {
    let key = |name: &str| json!({"env": name});
    let policy = policy(&with(&[(
        "/audit",
        json!({
            "level": "all",
            "sinks": ["access_log", "log"],
            "sample": 0.25,
            "burst": {"max": 20},
            "mask": {"user_id": "hash", "ip_address": "truncate", "path_params": ["owner"], "key": key("OTHER_KEY")},
            "chain": {"key": {"env": "HEX_KEY", "encoding": "hex"}, "checkpoint": "1m"},
        }),
    )]));
    let audit = &policy.audit;
    assert_eq!(audit.burst.map(|burst| (burst.max, burst.interval.as_secs())), Some((20, 10)));
    assert_eq!(audit.chain.as_ref().map(|chain| (chain.key.is_some(), chain.checkpoint.as_secs())), Some((true, 60)));
    assert!(policy.needs_randomness() && !self::policy(&sound()).needs_randomness());
    assert_eq!(policy.warnings(), []);
    let elsewhere = self::policy(&with(&[("/audit/chain", json!({"key": key("ELSEWHERE")}))]));
    assert_eq!(elsewhere.warnings().len(), 1, "a key that is not set here is not checked");
}

#[test]
fn mistakes_of_providers() {
    check(&[
        ("/providers/0/name", json!(null), "providers[0]", "missing field `name`", "give the provider a name"),
        ("/providers/0/name", json!(7), "providers[0].name", "a string is needed here, not a number", "a string"),
        ("/providers/0/name", json!("a\"b"), "providers[0].name", "is not a name", "128 letters"),
        ("/providers/0/issuer", json!(""), "providers[0].issuer", "empty text", "leave the field out"),
        ("/providers/0/audiences", json!([]), "providers[0].audiences", "an empty list", "leave the field out"),
        ("/providers/0/audiences", json!("a"), "providers[0].audiences", "a list is needed", "a list"),
        (
            "/providers/0/allowed_algorithms",
            json!(null),
            "providers[0]",
            "missing field `allowed_algorithms`",
            "[HS256]",
        ),
        (
            "/providers/0/allowed_algorithms",
            json!([]),
            "providers[0].allowed_algorithms",
            "an empty list",
            "at least one",
        ),
        (
            "/providers/0/allowed_algorithms/1",
            json!("none"),
            "providers[0].allowed_algorithms[1]",
            "`none` is not one of the choices",
            "HS256, HS384",
        ),
        (
            "/providers/0/allowed_algorithms/1",
            json!("hs512"),
            "providers[0].allowed_algorithms[1]",
            "`hs512` is not one of the choices",
            "HS512",
        ),
        ("/providers/0/keys", json!(null), "providers[0]", "no keys", "local_jwks"),
        ("/providers/0/keys", json!([]), "providers[0].keys", "an empty list", "at least one key"),
        (
            "/providers/0/local_jwks",
            json!({"inline": "{}"}),
            "providers[0]",
            "more than one of `keys`, `local_jwks`",
            "keep one",
        ),
        ("/providers/0/remote_jwks", json!({}), "providers[0]", "more than one of `keys`, `remote_jwks`", "keep one"),
        ("/providers/0/keys/0/algorithm", json!(null), "providers[0].keys[0]", "missing field `algorithm`", "HS256"),
        (
            "/providers/0/keys/0/algorithm",
            json!("ES256"),
            "providers[0].keys[0].algorithm",
            "ES256 has no shared secret",
            "local_jwks",
        ),
        (
            "/providers/0/keys/0/algorithm",
            json!("HS512"),
            "providers[0].keys[0].algorithm",
            "HS512 is not in `allowed_algorithms`",
            "allow it",
        ),
        (
            "/providers/0/keys/0/secret",
            json!(null),
            "providers[0].keys[0]",
            "missing field `secret`",
            "{env: SECRET_KEY}",
        ),
        (
            "/providers/0/keys/0/secret",
            json!("s3cret"),
            "providers[0].keys[0].secret",
            "a mapping is needed",
            "a mapping",
        ),
        ("/providers/0/keys/0/secret", json!({}), "providers[0].keys[0].secret", "missing field `env`", "environment"),
        (
            "/providers/0/keys/0/secret/env",
            json!("MISSING"),
            "providers[0].keys[0].secret.env",
            "environment variable `MISSING` is not set",
            "vm_config.environment_variables",
        ),
        (
            "/providers/0/keys/0/secret/env",
            json!("SHORT_KEY"),
            "providers[0].keys[0].secret.env",
            "has 31 bytes, HS256 needs at least 32",
            "portcullis secret generate",
        ),
        (
            "/providers/0/keys/0/secret/encoding",
            json!("hex"),
            "providers[0].keys[0].secret.env",
            "is not in the stated encoding",
            "`encoding`",
        ),
        (
            "/providers/0/keys/0/secret/encoding",
            json!("base64"),
            "providers[0].keys[0].secret.encoding",
            "`base64` is not one",
            "raw, base64url, hex",
        ),
        (
            "/providers/0/keys/1",
            json!({"kid": "k1", "algorithm": "HS256", "secret": {"env": "OTHER_KEY"}}),
            "providers[0].keys[1]",
            "two keys have the kid `k1`",
            "a kid of its own",
        ),
        (
            "/providers/0/keys",
            json!([
                {"algorithm": "HS256", "secret": {"env": "SECRET_KEY"}},
                {"algorithm": "HS256", "secret": {"env": "OTHER_KEY"}},
            ]),
            "providers[0].keys[1]",
            "two keys without `kid`",
            "a kid of its own",
        ),
        (
            "/providers/0/keys/0/secret/encoding",
            json!("base64url"),
            "providers[0].keys[0].secret.env",
            "is not in the stated encoding",
            "`encoding`",
        ),
        ("/providers/0/clock_skew", json!(30), "providers[0].clock_skew", "not a duration", "30s"),
        ("/providers/0/clock_skew", json!("soon"), "providers[0].clock_skew", "not a duration", "30s"),
        ("/providers/0/max_token_bytes", json!(63), "providers[0].max_token_bytes", "from 64 to 65536", "from 64"),
        ("/providers/0/max_token_bytes", json!(65_537), "providers[0].max_token_bytes", "from 64 to 65536", "from 64"),
        ("/providers/0/max_token_bytes", json!(100.5), "providers[0].max_token_bytes", "a whole number", "from 64"),
        ("/providers/0/from_headers", json!([]), "providers[0]", "no place to take tokens from", "from_headers"),
        ("/providers/0/from_headers", json!([{}]), "providers[0].from_headers[0]", "missing field `name`", "header"),
        (
            "/providers/0/from_headers",
            json!([{"name": "x token"}]),
            "providers[0].from_headers[0].name",
            "`x token` is not a header name",
            "letters",
        ),
        ("/providers/0/from_cookies", json!([""]), "providers[0].from_cookies[0]", "empty text", "write something"),
        ("/providers/0/roles_from", json!({}), "providers[0].roles_from", "missing field `claim`", "[role]"),
        (
            "/providers/0/roles_from/claim",
            json!("realm.roles"),
            "providers[0].roles_from.claim",
            "a list of claim names is needed here, not a string",
            "write [realm.roles]",
        ),
        ("/providers/0/roles_from/claim", json!([]), "providers[0].roles_from.claim", "an empty list", "[sub]"),
        (
            "/providers/0/claim_to_headers/0/claim",
            json!(null),
            "providers[0].claim_to_headers[0]",
            "missing field `claim`",
            "",
        ),
        (
            "/providers/0/claim_to_headers/0/header",
            json!(null),
            "providers[0].claim_to_headers[0]",
            "missing field",
            "x-user-id",
        ),
        (
            "/providers/0/claim_to_headers/0/header",
            json!("X-Portcullis-Scope"),
            "providers[0].claim_to_headers[0].header",
            "`x-portcullis-scope` cannot carry a claim",
            "of your own",
        ),
        (
            "/providers/0/claim_to_headers/0/header",
            json!("x_portcullis_scope"),
            "providers[0].claim_to_headers[0].header",
            "`x_portcullis_scope` cannot carry a claim",
            "of your own",
        ),
        (
            "/providers/0/claim_to_headers/0/header",
            json!("Content-Length"),
            "providers[0].claim_to_headers[0].header",
            "`content-length` cannot carry a claim",
            "of your own",
        ),
        (
            "/providers/0/claim_to_headers/1/header",
            json!("X_User_Id"),
            "providers[0].claim_to_headers[1].header",
            "`x_user_id` already carries a claim",
            "a header of its own",
        ),
        ("/providers/1", provider(), "providers[1]", "two providers are called `local`", "a name of its own"),
    ]);
}

#[test]
fn mistakes_of_fetched_keys() {
    let remote = |members: Value| {
        let place = json!({"cluster": "issuer", "authority": "issuer.test", "path": "/keys"});
        with(&[
            ("/providers/0/keys", json!(null)),
            ("/providers/0/allowed_algorithms", json!(["RS256"])),
            ("/providers/0/issuer", json!(null)),
            ("/providers/0/remote_jwks", amended(place, members)),
        ])
    };
    assert_eq!(policy(&remote(json!({}))).remote_jwks().len(), 1);
    let at = "providers[0].remote_jwks";
    for (members, path, message) in [
        (json!({"cluster": null}), ".cluster", "a string is needed"),
        (json!({"cluster": "a b"}), ".cluster", "with spaces"),
        (json!({"authority": "a\r\nx: y"}), ".authority", "with spaces"),
        (json!({"path": "keys"}), ".path", "not a path"),
        (json!({"path": "/keys#1"}), ".path", "not a path"),
        (json!({"cache_duration": "0s"}), ".cache_duration", "not a duration"),
        (json!({"cache_duration": "100ms"}), ".cache_duration", "not between 1s and"),
        (json!({"cache_duration": "8d"}), ".cache_duration", "not between 1s and"),
        (json!({"timeout": "1"}), ".timeout", "not a duration"),
        (json!({"timeout": "31s"}), ".timeout", "not between 10ms and 30s"),
        (json!({"timeout": "5ms"}), ".timeout", "not between"),
        (json!({"stale_for": "-1s"}), ".stale_for", "not a duration"),
        (json!({"retry_back_off": {}}), ".retry_back_off", "missing field `base_interval`"),
        (json!({"retry_back_off": {"base_interval": "10ms"}}), ".retry_back_off.base_interval", "not between"),
        (
            json!({"retry_back_off": {"base_interval": "9s", "max_interval": "8s"}}),
            ".retry_back_off.max_interval",
            "shorter than `base_interval`",
        ),
        (json!({"url": "https://x"}), ".url", "unknown field `url`"),
        (json!({"issuer_discovery": true}), ".issuer_discovery", "to discover: there is none"),
    ] {
        let errors = errors(&remote(members.clone()));
        assert_eq!(errors.len(), 1, "{members}: {errors:?}");
        assert!(errors[0].path.starts_with(at) && errors[0].path.ends_with(path), "{members}: {}", errors[0]);
        assert!(errors[0].message.contains(message), "{members}: {}", errors[0]);
    }
    let mut bare = remote(json!({}));
    for (gone, message) in [("path", "no `path`"), ("authority", "no `authority`"), ("cluster", "missing field")] {
        let mut document = bare.clone();
        document["providers"][0]["remote_jwks"].as_object_mut().unwrap().remove(gone);
        assert!(errors(&document)[0].message.contains(message), "{gone}: {:?}", errors(&document));
    }
    bare["providers"][0]["allowed_algorithms"] = json!(["HS256"]);
    assert!(errors(&bare)[0].message.contains("holds no secrets"), "nobody could be let in");
    bare["providers"][0]["allowed_algorithms"] = json!(["HS256", "ES256"]);
    assert!(policy(&bare).warnings()[0].message.contains("holds no secrets"), "some can");
}

#[test]
fn the_issuer_says_where_its_keys_are_discovered() {
    let document = |issuer: &str, members: Value| {
        let place = json!({"cluster": "issuer", "issuer_discovery": true});
        with(&[
            ("/providers/0/keys", json!(null)),
            ("/providers/0/allowed_algorithms", json!(["RS256"])),
            ("/providers/0/issuer", json!(issuer)),
            ("/providers/0/remote_jwks", amended(place, members)),
        ])
    };
    let remote = |issuer: &str, members: Value| policy(&document(issuer, members)).remote_jwks()[0].to_string();
    let known = "/.well-known/openid-configuration of cluster issuer";
    assert_eq!(remote("https://a.test/realm", json!({})), format!("a.test/realm{known}"));
    assert_eq!(remote("https://a.test", json!({"authority": "b.test:8080"})), format!("b.test:8080{known}"));
    assert_eq!(remote("https://a.test", json!({"path": "/d.json"})), "a.test/d.json of cluster issuer");
    let elsewhere = json!({"authority": "a.test", "path": "/d.json"});
    for (issuer, members, reason) in [
        ("https://a.test?t=1", json!({}), "it has a query or a fragment"),
        ("https://a.test/realm#x", json!({}), "it has a query or a fragment"),
        ("https://u:hunter2@a.test", json!({}), "it names a user"),
        ("https://a.test?t=1", elsewhere, "it has a query or a fragment"),
        ("a.test", json!({}), "it is no https URL"),
    ] {
        let errors = errors(&document(issuer, members));
        let [error] = errors.as_slice() else { panic!("{issuer}: {errors:?}") };
        assert_eq!(error.path, "providers[0].remote_jwks.issuer_discovery", "{issuer}");
        assert!(error.message.ends_with(reason) && error.remedy.contains("https://idp.example.com/tenant"), "{error}");
        assert!(!error.to_string().contains("hunter2"), "a password is no part of a message: {error}");
    }
    assert_eq!(remote("http://a.test", json!({})), format!("a.test{known}"), "to try things with");
    let plain = json!({"issuer_discovery": false, "authority": "a.test", "path": "/jwks"});
    assert_eq!(remote("http://a.test?t=1", plain), "a.test/jwks of cluster issuer", "nothing is discovered from it");
}

#[test]
fn keys_have_their_time() {
    let times =
        |members: Value| with(&[("/providers/0/keys/0", amended(sound()["providers"][0]["keys"][0].clone(), members))]);
    policy(&times(json!({"not_before": "2026-11-01T00:00:00Z", "not_after": "2026-11-02T01:00:00.5+01:00"})));
    for (members, field, message) in [
        (json!({"not_before": "2026-11-01"}), "not_before", "not a time"),
        (json!({"not_after": 1_793_000_000}), "not_after", "not a time"),
        (json!({"not_after": "2026-13-01T00:00:00Z"}), "not_after", "not a time"),
        (
            json!({"not_before": "2026-11-01T00:00:00Z", "not_after": "2026-11-01T01:00:00+01:00"}),
            "not_after",
            "never good",
        ),
    ] {
        let errors = errors(&times(members.clone()));
        assert_eq!(errors.len(), 1, "{members}: {errors:?}");
        assert_eq!(errors[0].path, format!("providers[0].keys[0].{field}"), "{members}");
        assert!(errors[0].message.contains(message), "{members}: {}", errors[0]);
    }
}

#[test]
fn who_verifies_is_one_of_two() {
    assert_eq!(errors(&with(&[("/crypto", json!("host"))]))[0].path, "crypto");
    let asked = |crypto| policy(&with(&[("/crypto", json!(crypto))])).algorithms_for_host();
    assert_eq!(asked("auto"), policy(&sound()).algorithms_for_host(), "`auto` unless told");
    assert_eq!(asked("portable"), []);
}

#[test]
fn mistakes_of_key_sets() {
    let jwks = |inline: &str| {
        with(&[("/providers/0/keys", json!(null)), ("/providers/0/local_jwks", json!({"inline": inline}))])
    };
    for (inline, message) in [
        ("", "empty text"),
        ("[]", "not a JSON object"),
        (r#"{"keys":[],"keys":[]}"#, "not a JSON object without repeated members"),
        ("{}", "no `keys` array"),
        (r#"{"keys":[]}"#, "no keys"),
        (r#"{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]}"#, "no usable key: not a valid EC key"),
        (
            r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#,
            "no key of the set fits any of `allowed_algorithms`",
        ),
        (r#"{"keys":[{"kty":"oct","k":"c2hvcnQ"}]}"#, "an HMAC key is shorter than its hash"),
    ] {
        let errors = errors(&jwks(inline));
        assert_eq!(errors.len(), 1, "{inline}: {errors:?}");
        assert_eq!(errors[0].path, "providers[0].local_jwks.inline", "{inline}");
        assert!(errors[0].message.contains(message), "{inline}: {}", errors[0]);
        assert!(!errors[0].to_string().contains("c2hvcnQ"), "a key is no part of a message: {}", errors[0]);
    }
    let many: Vec<Value> = vec![json!({"kty": "oct", "k": "YSBzZWNyZXQgb2YgZXhhY3RseSAzMiBieXRlcywgb2s"}); 101];
    assert!(errors(&jwks(&json!({"keys": many}).to_string()))[0].message.contains("more than 100 keys"));
    let errors =
        errors(&with(&[("/providers/0/keys", json!(null)), ("/providers/0/local_jwks", json!({"file": "x"}))]));
    let paths: Vec<&str> = errors.iter().map(|error| error.path.as_str()).collect();
    assert_eq!(paths, ["providers[0].local_jwks", "providers[0].local_jwks.file"], "missing, and unknown");
}

/// A policy with these keys for its provider, whose tokens are signed with EdDSA.
fn with_local_keys(keys: Value) -> Value {
    let inline = json!({"keys": keys}).to_string();
    with(&[
        ("/providers/0/keys", json!(null)),
        ("/providers/0/local_jwks", json!({"inline": inline})),
        ("/providers/0/allowed_algorithms", json!(["EdDSA"])),
    ])
}

fn public_key(members: Value) -> Value {
    amended(json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}), members)
}

#[test]
fn a_key_that_others_should_not_read_is_worth_a_warning() {
    let secret = "YSBzZWNyZXQgb2YgZXhhY3RseSAzMiBieXRlcywgb2s";
    let good = public_key(json!({}));
    let named = |kid: &str, members: Value| amended(public_key(json!({"kid": kid})), members);
    let rsa = |member: &str| json!({"kty": "RSA", "n": "AQAB", "e": "AQAB", member: secret});
    for (keys, index, message, remedy) in [
        (json!([good, {"kty": "oct", "k": secret}]), 1, "a secret: whoever reads", "name it in `keys`"),
        (json!([good, {"kty": "oct"}]), 1, "a secret: whoever reads", "the environment"),
        (json!([good, {"kty": "oct", "k": secret, "use": "enc"}]), 1, "a secret: whoever reads", "the environment"),
        (json!([public_key(json!({"d": secret}))]), 0, "a private key, with its `d`", "`portcullis key jwks FILE`"),
        (json!([public_key(json!({"d": null})), good]), 0, "a private key, with its `d`", "the public key alone"),
        (
            json!([good, public_key(json!({"priv": secret}))]),
            1,
            "a private key, with its `priv`",
            "the public key alone",
        ),
        (json!([rsa("p"), good]), 0, "a private key, with its `p`", "the public key alone"),
        (json!([good, rsa("q")]), 1, "a private key, with its `q`", "the public key alone"),
        (json!([good, rsa("dp")]), 1, "a private key, with its `dp`", "the public key alone"),
        (json!([good, rsa("dq")]), 1, "a private key, with its `dq`", "the public key alone"),
        (json!([good, rsa("qi")]), 1, "a private key, with its `qi`", "the public key alone"),
        (json!([good, rsa("oth")]), 1, "a private key, with its `oth`", "the public key alone"),
        (json!([named("a", json!({})), named("a", json!({}))]), 1, "two keys have the kid `a`", "a kid of its own"),
        (
            json!([named("", json!({})), good, named("b", json!({})), named("", json!({"alg": "EdDSA"}))]),
            3,
            "two keys have the kid ``",
            "a kid of its own",
        ),
    ] {
        let policy = policy(&with_local_keys(keys.clone()));
        let warnings: Vec<_> = policy.warnings().iter().filter(|own| own.path.contains("local_jwks")).collect();
        let [warning] = warnings.as_slice() else { panic!("{keys}: {:?}", policy.warnings()) };
        assert_eq!(warning.path, format!("providers[0].local_jwks.inline.keys[{index}]"), "{keys}");
        assert!(warning.message.contains(message) && warning.remedy.contains(remedy), "{keys}: {warning}");
        assert!(!warning.to_string().contains(secret), "a key is no part of a message: {warning}");
    }
}

#[test]
fn a_key_that_is_passed_over_is_worth_a_warning() {
    let good = public_key(json!({"kid": "good"}));
    let rsa = |bytes: usize, e: &str| json!({"kty": "RSA", "n": base64url(vec![0xff; bytes]), "e": e});
    for (key, message) in [
        (public_key(json!({"use": "enc"})), "not for verifying signatures"),
        (public_key(json!({"key_ops": ["sign"]})), "not for verifying signatures"),
        (public_key(json!({"kid": "good", "use": "enc"})), "not for verifying signatures"),
        (public_key(json!({"crv": "X25519"})), "on a curve (`crv`) that is not supported"),
        (public_key(json!({"crv": "Ed448"})), "on a curve (`crv`) that is not supported"),
        (public_key(json!({"alg": "ES256"})), "for an algorithm (`alg`) that is not supported"),
        (public_key(json!({"x": "AA"})), "not a valid Ed25519 key"),
        (public_key(json!({"x": null})), "its `x` is missing or malformed"),
        (json!({"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA"}), "for an algorithm (`alg`) that is not supported"),
        (json!({"kty": "AKP", "pub": "AA"}), "of a type (`kty`) that is not supported"),
        (json!({"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"}), "on a curve (`crv`) that is not supported"),
        (rsa(128, "AQAB"), "an RSA key needs at least 2048 bits"),
        (rsa(1024, "AQAB"), "an RSA key of more than 4096 bits"),
        (rsa(256, "AQ"), "an RSA exponent that is even"),
        (json!("x"), "not a JSON object"),
    ] {
        let policy = policy(&with_local_keys(json!([good, key, good["x"]])));
        let warnings: Vec<_> = policy.warnings().iter().filter(|own| own.path.contains("local_jwks")).collect();
        let [warning, other] = warnings.as_slice() else { panic!("{key}: {:?}", policy.warnings()) };
        assert_eq!(warning.path, "providers[0].local_jwks.inline.keys[1]", "{key}");
        assert_eq!(other.path, "providers[0].local_jwks.inline.keys[2]", "{key}");
        let said = warning.message.contains("passed over, and its tokens refused") && warning.message.contains(message);
        assert!(said && warning.remedy.contains("remove it"), "{key}: {warning}");
    }
    let unnamed = public_key(json!({}));
    for (keys, message) in [(json!([good]), "a good key"), (json!([unnamed, unnamed]), "keys without a kid are any")] {
        let policy = policy(&with_local_keys(keys));
        assert!(!policy.warnings().iter().any(|own| own.path.contains("local_jwks")), "{message}");
    }
}

#[test]
fn mistakes_of_roles() {
    check(&[
        ("/roles", json!([]), "roles", "a mapping of roles is needed here, not a list", "a mapping"),
        ("/roles/a\"b", json!({"read": "any"}), "roles.a\"b", "not a role name", "visible ASCII"),
        ("/routes/1/roles/0", json!("admin\n"), "routes[1].roles[0]", "not a role name", "visible ASCII"),
        ("/roles/admin", json!("any"), "roles.admin", "a mapping is needed here, not a string", "a mapping"),
        ("/roles/admin/read", json!("all"), "roles.admin.read", "`all` is not one of the choices", "any, own, none"),
        ("/roles/admin/reed", json!("any"), "roles.admin.reed", "unknown field `reed`", "did you mean `read`?"),
        ("/roles", json!({}), "routes[2].access", "`access: role_table` without a role table", "add `roles`"),
    ]);
}

#[test]
fn mistakes_of_routes() {
    check(&[
        ("/routes/0/name", json!(null), "routes[0]", "missing field `name`", "give the route a name"),
        ("/routes/0/name", json!("a b"), "routes[0].name", "`a b` is not a name", "128 letters"),
        ("/routes/0/name", json!("x".repeat(129)), "routes[0].name", "is not a name", "128 letters"),
        ("/routes/0/name", json!("docs"), "routes[2].name", "`docs` is also the name of routes[0]", "of its own"),
        ("/routes/0/match", json!(null), "routes[0]", "missing field `match`", "match: {path: /…}"),
        ("/routes/0/match", json!({}), "routes[0].match", "missing field `path`", "/users/{id}"),
        ("/routes/0/match/method", json!([]), "routes[0].match.method", "unknown field", "did you mean `methods`?"),
        ("/routes/0/match/methods", json!([]), "routes[0].match.methods", "an empty list", "leave the field out"),
        ("/routes/0/match/methods", json!(["get"]), "routes[0].match.methods[0]", "case-sensitive", "write GET"),
        ("/routes/0/match/methods", json!(["G T"]), "routes[0].match.methods[0]", "`G T` is not a method", "GET"),
        ("/routes/0/match/hosts", json!([]), "routes[0].match.hosts", "an empty list", "leave the field out"),
        ("/routes/0/access", json!(null), "routes[0]", "missing field `access`", "role_table"),
        ("/routes/0/access", json!("all"), "routes[0].access", "`all` is not one", "public, authenticated, roles"),
        ("/routes/1/roles", json!(null), "routes[1]", "`access: roles` without `roles`", "list the roles"),
        ("/routes/1/roles", json!([]), "routes[1].roles", "an empty list", "list the roles"),
        ("/routes/0/roles", json!(["admin"]), "routes[0].roles", "`roles` without `access: roles`", "set access"),
        ("/routes/0/owner", json!({"upstream": true}), "routes[0].owner", "`owner` without", "access: role_table"),
        ("/routes/0/when", json!([]), "routes[0].when", "a public route has none", "access: authenticated"),
        ("/routes/2/owner", json!({}), "routes[2].owner", "neither a comparison nor the upstream", "{upstream: true}"),
        ("/routes/2/owner", json!({"upstream": false}), "routes[2].owner", "neither a comparison", "{param: …, claim"),
        ("/routes/2/owner/upstream", json!(true), "routes[2].owner", "neither a comparison", "{upstream: true}"),
        ("/routes/2/owner/claim", json!(null), "routes[2].owner", "neither a comparison", "claim: […]"),
        ("/routes/2/owner/claim", json!("sub"), "routes[2].owner.claim", "a list of claim names", "write [sub]"),
        ("/routes/2/owner/param", json!("id"), "routes[2].owner.param", "has no parameter `id`", "match.path"),
        ("/routes/2/when/0/claim", json!(null), "routes[2].when[0]", "missing field `claim`", "[scope]"),
        ("/routes/2/when/0/contains", json!(null), "routes[2].when[0]", "not exactly one test", "`equals`"),
        ("/routes/2/when/0/equals", json!("x"), "routes[2].when[0]", "not exactly one test", "either"),
        ("/routes/2/when/0/contains", json!(["x"]), "routes[2].when[0].contains", "a string is needed", "a string"),
        (
            "/routes/2/when/1",
            json!({"claim": ["a"], "equals": []}),
            "routes[2].when[1].equals",
            "nothing to compare",
            "",
        ),
        (
            "/routes/2/when/1",
            json!({"claim": ["a"], "equals": {"header": "a", "query": "a"}}),
            "routes[2].when[1].equals",
            "nothing to compare with",
            "one of {header: …}",
        ),
        (
            "/routes/2/when/1",
            json!({"claim": ["a"], "equals": {"param": "id"}}),
            "routes[2].when[1].equals.param",
            "has no parameter `id`",
            "match.path",
        ),
        (
            "/routes/2/when/1",
            json!({"claim": ["a"], "equals": {"cookie": "id"}}),
            "routes[2].when[1].equals.cookie",
            "unknown field `cookie`",
            "known here: header, param, query",
        ),
        (
            "/routes/2/when/1",
            json!({"claim": ["a"], "equals": {"header": "x tenant"}}),
            "routes[2].when[1].equals.header",
            "`x tenant` is not a header name",
            "letters",
        ),
        (
            "/routes/2/when/1",
            json!({"claim": ["sub"], "equals": {"header": "X-User-Id"}}),
            "routes[2].when[1].equals.header",
            "`x-user-id` is removed from every request",
            "the claim it is made from",
        ),
        (
            "/routes/2/when/1",
            json!({"claim": ["sub"], "equals": {"header": "x_user_role"}}),
            "routes[2].when[1].equals.header",
            "`x_user_role` is removed from every request",
            "another header",
        ),
        (
            "/routes/2/when/1",
            json!({"claim": ["sub"], "equals": {"header": "x-portcullis-scope"}}),
            "routes[2].when[1].equals.header",
            "`x-portcullis-scope` is removed from every request",
            "another header",
        ),
        (
            "/routes/2/when/1",
            json!({"claim": ["tenant"], "equals": 9_007_199_254_740_992_u64}),
            "routes[2].when[1].equals",
            "not exact, and others would be taken for it",
            "issued as text",
        ),
        ("/routes/2/ip", json!({}), "routes[2].ip", "neither `allow` nor `deny`", "CIDR"),
        ("/routes/2/ip/allow", json!([]), "routes[2].ip.allow", "an empty list", "CIDR"),
        ("/routes/2/ip/allow/0", json!("10.0.0/8"), "routes[2].ip.allow[0]", "is not a CIDR block", "192.0.2.7"),
        ("/routes/2/ip/allow/0", json!("10.0.0.0/"), "routes[2].ip.allow[0]", "is not a CIDR block", "prefix length"),
        ("/routes/2/ip/allow/0", json!("10.0.0.0/33"), "routes[2].ip.allow[0]", "is not a CIDR block", "0 to 32"),
        ("/routes/2/ip/deny", json!(["10.1.2.3/8"]), "routes[2].ip.deny[0]", "is not a CIDR block", "write 10.0.0.0/8"),
        ("/routes/2/mode", json!("shadow"), "routes[2].mode", "`shadow` is not one", "dry_run"),
        ("/routes/2/lockout", json!({}), "routes[2].lockout", "unknown field `lockout`", "known here"),
        (
            "/routes/3",
            json!({"name": "again", "match": {"path": "/open"}, "access": "public"}),
            "routes[3].match",
            "route `open` already takes requests to this path and host",
            "tell them apart",
        ),
        (
            "/routes/3",
            json!({"name": "again", "match": {"path": "/admin/{*other}"}, "access": "public"}),
            "routes[3].match",
            "route `admin` already takes requests",
            "remove one",
        ),
        (
            "/routes/3",
            json!({
                "name": "again",
                "match": {"path": "/users/{id}/docs", "methods": ["POST", "PUT"], "hosts": ["API.example.com"]},
                "access": "public",
            }),
            "routes[3].match",
            "route `docs` already takes PUT requests",
            "by methods or hosts",
        ),
    ]);
}

#[test]
fn routes_need_someone_who_may() {
    let errors_of = |changes: &[(&str, Value)]| {
        let found = errors(&with(changes));
        found.iter().map(|error| format!("{}: {}", error.path, error.message)).collect::<Vec<_>>()
    };
    assert_eq!(
        errors_of(&[("/providers", json!(null))]),
        [
            "routes[1].access: nobody can be authenticated: the policy has no providers",
            "routes[2].access: nobody can be authenticated: the policy has no providers",
        ]
    );
    assert_eq!(errors_of(&[("/providers", json!([]))]), errors_of(&[("/providers", json!(null))]), "none is none");
    assert_eq!(
        errors_of(&[("/providers/0/roles_from", json!(null))]),
        [
            "routes[1].access: nobody has a role: no provider has `roles_from`",
            "routes[2].access: nobody has a role: no provider has `roles_from`",
        ]
    );
}

#[test]
fn mistakes_of_paths() {
    for (path, remedy) in [
        ("open", "start it with `/`"),
        ("/a//b", "single slashes"),
        ("//", "single slashes"),
        ("/a/../b", "normal form, which is /b"),
        ("/a/.", "normal form, which is /a/"),
        ("/%7euser", "normal form, which is /~user"),
        ("/%c3%a9", "normal form, which is /%C3%A9"),
        ("/é", "are refused"),
        ("/a b", "are refused"),
        ("/a%2fb", "are refused"),
        ("/a?b", "are refused"),
        ("/a;b", "are refused"),
        ("/..", "are refused"),
        ("/a*", "write {*rest}"),
        ("/*", "write {*rest}"),
        ("/x{id}", "a whole segment"),
        ("/{id", "a whole segment"),
        ("/{}", "name parameters"),
        ("/{*}", "name parameters"),
        ("/{a-b}", "name parameters"),
        ("/{a}/{a}", "`a` is there twice"),
        ("/{a}/{*a}", "`a` is there twice"),
        ("/{*a}/b", "stands last"),
        (&"/a".repeat(65), "at most 64 segments"),
    ] {
        let found = errors(&with(&[("/routes/0/match/path", json!(path))]));
        assert_eq!(found.len(), 1, "{path}: {found:?}");
        assert_eq!(found[0].path, "routes[0].match.path", "{path}");
        assert!(found[0].message.ends_with("is not a path pattern"), "{path}: {}", found[0]);
        assert!(found[0].remedy.contains(remedy), "{path}: {}", found[0]);
    }
    for path in ["/", "/a/", "/{a}", "/{a}/", "/{*a}", "/a%20b", "/.well-known/x", "/@a:b", &"/a".repeat(64)] {
        policy(&with(&[("/routes/0/match/path", json!(path))]));
    }
}

#[test]
fn mistakes_of_hosts() {
    for host in
        ["", "*", "*.", ".example.com", "example.com.", "a b", "https://a", "a/b", "example.com:80", "*.*.a", "é"]
    {
        let found = errors(&with(&[("/routes/0/match/hosts", json!([host]))]));
        assert_eq!(found.len(), 1, "{host}: {found:?}");
        assert_eq!(found[0].path, "routes[0].match.hosts[0]", "{host}");
    }
    for host in ["localhost", "*.example.com", "API.Example.com", "192.0.2.1", "[::1]", "a_b.example.com"] {
        policy(&with(&[("/routes/0/match/hosts", json!([host]))]));
    }
}

#[test]
fn mistakes_of_cors() {
    check(&[
        ("/cors/allow_origins", json!(null), "cors", "missing field `allow_origins`", "https://app.example.com"),
        ("/cors/allow_origins", json!([]), "cors.allow_origins", "an empty list", "at least one origin"),
        ("/cors/allow_methods", json!(["put"]), "cors.allow_methods[0]", "case-sensitive", "write PUT"),
        ("/cors/allow_headers", json!(["x y"]), "cors.allow_headers[0]", "is not a header name", "letters"),
        ("/cors/max_age", json!(600), "cors.max_age", "not a duration", "30s"),
        ("/cors/allow_origin", json!([]), "cors.allow_origin", "unknown field", "did you mean `allow_origins`?"),
        (
            "/cors",
            json!({"allow_origins": ["*"], "allow_credentials": true}),
            "cors.allow_origins",
            "`*` together with allow_credentials: true",
            "list each one",
        ),
        (
            "/cors",
            json!({"allow_origins": ["https://a.test"], "allow_credentials": true, "allow_headers": ["*"]}),
            "cors.allow_headers",
            "`*` together with allow_credentials",
            "allow_credentials: false",
        ),
        (
            "/cors",
            json!({"allow_origins": ["https://a.test"], "allow_credentials": true, "allow_methods": ["*"]}),
            "cors.allow_methods",
            "`*` together with allow_credentials",
            "list each one",
        ),
        (
            "/cors",
            json!({"allow_origins": ["https://a.test"], "allow_credentials": true, "expose_headers": ["*"]}),
            "cors.expose_headers",
            "`*` together with allow_credentials",
            "list each one",
        ),
        (
            "/cors",
            json!({"allow_origins": ["*", "https://a.test"]}),
            "cors.allow_origins",
            "`*` beside other origins",
            "keep `*` alone",
        ),
        ("/routes/0/cors", json!({}), "routes[0].cors", "missing field `allow_origins`", "list the origins"),
    ]);
}

#[test]
fn mistakes_of_origins() {
    for (origin, remedy) in [
        ("null", "sandboxed"),
        ("https://App.example.com", "lower case: https://app.example.com"),
        ("app.example.com", "scheme://host"),
        ("https:app.example.com", "scheme://host"),
        ("https://", "scheme://host"),
        ("https://a.test/", "scheme://host"),
        ("https://a.test/x", "scheme://host"),
        ("https://a.test?x", "scheme://host"),
        ("https://user@a.test", "scheme://host"),
        ("https://a.test:", "scheme://host"),
        ("https://a.test:0", "1 to 65535"),
        ("https://a.test:08", "1 to 65535"),
        ("https://a.test:65536", "1 to 65535"),
        ("https://a.test:x", "1 to 65535"),
        ("https://a.test:443", "default port: https://a.test"),
        ("http://a.test:80", "default port: http://a.test"),
        ("https://*", "scheme://host"),
        ("https://*.", "domain name"),
        ("https://a.*.test", "scheme://host"),
        ("https://*a.test", "scheme://host"),
        ("https://*.192.0.2.1", "domain name"),
        ("*://a.test", "scheme://host"),
        ("https://-a.test", "scheme://host"),
        ("https://a..test", "scheme://host"),
        ("https://a.test.256", "scheme://host"),
        ("https://é.test", "scheme://host"),
        ("https://[::1", "scheme://host"),
        ("https://[0:0::1]", "scheme://host"),
        ("9https://a.test", "scheme://host"),
    ] {
        let found = errors(&with(&[("/cors/allow_origins/0", json!(origin))]));
        assert_eq!(found.len(), 1, "{origin}: {found:?}");
        assert_eq!(found[0].path, "cors.allow_origins[0]", "{origin}");
        assert!(found[0].remedy.contains(remedy), "{origin}: {}", found[0]);
    }
    for origin in [
        "https://a.test",
        "http://localhost:3000",
        "https://[::1]:8443",
        "https://192.0.2.1",
        "https://*.example.com:8443",
        "https://xn--bcher-kva.example",
        "capacitor://localhost",
        "chrome-extension://abc",
    ] {
        policy(&with(&[("/cors/allow_origins/0", json!(origin))]));
    }
}

#[test]
fn mistakes_of_security_headers() {
    check(&[
        ("/security_headers/preset", json!("strict"), "security_headers.preset", "`strict` is not one", "recommended"),
        (
            "/security_headers/set",
            json!([]),
            "security_headers.set",
            "a mapping of header names to values",
            "a mapping",
        ),
        (
            "/security_headers/set",
            json!({"x y": "1"}),
            "security_headers.set.x y",
            "cannot be set here",
            "name a header",
        ),
        (
            "/security_headers/set",
            json!({"Access-Control-Allow-Origin": "*"}),
            "security_headers.set.Access-Control-Allow-Origin",
            "cannot be set here",
            "come from `cors`",
        ),
        (
            "/security_headers/set",
            json!({"x-a": "1\r\nx-b: 2"}),
            "security_headers.set.x-a",
            "a control character",
            "remove",
        ),
        ("/security_headers/set", json!({"x-a": ""}), "security_headers.set.x-a", "empty text", "leave the field out"),
        (
            "/security_headers/set",
            json!({"Content-Type": "a/b"}),
            "security_headers.set.Content-Type",
            "cannot be set",
            "",
        ),
        (
            "/security_headers/set",
            json!({"content-length": "0"}),
            "security_headers.set.content-length",
            "cannot be",
            "",
        ),
        (
            "/security_headers/set",
            json!({"Vary": "Accept"}),
            "security_headers.set.Vary",
            "cannot be set here",
            "security",
        ),
        (
            "/security_headers/set",
            json!({"X-A": "1", "x-a": "2"}),
            "security_headers.set.x-a",
            "`x-a` is set twice",
            "one",
        ),
        (
            "/security_headers",
            json!({"set": {"Server": "none"}, "remove": ["server"]}),
            "security_headers.set",
            "`server` is also in `remove`",
            "keep one of them",
        ),
        ("/security_headers/remove", json!(["a:b"]), "security_headers.remove[0]", "is not a header name", "letters"),
        (
            "/security_headers/add",
            json!({}),
            "security_headers.add",
            "unknown field `add`",
            "preset, set, remove, keep",
        ),
        (
            "/security_headers",
            json!({"remove": ["x-a"], "keep": ["X-A"]}),
            "security_headers.keep",
            "`x-a` is also in `remove`",
            "keep one of them",
        ),
        (
            "/security_headers/set_cookie",
            json!({"same_site": "none"}),
            "security_headers.set_cookie.same_site",
            "`none` is not one of the choices",
            "strict, lax",
        ),
        (
            "/security_headers/set_cookie",
            json!({"secure": false, "except": ["a"]}),
            "security_headers.set_cookie",
            "nothing is asked of cookies",
            "set secure, http_only or same_site",
        ),
        (
            "/security_headers/set_cookie",
            json!({"secure": true, "except": ["a=b"]}),
            "security_headers.set_cookie.except[0]",
            "`a=b` is not a name of a cookie",
            "as the service does",
        ),
    ]);
}

#[test]
fn what_is_set_is_not_removed_by_default() {
    let policy = policy(&with(&[("/security_headers/set", json!({"Server": "edge"}))]));
    let upstream = [("server", "upstream/1.2"), ("x-powered-by", "lang/3")];
    let edits = Request::get("/open").decide(&policy).response.edits(&headers(&upstream));
    let sent = after(&edits, &upstream);
    assert!(sent.contains(&("server".into(), "edge".into())), "{sent:?}");
    assert!(!sent.iter().any(|(name, _)| name == "x-powered-by"), "{sent:?}");
}

#[test]
fn what_is_listed_twice_in_one_match_is_no_overlap() {
    let policy = policy(&with(&[
        ("/routes/0/match/methods", json!(["GET", "PUT", "GET"])),
        ("/routes/0/match/hosts", json!(["a.test", "A.test"])),
    ]));
    assert_eq!(policy.warnings(), []);
}

#[test]
fn five_mistakes_are_five_errors_each_with_its_place() {
    let errors = errors(&with(&[
        ("/audit/level", json!("loud")),
        ("/providers/0/claim_to_headers/1/header", json!("cookie")),
        ("/roles/viewer/read", json!("some")),
        ("/routes/1/roles", json!(null)),
        ("/routes/2/owner/claim", json!("sub")),
    ]));
    let shown: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "providers[0].claim_to_headers[1].header: `cookie` cannot carry a claim (choose a header of your own, such \
             as x-user-id)",
            "roles.viewer.read: `some` is not one of the choices (write one of: any, own, none)",
            "routes[1]: `access: roles` without `roles` (list the roles that may)",
            "routes[2].owner.claim: a list of claim names is needed here, not a string (write [sub])",
            "audit.level: `loud` is not one of the choices (write one of: all, denied, none)",
        ]
    );
}

#[test]
fn a_mistake_is_not_reported_again_by_what_depends_on_it() {
    check(&[
        ("/providers/0/allowed_algorithms/0", json!("hs256"), "providers[0].allowed_algorithms[0]", "`hs256`", "HS256"),
        ("/providers/0/allowed_algorithms", json!("HS256"), "providers[0].allowed_algorithms", "a list is needed", ""),
        ("/providers/0/roles_from", json!("role"), "providers[0].roles_from", "a mapping is needed", ""),
        ("/providers", json!({}), "providers", "a list is needed here, not a mapping", ""),
        ("/providers/0/from_cookies", json!({}), "providers[0].from_cookies", "a list is needed", ""),
        ("/routes/2/match/path", json!("x"), "routes[2].match.path", "is not a path pattern", ""),
        ("/routes/2/access", json!("roles_table"), "routes[2].access", "`roles_table` is not one", ""),
    ]);
    let without_roles = amended(provider(), json!({"name": "other", "roles_from": null}));
    let errors = errors(&with(&[("/providers/1", without_roles), ("/providers/0/roles_from", json!({}))]));
    let paths: Vec<&str> = errors.iter().map(|error| error.path.as_str()).collect();
    assert_eq!(paths, ["providers[0].roles_from", "providers[1].roles_from"], "not: nobody has a role");
}

#[test]
fn places_count_what_cannot_be_read() {
    let key = |kid: &str| json!({"kid": kid, "algorithm": "HS256", "secret": {"env": "OTHER_KEY"}});
    let errors = errors(&with(&[
        ("/providers/0/keys/0/algorithm", json!("HS255")),
        ("/providers/0/keys/1", key("k2")),
        ("/providers/0/keys/2", key("k2")),
        ("/providers/1", json!("none")),
        ("/providers/2", amended(provider(), json!({"name": "twice"}))),
        ("/providers/3", amended(provider(), json!({"name": "twice"}))),
        ("/routes/0/name", json!("a b")),
        ("/routes/3", json!({"name": "docs", "match": {"path": "/admin/{*x}"}, "access": "public"})),
    ]));
    let shown: Vec<String> = errors.iter().map(|error| format!("{}: {}", error.path, error.message)).collect();
    assert_eq!(
        shown,
        [
            "providers[0].keys[0].algorithm: `HS255` is not one of the choices",
            "providers[0].keys[2]: two keys have the kid `k2`",
            "providers[1]: a mapping is needed here, not a string",
            "routes[0].name: `a b` is not a name",
            "providers[3]: two providers are called `twice`",
            "routes[3].name: `docs` is also the name of routes[2]",
            "routes[3].match: route `admin` already takes requests to this path and host",
        ]
    );
}

/// What could be read of a route is held against the others, whatever else is wrong with it.
#[test]
fn a_mistake_in_a_route_hides_no_other() {
    let open = |name: &str, path: &str| json!({"name": name, "match": {"path": path}, "access": "public"});
    let lost = "routes[0].access: `publik` is not one of";
    for (routes, expected, message) in [
        (
            json!([amended(open("x", "/a/{b}"), json!({"access": "publik"})), open("x", "/a/{c}")]),
            vec![lost, "routes[1].name: `x` is also the name of routes[0]", "routes[1].match: route `x` already takes"],
            "access",
        ),
        (
            json!([open("x", "/a"), amended(open("x", "/a"), json!({"when": 1, "input": 2, "ip": 3, "mode": 4}))]),
            vec![
                "routes[1].when: `when` looks at claims",
                "routes[1].when: a list is needed",
                "routes[1].input: a mapping is needed",
                "routes[1].ip: a mapping is needed",
                "routes[1].mode: a number is not one of",
                "routes[1].name: `x` is also",
                "routes[1].match: route `x` already takes",
            ],
            "everything else",
        ),
        (
            json!([{"match": {"path": "/a"}, "access": "public"}, open("x", "/a")]),
            vec!["routes[0]: missing field `name`", "routes[1].match: routes[0] already takes requests to this path"],
            "no name",
        ),
        (
            json!([{"name": "x", "access": "public"}, open("x", "/a")]),
            vec!["routes[0]: missing field `match`", "routes[1].name: `x` is also the name of routes[0]"],
            "no path",
        ),
        (
            json!([
                {"name": "x", "match": {"path": "/a", "methods": ["GET", "P T"]}, "access": "public"},
                {"name": "y", "match": {"path": "/b", "hosts": ["a b"]}, "access": "public"},
                open("x", "/a"),
                open("z", "/b"),
            ]),
            vec!["routes[0].match.methods[1]: ", "routes[1].match.hosts[0]: ", "routes[2].name: `x` is also"],
            "who knows which requests",
        ),
        (
            json!([amended(open("x", "/a"), json!({"access": "role_table", "mode": 1, "match": {"path": 1}}))]),
            vec![
                "routes[0].match.path: a string is needed",
                "routes[0].mode: a number is not one of",
                "routes[0].access: nobody can be authenticated",
            ],
            "who may have what it asks for",
        ),
    ] {
        let mut found: Vec<String> = errors(&json!({"version": "v1", "routes": routes}))
            .iter()
            .map(|error| format!("{}: {}", error.path, error.message))
            .collect();
        assert_eq!(found.len(), expected.len(), "{message}: {found:#?}");
        for part in expected {
            let at = found.iter().position(|error| error.starts_with(part));
            found.remove(at.unwrap_or_else(|| panic!("{message}: {part} is not among {found:#?}")));
        }
    }
    let named = amended(
        json!({"version": "v1", "routes": [amended(open("x", "/a/{b}"), json!({"access": "publik"}))]}),
        json!({"lockout": {"max_failures": 3, "login_routes": ["x"]}, "audit": {"mask": {"path_params": ["b"]}}}),
    );
    let found: Vec<String> = errors(&named).into_iter().map(|error| error.path).collect();
    assert!(!found.iter().any(|path| path.starts_with("lockout")), "such a route is there: {found:?}");
    assert!(!found.iter().any(|path| path.contains("path_params[")), "such a parameter is there: {found:?}");
}

/// What could be read of a provider is held against the rest of the policy, whatever else is wrong with it.
#[test]
fn a_mistake_in_a_provider_hides_no_other() {
    let issuer = |name: &str| amended(provider(), json!({"name": name}));
    let wrong = |name: &str| {
        let mut issuer = issuer(name);
        issuer["allowed_algorithms"] = json!(["HS257"]);
        issuer
    };
    let lost = "providers[0].allowed_algorithms[0]: ";
    let route = |more: Value| amended(json!({"name": "x", "match": {"path": "/a"}, "access": "authenticated"}), more);
    let without_roles = |mut issuer: Value| {
        issuer.as_object_mut().unwrap().remove("roles_from");
        issuer
    };
    for (changes, expected, message) in [
        (
            json!({"providers": [wrong("a"), issuer("b"), issuer("a")]}),
            vec![lost, "providers[2]: two providers are called `a`"],
            "names",
        ),
        (
            json!({"providers": [amended(wrong("a"), json!({"claim_to_headers": [{"claim": ["sub"], "header": "x-user"}]}))],
                   "routes": [route(json!({"when": [{"claim": ["a"], "equals": {"header": "x-user"}}]}))]}),
            vec![lost, "routes[0].when[0].equals.header: `x-user` is removed from every request"],
            "headers that no client can send",
        ),
        (
            json!({"providers": [wrong("a")], "roles": {}, "routes": [route(json!({"access": "role_table"}))]}),
            vec![lost, "routes[0].access: `access: role_table` without a role table"],
            "the role table",
        ),
        (
            json!({"providers": [without_roles(wrong("a"))], "routes": [route(json!({"access": "roles", "roles": ["r"]}))]}),
            vec![lost, "routes[0].access: nobody has a role"],
            "roles that nobody has",
        ),
        (
            json!({"providers": [7], "roles": {"r": 7},
                   "routes": [route(json!({"access": "roles", "roles": ["r"]})),
                              route(json!({"name": "y", "match": {"path": "/b"}, "access": "role_table"}))]}),
            vec!["providers[0]: a mapping is needed", "roles.r: a mapping is needed"],
            "what cannot be read at all may be all that is needed",
        ),
        (
            json!({"providers": 7, "roles": 7, "routes": [route(json!({"access": "role_table"}))]}),
            vec!["providers: a list is needed", "roles: a mapping of roles is needed"],
            "nor does a list that is none take anything away",
        ),
    ] {
        let found: Vec<String> = errors(&amended(sound(), changes))
            .iter()
            .map(|error| format!("{}: {}", error.path, error.message))
            .collect();
        assert_eq!(found.len(), expected.len(), "{message}: {found:#?}");
        for part in expected {
            assert!(found.iter().any(|error| error.starts_with(part)), "{message}: {part} is not among {found:#?}");
        }
    }
}

/// All that is wrong with a schema is said, once, where the schema stands.
#[test]
fn mistakes_of_schemas_come_at_once_and_once() {
    let route = |name: &str, schema: Value| json!({"name": name, "match": {"path": format!("/{name}")}, "access": "public", "input": {"body": {"schema": schema}}});
    let document = json!({
        "version": "v1",
        "schemas": {
            "user": {"required": "x", "properties": {"a": {"minLength": "x"}, "b": {"type": "strin"}}},
            "list": {"items": {"$ref": "/schemas/user"}},
            "tree": {"required": "x", "items": {"$ref": "/schemas/tree"}},
        },
        "routes": [
            route("named", json!("user")),
            route("above", json!({"$ref": "/schemas/list"})),
            route("tree", json!("tree")),
            route("own", json!({"$ref": "/schemas/user", "maxLength": -1, "enum": 7})),
        ],
    });
    let mut found: Vec<String> =
        errors(&document).iter().map(|error| format!("{}: {}", error.path, error.message)).collect();
    found.sort();
    assert_eq!(
        found,
        [
            "routes[3].input.body.schema: `enum`: must be array",
            "routes[3].input.body.schema: `maxLength`: must be at least 0",
            "schemas.tree: `required`: must be array",
            "schemas.user: `properties.a.minLength`: must be integer",
            "schemas.user: `properties.b.type`: fits none of what is allowed",
            "schemas.user: `required`: must be array",
        ]
    );
}

/// What may stand where something could not be read is not said to be missing.
#[test]
fn what_could_not_be_read_is_not_missing() {
    let open = |changes: Value| amended(json!({"name": "x", "match": {"path": "/a/{b}"}, "access": "public"}), changes);
    let named =
        json!({"lockout": {"max_failures": 3, "login_routes": ["x"]}, "audit": {"mask": {"path_params": ["b"]}}});
    for (route, message) in
        [(open(json!({"name": "x y"})), "a name"), (open(json!({"match": {"path": "a/{b}"}})), "a path")]
    {
        let document = amended(json!({"version": "v1", "routes": [route]}), named.clone());
        let found: Vec<String> = errors(&document).into_iter().map(|error| error.path).collect();
        let blamed = |path: &String| path.starts_with("lockout") || path.contains("path_params[");
        assert!(!found.iter().any(blamed), "{message}: {found:?}");
    }
}

#[test]
fn fields_that_stand_twice_are_mistakes() {
    for (text, path, message) in [
        (r#"{"version":"v1","version":"v1","routes":[R]}"#, "version", "field `version` stands twice"),
        (r#"{"version":"v1","roles":{"a":{},"a":{}},"routes":[R]}"#, "roles.a", "role `a` stands twice"),
    ] {
        let route = r#"{"name":"r","match":{"path":"/"},"access":"public"}"#;
        let errors = Policy::load(text.replace('R', route).as_bytes(), &secrets).unwrap_err();
        assert_eq!(errors.len(), 1, "{text}: {errors:?}");
        assert_eq!((&*errors[0].path, &*errors[0].message), (path, message));
    }
}

#[test]
fn what_is_no_document_at_all_is_one_error() {
    for text in ["", "x", "version: v1", "{", "[1,2]", "\"v1\"", "\u{0}"] {
        let errors = Policy::load(text.as_bytes(), &secrets).unwrap_err();
        assert!(!errors.is_empty(), "{text}");
    }
    let errors = Policy::load(b"version: v1", &secrets).unwrap_err();
    assert!(errors[0].message.starts_with("neither JSON nor a google.protobuf.Struct: "), "{}", errors[0]);
    let deep = "[".repeat(100_000);
    assert!(Policy::load(deep.as_bytes(), &secrets).is_err(), "deep nesting is refused, not followed");
}

#[test]
fn lines_are_kept_and_errors_come_in_their_order() {
    let at = |line, value| Node { line: Some(line), value };
    let key = |line, name: &str| Key { line: Some(line), name: name.into() };
    let document = at(
        1,
        NodeValue::Map(vec![
            (key(1, "routes"), at(2, NodeValue::Seq(vec![at(3, NodeValue::Map(vec![]))]))),
            (key(9, "mode"), at(9, NodeValue::String("wet".into()))),
        ]),
    );
    let errors = Policy::compile(&document, &secrets).unwrap_err();
    let shown: Vec<_> = errors.iter().map(|error| (error.line, error.path.as_str())).collect();
    assert_eq!(
        shown,
        [(Some(1), ""), (Some(3), "routes[0]"), (Some(3), "routes[0]"), (Some(3), "routes[0]"), (Some(9), "mode")]
    );
    assert!(errors[0].to_string().starts_with("line 1: missing field `version`"), "{}", errors[0]);
}

#[test]
fn what_is_worth_a_look_is_a_warning() {
    for (pointer, value, path, message) in [
        ("/routes/1/roles/1", json!("amdin"), "routes[1].roles", "role `amdin` is not in the role table"),
        ("/routes/2/ip/allow/0", json!("0.0.0.0/0"), "routes[2].ip.allow[0]", "`0.0.0.0/0` is every address"),
        ("/routes/2/ip/allow/0", json!("::/0"), "routes[2].ip.allow[0]", "`::/0` is every address"),
        (
            "/providers/0/keys/0/secret/env",
            json!("ELSEWHERE"),
            "providers[0].keys[0].secret.env",
            "`ELSEWHERE` is not set here",
        ),
    ] {
        let policy = policy(&with(&[(pointer, value)]));
        let [warning] = policy.warnings() else { panic!("{pointer}: {:?}", policy.warnings()) };
        assert_eq!(warning.path, path);
        assert!(warning.message.contains(message), "{warning}");
    }
}

#[test]
fn a_rest_whose_root_is_open_is_worth_a_look() {
    let with_catch_all = |access: &str, more: &[&str]| {
        let mut routes = vec![
            json!({"name": "site", "match": {"path": "/{*all}"}, "access": access}),
            json!({"name": "admin", "match": {"path": "/t/{id}/admin/{*rest}"}, "access": "roles", "roles": ["admin"]}),
        ];
        routes.extend(more.iter().enumerate().map(
            |(index, path)| json!({"name": format!("more{index}"), "match": {"path": path}, "access": "authenticated"}),
        ));
        policy(&with_routes(routes.into()))
    };
    for (access, more, warned, message) in [
        ("public", vec![], Some("`/t/~/admin` is not part of it, and the public route `site`"), "both forgotten"),
        ("public", vec!["/t/{id}/admin"], Some("`/t/~/admin/` is not part of it"), "one forgotten"),
        ("public", vec!["/t/{id}/admin", "/t/{id}/admin/"], None, "neither"),
        ("authenticated", vec![], None, "no public route"),
    ] {
        let policy = with_catch_all(access, &more);
        match (policy.warnings(), warned) {
            ([], None) => {}
            ([warning], Some(part)) => {
                assert!(warning.message.contains(part), "{message}: {warning}");
                assert_eq!(warning.path, "routes[1].match.path", "{message}");
            }
            (warnings, _) => panic!("{message}: {warnings:?}"),
        }
    }
}

#[test]
fn a_key_whose_secret_is_elsewhere_verifies_nothing() {
    let policy = policy(&with(&[("/providers/0/keys/0/secret/env", json!("ELSEWHERE"))]));
    let verdict = Request::get("/admin/x").role("admin").decide(&policy);
    assert_eq!(verdict.outcome(), ("deny", "token_signature"));
}

#[test]
fn secrets_come_in_three_encodings() {
    for (env, encoding, secret) in
        [("SECRET_KEY", "raw", SECRET), ("HEX_KEY", "hex", HEX_SECRET), ("BASE64_KEY", "base64url", HEX_SECRET)]
    {
        let policy = policy(&with(&[("/providers/0/keys/0/secret", json!({"env": env, "encoding": encoding}))]));
        let claims = expiring(json!({"sub": "u1", "role": "admin"}));
        let token = sign(r#"{"alg":"HS256"}"#, &claims, secret);
        let verdict = Request::get("/admin/x").with("authorization", format!("Bearer {token}")).decide(&policy);
        assert_eq!(verdict.outcome(), ("allow", "role_allowed"), "{encoding}");
    }
}

/// JSON text as the serialized Struct that Envoy makes of it.
fn as_struct(document: &Value) -> Vec<u8> {
    use prost::Message as _;
    use prost_types::value::Kind;
    fn value(from: &Value) -> prost_types::Value {
        let kind = match from {
            Value::Null => Kind::NullValue(0),
            Value::Bool(value) => Kind::BoolValue(*value),
            Value::Number(value) => Kind::NumberValue(value.as_f64().unwrap()),
            Value::String(value) => Kind::StringValue(value.clone()),
            Value::Array(items) => {
                Kind::ListValue(prost_types::ListValue { values: items.iter().map(value).collect() })
            }
            Value::Object(_) => Kind::StructValue(fields(from)),
        };
        prost_types::Value { kind: Some(kind) }
    }
    fn fields(from: &Value) -> prost_types::Struct {
        let members = from.as_object().unwrap().iter().map(|(name, member)| (name.clone(), value(member)));
        prost_types::Struct { fields: members.collect() }
    }
    fields(document).encode_to_vec()
}

#[test]
fn json_text_and_a_struct_are_the_same_policy() {
    let document = with(&[
        ("/providers/0/max_token_bytes", json!(4096)),
        ("/routes/2/when/1", json!({"claim": ["level"], "equals": 3})),
    ]);
    let from_json = policy(&document);
    let from_struct = Policy::load(&as_struct(&document), &secrets).unwrap();
    assert_eq!(from_json.digest(), from_struct.digest());
    let docs = |claims: Value| {
        Request::get("/users/u1/docs").from("10.0.0.1").bearer(amended(json!({"sub": "u1", "role": "editor"}), claims))
    };
    for (request, message) in [
        (Request::get("/open"), "public"),
        (Request::get("/admin/x").role("admin"), "role"),
        (Request::get("/admin/x").role("viewer"), "role denied"),
        (docs(json!({"scope": "docs", "level": 3})), "a number"),
        (docs(json!({"scope": "docs", "level": 3.0})), "the same number"),
        (docs(json!({"scope": "docs", "level": 4})), "another number"),
        (docs(json!({"level": 3})), "no scope"),
        (Request::get("/none"), "no route"),
    ] {
        let (left, right) = (request.decide(&from_json), request.decide(&from_struct));
        assert_eq!((left.decision, left.action), (right.decision, right.action), "{message}");
    }
    let spelled = policy(&serde_json::from_str::<Value>(&document.to_string().replace("4096", "4096.0")).unwrap());
    assert_eq!(spelled.digest(), from_json.digest(), "4096.0 is 4096");
    let large = with(&[("/schemas", json!({"large": {"maxLength": 64}}))]).to_string();
    let large = ["64222222222222222222222222222222222222222222222222222222", "6.422222222222223e55"].map(|number| {
        let text = large.replace(r#""maxLength":64"#, &format!(r#""maxLength":{number}"#));
        Policy::load(text.as_bytes(), &secrets).unwrap()
    });
    assert_eq!(large[0].digest(), large[1].digest(), "written short, a number is what it was");
    let other = policy(&with(&[("/providers/0/max_token_bytes", json!(4097))]));
    assert_ne!(other.digest(), from_json.digest(), "another policy has another digest");
}

/// A Struct can hold them, and JSON would make null of them, which a claim can be.
#[test]
fn numbers_that_are_none_are_refused() {
    let mut document = sound();
    set(&mut document, "/routes/2/when/1", json!({"claim": ["level"], "equals": 3.5}));
    for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let mut bytes = as_struct(&document);
        let at = bytes.windows(8).position(|window| window == 3.5_f64.to_le_bytes()).unwrap();
        bytes[at..at + 8].copy_from_slice(&odd.to_le_bytes());
        let errors = Policy::load(&bytes, &secrets).unwrap_err();
        assert_eq!(errors.len(), 1, "{odd}: {errors:?}");
        assert_eq!(errors[0].path, "routes[2].when[1].equals", "{odd}");
    }
}

/// Section 3 of the contract, without what this version does not have: `input`.
#[test]
fn the_example_of_the_contract_compiles() {
    let document = json!({
        "version": "v1",
        "mode": "enforce",
        "providers": [{
            "name": "local",
            "issuer": "https://issuer.example.com",
            "audiences": ["portcullis-demo"],
            "allowed_algorithms": ["HS256"],
            "keys": [{"kid": "2026-11", "algorithm": "HS256", "secret": {"env": "SECRET_KEY"}}],
            "clock_skew": "30s",
            "require_expiration": true,
            "max_lifetime": "24h",
            "max_token_bytes": 8192,
            "from_headers": [{"name": "authorization", "value_prefix": "Bearer "}],
            "from_cookies": [],
            "from_params": [],
            "forward": false,
            "roles_from": {"claim": ["role"]},
            "claim_to_headers": [
                {"claim": ["sub"], "header": "x-user-id"},
                {"claim": ["role"], "header": "x-user-role"},
            ],
        }],
        "roles": {
            "admin": {"read": "any", "write": "any"},
            "editor": {"read": "any", "write": "own"},
            "viewer": {"read": "any", "write": "none"},
        },
        "routes": [
            {"name": "health", "match": {"path": "/healthz", "methods": ["GET"]}, "access": "public"},
            {
                "name": "admin",
                "match": {"path": "/admin/{*rest}"},
                "access": "roles",
                "roles": ["admin"],
                "ip": {"allow": ["10.0.0.0/8", "::1/128", "127.0.0.0/8"]},
            },
            {
                "name": "documents",
                "match": {"path": "/users/{owner}/documents/{id}"},
                "access": "role_table",
                "owner": {"param": "owner", "claim": ["sub"]},
            },
            {"name": "register", "match": {"path": "/users", "methods": ["POST"]}, "access": "roles", "roles": ["admin"]},
            {
                "name": "search",
                "match": {"path": "/search", "methods": ["GET"], "hosts": ["api.example.com"]},
                "access": "authenticated",
                "mode": "dry_run",
                "when": [
                    {"claim": ["scope"], "contains": "docs:read"},
                    {"claim": ["tenant"], "equals": {"header": "x-tenant"}},
                ],
                "step_up": {"acr_values": ["urn:example:mfa"], "amr": ["otp"], "max_age": "15m"},
            },
        ],
        "cors": {
            "allow_origins": ["https://app.example.com"],
            "allow_methods": ["GET", "POST", "PUT", "DELETE"],
            "allow_headers": ["Authorization", "Content-Type"],
            "expose_headers": [],
            "allow_credentials": true,
            "max_age": "10m",
        },
        "security_headers": {
            "preset": "recommended",
            "set": {"content-security-policy": "default-src 'none'"},
            "remove": ["server", "x-powered-by"],
        },
        "errors": {"hide_upstream_5xx": true},
        "audit": {"level": "all", "sinks": ["access_log"]},
    });
    let policy = policy(&document);
    assert_eq!(policy.warnings(), []);
    let claims = json!({"iss": "https://issuer.example.com", "aud": "portcullis-demo", "sub": "u1", "role": "admin"});
    let bearer = |request: Request| request.with("authorization", format!("Bearer {}", token(claims.clone())));
    let kid = bearer(Request::get("/admin/x")).from("10.0.0.1").decide(&policy);
    assert_eq!(kid.outcome(), ("deny", "token_unknown_key"), "the token's kid is not the policy's");
    let token = sign(r#"{"alg":"HS256","kid":"2026-11"}"#, &expiring(claims), SECRET);
    let verdict =
        Request::get("/admin/x").from("10.0.0.1").with("authorization", format!("Bearer {token}")).decide(&policy);
    assert_eq!(verdict.outcome(), ("allow", "role_allowed"));
}

/// Keys left out take the value that the contract shows.
#[test]
fn defaults_are_the_contracts() {
    let policy = policy(&json!({
        "version": "v1",
        "providers": [{
            "name": "local",
            "allowed_algorithms": ["HS256"],
            "keys": [{"algorithm": "HS256", "secret": {"env": "SECRET_KEY"}}],
        }],
        "routes": [{"name": "r", "match": {"path": "/"}, "access": "authenticated"}],
        "cors": {"allow_origins": ["https://a.test"]},
    }));
    let [provider] = policy.providers.as_slice() else { panic!("one provider") };
    let rules = &provider.verifier.rules;
    assert!(!policy.dry_run, "mode: enforce");
    assert!((rules.clock_skew - 30.0).abs() < f64::EPSILON, "clock_skew: 30s");
    assert!(rules.require_expiration, "require_expiration: true");
    assert_eq!((rules.issuer.as_deref(), rules.audiences.len(), rules.max_lifetime), (None, 0, None), "all else off");
    assert_eq!(provider.verifier.max_token_bytes, 8192, "max_token_bytes");
    assert!(!provider.forward, "forward: false");
    assert_eq!(
        policy.sources.0.iter().map(|source| source.place.clone()).collect::<Vec<_>>(),
        [Place::Header { name: "authorization".into(), value_prefix: "bearer ".into() }],
        "from_headers, and nothing else"
    );
    let cors = policy.response.cors.as_ref().unwrap();
    assert_eq!((cors.max_age, cors.credentials), (600, false), "max_age: 10m, allow_credentials off");
    assert!(policy.response.hide_upstream_5xx, "hide_upstream_5xx: true");
    assert_eq!(policy.audit.level, AuditLevel::All, "level: all");
    assert_eq!(policy.sinks(), Sinks { access_log: true, log: false }, "sinks: [access_log]");
}

#[cfg(not(target_arch = "wasm32"))]
mod properties {
    use proptest::prelude::*;

    use super::*;

    /// Any JSON, with the names of the policy's fields in it now and then.
    fn any_json() -> impl Strategy<Value = Value> {
        let word = prop_oneof![
            "[a-z/{}*.@:%]{0,12}",
            prop::sample::select(vec![
                "version",
                "v1",
                "mode",
                "providers",
                "roles",
                "routes",
                "name",
                "match",
                "path",
                "methods",
                "hosts",
                "access",
                "public",
                "role_table",
                "owner",
                "param",
                "claim",
                "when",
                "equals",
                "contains",
                "header",
                "query",
                "ip",
                "allow",
                "deny",
                "cors",
                "allow_origins",
                "https://*.a.test",
                "security_headers",
                "set",
                "remove",
                "keys",
                "algorithm",
                "HS256",
                "secret",
                "env",
                "SECRET_KEY",
                "allowed_algorithms",
                "30s",
                "from_headers",
                "value_prefix",
                "claim_to_headers",
                "local_jwks",
                "inline",
                "/{a}/{*b}",
                "10.0.0.0/8",
            ])
            .prop_map(str::to_owned),
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            // serde_json may read other fractions as a neighbouring double.
            any::<i32>().prop_map(|quarters| Value::from(f64::from(quarters) / 4.0)),
            any::<i64>().prop_map(Value::from),
            word.clone().prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 48, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::vec((word.clone(), inner), 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_json_panics(document in any_json()) {
            let _ = Policy::load(document.to_string().as_bytes(), &secrets);
        }

        #[test]
        fn no_json_anywhere_in_a_policy_panics(at in 0_usize..200, replacement in any_json()) {
            let mut document = sound();
            let mut left = at;
            replace(&mut document, &mut left, &replacement);
            let text = document.to_string();
            if let Err(errors) = Policy::load(text.as_bytes(), &secrets) {
                prop_assert!(!errors.is_empty());
                for error in errors {
                    prop_assert!(!error.message.is_empty() && !error.remedy.is_empty(), "{}", error);
                }
            }
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..128)) {
            let _ = Policy::load(&bytes, &secrets);
        }

        #[test]
        fn any_object_is_the_same_as_a_struct(document in any_json()) {
            if document.is_object() {
                let from_json = Node::from_json(document.to_string().as_bytes()).unwrap();
                let from_struct = Node::from_struct(&as_struct(&document)).unwrap();
                prop_assert_eq!(from_json.to_canonical_json(), from_struct.to_canonical_json());
            }
        }
    }

    /// Replaces the value that is the `left`th on a walk through the document.
    fn replace(value: &mut Value, left: &mut usize, replacement: &Value) {
        if *left == 0 {
            *value = replacement.clone();
            *left = usize::MAX;
            return;
        }
        *left -= 1;
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| replace(item, left, replacement)),
            Value::Object(members) => members.values_mut().for_each(|member| replace(member, left, replacement)),
            _ => {}
        }
    }
}
