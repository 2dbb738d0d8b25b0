#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use serde_json::{Value, json};

use super::*;
use crate::testing::{OTHER_SECRET, Request, amended, base64url, policy, with_routes};

fn masking(mask: Value) -> crate::policy::Policy {
    let routes = json!([
        {"name": "docs", "match": {"path": "/users/{owner}/docs/{*rest}"}, "access": "authenticated"},
    ]);
    policy(&amended(with_routes(routes), json!({"audit": {"mask": mask}})))
}

fn hash(field: &str, value: &str) -> String {
    let mac = hmac_sha256::HMAC::mac(format!("{field}\0{value}").as_bytes(), OTHER_SECRET);
    format!("h:{}", base64url(&mac[..16]))
}

fn key() -> Value {
    json!({"env": "OTHER_KEY"})
}

#[test]
fn fields_are_masked_as_the_policy_says() {
    let request = |ip: &str| {
        Request::get("/users/Ada/docs/a/b").bearer(json!({"sub": "ada@example.com", "role": "editor"})).from(ip)
    };
    let v4 = "203.0.113.9";
    let v6 = "2001:db8:1:2:3:4:5:6";
    let (user, path) = ("a***@example.com", "/users/{owner}/docs/{*rest}");
    let (owner, rest) = (hash("path", "Ada"), hash("path", "a/b"));
    let rows = [
        ("nothing", json!({}), v4, user.into(), v4.into(), path.into(), json!(["user_id"])),
        (
            "a user",
            json!({"user_id": "hash", "key": key()}),
            v4,
            hash("user_id", "ada@example.com"),
            v4.into(),
            path.into(),
            json!(["user_id"]),
        ),
        (
            "a network",
            json!({"ip_address": "truncate"}),
            v4,
            user.into(),
            "203.0.113.0/24".into(),
            path.into(),
            json!(["user_id", "ip_address"]),
        ),
        (
            "a network of IPv6",
            json!({"ip_address": "truncate"}),
            v6,
            user.into(),
            "2001:db8:1::/48".into(),
            path.into(),
            json!(["user_id", "ip_address"]),
        ),
        (
            "an address",
            json!({"ip_address": "hash", "key": key()}),
            v4,
            user.into(),
            hash("ip_address", v4),
            path.into(),
            json!(["user_id", "ip_address"]),
        ),
        (
            "an address of IPv6",
            json!({"ip_address": "hash", "key": key()}),
            v6,
            user.into(),
            hash("ip_address", v6),
            path.into(),
            json!(["user_id", "ip_address"]),
        ),
        (
            "a parameter",
            json!({"path_params": ["owner"], "key": key()}),
            v4,
            user.into(),
            v4.into(),
            format!("/users/{owner}/docs/{{*rest}}"),
            json!(["user_id", "path"]),
        ),
        (
            "the rest of a path",
            json!({"path_params": ["rest", "owner"], "key": key()}),
            v4,
            user.into(),
            v4.into(),
            format!("/users/{owner}/docs/{rest}"),
            json!(["user_id", "path"]),
        ),
        (
            "a key that is not at hand",
            json!({"user_id": "hash", "key": {"env": "ELSEWHERE"}}),
            v4,
            MASKED.into(),
            v4.into(),
            path.into(),
            json!(["user_id"]),
        ),
    ];
    for (what, mask, ip, user, address, path, masked) in rows {
        let verdict = request(ip).decide(&masking(mask));
        let found = ["user_id", "ip_address", "path", "masked"].map(|member| verdict.recorded(member));
        assert_eq!(found, [json!(user), json!(address), json!(path), masked].map(Some), "{what}");
    }
}

#[test]
fn one_key_gives_one_hash() {
    let key = MaskKey::new(&Secret::new(OTHER_SECRET.to_vec()));
    assert_eq!(key.hash("user_id", "ada"), hash("user_id", "ada"));
    assert_ne!(key.hash("user_id", "ada"), key.hash("ip_address", "ada"), "fields are apart");
    assert_ne!(key.hash("user_id", "ada"), key.hash("user_id", "Ada"));
    assert_eq!(key.hash("user_id", "ada").len(), 24);
    assert_eq!(format!("{key:?}"), "MaskKey(redacted)");
}

#[test]
fn ids_and_roles_are_scrubbed_too() {
    let routes = json!([
        {"name": "r", "match": {"path": "/r"}, "access": "roles", "roles": ["ada@example.com"]},
    ]);
    let provider = amended(
        crate::testing::provider(),
        json!({"keys": [{"kid": "4111111111111111", "algorithm": "HS256", "secret": {"env": "SECRET_KEY"}}]}),
    );
    let policy = policy(&amended(with_routes(routes), json!({"providers": [provider]})));
    let claims = crate::testing::expiring(json!({"sub": "ada", "role": "ada@example.com"}));
    let token = crate::testing::sign(r#"{"alg":"HS256","kid":"4111111111111111"}"#, &claims, crate::testing::SECRET);
    for (id, expected) in [
        ("4111-1111-1111-1111", MASKED),
        ("616461406578616d706c652e636f6d", MASKED),
        ("41111111-1111-1111-1111-111111111111", "41111111-1111-1111-1111-111111111111"),
        ("4bf92f3577b34da6a3ce929d0e0e4736", "4bf92f3577b34da6a3ce929d0e0e4736"),
    ] {
        let request = Request::get("/r").with("authorization", format!("Bearer {token}")).with("x-request-id", id);
        let verdict = request.decide(&policy);
        assert_eq!(verdict.recorded("request_id"), Some(json!(expected)));
        assert_eq!(verdict.recorded("role"), Some(json!("a***@example.com")));
        assert_eq!(verdict.recorded("kid"), Some(json!(MASKED)));
        let masked = if expected == MASKED { json!(["role", "request_id", "kid"]) } else { json!(["role", "kid"]) };
        assert_eq!(verdict.recorded("masked"), Some(masked), "{id}");
    }
}
