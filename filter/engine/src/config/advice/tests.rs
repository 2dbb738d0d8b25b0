#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use serde_json::{Value, json};

use crate::testing::{amended, policy, provider, with_routes};

/// The place and the words of each piece of advice.
fn advice(document: &Value) -> Vec<(String, String)> {
    policy(document).advice().iter().map(|advice| (advice.path.clone(), advice.message.clone())).collect()
}

/// A policy with nothing to ask about but what `members` of its provider and `routes` bring.
fn document(members: Value, routes: Value) -> Value {
    let provider = amended(amended(provider(), json!({"audiences": ["a"], "max_lifetime": "24h"})), members);
    amended(with_routes(routes), json!({"providers": [provider]}))
}

fn me() -> Value {
    json!([{"name": "me", "match": {"path": "/me"}, "access": "authenticated"}])
}

#[test]
fn a_careful_policy_gets_no_advice() {
    let routes = json!([
        {"name": "admin", "match": {"path": "/admin/{*rest}"}, "access": "roles", "roles": ["admin"], "ip": {"allow": ["10.0.0.0/8"]}},
        {"name": "administer", "match": {"path": "/administer"}, "access": "authenticated"},
        {"name": "param", "match": {"path": "/x/{admin}"}, "access": "authenticated"},
        {"name": "when", "match": {"path": "/w"}, "access": "authenticated", "when": [
            {"claim": ["a"], "equals": 1}, {"claim": ["b"], "equals": 2}, {"claim": ["a"], "contains": "x"},
            {"claim": ["a"], "equals": 1}, {"claim": ["a"], "equals": {"header": "x-a"}},
        ]},
    ]);
    let cors = json!({"cors": {"allow_origins": ["https://*.example.com"]}});
    assert_eq!(advice(&amended(document(json!({}), routes), cors)), []);
}

#[test]
fn each_doubt_has_its_place_and_words() {
    let route = |path: &str, more: Value| {
        json!([amended(json!({"name": "r", "match": {"path": path}, "access": "authenticated"}), more)])
    };
    let same = json!([
        {"claim": ["org", "id"], "equals": "a"}, {"claim": ["sub"], "equals": "x"}, {"claim": ["org", "id"], "equals": "b"},
    ]);
    let open = json!({"allow_origins": ["*"], "allow_credentials": false});
    for (document, path, message) in [
        (document(json!({"audiences": null}), me()), "providers[0]", "no `audiences`"),
        (document(json!({"max_lifetime": "25h"}), me()), "providers[0].max_lifetime", "longer than a day"),
        (document(json!({}), route("/admin", json!({}))), "routes[0]", "can be reached from any address"),
        (document(json!({}), route("/api/Internal/{x}", json!({}))), "routes[0]", "`/api/Internal/{x}` looks like"),
        (document(json!({}), route("/debug", json!({"access": "public"}))), "routes[0]", "lets everybody in"),
        (document(json!({}), route("/a", json!({"when": same}))), "routes[0].when", "the claim `org.id` cannot"),
        (
            document(json!({}), route("/a", json!({"cors": open}))),
            "routes[0].cors.allow_origins",
            "any page on the web",
        ),
        (amended(document(json!({}), me()), json!({"cors": open})), "cors.allow_origins", "any page on the web"),
    ] {
        let mut document = document;
        if let Some(provider) = document["providers"][0].as_object_mut() {
            provider.retain(|_, value| !value.is_null());
        }
        let found = advice(&document);
        let [(place, words)] = found.as_slice() else { panic!("{path} {message}: {found:?}") };
        assert_eq!(place, path, "{message}");
        assert!(words.contains(message), "{words}");
    }
}

#[test]
fn a_secret_of_two_issuers_is_remarked_on_once() {
    let one = amended(provider(), json!({"audiences": ["a"]}));
    let two = amended(one.clone(), json!({"name": "two"}));
    let other = json!([{"algorithm": "HS256", "secret": {"env": "OTHER_KEY"}}]);
    let three = amended(one.clone(), json!({"name": "three", "keys": other}));
    let twice = json!([
        {"kid": "1", "algorithm": "HS256", "secret": {"env": "SECRET_KEY"}},
        {"kid": "2", "algorithm": "HS256", "secret": {"env": "SECRET_KEY"}},
    ]);
    let of = |providers: Value| advice(&amended(with_routes(me()), json!({"providers": providers})));
    let found = of(json!([one, three, two]));
    let [(place, words)] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(place, "providers[2].keys");
    assert_eq!(words, "has the secret of provider `local`, `SECRET_KEY`: each can sign for the other");
    assert_eq!(of(json!([amended(one, json!({"keys": twice}))])), [], "one issuer's own");
}
