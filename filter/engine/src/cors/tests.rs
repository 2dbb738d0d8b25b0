#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use serde_json::{Value, json};

use super::*;
use crate::pipeline::Verdict;
use crate::policy::Policy;
use crate::testing::{Request, after, amended, headers, policy, with_routes};

/// A policy with this `cors` block and two routes, one of which has its own.
fn with_cors(cors: Value) -> Policy {
    let routes = json!([
        {"name": "me", "match": {"path": "/me"}, "access": "authenticated"},
        {
            "name": "other",
            "match": {"path": "/other", "methods": ["GET", "DELETE"]},
            "access": "public",
            "cors": {"allow_origins": ["https://other.test"], "allow_methods": ["DELETE"]},
        },
    ]);
    policy(&amended(with_routes(routes), json!({"cors": cors})))
}

fn app() -> Value {
    json!({
        "allow_origins": ["https://app.test", "https://*.sub.test", "https://*.port.test:8443"],
        "allow_methods": ["GET", "PUT"],
        "allow_headers": ["Authorization", "X-Custom"],
        "expose_headers": ["X-Total", "ETag"],
        "allow_credentials": true,
        "max_age": "5m",
    })
}

fn preflight(origin: &str, method: &str) -> Request {
    Request::new("OPTIONS", "/me").with("origin", origin).with("access-control-request-method", method)
}

fn asking(request: Request, names: &str) -> Request {
    request.with("access-control-request-headers", names)
}

/// The CORS headers of a reply, sorted.
fn granted(verdict: &Verdict) -> Vec<(&str, &str)> {
    let names = verdict.reply().headers().map(|(name, value)| (&**name, &**value));
    let mut granted: Vec<_> =
        names.filter(|(name, _)| name.starts_with("access-control-") || *name == "vary").collect();
    granted.sort_unstable();
    granted
}

const PREFLIGHT_VARY: (&str, &str) = ("vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers");

#[test]
fn an_allowed_preflight_is_answered_with_what_is_allowed() {
    let policy = with_cors(app());
    let without_headers = [
        ("access-control-allow-credentials", "true"),
        ("access-control-allow-methods", "GET, PUT"),
        ("access-control-allow-origin", "https://app.test"),
        ("access-control-max-age", "300"),
        PREFLIGHT_VARY,
    ];
    let verdict = preflight("https://app.test", "PUT").decide(&policy);
    assert_eq!(verdict.outcome(), ("allow", "cors_preflight"));
    assert_eq!((verdict.reply().status, verdict.reply().body.len()), (204, 0));
    assert_eq!(granted(&verdict), without_headers);
    assert_eq!(verdict.reply().header("x-content-type-options"), Some("nosniff"), "the api set, as on every reply");
    assert_eq!(verdict.reply().header("content-type"), None, "of nothing");
    assert_eq!(verdict.reply().header("access-control-expose-headers"), None, "means nothing here (Fetch)");

    let verdict = asking(preflight("https://app.test", "PUT"), "x-custom,authorization").decide(&policy);
    let mut with_headers = without_headers.to_vec();
    with_headers.insert(1, ("access-control-allow-headers", "authorization, x-custom"));
    assert_eq!(granted(&verdict), with_headers);
}

#[test]
fn preflights_are_refused_for_their_origin_method_or_headers() {
    let policy = with_cors(app());
    let custom = |names: &str| asking(preflight("https://app.test", "PUT"), names);
    let commas = |count: usize| custom(&format!("x-custom{}", ",".repeat(count)));
    for (request, reason, message) in [
        (preflight("https://app.test", "GET"), None, "a listed method"),
        (preflight("https://app.test", "HEAD"), None, "safelisted, though not listed"),
        (preflight("https://app.test", "POST"), None, "safelisted, though not listed"),
        (preflight("https://app.test", "PUT"), None, "a listed method"),
        (preflight("https://app.test", "DELETE"), Some("cors_method"), "another method"),
        (preflight("https://app.test", "put"), Some("cors_method"), "case matters"),
        (preflight("https://app.test", "*"), Some("cors_method"), "a star is no method"),
        (preflight("https://app.test", "PUT, GET"), Some("cors_method"), "two methods"),
        (preflight("https://a.sub.test", "PUT"), None, "a subdomain"),
        (preflight("https://a.b-c.sub.test", "PUT"), None, "further down"),
        (preflight("https://a.port.test:8443", "PUT"), None, "with its port"),
        (preflight("https://a.port.test", "PUT"), Some("cors_origin"), "without its port"),
        (preflight("https://sub.test", "PUT"), Some("cors_origin"), "not the domain itself"),
        (preflight("https://.sub.test", "PUT"), Some("cors_origin"), "an empty label"),
        (preflight("https://a..sub.test", "PUT"), Some("cors_origin"), "an empty label between"),
        (preflight("https://evilsub.test", "PUT"), Some("cors_origin"), "no label of its own"),
        (preflight("https://evil.test/.sub.test", "PUT"), Some("cors_origin"), "a path"),
        (preflight("https://evil.test#.sub.test", "PUT"), Some("cors_origin"), "a fragment"),
        (preflight("https://evil.test:80.sub.test", "PUT"), Some("cors_origin"), "a port"),
        (preflight("https://user@a.sub.test", "PUT"), Some("cors_origin"), "a user"),
        (preflight("https://A.sub.test", "PUT"), Some("cors_origin"), "browsers send lower case"),
        (preflight("http://a.sub.test", "PUT"), Some("cors_origin"), "another scheme"),
        (preflight("https://a.sub.test:8443", "PUT"), Some("cors_origin"), "another port"),
        (preflight("https://app.test.evil.test", "PUT"), Some("cors_origin"), "a longer name"),
        (preflight("https://app.test:443", "PUT"), Some("cors_origin"), "the default port written out"),
        (preflight("https://app.test/", "PUT"), Some("cors_origin"), "a slash"),
        (preflight("HTTPS://APP.TEST", "PUT"), Some("cors_origin"), "capitals"),
        (preflight("null", "PUT"), Some("cors_origin"), "a sandboxed page"),
        (preflight("", "PUT"), Some("cors_origin"), "an empty origin"),
        (preflight("https://app.test https://evil.test", "PUT"), Some("cors_origin"), "a list of old"),
        (preflight("https://app.test", "PUT").without("origin").with("origin", b"\xff"), Some("cors_origin"), "bytes"),
        (custom("x-custom"), None, "a listed header"),
        (custom("authorization,x-custom"), None, "two"),
        (custom("X-Custom"), None, "header names are in any case"),
        (custom(""), None, "an empty list"),
        (custom("x-custom, authorization"), None, "one space"),
        (custom("x-custom\t,\tauthorization"), None, "one tab"),
        (custom("x-custom,  authorization"), Some("cors_headers"), "two spaces"),
        (commas(16), None, "sixteen empty elements"),
        (commas(17), Some("cors_headers"), "seventeen"),
        (custom("x-other"), Some("cors_headers"), "another header"),
        (custom("x-custom,x-other"), Some("cors_headers"), "one of two"),
        (custom("x-custom;x-other"), Some("cors_headers"), "no comma"),
        (custom("*"), Some("cors_headers"), "a star is no header"),
        (asking(custom("x-custom"), "authorization"), None, "two lines"),
        (asking(custom("x-custom"), "x-other"), Some("cors_headers"), "the second line counts too"),
        (
            custom("x").without("access-control-request-headers").with("access-control-request-headers", b"\xff"),
            Some("cors_headers"),
            "bytes",
        ),
    ] {
        let verdict = request.decide(&policy);
        match reason {
            None => {
                assert_eq!(verdict.outcome(), ("allow", "cors_preflight"), "{message}");
                let (_, origin) = request.headers.iter().find(|(name, _)| name == "origin").unwrap();
                let echoed = verdict.reply().header("access-control-allow-origin").map(str::as_bytes);
                assert_eq!(echoed, Some(origin.as_slice()), "{message}");
            }
            Some(reason) => {
                assert_eq!(verdict.outcome(), ("deny", reason), "{message}");
                assert_eq!(verdict.reply().status, 403, "{message}");
                assert_eq!(granted(&verdict), [("vary", "Origin")], "{message}");
                assert_eq!(verdict.reply().header("www-authenticate"), None, "{message}");
            }
        }
    }
}

#[test]
fn what_is_no_preflight_is_an_ordinary_request() {
    let policy = with_cors(app());
    let options = Request::new("OPTIONS", "/me");
    for (request, message) in [
        (options.clone(), "nothing"),
        (options.clone().with("origin", "https://app.test"), "no method asked for"),
        (options.clone().with("access-control-request-method", "PUT"), "no origin"),
        (preflight("https://app.test", ""), "an empty method"),
        (Request::get("/me").with("origin", "https://app.test").with("access-control-request-method", "PUT"), "GET"),
        (
            Request::new("options", "/me")
                .with("origin", "https://app.test")
                .with("access-control-request-method", "PUT"),
            "options",
        ),
    ] {
        assert_eq!(request.decide(&policy).outcome(), ("deny", "credentials_missing"), "{message}");
    }
    let twice = preflight("https://app.test", "PUT").with("access-control-request-method", "GET");
    assert_eq!(twice.decide(&policy).outcome(), ("deny", "header_duplicate"), "two methods asked for");
}

#[test]
fn without_a_block_a_preflight_is_an_ordinary_request() {
    let routes = json!([{"name": "me", "match": {"path": "/me"}, "access": "authenticated"}]);
    let policy = policy(&with_routes(routes));
    assert_eq!(preflight("https://app.test", "PUT").decide(&policy).outcome(), ("deny", "credentials_missing"));
}

#[test]
fn the_route_of_the_method_asked_for_has_the_say() {
    let policy = with_cors(app());
    let other = |origin: &str, method: &str| {
        Request::new("OPTIONS", "/other").with("origin", origin).with("access-control-request-method", method)
    };
    for (request, outcome, route, message) in [
        (other("https://other.test", "DELETE"), ("allow", "cors_preflight"), Some("other"), "its own block"),
        (
            other("https://app.test", "DELETE"),
            ("deny", "cors_origin"),
            Some("other"),
            "whole: not the policy's origins",
        ),
        (other("https://other.test", "PUT"), ("deny", "cors_origin"), None, "no route for PUT: the policy's block"),
        (other("https://app.test", "PUT"), ("allow", "cors_preflight"), None, "no route for PUT: the policy's block"),
    ] {
        let verdict = request.decide(&policy);
        assert_eq!(verdict.outcome(), outcome, "{message}");
        assert_eq!(verdict.route.as_deref(), route, "{message}");
    }
}

#[test]
fn wildcards_allow_all_but_authorization() {
    let open = json!({"allow_origins": ["*"], "allow_methods": ["*"], "allow_headers": ["*"], "expose_headers": ["*"]});
    let policy = with_cors(open);
    let verdict = asking(preflight("https://any.test", "PURGE"), "x-any").decide(&policy);
    assert_eq!(
        granted(&verdict),
        [
            ("access-control-allow-headers", "*"),
            ("access-control-allow-methods", "*"),
            ("access-control-allow-origin", "*"),
            ("access-control-max-age", "600"),
            PREFLIGHT_VARY,
        ]
    );
    let verdict = asking(preflight("https://any.test", "GET"), "authorization").decide(&policy);
    assert_eq!(verdict.outcome(), ("deny", "cors_headers"), "a wildcard does not cover it (Fetch)");
    let verdict = preflight("null", "GET").decide(&policy);
    assert_eq!(verdict.reply().header("access-control-allow-origin"), Some("*"), "never null");
}

/// Fetch, "CORS non-wildcard request-header name": who wants every header and Authorization must be able to say so.
#[test]
fn what_stands_beside_a_wildcard_counts() {
    let open = json!({
        "allow_origins": ["*"], "allow_methods": ["PUT", "*"], "allow_headers": ["*", "Authorization", "X-Custom"],
    });
    let policy = with_cors(open);
    for (method, names, message) in [
        ("PUT", "authorization", "listed beside the wildcard"),
        ("GET", "AUTHORIZATION,x-any", "in any case, and with what the wildcard covers"),
        ("PURGE", "x-any", "the wildcard alone"),
    ] {
        let verdict = asking(preflight("https://any.test", method), names).decide(&policy);
        assert_eq!(verdict.outcome(), ("allow", "cors_preflight"), "{message}");
        assert_eq!(
            granted(&verdict),
            [
                ("access-control-allow-headers", "*, authorization, x-custom"),
                ("access-control-allow-methods", "*, PUT"),
                ("access-control-allow-origin", "*"),
                ("access-control-max-age", "600"),
                PREFLIGHT_VARY,
            ],
            "{message}"
        );
    }
}

#[test]
fn replies_to_actual_requests_can_be_read_by_their_page() {
    let policy = with_cors(app());
    let me = Request::get("/me");
    let verdict = me.clone().with("origin", "https://app.test").decide(&policy);
    assert_eq!(verdict.reply().status, 401);
    assert_eq!(
        granted(&verdict),
        [
            ("access-control-allow-credentials", "true"),
            ("access-control-allow-origin", "https://app.test"),
            ("access-control-expose-headers", "x-total, etag"),
            ("vary", "Origin"),
        ]
    );
    for (request, message) in [
        (me.clone(), "no origin"),
        (me.clone().with("origin", "https://evil.test"), "another origin"),
        (me.clone().with("origin", "null"), "a sandboxed page"),
        (me.clone().with("origin", "https://app.test").with("origin", "https://app.test"), "two origins"),
    ] {
        assert_eq!(granted(&request.decide(&policy)), [("vary", "Origin")], "{message}");
    }
}

#[test]
fn an_upstream_has_no_say_in_cors() {
    let policy = with_cors(app());
    let upstream = [
        ("access-control-allow-origin", "*"),
        ("access-control-allow-credentials", "true"),
        ("access-control-allow-methods", "*"),
        ("access-control-allow-headers", "*"),
        ("access-control-expose-headers", "*"),
        ("access-control-max-age", "86400"),
        ("access-control-allow-private-network", "true"),
        ("access-control-allow-tomorrow", "true"),
        ("access-control-allow-origin", "https://evil.test"),
    ];
    let cors_of = |origin: Option<&str>, upstream: &[(&str, &str)]| {
        let request = Request::get("/me").role("viewer");
        let request = origin.into_iter().fold(request, |request, origin| request.with("origin", origin));
        let edits = request.decide(&policy).response.edits(&headers(upstream));
        let mut sent = after(&edits, upstream);
        sent.retain(|(name, _)| name.starts_with("access-control-") || name == "vary");
        sent.into_iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>()
    };
    let ours = [
        "access-control-allow-credentials: true",
        "access-control-allow-origin: https://app.test",
        "access-control-expose-headers: x-total, etag",
        "vary: Origin",
    ];
    assert_eq!(cors_of(Some("https://app.test"), &upstream), ours, "ours, and no other");
    assert_eq!(cors_of(Some("https://app.test"), &[]), ours, "where the upstream says nothing");
    let unknown = [("access-control-allow-tomorrow", "true")];
    assert_eq!(cors_of(Some("https://app.test"), &unknown), ours, "one that nobody knows yet, alone");
    assert_eq!(cors_of(Some("https://evil.test"), &upstream), ["vary: Origin"], "none");
    assert_eq!(cors_of(None, &upstream), ["vary: Origin"], "none without an origin");
    for (vary, expected) in [
        ("Accept", vec!["vary: Accept", "vary: Origin"]),
        ("origin", vec!["vary: origin"]),
        ("Accept,Origin , X", vec!["vary: Accept,Origin , X"]),
        ("*", vec!["vary: *"]),
        ("X-Origin", vec!["vary: X-Origin", "vary: Origin"]),
    ] {
        assert_eq!(cors_of(None, &[("vary", vary)]), expected, "{vary}");
    }
}

#[test]
fn edits_of_a_response_are_done_once() {
    let policy = with_cors(app());
    let plan = Request::get("/me").role("viewer").with("origin", "https://app.test").decide(&policy).response;
    let upstream =
        [("vary", "Accept"), ("access-control-allow-origin", "*"), ("server", "x"), ("x-frame-options", "SAMEORIGIN")];
    let once = after(&plan.edits(&headers(&upstream)), &upstream);
    let pairs: Vec<(&str, &str)> = once.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(after(&plan.edits(&headers(&pairs)), &pairs), once, "the second time changes nothing");
}

#[test]
fn tokens_of_rfc_9110_are_told_from_other_text() {
    for (text, expected) in
        [("GET", true), ("x-a.b_c~!", true), ("", false), ("a b", false), ("a:b", false), ("é", false)]
    {
        assert_eq!(is_token(text), expected, "{text}");
    }
}
