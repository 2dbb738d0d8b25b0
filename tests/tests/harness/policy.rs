//! Policies the tests start from.

use serde_json::{Value, json};

use super::keys::{self, Pair};

/// Who verifies signatures: the host where it can, or the module alone. No answer may depend on it.
pub const CRYPTO: [&str; 2] = ["auto", "portable"];

/// The example of the documentation, whole but for what later versions add.
pub fn example() -> Value {
    let mut policy = with_routes(json!([
        {"name": "health", "match": {"path": "/healthz", "methods": ["GET"]}, "access": "public"},
        {"name": "admin", "match": {"path": "/admin/{*rest}"}, "access": "roles", "roles": ["admin"],
         "ip": {"allow": ["10.0.0.0/8", "::1/128", "127.0.0.0/8"]}},
        {"name": "documents", "match": {"path": "/users/{owner}/documents/{id}"}, "access": "role_table",
         "owner": {"param": "owner", "claim": ["sub"]}},
        {"name": "register", "match": {"path": "/users", "methods": ["POST"]}, "access": "roles", "roles": ["admin"]},
        {"name": "search", "match": {"path": "/search", "methods": ["GET"], "hosts": ["api.example.com"]},
         "access": "authenticated", "mode": "dry_run", "when": [
            {"claim": ["scope"], "contains": "docs:read"},
            {"claim": ["tenant"], "equals": {"header": "x-tenant"}},
        ]},
    ]));
    policy["cors"] = cors();
    policy
}

/// A policy of `routes`, with the example's provider and roles and nothing else.
pub fn with_routes(routes: Value) -> Value {
    json!({
        "version": "v1",
        "providers": [provider()],
        "roles": {
            "admin": {"read": "any", "write": "any"},
            "editor": {"read": "any", "write": "own"},
            "viewer": {"read": "any", "write": "none"},
        },
        "routes": routes,
    })
}

/// The example, its tokens signed with `pairs`.
pub fn asymmetric(crypto: &str, pairs: &[&Pair]) -> Value {
    let mut policy = example();
    policy["crypto"] = json!(crypto);
    let provider = policy["providers"][0].as_object_mut().unwrap();
    provider.remove("keys");
    let set = keys::set(pairs.iter().copied());
    provider.insert("local_jwks".to_owned(), json!({"inline": set.to_string()}));
    provider.insert("allowed_algorithms".to_owned(), pairs.iter().map(|pair| pair.algorithm.as_str()).collect());
    policy
}

/// The example's provider.
pub fn provider() -> Value {
    json!({
        "name": "local",
        "issuer": "https://issuer.example.com",
        "audiences": ["portcullis-demo"],
        "allowed_algorithms": ["HS256"],
        "keys": [{"kid": "2026-11", "algorithm": "HS256", "secret": {"env": "SECRET_KEY"}}],
        "clock_skew": "30s",
        "max_lifetime": "24h",
        "roles_from": {"claim": ["role"]},
        "claim_to_headers": [
            {"claim": ["sub"], "header": "x-user-id"},
            {"claim": ["role"], "header": "x-user-role"},
        ],
    })
}

/// The example's CORS block.
pub fn cors() -> Value {
    json!({
        "allow_origins": ["https://app.example.com"],
        "allow_methods": ["GET", "POST", "PUT", "DELETE"],
        "allow_headers": ["Authorization", "Content-Type"],
        "allow_credentials": true,
        "max_age": "10m",
    })
}
