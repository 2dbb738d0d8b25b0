#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use serde_json::{Value, json};

use super::*;
use crate::testing::{Request, after, amended, headers, policy, with_routes};

fn plan(members: Value) -> ResponsePlan {
    let routes = json!([{"name": "open", "match": {"path": "/open"}, "access": "public"}]);
    let id = "0f8fad5b-d9cb-469f-a165-70867728950e";
    Request::get("/open").with("x-request-id", id).decide(&policy(&amended(with_routes(routes), members))).response
}

/// The response that a client gets, sorted by header.
fn sent(plan: &ResponsePlan, upstream: &[(&str, &str)]) -> Vec<String> {
    let sent = after(&plan.edits(&headers(upstream)), upstream);
    sent.into_iter().map(|(name, value)| format!("{name}: {value}")).collect()
}

const COMMON: [&str; 6] = [
    "cross-origin-opener-policy: same-origin",
    "referrer-policy: no-referrer",
    "strict-transport-security: max-age=31536000; includeSubDomains",
    "x-content-type-options: nosniff",
    "x-frame-options: DENY",
    "x-xss-protection: 1; mode=block",
];

fn security(preset: &str) -> Value {
    json!({"security_headers": {"preset": preset}})
}

#[track_caller]
fn check(sent: &[String], expected: &[&str], message: &str) {
    let mut expected: Vec<&str> = expected.iter().chain(&COMMON).copied().collect();
    expected.sort_unstable();
    let sent: Vec<&str> =
        sent.iter().map(String::as_str).filter(|line| !line.starts_with("permissions-policy: ")).collect();
    assert_eq!(sent, expected, "{message}");
}

#[test]
fn presets_set_what_the_contract_says() {
    let recommended = plan(json!({}));
    check(&sent(&recommended, &[]), &["content-security-policy: frame-ancestors 'none'"], "recommended, by default");
    check(
        &sent(&recommended, &[("content-security-policy", "default-src 'self'"), ("cache-control", "max-age=60")]),
        &["cache-control: max-age=60", "content-security-policy: default-src 'self'"],
        "recommended leaves what breaks pages to the upstream",
    );
    let api = plan(security("api"));
    let csp = "content-security-policy: default-src 'none'; frame-ancestors 'none'";
    let corp = "cross-origin-resource-policy: same-origin";
    check(&sent(&api, &[]), &["cache-control: no-store", csp, corp], "api");
    check(
        &sent(&api, &[("content-security-policy", "default-src *"), ("cache-control", "max-age=60")]),
        &["cache-control: max-age=60", csp, corp],
        "api sets the policy, and a default for the cache",
    );
    let with_cors = plan(amended(security("api"), json!({"cors": {"allow_origins": ["*"]}})));
    let expected = ["access-control-allow-origin: *", "cache-control: no-store", csp, "vary: Origin"];
    check(&sent(&with_cors, &[]), &expected, "api, where another origin may read");
    assert_eq!(sent(&plan(security("none")), &[("x-frame-options", "SAMEORIGIN")]), ["x-frame-options: SAMEORIGIN"]);
    let permissions = sent(&recommended, &[]).into_iter().find(|line| line.starts_with("permissions-policy: "));
    assert!(permissions.is_some_and(|line| line.contains("camera=()") && line.contains("unload=()")), "OWASP's list");
}

#[test]
fn an_upstream_cannot_weaken_what_is_set() {
    let upstream = [
        ("x-frame-options", "ALLOWALL"),
        ("x-frame-options", "SAMEORIGIN"),
        ("strict-transport-security", "max-age=0"),
        ("x-content-type-options", "nosniff"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "unsafe-url"),
        ("content-type", "text/html"),
        ("set-cookie", "a=b"),
        ("set-cookie", "c=d"),
    ];
    check(
        &sent(&plan(json!({})), &upstream),
        &[
            "content-security-policy: frame-ancestors 'none'",
            "content-type: text/html",
            "set-cookie: a=b",
            "set-cookie: c=d",
        ],
        "each once, with our value, and the rest as it was",
    );
}

#[test]
fn headers_are_removed_and_set_as_the_policy_says() {
    let upstream = [("server", "x/1"), ("x-powered-by", "y/2"), ("x-debug", "1"), ("x-debug", "2")];
    let plan_of = |members: Value| plan(json!({"security_headers": members}));
    let none = json!({"preset": "none"});
    for (members, expected, message) in [
        (none.clone(), vec!["x-debug: 1", "x-debug: 2"], "by default"),
        (
            amended(none.clone(), json!({"remove": ["X-Debug"]})),
            vec!["server: x/1", "x-powered-by: y/2"],
            "a list of one's own is the whole list",
        ),
        (
            amended(none.clone(), json!({"remove": []})),
            vec!["server: x/1", "x-debug: 1", "x-debug: 2", "x-powered-by: y/2"],
            "nothing",
        ),
        (
            amended(none.clone(), json!({"set": {"X-Debug": "off", "x-new": "1"}})),
            vec!["x-debug: off", "x-new: 1"],
            "set",
        ),
    ] {
        assert_eq!(sent(&plan_of(members), &upstream), expected, "{message}");
    }
    let recommended = plan_of(json!({"set": {"X-Frame-Options": "SAMEORIGIN"}, "remove": ["x-xss-protection"]}));
    let sent = sent(&recommended, &[("x-xss-protection", "1")]);
    assert!(sent.contains(&"x-frame-options: SAMEORIGIN".to_owned()), "set instead of the preset's: {sent:?}");
    assert!(!sent.iter().any(|line| line.starts_with("x-xss-protection")), "removed from the preset: {sent:?}");
}

#[test]
fn what_tells_of_the_inside_is_removed_unless_it_is_kept() {
    let upstream =
        [("x-aspnet-version", "4"), ("x-aspnet-version", "5"), ("x-b3-traceid", "1"), ("server", "x"), ("x-own", "2")];
    for (members, expected, message) in [
        (json!({}), vec!["x-own: 2"], "recommended"),
        (json!({"preset": "api"}), vec!["x-own: 2"], "api"),
        (json!({"remove": []}), vec!["x-own: 2"], "a list of one's own is beside it"),
        (json!({"keep": ["X-B3-TraceId"]}), vec!["x-b3-traceid: 1", "x-own: 2"], "what is kept"),
        (json!({"keep": ["server"]}), vec!["server: x", "x-own: 2"], "what is kept of the default list"),
        (
            json!({"set": {"x-aspnet-version": "6"}, "remove": ["x-own"]}),
            vec!["x-aspnet-version: 6"],
            "what is set is not removed",
        ),
        (
            json!({"preset": "none", "remove": []}),
            vec!["server: x", "x-aspnet-version: 4", "x-aspnet-version: 5", "x-b3-traceid: 1", "x-own: 2"],
            "none",
        ),
    ] {
        let plan = plan(json!({"security_headers": members}));
        let sent = sent(&plan, &upstream);
        let of_upstream: Vec<_> = sent
            .iter()
            .filter(|line| upstream.iter().any(|(name, _)| line.starts_with(&format!("{name}: "))))
            .collect();
        assert_eq!(of_upstream, expected, "{message}");
    }
}

#[test]
fn errors_of_the_upstream_stay_behind() {
    let hiding = plan(json!({}));
    let upstream = headers(&[
        (":status", "503"),
        ("server", "x/1"),
        ("x-trace", "at db.rs:7"),
        ("retry-after", "120"),
        ("set-cookie", "a=b"),
    ]);
    let reply = hiding.hide_upstream_error(503, &upstream).unwrap();
    assert_eq!(reply.status, 503);
    assert_eq!(
        std::str::from_utf8(&reply.body).unwrap(),
        r#"{"type":"about:blank","title":"Service Unavailable","status":503,"request_id":"0f8fad5b-d9cb-469f-a165-70867728950e"}"#
    );
    assert_eq!(reply.header("retry-after"), Some("120"), "so that clients wait");
    for name in ["server", "x-trace", "set-cookie"] {
        assert_eq!(reply.header(name), None, "{name}");
    }
    for (status, title) in [
        (500, Some("Internal Server Error")),
        (501, Some("Not Implemented")),
        (502, Some("Bad Gateway")),
        (504, Some("Gateway Timeout")),
        (505, Some("HTTP Version Not Supported")),
        (507, Some("Insufficient Storage")),
        (511, Some("Network Authentication Required")),
        (599, Some("Internal Server Error")),
        (600, Some("Internal Server Error")),
        (999, Some("Internal Server Error")),
        (499, None),
        (404, None),
        (200, None),
    ] {
        let reply = hiding.hide_upstream_error(status, &[]);
        assert_eq!(reply.as_ref().map(|reply| reply.status), title.map(|_| status), "{status}");
        let body = reply.map(|reply| String::from_utf8(reply.body).unwrap());
        assert!(body.is_none_or(|body| body.contains(title.unwrap_or_default())), "{status}");
    }
    for value in [&b"1\r\nx: y"[..], b"\xff", b"Fri, 31 Dec 1999 23:59:59 GMT"] {
        let reply = hiding.hide_upstream_error(503, &headers(&[("retry-after", value)])).unwrap();
        let kept = value.starts_with(b"Fri");
        assert_eq!(reply.header("retry-after").is_some(), kept, "{value:?}");
    }
    let showing = plan(json!({"errors": {"hide_upstream_5xx": false}}));
    assert_eq!(showing.hide_upstream_error(503, &upstream), None, "where the policy says so");
}

#[test]
fn routes_may_override_what_responses_carry() {
    let routes = json!([
        {"name": "page", "match": {"path": "/page"}, "access": "public"},
        {
            "name": "api",
            "match": {"path": "/api"},
            "access": "public",
            "security_headers": {"preset": "api"},
            "errors": {"hide_upstream_5xx": false},
        },
    ]);
    let document = amended(with_routes(routes), json!({"security_headers": {"preset": "none"}}));
    let policy = policy(&document);
    let page = Request::get("/page").decide(&policy).response;
    let api = Request::get("/api").decide(&policy).response;
    assert_eq!(sent(&page, &[]), [""; 0]);
    assert!(sent(&api, &[]).contains(&"cache-control: no-store".to_owned()));
    assert!(page.hide_upstream_error(500, &[]).is_some());
    assert!(api.hide_upstream_error(500, &[]).is_none());
}

#[test]
fn replies_of_our_own_always_carry_the_api_set() {
    for members in [json!({}), security("none"), security("api")] {
        let routes = json!([{"name": "me", "match": {"path": "/me"}, "access": "authenticated"}]);
        let verdict = Request::get("/me").decide(&policy(&amended(with_routes(routes), members.clone())));
        let reply = verdict.reply();
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
            ("cross-origin-resource-policy", "same-origin"),
            ("cache-control", "no-store"),
            ("strict-transport-security", "max-age=31536000; includeSubDomains"),
        ] {
            assert_eq!(reply.header(name), Some(value), "{members}: {name}");
        }
    }
    let routes = json!([{"name": "me", "match": {"path": "/me"}, "access": "authenticated"}]);
    let own = json!({"security_headers": {"set": {"x-own": "1", "content-security-policy": "default-src *"}}});
    let verdict = Request::get("/me").decide(&policy(&amended(with_routes(routes), own)));
    assert_eq!(verdict.reply().header("x-own"), Some("1"), "and what the policy adds");
    let csp = verdict.reply().header("content-security-policy");
    assert_eq!(csp, Some("default-src 'none'; frame-ancestors 'none'"), "but nothing weaker: a problem is no page");
    let own = json!({"security_headers": {"set": {"strict-transport-security": "max-age=0"}}});
    let routes = json!([{"name": "me", "match": {"path": "/me"}, "access": "authenticated"}]);
    let policy = policy(&amended(with_routes(routes), own));
    let reply = Request::get("/me").decide(&policy).reply().clone();
    let sent: Vec<_> = reply.headers().filter(|(name, _)| **name == *"strict-transport-security").collect();
    assert_eq!(
        sent,
        [&("strict-transport-security".into(), "max-age=0".into())],
        "what is kept for the host is one thing"
    );
}

#[test]
fn failures_of_the_filter_itself_look_like_any_other() {
    for (status, title) in [(500, "Internal Server Error"), (503, "Service Unavailable")] {
        let reply = failure_reply(status);
        assert_eq!(reply.status, status);
        assert_eq!(reply.header("content-type"), Some("application/problem+json"));
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        let body = format!(r#"{{"type":"about:blank","title":"{title}","status":{status}}}"#);
        assert_eq!(reply.body, body.into_bytes());
    }
}

/// What is left of these headers or trailers, sorted.
fn left<'e>(edits: impl IntoIterator<Item = &'e HeaderEdit>, upstream: &[(&str, &str)]) -> Vec<String> {
    let known: Vec<&str> = upstream.iter().map(|(name, _)| *name).collect();
    let left = after(edits, upstream).into_iter().filter(|(name, _)| known.contains(&&**name));
    left.map(|(name, value)| format!("{name}: {value}")).collect()
}

#[test]
fn grpc_services_do_not_talk_about_their_own_failures() {
    const WORDS: [(&str, &str); 2] = [("grpc-message", "db-7.internal is down"), ("grpc-status-details-bin", "CAI")];
    let hiding = plan(json!({}));
    let showing = plan(json!({"errors": {"hide_upstream_5xx": false}}));
    let all = |status: Option<&'static str>| {
        let mut lines = vec![("content-type", "application/grpc")];
        lines.extend(status.map(|status| ("grpc-status", status)));
        lines.extend(WORDS);
        lines
    };
    let codes = [
        ("0", true),
        ("1", true),
        ("2", false),
        ("3", true),
        ("4", false),
        ("5", true),
        ("6", true),
        ("7", true),
        ("8", true),
        ("9", true),
        ("10", true),
        ("11", true),
        ("12", false),
        ("13", false),
        ("14", false),
        ("15", false),
        ("16", true),
        ("17", false),
        ("013", false),
        ("", false),
        ("one", false),
    ];
    for (code, kept) in codes {
        let upstream = all(Some(code));
        let edited = [
            ("headers", left(&hiding.edits(&headers(&upstream)), &upstream)),
            ("trailers", left(&hiding.trailer_edits(&headers(&upstream)), &upstream)),
        ];
        for (place, left) in edited {
            assert_eq!(
                left.iter().any(|line| line.starts_with("grpc-message")),
                kept,
                "{place}, status {code}: {left:?}"
            );
            assert_eq!(left.iter().any(|line| line.starts_with("grpc-status-details")), kept, "{place}, status {code}");
            assert!(left.contains(&format!("grpc-status: {code}")), "{place}: the status stays: {left:?}");
        }
        let shown = left(&showing.trailer_edits(&headers(&upstream)), &upstream);
        assert_eq!(shown.len(), upstream.len(), "status {code}, asked to be shown: {shown:?}");
    }
    let missing = all(None);
    assert_eq!(
        left(&hiding.trailer_edits(&headers(&missing)), &missing),
        ["content-type: application/grpc"],
        "words without a status are those of an unknown failure"
    );
    let two = [("grpc-status", "0"), ("grpc-status", "13"), WORDS[0]];
    assert_eq!(
        left(&hiding.trailer_edits(&headers(&two)), &two),
        ["grpc-status: 0", "grpc-status: 13"],
        "two statuses, of which one is internal"
    );
    assert_eq!(hiding.trailer_edits(&headers(&[("grpc-status", "13")])), [], "nothing to hide is no edit");
}

#[test]
fn trailers_lose_what_headers_would() {
    let upstream = [("server", "leaky/1.0"), ("x-powered-by", "leaky"), ("x-checksum", "1")];
    for (name, plan) in [("hidden", plan(json!({}))), ("shown", plan(json!({"errors": {"hide_upstream_5xx": false}})))]
    {
        let edits = plan.trailer_edits(&headers(&upstream));
        assert_eq!(
            edits,
            [HeaderEdit::remove("server"), HeaderEdit::remove("x-powered-by")],
            "{name}: those go, and nothing is added"
        );
    }
}

/// What is worked out once for all responses says the same as what is worked out for one.
#[test]
fn the_usual_edits_are_those_of_a_response_that_is_weighed() {
    let cors = |origins: Value| json!({"cors": {"allow_origins": origins, "expose_headers": ["x-a"]}});
    let policies = [
        json!({}),
        security("api"),
        security("none"),
        cors(json!(["*"])),
        amended(security("api"), cors(json!(["https://app.test"]))),
        amended(
            cors(json!(["https://app.test"])),
            json!({"security_headers": {"remove": ["vary", "x-frame-options"]}}),
        ),
        json!({"security_headers": {"set_cookie": {"secure": true}, "remove": ["set-cookie", "grpc-message"]}}),
        json!({"security_headers": {"set": {"server": "s", "x-frame-options": "SAMEORIGIN"}}}),
        json!({"errors": {"hide_upstream_5xx": false}}),
    ];
    let fields = [
        ("server", "s"),
        ("x-powered-by", "p"),
        ("x-powered-by", "p"),
        ("x-frame-options", "ALLOW"),
        ("content-security-policy", "default-src *"),
        ("vary", "accept"),
        ("access-control-allow-origin", "null"),
        ("access-control-allow-tomorrow", "t"),
        ("set-cookie", "a=b"),
        ("grpc-message", "m"),
        ("x-other", "o"),
    ];
    let routes = json!([{"name": "open", "match": {"path": "/open"}, "access": "public"}]);
    for members in policies {
        let policy = policy(&amended(with_routes(routes.clone()), members.clone()));
        for origin in [None, Some("https://app.test"), Some("https://evil.test")] {
            let request = Request::get("/open");
            let request = origin.into_iter().fold(request, |request, origin| request.with("origin", origin));
            let plan = request.decide(&policy).response;
            for chosen in 0..1_u32 << fields.len() {
                let chosen = fields.iter().enumerate().filter(|(at, _)| chosen >> at & 1 == 1).map(|(_, field)| *field);
                let upstream: Vec<_> = chosen.collect();
                let (usual, weighed) = (plan.edits(&headers(&upstream)), plan.weigh(&headers(&upstream)));
                assert_eq!(
                    after(&usual, &upstream),
                    after(&weighed, &upstream),
                    "{members}, {origin:?} is answered {upstream:?}"
                );
            }
        }
    }
}
