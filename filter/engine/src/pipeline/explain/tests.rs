#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use serde_json::{Value, json};

use super::*;
use crate::testing::{Request, amended, policy, with_routes};

fn standard(mode: &str) -> Policy {
    let routes = json!([
        {"name": "open", "match": {"path": "/open"}, "access": "public", "ip": {"allow": ["10.0.0.0/8"]}},
        {
            "name": "admin", "match": {"path": "/admin/{*rest}"}, "access": "roles", "roles": ["admin"],
            "ip": {"allow": ["10.0.0.0/8"]},
            "when": [{"claim": ["scope"], "contains": "read"}, {"claim": ["tenant"], "equals": {"header": "x-tenant"}}],
        },
        {
            "name": "docs", "match": {"path": "/users/{owner}/docs"}, "access": "role_table",
            "owner": {"param": "owner", "claim": ["sub"]},
            "when": [{"claim": ["scope"], "contains": "write"}],
        },
        {"name": "table", "match": {"path": "/table"}, "access": "role_table"},
    ]);
    policy(&amended(with_routes(routes), json!({"mode": mode, "cors": {"allow_origins": ["https://a.test"]}})))
}

#[test]
fn every_rule_that_speaks_against_a_request_is_told() {
    let inside = "10.0.0.1";
    let claims = |claims: Value| Request::get("/admin/x").bearer(claims);
    let bad = |request: Request| request.with("authorization", "Bearer x");
    let preflight = |origin: &str, method: &str| {
        let request = Request::new("OPTIONS", "/open").with("origin", origin);
        request.with("access-control-request-method", method)
    };
    for (request, expected, message) in [
        (Request::get("/open").from(inside), vec![], "nothing"),
        (Request::get("/open"), vec!["ip_denied"], "the address"),
        (Request::get("/.."), vec!["path_malformed"], "a malformed request has no other rules"),
        (Request::get("/admin/x"), vec!["ip_denied", "credentials_missing"], "the address and no token"),
        (bad(Request::get("/admin/x")), vec!["ip_denied", "token_malformed"], "of a bad token nothing more is known"),
        (bad(bad(Request::get("/admin/x"))), vec!["header_duplicate"], "a request that is two has no other rules"),
        (
            claims(json!({"role": "viewer"})),
            vec!["ip_denied", "role_denied", "condition_denied", "condition_denied"],
            "all at once",
        ),
        (
            claims(json!({"role": "admin", "scope": "read", "tenant": "t"})).from(inside),
            vec!["condition_denied"],
            "one of two conditions",
        ),
        (
            claims(json!({"role": "admin", "scope": "read"})),
            vec!["ip_denied", "condition_denied"],
            "address, condition",
        ),
        (
            Request::new("PUT", "/users/u2/docs").role("editor"),
            vec!["owner_denied", "condition_denied"],
            "another's, and a condition",
        ),
        (
            Request::new("PUT", "/users/u1/docs").role("viewer"),
            vec!["role_denied", "condition_denied"],
            "may not write",
        ),
        (Request::new("PUT", "/table").role("editor"), vec!["owner_denied"], "no owner there"),
        (Request::get("/none"), vec!["route_not_found"], "no route"),
        (bad(Request::get("/none")), vec!["token_malformed", "route_not_found"], "no route and a bad token"),
        (preflight("https://a.test", "GET"), vec![], "a preflight meets no other rule"),
        (preflight("https://b.test", "GET"), vec!["cors_origin"], "a refused preflight"),
    ] {
        for mode in ["enforce", "dry_run"] {
            let objections = request.objections(&standard(mode));
            let reasons: Vec<&str> = objections.iter().map(|objection| objection.reason.code()).collect();
            assert_eq!(reasons, expected, "{mode}: {message}");
        }
    }
}

#[test]
fn objections_say_what_was_looked_at() {
    let policy = standard("dry_run");
    let request = Request::get("/admin/x").bearer(json!({"role": "viewer", "scope": "write"}));
    let told: Vec<String> = request
        .objections(&policy)
        .iter()
        .map(|Objection { step, reason, detail }| format!("{step} {reason}: {detail}"))
        .collect();
    assert_eq!(
        told,
        [
            "ip ip_denied: 203.0.113.9; rule: from 10.0.0.0/8",
            "authorization role_denied: access: roles [admin], the caller's: [viewer]",
            "authorization condition_denied: when scope contains read does not hold",
            "authorization condition_denied: when tenant is the header x-tenant does not hold",
        ]
    );
    let steps = Request::new("PUT", "/users/u2/docs").bearer(json!({"sub": "u1", "role": "editor"})).steps(&policy);
    let last = "access: role_table, role `editor`, write: own; {owner} is not the caller's sub: owner_denied";
    assert_eq!(steps.last().map(|(_, _, detail)| detail.as_str()), Some(last));
    let own = json!({"sub": "u2", "role": "editor", "scope": "write"});
    let steps = Request::new("PUT", "/users/u2/docs").bearer(own).steps(&policy);
    let last = "access: role_table, role `editor`, write: own; {owner} is the caller's sub; \
                when scope contains write holds: owner_allowed";
    assert_eq!(steps.last().map(|(_, _, detail)| detail.as_str()), Some(last));
}

#[test]
fn a_near_miss_is_a_route_that_one_thing_keeps_away() {
    let policy = policy(&with_routes(json!([
        {"name": "item", "match": {"path": "/a/{x}", "methods": ["GET", "PUT"]}, "access": "public"},
        {"name": "hosted", "match": {"path": "/a/b", "hosts": ["*.h.test"]}, "access": "public"},
        {"name": "both", "match": {"path": "/a/c", "methods": ["POST"], "hosts": ["h.test"]}, "access": "public"},
        {"name": "rest", "match": {"path": "/a/{*rest}", "methods": ["GET"]}, "access": "public"},
        {"name": "slash", "match": {"path": "/s/"}, "access": "public"},
        {"name": "Case", "match": {"path": "/Case/{id}"}, "access": "public"},
        {"name": "escaped", "match": {"path": "/jobs/all:purge", "methods": ["POST"]}, "access": "public"},
    ])));
    for (method, host, path, expected, message) in [
        ("GET", "w.h.test", "/a/b", "", "nothing is missed by what has the most specific"),
        ("GET", "other.test", "/a/b", "hosted but for the host", "what would come first"),
        ("POST", "other.test", "/a/b", "item but for the method, hosted but for the host", "none"),
        ("GET", "h.test", "/a/c", "both but for the method", "a more specific path"),
        ("GET", "x.test", "/a/c", "both but for the method and the host", "and two things"),
        ("GET", "x.test", "/a/x/y", "", "a less specific one that fits"),
        ("GET", "x.test", "/s", "slash but for the slash at the end of the path", "a slash too few"),
        ("GET", "x.test", "/case/7", "Case but for the case of its path", "letters"),
        ("GET", "x.test", "/Case/7/", "Case but for the slash at the end of the path", "a slash too many"),
        ("GET", "x.test", "/jobs/all%3Apurge", "escaped but for the method", "an escape of what needs none"),
        ("GET", "x.test", "/nothing/like/it", "", "no route has the path"),
    ] {
        let request = Request::new(method, path).without(":authority").with(":authority", host);
        let misses: Vec<String> = policy
            .near_misses(&request.map())
            .iter()
            .map(|miss| format!("{} but for {}", miss.route, miss.but_for))
            .collect();
        assert_eq!(misses.join(", "), expected, "{message}: {method} {host}{path}");
    }
    let steps = Request::new("POST", "/a/b").steps(&policy);
    assert_eq!(steps[1].2, "no route; `item` would match but for the method, `hosted` would match but for the host");
    assert_eq!(Request::get("/nothing").steps(&policy)[1].2, "no route has this path");
    let steps = Request::get("/a/b").steps(&policy);
    assert_eq!(steps[1].2, "`item` (/a/{x}); `hosted` would match but for the host");
}

#[test]
fn of_many_near_misses_a_step_names_a_few() {
    let routes: Vec<Value> = (0..8)
        .map(|index| json!({"name": format!("r{index}"), "match": {"path": "/a", "hosts": [format!("h{index}.test")]}, "access": "public"}))
        .collect();
    let steps = Request::get("/a").steps(&policy(&with_routes(json!(routes))));
    assert!(steps[1].2.ends_with("`r4` would match but for the host, so would 3 more"), "{}", steps[1].2);
}
