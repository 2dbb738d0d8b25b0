#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use serde_json::json;

use super::*;
use crate::policy::Policy;
use crate::testing::{Request, amended, policy, provider, with_routes};

/// The reason for a request of each method by a caller with these roles.
fn reasons(policy: &Policy, path: &str, role: &Value) -> Vec<&'static str> {
    let decide = |method| Request::new(method, path).bearer(json!({"sub": "u1", "role": role})).decide(policy);
    ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "get"]
        .map(|method| decide(method).decision.reason())
        .to_vec()
}

#[test]
fn the_role_table_tells_reading_from_writing() {
    let policy = policy(&with_routes(json!([
        {"name": "a", "match": {"path": "/a/{owner}"}, "access": "role_table", "owner": {"param": "owner", "claim": ["sub"]}},
    ])));
    let row = |read: &'static str, write: &'static str, other: &'static str| {
        vec![read, read, read, write, write, write, write, other, other, other]
    };
    for (path, role, expected, message) in [
        ("/a/u2", json!("admin"), row("role_allowed", "role_allowed", "role_denied"), "any"),
        ("/a/u1", json!("editor"), row("role_allowed", "owner_allowed", "role_denied"), "its own"),
        ("/a/u2", json!("editor"), row("role_allowed", "owner_denied", "role_denied"), "another's"),
        ("/a/u1", json!("viewer"), row("role_allowed", "role_denied", "role_denied"), "none"),
        ("/a/u1", json!("Admin"), row("role_missing", "role_missing", "role_missing"), "case matters"),
        (
            "/a/u1",
            json!(["nobody", "viewer", "editor"]),
            row("role_allowed", "owner_allowed", "role_denied"),
            "the most",
        ),
        ("/a/u1", json!([]), row("role_missing", "role_missing", "role_missing"), "no roles"),
        ("/a/u1", json!("admin viewer"), row("role_missing", "role_missing", "role_missing"), "a string is one role"),
        ("/a/u1", json!({"admin": true}), row("role_missing", "role_missing", "role_missing"), "an object"),
        ("/a/u1", json!([7, null, "viewer"]), row("role_allowed", "role_denied", "role_denied"), "not only strings"),
    ] {
        assert_eq!(reasons(&policy, path, &role), expected, "{message}");
    }
}

#[test]
fn of_several_roles_the_one_that_reaches_furthest_decides() {
    let policy = policy(&with_routes(json!([
        {"name": "a", "match": {"path": "/a/{owner}"}, "access": "role_table", "owner": {"param": "owner", "claim": ["sub"]}},
    ])));
    for (roles, path, role) in [
        (json!(["viewer", "admin", "editor"]), "/a/u2", Some("admin")),
        (json!(["viewer", "editor"]), "/a/u1", Some("editor")),
    ] {
        let verdict = Request::new("PUT", path).bearer(json!({"sub": "u1", "role": roles})).decide(&policy);
        assert_eq!((verdict.status(), verdict.role.as_deref()), (None, role), "{roles}");
    }
    let many: Vec<String> = (0..64).map(|n| format!("r{n}")).chain(["admin".into()]).collect();
    let verdict = Request::get("/a/u1").bearer(json!({"role": many})).decide(&policy);
    assert_eq!(verdict.outcome(), ("deny", "role_missing"), "the sixty-fifth is not looked at");
}

#[test]
fn roles_may_be_anywhere_in_the_claims() {
    let document = with_routes(json!([
        {"name": "a", "match": {"path": "/a"}, "access": "roles", "roles": ["admin", "root"]},
    ]));
    let from = |path: Value| {
        amended(document.clone(), json!({"providers": [amended(provider(), json!({"roles_from": {"claim": path}}))]}))
    };
    for (path, claims, reason, message) in [
        (json!(["realm_access", "roles"]), json!({"realm_access": {"roles": ["x", "root"]}}), "role_allowed", "nested"),
        (json!(["https://a.test/roles"]), json!({"https://a.test/roles": "admin"}), "role_allowed", "a URL for a name"),
        (json!(["a.b"]), json!({"a": {"b": "admin"}}), "role_missing", "a dot is no path"),
        (json!(["a.b"]), json!({"a.b": "admin"}), "role_allowed", "a dot is a letter"),
        (json!(["roles", "0"]), json!({"roles": ["admin"]}), "role_missing", "arrays have no members"),
        (json!(["role"]), json!({"roles": "admin"}), "role_missing", "another name"),
    ] {
        let verdict = Request::get("/a").bearer(claims).decide(&policy(&from(path)));
        assert_eq!(verdict.decision.reason(), reason, "{message}");
    }
}

#[test]
fn own_is_what_the_parameter_and_the_claim_have_in_common() {
    let policy = policy(&with_routes(json!([
        {
            "name": "a",
            "match": {"path": "/a/{owner}"},
            "access": "role_table",
            "owner": {"param": "owner", "claim": ["profile", "name"]},
        },
        {
            "name": "b",
            "match": {"path": "/b/{*owner}"},
            "access": "role_table",
            "owner": {"param": "owner", "claim": ["profile", "name"]},
        },
    ])));
    for (path, name, reason, message) in [
        ("/a/alice", json!("alice"), "owner_allowed", "the same"),
        ("/a/Alice", json!("alice"), "owner_denied", "case matters"),
        ("/a/alice%40example.com", json!("alice@example.com"), "owner_allowed", "escaped"),
        ("/a/alice@example.com", json!("alice@example.com"), "owner_allowed", "not escaped"),
        ("/a/a%20b", json!("a b"), "owner_allowed", "what must be escaped"),
        ("/a/a%20b", json!("a%20b"), "owner_denied", "the escape itself is not the name"),
        ("/a/jos%C3%A9", json!("josé"), "owner_allowed", "beyond ASCII"),
        ("/a/7", json!(7), "owner_allowed", "a number"),
        ("/a/7.0", json!(7), "owner_denied", "another text of it"),
        ("/a/true", json!(true), "owner_allowed", "a boolean"),
        ("/a/null", json!(null), "owner_denied", "null is nobody"),
        ("/a/alice", json!(["alice"]), "owner_denied", "a list is nobody"),
        ("/a/x", json!(""), "owner_denied", "the empty name is nobody's"),
        ("/b/a/b", json!("a/b"), "owner_allowed", "a rest"),
    ] {
        let claims = json!({"role": "editor", "profile": {"name": name}});
        let verdict = Request::new("PUT", path).bearer(claims).decide(&policy);
        assert_eq!(verdict.decision.reason(), reason, "{message}: {path}");
    }
    let nameless = Request::new("PUT", "/a/alice").bearer(json!({"role": "editor"})).decide(&policy);
    assert_eq!(nameless.decision.reason(), "owner_denied", "no claim");
}

#[test]
fn conditions_compare_claims() {
    let when = |condition: &Value| {
        policy(&with_routes(json!([
            {"name": "a", "match": {"path": "/a/{tenant}"}, "access": "authenticated", "when": [condition]},
        ])))
    };
    let contains = json!({"claim": ["scope"], "contains": "read"});
    let value = |value: Value| json!({"claim": ["x"], "equals": value});
    let header = json!({"claim": ["tenant"], "equals": {"header": "X-Tenant"}});
    let param = json!({"claim": ["tenant"], "equals": {"param": "tenant"}});
    let query = json!({"claim": ["tenant"], "equals": {"query": "t"}});
    let get = |target: &str| Request::get(target);
    let a = get("/a/b");
    for (condition, request, claims, holds, message) in [
        (&contains, a.clone(), json!({"scope": "write read"}), true, "a word"),
        (&contains, a.clone(), json!({"scope": "write,read"}), false, "no other separators"),
        (&contains, a.clone(), json!({"scope": "reader"}), false, "a part of a word"),
        (&contains, a.clone(), json!({"scope": ["write", "read"]}), true, "an element"),
        (&contains, a.clone(), json!({"scope": ["write read"]}), false, "a word in an element"),
        (&contains, a.clone(), json!({"scope": {"read": 1}}), false, "a member"),
        (&contains, a.clone(), json!({}), false, "no claim"),
        (&value(json!("v")), a.clone(), json!({"x": "v"}), true, "text"),
        (&value(json!("v")), a.clone(), json!({"x": ["v"]}), false, "a list is no text"),
        (&value(json!("7")), a.clone(), json!({"x": 7}), false, "a number is no text"),
        (&value(json!(7)), a.clone(), json!({"x": 7}), true, "a number"),
        (&value(json!(7)), a.clone(), json!({"x": 7.0}), true, "the same number"),
        (&value(json!(7)), a.clone(), json!({"x": "7"}), false, "text is no number"),
        (
            &value(json!(9_007_199_254_740_991_i64)),
            a.clone(),
            json!({"x": 9_007_199_254_740_991_i64}),
            true,
            "the largest",
        ),
        (
            &value(json!(9_007_199_254_740_991_i64)),
            a.clone(),
            json!({"x": 9_007_199_254_740_992_i64}),
            false,
            "its neighbour",
        ),
        (
            &value(json!(9_007_199_254_740_991_i64)),
            a.clone(),
            json!({"x": 9_007_199_254_740_993_i64}),
            false,
            "its second",
        ),
        (&value(json!(0)), a.clone(), json!({"x": -0.0}), true, "zero"),
        (&value(json!(true)), a.clone(), json!({"x": true}), true, "a boolean"),
        (&value(json!(true)), a.clone(), json!({"x": "true"}), false, "text is no boolean"),
        (&value(json!(true)), a.clone(), json!({"x": 1}), false, "nor is a number"),
        (&header, a.clone().with("x-tenant", "t1"), json!({"tenant": "t1"}), true, "a header"),
        (&header, a.clone().with("x-tenant", "7"), json!({"tenant": 7}), true, "a number in a header"),
        (&header, a.clone().with("x-tenant", "t2"), json!({"tenant": "t1"}), false, "another value"),
        (&header, a.clone().with("x-tenant", "T1"), json!({"tenant": "t1"}), false, "case matters"),
        (&header, a.clone(), json!({"tenant": "t1"}), false, "no header"),
        (&header, a.clone(), json!({"tenant": ""}), false, "no header is not an empty one"),
        (&header, a.clone().with("x-tenant", ""), json!({}), false, "nor no claim an empty one"),
        (&header, a.clone().with("x-tenant", "t1").with("x-tenant", "t1"), json!({"tenant": "t1"}), false, "twice"),
        (
            &header,
            a.clone().with("x-tenant", "t1").with("x_tenant", "t2"),
            json!({"tenant": "t1"}),
            false,
            "spelled twice",
        ),
        (&header, a.clone().with("x_tenant", "t1"), json!({"tenant": "t1"}), false, "spelled otherwise"),
        (&header, a.clone().with("x-tenant", "t1, t2"), json!({"tenant": "t1"}), false, "joined"),
        (&header, a.clone().with("x-tenant", b"\xff"), json!({"tenant": "\u{fffd}"}), false, "not UTF-8"),
        (&param, get("/a/t1"), json!({"tenant": "t1"}), true, "a parameter"),
        (&param, get("/a/t%20x"), json!({"tenant": "t x"}), true, "an escaped one"),
        (&param, get("/a/t2"), json!({"tenant": "t1"}), false, "another"),
        (&query, get("/a/b?t=t1"), json!({"tenant": "t1"}), true, "a query"),
        (&query, get("/a/b?t=t+x&u=1"), json!({"tenant": "t x"}), true, "an encoded one"),
        (&query, get("/a/b?t=t1&t=t2"), json!({"tenant": "t1"}), false, "twice"),
        (&query, get("/a/b?t=t1&%74=t2"), json!({"tenant": "t1"}), false, "twice, escaped"),
        (&query, get("/a/b?T=t2&t=t1"), json!({"tenant": "t1"}), false, "twice, in another case"),
        (&query, get("/a/b?t=t1&x=1;t=t2"), json!({"tenant": "t1"}), false, "twice, to who splits at `;`"),
        (&query, get("/a/b?t=t1&t[]=t2"), json!({"tenant": "t1"}), false, "twice, one in a list"),
        (&query, get("/a/b?t=t1&+t%5Bx%5D=t2"), json!({"tenant": "t1"}), false, "twice, one in an object"),
        (&query, get("/a/b?T=t1"), json!({"tenant": "t1"}), false, "spelled otherwise"),
        (&query, get("/a/b?x;t=t1"), json!({"tenant": "t1"}), false, "within another"),
        (&query, get("/a/b?t=t1&tt=t2&u[t]=t2;x"), json!({"tenant": "t1"}), true, "beside others"),
        (&query, get("/a/b?t=%FF"), json!({"tenant": "\u{fffd}"}), false, "not UTF-8"),
        (&query, get("/a/b?t"), json!({"tenant": ""}), true, "an empty value is one"),
        (&query, get("/a/b"), json!({"tenant": "t1"}), false, "none"),
    ] {
        let verdict = request.bearer(claims.clone()).decide(&when(condition));
        let expected = if holds { "authenticated" } else { "condition_denied" };
        assert_eq!(verdict.decision.reason(), expected, "{message}: {condition} {claims}");
    }
}

#[test]
fn all_conditions_must_hold_and_the_role_as_well() {
    let policy = policy(&with_routes(json!([{
        "name": "a",
        "match": {"path": "/a"},
        "access": "roles",
        "roles": ["admin"],
        "when": [{"claim": ["x"], "equals": 1}, {"claim": ["y"], "equals": 2}],
    }])));
    for (claims, reason) in [
        (json!({"role": "admin", "x": 1, "y": 2}), "role_allowed"),
        (json!({"role": "admin", "x": 1}), "condition_denied"),
        (json!({"role": "admin", "y": 2}), "condition_denied"),
        (json!({"role": "viewer", "x": 1, "y": 2}), "role_denied"),
        (json!({"x": 1, "y": 2}), "role_missing"),
    ] {
        assert_eq!(Request::get("/a").bearer(claims.clone()).decide(&policy).decision.reason(), reason, "{claims}");
    }
}

#[test]
fn claims_that_nobody_asks_for_are_not_kept() {
    let claims = json!({"sub": "u1", "plan": {"name": "pro"}, "acr": "gold", "auth_time": 7});
    let claims = || Members::from(claims.as_object().unwrap());
    for (routes, expected, message) in [
        (json!([{"name": "a", "match": {"path": "/a"}, "access": "authenticated"}]), json!({}), "none is asked for"),
        (
            json!([
                {"name": "a", "match": {"path": "/a"}, "access": "authenticated", "when": [{"claim": ["plan", "name"], "equals": "pro"}]},
                {"name": "b", "match": {"path": "/b"}, "access": "authenticated"},
            ]),
            json!({"plan": {"name": "pro"}}),
            "a condition asks for one",
        ),
        (
            json!([{"name": "a", "match": {"path": "/a"}, "access": "authenticated", "step_up": {"max_age": "5m"}}]),
            json!({"acr": "gold", "auth_time": 7}),
            "a step up asks how strongly and when",
        ),
    ] {
        let kept = policy(&with_routes(routes)).roles.asked.keep(claims());
        assert_eq!(Value::Object(kept.into()), expected, "{message}");
    }
    assert_eq!(AskedClaims::All.keep(claims()), claims(), "all");
}
