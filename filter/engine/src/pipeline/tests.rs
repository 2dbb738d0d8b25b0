#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use serde_json::{Value, json};

use super::*;
use crate::testing::{
    NOW, OTHER_SECRET, Request, SECRET, amended, expiring, policy, provider, sign, token, with_routes,
};
use crate::token::Proven;

const BARE: Option<&str> = Some(r#"Bearer realm="portcullis""#);
const INVALID_TOKEN: Option<&str> = Some(r#"Bearer realm="portcullis", error="invalid_token""#);
const INSUFFICIENT_SCOPE: Option<&str> = Some(r#"Bearer realm="portcullis", error="insufficient_scope""#);

fn routes() -> Value {
    json!([
        {"name": "open", "match": {"path": "/open"}, "access": "public"},
        {"name": "me", "match": {"path": "/me"}, "access": "authenticated"},
        {"name": "admin", "match": {"path": "/admin/{*rest}"}, "access": "roles", "roles": ["admin"]},
        {
            "name": "docs",
            "match": {"path": "/users/{owner}/docs"},
            "access": "role_table",
            "owner": {"param": "owner", "claim": ["sub"]},
        },
        {"name": "table", "match": {"path": "/table"}, "access": "role_table"},
        {
            "name": "scoped",
            "match": {"path": "/scoped"},
            "access": "authenticated",
            "when": [{"claim": ["scope"], "contains": "read"}],
        },
        {
            "name": "inside",
            "match": {"path": "/inside"},
            "access": "authenticated",
            "ip": {"allow": ["10.0.0.0/8"], "deny": ["10.9.0.0/16"]},
        },
        {"name": "near", "match": {"path": "/near"}, "access": "public", "ip": {"allow": ["10.0.0.0/8"]}},
    ])
}

fn standard() -> Policy {
    policy(&with_routes(routes()))
}

fn bearer(request: Request, token: &str) -> Request {
    request.with("authorization", format!("Bearer {token}"))
}

/// Every row of section 4 of the contract, and every reason that an ordinary policy can give.
#[test]
fn answers_are_those_of_the_contract() {
    let me = |token: &str| bearer(Request::get("/me"), token);
    let with_claims = |claims: Value| me(&token(claims));
    let header = r#"{"alg":"HS256","kid":"k1"}"#;
    for (request, status, reason, challenge, message) in [
        // Malformed requests.
        (Request::get("/a%2fb"), 400, "path_malformed", None, "an escaped slash"),
        (Request::get("/../etc"), 400, "path_malformed", None, "above the root"),
        (Request::get("/a%zz"), 400, "path_malformed", None, "no escape"),
        (Request::get("/a?b=\u{e9}"), 400, "request_malformed", None, "a query that is not ASCII"),
        (
            Request::get("/open").without(":authority").with(":authority", "user@api.example.com"),
            400,
            "request_malformed",
            None,
            "a host that is none",
        ),
        (Request::get("/open").without(":method"), 400, "request_malformed", None, "no method"),
        (Request::get("/open").without(":path"), 400, "request_malformed", None, "no path"),
        (
            Request::get("/open").with("authorization", "a").with("authorization", "b"),
            400,
            "header_duplicate",
            None,
            "two",
        ),
        (Request::get("/open").with("origin", "a").with("origin", "a"), 400, "header_duplicate", None, "two origins"),
        (Request::get("/open").with("host", "a").with("host", "b"), 400, "header_duplicate", None, "two hosts"),
        (Request::get("/open").with(":path", "/me"), 400, "header_duplicate", None, "two paths"),
        (
            Request::get("/me").with("authorization", "Bearer a.b.c,Bearer d.e.f"),
            400,
            "header_duplicate",
            None,
            "joined",
        ),
        // No credentials.
        (Request::get("/me"), 401, "credentials_missing", BARE, "none"),
        (Request::get("/me").with("authorization", "Basic YTpi"), 401, "credentials_missing", BARE, "another scheme"),
        (Request::get("/me").with("authorization", ""), 401, "credentials_missing", BARE, "an empty header"),
        (Request::get("/me").with("authorization", "Bearer\ta.b.c"), 401, "credentials_missing", BARE, "a tab"),
        (Request::get("/me").with("authorization", "Bearera.b.c"), 401, "credentials_missing", BARE, "no space"),
        (Request::get("/me").with("x-token", token(json!({}))), 401, "credentials_missing", BARE, "elsewhere"),
        (Request::get("/me?access_token=a.b.c"), 401, "credentials_missing", BARE, "in the query, which is off"),
        (
            Request::get("/me").with("cookie", "token=a.b.c"),
            401,
            "credentials_missing",
            BARE,
            "in a cookie, which is off",
        ),
        // Bad tokens.
        (me("x"), 401, "token_malformed", INVALID_TOKEN, "no token"),
        (me(""), 401, "token_malformed", INVALID_TOKEN, "an empty one"),
        (Request::get("/me").with("authorization", "Bearer"), 401, "token_malformed", INVALID_TOKEN, "only the scheme"),
        (Request::get("/me").with("authorization", b"Bearer \xff\xfe"), 401, "token_malformed", INVALID_TOKEN, "bytes"),
        (me(&"x".repeat(9000)), 401, "token_too_large", INVALID_TOKEN, "a long one"),
        (me(&sign(r#"{"alg":"none"}"#, "{}", b"")), 401, "token_algorithm", INVALID_TOKEN, "alg none"),
        (me(&sign(r#"{"alg":"HS256","kid":"k9"}"#, "{}", SECRET)), 401, "token_unknown_key", INVALID_TOKEN, "a kid"),
        (me(&sign(header, &expiring(json!({})), OTHER_SECRET)), 401, "token_signature", INVALID_TOKEN, "a forgery"),
        (with_claims(json!({"exp": NOW - 60})), 401, "token_expired", INVALID_TOKEN, "expired"),
        (with_claims(json!({"nbf": NOW + 60})), 401, "token_not_yet_valid", INVALID_TOKEN, "not yet valid"),
        (me(&sign(header, "{}", SECRET)), 401, "token_expiration_missing", INVALID_TOKEN, "for ever"),
        (with_claims(json!({"sub": 7})), 401, "token_claims", INVALID_TOKEN, "a wrong claim"),
        // Good tokens that are not enough.
        (Request::get("/admin/x").bearer(json!({"sub": "u1"})), 403, "role_missing", INSUFFICIENT_SCOPE, "no role"),
        (Request::get("/admin/x").role("viewer"), 403, "role_denied", INSUFFICIENT_SCOPE, "another role"),
        (Request::get("/table").role("unheard-of"), 403, "role_missing", INSUFFICIENT_SCOPE, "a role not in the table"),
        (Request::new("PUT", "/table").role("viewer"), 403, "role_denied", INSUFFICIENT_SCOPE, "reads only"),
        (Request::new("PUT", "/table").role("editor"), 403, "owner_denied", INSUFFICIENT_SCOPE, "own, undefined"),
        (Request::new("PUT", "/users/u2/docs").role("editor"), 403, "owner_denied", INSUFFICIENT_SCOPE, "another's"),
        (Request::get("/scoped").role("admin"), 403, "condition_denied", INSUFFICIENT_SCOPE, "a condition"),
        // Addresses.
        (Request::get("/inside").role("admin"), 403, "ip_denied", None, "outside"),
        (Request::get("/inside").role("admin").from("10.9.0.1"), 403, "ip_denied", None, "denied inside"),
        (Request::get("/inside").from("203.0.113.1"), 403, "ip_denied", None, "outside, before any token"),
        (Request::get("/inside").role("admin").from("unknown"), 403, "ip_denied", None, "an address that is not known"),
        (Request::get("/near"), 403, "ip_denied", None, "a public route has its addresses too"),
        // No route.
        (Request::get("/none").role("viewer"), 403, "route_not_found", None, "with a good token"),
        (Request::get("/none"), 401, "route_not_found", BARE, "without"),
        (bearer(Request::get("/none"), "x"), 401, "token_malformed", INVALID_TOKEN, "with a bad one"),
        (Request::get("/open/"), 401, "route_not_found", BARE, "a slash too many"),
    ] {
        let verdict = request.decide(&standard());
        assert_eq!(verdict.outcome(), ("deny", reason), "{message}: {request:?}");
        let reply = verdict.reply();
        assert_eq!(reply.status, status, "{message}: {request:?}");
        assert_eq!(reply.header("www-authenticate"), challenge, "{message}: {request:?}");
        assert_eq!(reply.header("content-type"), Some("application/problem+json"), "{message}");
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{message}");
    }
}

#[test]
fn what_may_pass_passes() {
    for (request, reason, role, message) in [
        (Request::get("/open"), "public", None, "anybody"),
        (bearer(Request::get("/open"), "x"), "public", None, "with a bad token, which nobody looks at"),
        (Request::get("/open").role("viewer"), "public", None, "with a good one, which nobody looks at either"),
        (Request::get("//open"), "public", None, "in another form of the path"),
        (Request::get("/x/%2e%2e/open"), "public", None, "by a detour"),
        (Request::get("/open?a=b&c"), "public", None, "with a query"),
        (Request::get("/near").from("10.1.2.3"), "public", None, "from near"),
        (Request::get("/near").from("::ffff:10.1.2.3"), "public", None, "from near, mapped"),
        (Request::get("/me").bearer(json!({})), "authenticated", None, "a token without claims"),
        (Request::get("/me").role("viewer"), "authenticated", Some("viewer"), "a known role"),
        (Request::get("/me").role("unheard-of"), "authenticated", None, "an unknown role is not repeated"),
        (
            Request::get("/me").with("authorization", format!("bearer   {}", token(json!({})))),
            "authenticated",
            None,
            "schemes are in any case, with any spaces",
        ),
        (Request::get("/admin/x").role("admin"), "role_allowed", Some("admin"), "the role"),
        (
            Request::get("/admin/x").bearer(json!({"role": ["viewer", "admin"]})),
            "role_allowed",
            Some("admin"),
            "the role that was decisive",
        ),
        (Request::get("/users/u2/docs").role("viewer"), "role_allowed", Some("viewer"), "reads any"),
        (Request::new("PUT", "/users/u1/docs").role("editor"), "owner_allowed", Some("editor"), "writes its own"),
        (Request::get("/scoped").bearer(json!({"scope": "write read"})), "authenticated", None, "the condition holds"),
        (Request::get("/inside").role("admin").from("10.1.2.3"), "authenticated", Some("admin"), "from inside"),
    ] {
        let verdict = request.decide(&standard());
        assert_eq!(verdict.outcome(), ("allow", reason), "{message}");
        assert_eq!(verdict.status(), None, "{message}");
        assert_eq!(verdict.role.as_deref(), role, "{message}");
    }
}

#[test]
fn bodies_tell_only_the_status() {
    let id = "0f8fad5b-d9cb-469f-a165-70867728950e";
    let mut bodies: Vec<(u16, String)> = Vec::new();
    for request in [
        Request::get("/a%2fb"),
        Request::get("/open").with("origin", "a").with("origin", "b"),
        Request::get("/me"),
        bearer(Request::get("/me"), "x"),
        Request::get("/me").bearer(json!({"exp": 1})),
        Request::get("/none"),
        Request::get("/none").role("viewer"),
        Request::get("/admin/x").role("viewer"),
        Request::get("/near"),
        Request::new("PUT", "/users/u2/docs").role("editor"),
    ] {
        let verdict = request.with("x-request-id", id).decide(&standard());
        let reply = verdict.reply();
        bodies.push((reply.status, String::from_utf8(reply.body.clone()).unwrap()));
    }
    bodies.sort();
    bodies.dedup();
    let expected = [(400, "Bad Request"), (401, "Unauthorized"), (403, "Forbidden")].map(|(status, title)| {
        let body = format!(r#"{{"type":"about:blank","title":"{title}","status":{status},"request_id":"{id}"}}"#);
        (status, body)
    });
    assert_eq!(bodies, expected);
}

#[test]
fn request_ids_that_are_none_are_not_repeated() {
    for (id, message) in [("\",\"admin\":true", "JSON"), ("alice@example.com", "an address"), (&"a".repeat(65), "long")]
    {
        let verdict = Request::get("/me").with("x-request-id", id).decide(&standard());
        assert_eq!(verdict.reply().body, br#"{"type":"about:blank","title":"Unauthorized","status":401}"#, "{message}");
        assert_eq!(verdict.recorded("request_id"), None, "{message}");
    }
}

#[test]
fn checks_come_in_their_order() {
    let cors = json!({"cors": {"allow_origins": ["https://a.test"]}});
    let policy = policy(&amended(with_routes(routes()), cors));
    let steps = |request: &Request| {
        let steps = request.steps(&policy);
        steps.into_iter().map(|(step, passed, _)| (step, passed)).collect::<Vec<_>>()
    };
    use Step::{Authentication, Authorization, Ip, Preflight, Request as Head, Route};
    let preflight = Request::new("OPTIONS", "/inside")
        .with("origin", "https://a.test")
        .with("access-control-request-method", "GET");
    for (request, expected, message) in [
        (Request::get("/.."), vec![(Head, false)], "nothing after a malformed request"),
        (preflight, vec![(Head, true), (Preflight, true)], "a preflight ends it"),
        (
            Request::get("/inside").role("x"),
            vec![(Head, true), (Route, true), (Ip, false)],
            "the address before the token",
        ),
        (
            bearer(Request::get("/inside").from("10.1.1.1"), "x"),
            vec![(Head, true), (Route, true), (Ip, true), (Authentication, false)],
            "a bad token ends it",
        ),
        (
            Request::get("/inside").from("10.1.1.1").role("viewer"),
            vec![(Head, true), (Route, true), (Ip, true), (Authentication, true), (Authorization, true)],
            "all of it",
        ),
        (
            Request::get("/me"),
            vec![(Head, true), (Route, true), (Authentication, false), (Authorization, false)],
            "no token",
        ),
        (Request::get("/open"), vec![(Head, true), (Route, true), (Authorization, true)], "a public route"),
        (
            Request::get("/none").role("viewer"),
            vec![(Head, true), (Route, false), (Authentication, true)],
            "no route: the token still decides the status",
        ),
    ] {
        assert_eq!(steps(&request), expected, "{message}");
    }
}

#[test]
fn steps_explain_without_repeating_a_token() {
    let good = token(json!({"sub": "u1", "role": "viewer"}));
    for (request, step, detail) in [
        (Request::get("/a//b"), "request", "GET /a/b (normalised)"),
        (Request::get("/a/b"), "request", "GET /a/b"),
        (Request::new("PUT", "/users/u1/docs"), "route", "`docs` (/users/{owner}/docs)"),
        (Request::get("/none"), "route", "no route has this path"),
        (Request::get("/inside"), "ip", "203.0.113.9; rule: from 10.0.0.0/8, not from 10.9.0.0/16"),
        (Request::get("/near").from("-"), "ip", "unknown; rule: from 10.0.0.0/8"),
        (Request::get("/me"), "authentication", "no token in any place that a provider names"),
        (
            bearer(Request::get("/me"), &good),
            "authentication",
            "header `authorization`, provider `local`, roles: [viewer]",
        ),
        (
            bearer(Request::get("/me"), "x"),
            "authentication",
            "header `authorization`, provider `local`: malformed token: parts",
        ),
        (
            bearer(Request::get("/admin/x"), &good),
            "authorization",
            "access: roles [admin], the caller's: [viewer]: role_denied",
        ),
        (
            bearer(Request::get("/table"), &good),
            "authorization",
            "access: role_table, role `viewer`, read: any: role_allowed",
        ),
        (Request::get("/open"), "authorization", "access: public: public"),
    ] {
        let steps = request.steps(&standard());
        let found = steps.iter().find(|(taken, ..)| taken.to_string() == step).map(|(_, _, detail)| detail.as_str());
        assert_eq!(found, Some(detail), "{request:?}");
        assert!(!steps.iter().any(|(_, _, detail)| detail.contains(&good)), "{steps:?}");
    }
}

/// Two providers that take tokens from the same header; one names an issuer.
fn two_providers() -> Value {
    let named = amended(provider(), json!({"issuer": "https://a.test"}));
    let other = amended(
        provider(),
        json!({
            "name": "other",
            "keys": [{"kid": "k2", "algorithm": "HS256", "secret": {"env": "OTHER_KEY"}}],
            "claim_to_headers": [{"claim": ["tenant"], "header": "x-tenant"}],
        }),
    );
    amended(with_routes(routes()), json!({"providers": [named, other]}))
}

#[test]
fn the_issuer_picks_among_providers() {
    let policy = policy(&two_providers());
    let signed = |secret: &[u8], claims: Value| {
        bearer(Request::get("/me"), &sign(r#"{"alg":"HS256"}"#, &expiring(claims), secret))
    };
    for (request, outcome, provider, message) in [
        (signed(SECRET, json!({"iss": "https://a.test"})), ("allow", "authenticated"), "local", "its issuer"),
        (
            signed(OTHER_SECRET, json!({"iss": "https://b.test"})),
            ("allow", "authenticated"),
            "other",
            "nobody's issuer",
        ),
        (signed(OTHER_SECRET, json!({})), ("allow", "authenticated"), "other", "no issuer"),
        (signed(SECRET, json!({})), ("deny", "token_signature"), "other", "no issuer, and the named one's key"),
        (
            signed(OTHER_SECRET, json!({"iss": "https://a.test"})),
            ("deny", "token_signature"),
            "local",
            "an issuer that another provider has keys for",
        ),
        (signed(OTHER_SECRET, json!({"iss": 7})), ("deny", "token_claims"), "other", "an issuer that is no string"),
        (signed(SECRET, json!({"iss": "https://a.test", "exp": 1})), ("deny", "token_expired"), "local", "expired"),
    ] {
        let verdict = request.decide(&policy);
        assert_eq!(verdict.outcome(), outcome, "{message}");
        assert_eq!(verdict.recorded("provider"), Some(provider.into()), "{message}");
    }
}

#[test]
fn one_scheme_in_two_spellings_is_one_place() {
    for prefix in ["bearer ", "BEARER ", "Bearer  "] {
        let places = json!([{"name": "Authorization", "value_prefix": prefix}]);
        let other = amended(provider(), json!({"name": "other", "issuer": "https://b.test", "from_headers": places}));
        let policy = policy(&amended(with_routes(routes()), json!({"providers": [provider(), other]})));
        assert_eq!(
            Request::get("/me").role("viewer").decide(&policy).outcome(),
            ("allow", "authenticated"),
            "{prefix}"
        );
    }
}

#[test]
fn an_issuer_that_no_provider_has_is_refused_where_all_name_one() {
    let second = amended(provider(), json!({"name": "other", "issuer": "https://b.test"}));
    let first = amended(provider(), json!({"issuer": "https://a.test"}));
    let policy = policy(&amended(with_routes(routes()), json!({"providers": [first, second]})));
    for (request, outcome, message) in [
        (Request::get("/me").bearer(json!({"iss": "https://b.test"})), ("allow", "authenticated"), "the second's"),
        (Request::get("/me").bearer(json!({"iss": "https://c.test"})), ("deny", "token_issuer"), "nobody's"),
        (Request::get("/me").bearer(json!({})), ("deny", "token_issuer"), "none"),
        (bearer(Request::get("/me"), "x"), ("deny", "token_malformed"), "no token"),
        (bearer(Request::get("/me"), &"x".repeat(9000)), ("deny", "token_too_large"), "too large for either"),
    ] {
        assert_eq!(request.decide(&policy).outcome(), outcome, "{message}");
    }
}

/// Of several providers that a token may be of, the one whose check got furthest says why it is refused.
#[test]
fn the_best_refusal_is_given() {
    let with_key = |name: &str, kid: &str, env: &str| {
        let keys = json!([{"kid": kid, "algorithm": "HS256", "secret": {"env": env}}]);
        amended(provider(), json!({"name": name, "keys": keys}))
    };
    let hs512 = amended(
        provider(),
        json!({"name": "hs512", "allowed_algorithms": ["HS512"], "keys": [{"algorithm": "HS512", "secret": {"env": "LONG_KEY"}}]}),
    );
    let (a, b) = (with_key("a", "k1", "SECRET_KEY"), with_key("b", "k2", "OTHER_KEY"));
    let strict = amended(a.clone(), json!({"name": "strict", "max_token_bytes": 64}));
    let unnamed = r#"{"alg":"HS256"}"#;
    let expired = sign(unnamed, r#"{"exp":1}"#, SECRET);
    let forged = sign(unnamed, &expiring(json!({})), b"nobody's");
    let named = sign(r#"{"alg":"HS256","kid":"k1"}"#, &expiring(json!({})), b"nobody's");
    for (providers, token, reason, provider, message) in [
        ([&a, &b], &expired, "token_expired", "a", "a signature that is good, and then one that is not"),
        ([&b, &a], &expired, "token_expired", "a", "the other way round"),
        ([&a, &b], &forged, "token_signature", "a", "neither signature"),
        ([&hs512, &a], &forged, "token_signature", "a", "an algorithm that is not allowed, and then a bad signature"),
        ([&a, &hs512], &forged, "token_signature", "a", "the other way round"),
        ([&a, &b], &named, "token_signature", "a", "a bad signature, and then an unknown key"),
        ([&b, &a], &named, "token_signature", "a", "the other way round"),
        ([&strict, &b], &forged, "token_signature", "b", "too large for one, and a bad signature for the other"),
        ([&b, &strict], &forged, "token_signature", "b", "the other way round"),
    ] {
        let policy = policy(&amended(with_routes(routes()), json!({"providers": providers})));
        let verdict = bearer(Request::get("/me"), token).decide(&policy);
        assert_eq!(verdict.outcome(), ("deny", reason), "{message}");
        assert_eq!(verdict.recorded("provider"), Some(provider.into()), "{message}");
    }
}

#[test]
fn providers_take_tokens_only_from_their_own_places() {
    let cookie = amended(
        provider(),
        json!({
            "name": "cookie",
            "from_headers": [],
            "from_cookies": ["session"],
            "keys": [{"algorithm": "HS256", "secret": {"env": "OTHER_KEY"}}],
        }),
    );
    let policy = policy(&amended(with_routes(routes()), json!({"providers": [provider(), cookie]})));
    let theirs = sign(r#"{"alg":"HS256"}"#, &expiring(json!({})), OTHER_SECRET);
    let ours = token(json!({}));
    for (request, outcome, message) in [
        (bearer(Request::get("/me"), &ours), ("allow", "authenticated"), "the header's"),
        (Request::get("/me").with("cookie", format!("session={theirs}")), ("allow", "authenticated"), "the cookie's"),
        (bearer(Request::get("/me"), &theirs), ("deny", "token_signature"), "the cookie's, in the header"),
        (
            Request::get("/me").with("cookie", format!("session={ours}")),
            ("deny", "token_signature"),
            "the header's, in the cookie",
        ),
        (
            bearer(Request::get("/me"), &ours).with("cookie", format!("session={theirs}")),
            ("deny", "token_multiple"),
            "both",
        ),
        (bearer(Request::get("/open"), "x").with("cookie", "session=y"), ("deny", "token_multiple"), "both, even here"),
        (Request::get("/me").with("cookie", "session=a; session=b"), ("deny", "token_multiple"), "two cookies"),
        (
            bearer(Request::get("/me"), &ours).with("cookie", [b"a=\xe9; session=", theirs.as_bytes()].concat()),
            ("deny", "token_multiple"),
            "the cookie's beside one that is no text",
        ),
        (Request::get("/me").with("cookie", b"session=\xe9"), ("deny", "token_malformed"), "no text at all"),
        (
            Request::get("/me").with("cookie", "session=a").with("cookie", "x=y; session=b"),
            ("deny", "token_multiple"),
            "two lines of cookies",
        ),
    ] {
        assert_eq!(request.decide(&policy).outcome(), outcome, "{message}");
    }
}

#[test]
fn tokens_are_found_in_every_kind_of_place() {
    let places = json!({
        "from_headers": [{"name": "X-Token"}, {"name": "authorization", "value_prefix": "Token "}],
        "from_cookies": ["session"],
        "from_params": ["access_token"],
    });
    let policy = policy(&amended(with_routes(routes()), json!({"providers": [amended(provider(), places)]})));
    let good = token(json!({}));
    for (request, reason, message) in [
        (Request::get("/me").with("x-token", &good), "authenticated", "a header of its own"),
        (Request::get("/me").with("x-token", format!("  {good}")), "authenticated", "with spaces before it"),
        (Request::get("/me").with("authorization", format!("Token {good}")), "authenticated", "another scheme"),
        (Request::get("/me").with("authorization", format!("Bearer {good}")), "credentials_missing", "not that one"),
        (Request::get("/me").with("cookie", format!("a=b; session={good}")), "authenticated", "a cookie"),
        (Request::get("/me").with("cookie", format!("session=\"{good}\"")), "authenticated", "a quoted cookie"),
        (Request::get("/me").with("cookie", format!("Session={good}")), "credentials_missing", "another cookie"),
        (Request::get(&format!("/me?access_token={good}")), "authenticated", "a parameter"),
        (Request::get(&format!("/me?a=1&%61ccess_token={good}&b")), "authenticated", "a parameter, escaped"),
        (Request::get(&format!("/me?Access_Token={good}")), "credentials_missing", "another parameter"),
        (Request::get("/me?access_token="), "token_malformed", "an empty parameter"),
        (Request::get(&format!("/me?access_token={good}&access_token={good}")), "token_multiple", "twice"),
        (Request::get(&format!("/me?access_token={good}")).with("x-token", &good), "token_multiple", "in two places"),
        (Request::get("/me").with("x-token", &good).with("x-token", &good), "token_multiple", "two lines"),
        (Request::get("/me").with("x-token", format!("{good},{good}")), "token_malformed", "two in one line"),
        (
            Request::get("/me").with("x-token", &good).with("authorization", "Bearer x"),
            "authenticated",
            "a scheme that is no place is no token",
        ),
    ] {
        assert_eq!(request.decide(&policy).decision.reason(), reason, "{message}");
    }
}

#[test]
fn a_dry_run_refuses_nothing_and_says_what_it_would() {
    let whole = policy(&amended(with_routes(routes()), json!({"mode": "dry_run"})));
    for (request, reason) in [
        (Request::get("/a%2fb"), "path_malformed"),
        (Request::get("/me").with("authorization", "a").with("authorization", "b"), "header_duplicate"),
        (Request::get("/me"), "credentials_missing"),
        (bearer(Request::get("/me"), "x"), "token_malformed"),
        (Request::get("/admin/x").role("viewer"), "role_denied"),
        (Request::get("/near"), "ip_denied"),
        (Request::get("/none"), "route_not_found"),
    ] {
        let verdict = request.decide(&whole);
        assert_eq!(verdict.outcome(), ("dry_run_deny", reason), "{request:?}");
        assert_eq!(verdict.status(), None, "{request:?}");
        assert_eq!(verdict.recorded("decision"), Some("dry_run_deny".into()), "{request:?}");
    }
    assert_eq!(Request::get("/me").role("viewer").decide(&whole).outcome(), ("allow", "authenticated"));
}

/// A service that compares paths without case must not be let do what another route would have refused.
#[test]
fn a_path_that_may_be_another_routes_is_refused() {
    let routes = |rest: Value| {
        json!([
            {"name": "admin", "match": {"path": "/admin/{*rest}"}, "access": "roles", "roles": ["admin"]},
            {"name": "trial", "match": {"path": "/trial/{*rest}"}, "access": "authenticated", "mode": "dry_run"},
            amended(json!({"name": "rest", "match": {"path": "/{*rest}"}, "access": "public"}), rest),
        ])
    };
    let open = policy(&with_routes(routes(json!({}))));
    let closed = policy(&with_routes(routes(json!({"access": "authenticated"}))));
    let trial = policy(&with_routes(routes(json!({"access": "authenticated", "mode": "dry_run"}))));
    let dry = policy(&amended(with_routes(routes(json!({}))), json!({"mode": "dry_run"})));
    let admin = Request::get("/ADMIN/x");
    for (policy, request, outcome, message) in [
        (&open, admin.clone(), ("deny", "path_ambiguous"), "nobody in particular"),
        (&open, admin.clone().role("admin"), ("deny", "path_ambiguous"), "not even those who may"),
        (&open, Request::get("/admin/X").role("admin"), ("allow", "role_allowed"), "the route's own case"),
        (&open, Request::get("/Else"), ("allow", "public"), "another path"),
        (&open, Request::get("/Trial/x"), ("deny", "path_ambiguous"), "a route on trial"),
        (&closed, admin.clone(), ("deny", "credentials_missing"), "who may not is told no more"),
        (&closed, admin.clone().role("viewer"), ("deny", "path_ambiguous"), "who may"),
        (&trial, admin.clone(), ("deny", "path_ambiguous"), "a trial is none for other routes"),
        (&trial, admin.clone().role("viewer"), ("deny", "path_ambiguous"), "nor for those who may"),
        (&trial, Request::get("/Trial/x"), ("dry_run_deny", "credentials_missing"), "between two on trial"),
        (&trial, Request::get("/Trial/x").role("viewer"), ("allow", "authenticated"), "which ask the same"),
        (&trial, Request::get("/else"), ("dry_run_deny", "credentials_missing"), "on trial"),
        (&dry, admin.clone(), ("dry_run_deny", "path_ambiguous"), "all on trial"),
    ] {
        assert_eq!(request.decide(policy).outcome(), outcome, "{message}");
        request.objections(policy);
    }
    let verdict = admin.decide(&open);
    assert_eq!((verdict.status(), verdict.route.as_deref()), (Some(400), Some("rest")));
    assert_eq!(verdict.recorded("event"), Some("validation".into()));
    let (step, passed, detail) = admin.steps(&open).pop().unwrap();
    assert_eq!((step, passed), (Step::Route, false));
    assert!(detail.contains("`admin` (/admin/{*rest})"), "{detail}");
}

/// Nor by a method in another case, which HTTP/2 lets through and some servers do not mind.
#[test]
fn a_method_that_may_be_another_routes_is_refused() {
    let policy = policy(&with_routes(json!([
        {"name": "delete", "match": {"path": "/users/{id}", "methods": ["DELETE"]}, "access": "roles", "roles": ["admin"]},
        {"name": "read", "match": {"path": "/users/{id}", "methods": ["GET"]}, "access": "public"},
        {"name": "users", "match": {"path": "/users/{id}"}, "access": "authenticated"},
        {"name": "purge", "match": {"path": "/cache", "methods": ["PURGE"]}, "access": "roles", "roles": ["admin"]},
        {"name": "trial", "match": {"path": "/cache"}, "access": "public", "mode": "dry_run"},
        {"name": "rest", "match": {"path": "/{*rest}"}, "access": "public"},
        {"name": "post", "match": {"path": "/a/{*rest}", "methods": ["POST"]}, "access": "authenticated"},
        {"name": "lower", "match": {"path": "/cache", "methods": ["ban"]}, "access": "authenticated"},
    ])));
    let viewer = |method: &str, path: &str| Request::new(method, path).role("viewer");
    for (request, outcome, message) in [
        (viewer("delete", "/users/7"), ("deny", "path_ambiguous"), "another route's"),
        (viewer("DeLeTe", "/users/7"), ("deny", "path_ambiguous"), "in part"),
        (Request::new("delete", "/users/7"), ("deny", "credentials_missing"), "who may not is told no more"),
        (viewer("get", "/users/7"), ("allow", "authenticated"), "an open one"),
        (viewer("patch", "/users/7"), ("allow", "authenticated"), "its own"),
        (viewer("REPORT", "/users/7"), ("allow", "authenticated"), "one that is not registered"),
        (Request::new("Purge", "/cache"), ("deny", "path_ambiguous"), "a route on trial"),
        (Request::new("post", "/a/x"), ("deny", "path_ambiguous"), "a less specific one"),
        (Request::new("post", "/A/x"), ("deny", "path_ambiguous"), "whose path it has in another case"),
        (Request::new("post", "/else"), ("allow", "public"), "nobody's"),
        (viewer("ban", "/cache"), ("allow", "authenticated"), "one that the policy has in this case"),
    ] {
        assert_eq!(request.decide(&policy).outcome(), outcome, "{message}");
        request.objections(&policy);
    }
}

#[test]
fn one_route_can_be_dry() {
    let policy = policy(&with_routes(json!([
        {"name": "dry", "match": {"path": "/dry"}, "access": "roles", "roles": ["admin"], "mode": "dry_run"},
        {"name": "wet", "match": {"path": "/wet"}, "access": "roles", "roles": ["admin"]},
    ])));
    for (request, outcome, message) in [
        (Request::get("/dry"), ("dry_run_deny", "credentials_missing"), "its own refusals"),
        (Request::get("/dry").role("viewer"), ("dry_run_deny", "role_denied"), "all of them"),
        (Request::get("/dry").role("admin"), ("allow", "role_allowed"), "what it lets through"),
        (Request::get("/wet").role("viewer"), ("deny", "role_denied"), "not another's"),
        (Request::get("/dry/").role("viewer"), ("deny", "route_not_found"), "nor nobody's"),
        (Request::get("/dry").with(":path", "/dry"), ("deny", "header_duplicate"), "nor those before any route"),
    ] {
        assert_eq!(request.decide(&policy).outcome(), outcome, "{message}");
    }
}

#[test]
fn tokens_are_kept_but_not_beyond_their_time() {
    let policy = standard();
    let mut worker = Worker::new(&policy, Proven::NOTHING);
    let request = Request::get("/me").bearer(json!({"exp": NOW + 10, "role": "viewer"}));
    for (after, outcome, counts, message) in [
        (0, ("allow", "authenticated"), (0, 1), "verified"),
        (5, ("allow", "authenticated"), (1, 0), "kept"),
        (39, ("allow", "authenticated"), (1, 0), "kept, to the end of the skew"),
        (40, ("deny", "token_expired"), (1, 0), "kept, but expired"),
        (40, ("deny", "token_expired"), (0, 1), "not kept any more"),
        (5, ("allow", "authenticated"), (0, 1), "a clock that was set back"),
    ] {
        let verdict = request.clone().at(NOW + after).decide_with(&policy, &mut worker);
        assert_eq!(verdict.outcome(), outcome, "{message}");
        assert_eq!(verdict.recorded("provider"), Some("local".into()), "{message}");
        assert_eq!(worker.cache().take_counts(), counts, "{message}");
    }
    let early = Request::get("/me").bearer(json!({"nbf": NOW + 100}));
    assert_eq!(early.decide_with(&policy, &mut worker).outcome(), ("deny", "token_not_yet_valid"));
    assert_eq!(early.clone().at(NOW + 100).decide_with(&policy, &mut worker).outcome(), ("allow", "authenticated"));
    assert_eq!(early.decide_with(&policy, &mut worker).outcome(), ("deny", "token_not_yet_valid"), "kept, set back");
}

#[test]
fn what_is_kept_decides_nothing_but_who_calls() {
    let policy = standard();
    let mut worker = Worker::new(&policy, Proven::NOTHING);
    for round in 0..2 {
        for (request, outcome) in [
            (Request::get("/me").role("viewer"), ("allow", "authenticated")),
            (Request::get("/admin/x").role("viewer"), ("deny", "role_denied")),
            (Request::new("PUT", "/users/u1/docs").role("editor"), ("allow", "owner_allowed")),
            (Request::new("PUT", "/users/u2/docs").role("editor"), ("deny", "owner_denied")),
            (bearer(Request::get("/me"), &format!("{}x", token(json!({"sub": "u1"})))), ("deny", "token_signature")),
        ] {
            let fresh = request.decide(&policy);
            let verdict = request.decide_with(&policy, &mut worker);
            assert_eq!(verdict.outcome(), outcome, "round {round}");
            assert_eq!((&verdict.action, &verdict.role), (&fresh.action, &fresh.role), "round {round}");
            assert_eq!(verdict.line(200), fresh.line(200), "round {round}");
        }
    }
}

/// Facts are asked for at most once, and an address only where something needs it.
#[test]
fn facts_are_asked_once() {
    struct Counting(std::cell::Cell<u32>, std::cell::Cell<u32>);
    impl HostCrypto for Counting {}

    impl Facts for Counting {
        fn now(&self) -> UnixTime {
            self.0.set(self.0.get() + 1);
            crate::testing::now()
        }
        fn client(&self) -> Option<IpAddr> {
            self.1.set(self.1.get() + 1);
            "10.1.2.3".parse().ok()
        }
    }
    let recorded = standard();
    let silent = policy(&amended(with_routes(routes()), json!({"audit": {"level": "none"}})));
    for (policy, path, addresses, message) in [
        (&recorded, "/inside", 1, "a rule and a record"),
        (&recorded, "/me", 1, "a record"),
        (&silent, "/inside", 1, "a rule"),
        (&silent, "/me", 0, "neither"),
    ] {
        let facts = Counting(0.into(), 0.into());
        let request = Request::get(path).role("viewer");
        policy.decide(&request.map(), &facts, &mut Worker::new(policy, Proven::NOTHING), &mut ());
        assert_eq!((facts.0.get(), facts.1.get()), (1, addresses), "{message}");
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod properties {
    use proptest::prelude::*;

    use super::*;

    fn name() -> impl Strategy<Value = String> {
        prop_oneof![
            prop::sample::select(vec![
                ":method",
                ":path",
                ":authority",
                "host",
                "origin",
                "authorization",
                "cookie",
                "x-request-id",
                "access-control-request-method",
                "access-control-request-headers",
                "content-type",
                "x-user-id",
                "x_user_id",
                "x-portcullis-scope",
                "x-tenant",
            ])
            .prop_map(str::to_owned),
            "[a-z:_-]{0,8}",
        ]
    }

    fn value() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            prop::collection::vec(any::<u8>(), 0..40),
            "(GET|OPTIONS|PUT|/[a-z/%.{}*?&=;]{0,20}|https://[a-z.]{0,10}|Bearer [A-Za-z0-9._-]{0,40})"
                .prop_map(String::into_bytes),
            Just(format!("Bearer {}", token(json!({"sub": "u1", "role": "editor"}))).into_bytes()),
            Just(b"/users/u1/docs?a=b".to_vec()),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1024))]

        /// Whatever the headers are: no panic, a record that is one line of JSON, a reply with a known status, and never
        /// an identity that the client made up.
        #[test]
        fn no_headers_panic(
            headers in prop::collection::vec((name(), value()), 0..12),
            complete in any::<bool>(),
            dry in any::<bool>(),
        ) {
            let document = amended(
                with_routes(routes()),
                json!({
                    "mode": if dry { "dry_run" } else { "enforce" },
                    "cors": {"allow_origins": ["https://*.a.test"]},
                    "providers": [amended(
                        provider(),
                        json!({"from_cookies": ["session"], "from_params": ["token"]}),
                    )],
                }),
            );
            let policy = policy(&document);
            let mut request = Request::get("/me");
            if !complete {
                request.headers.clear();
            }
            request.headers.extend(headers);
            let verdict = request.decide(&policy);
            let line = verdict.line(200);
            prop_assert!(serde_json::from_str::<Value>(&line).is_ok() && !line.contains('\n'), "{}", line);
            match &verdict.action {
                RequestAction::Reply(reply) => prop_assert!([204, 400, 401, 403].contains(&reply.status)),
                RequestAction::Continue(edits) => {
                    for (name, _) in &request.headers {
                        let plain = name.replace('_', "-");
                        if plain.starts_with("x-portcullis-") || plain == "x-user-id" {
                            prop_assert!(edits.iter().any(|edit| edit.name() == name), "{} stays", name);
                        }
                    }
                    let identified = verdict.outcome().0 == "allow" && verdict.decision.reason() != "public";
                    prop_assert!(
                        dry || identified || !edits.iter().any(|edit| matches!(edit, HeaderEdit::Set(name, _) if *name == *"x-user-id"))
                    );
                }
            }
        }
    }
}
