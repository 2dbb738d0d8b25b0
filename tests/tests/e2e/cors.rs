//! Other origins: what a page of theirs may send, and what it may read.

use serde_json::json;

use crate::harness::bench::Bench;
use crate::harness::client::Request;
use crate::harness::expect::Expect;
use crate::harness::policy;
use crate::harness::token::Token;
use crate::harness::upstream::{Reply, Upstream};

use super::setup;

const APP: &str = "https://app.example.com";

#[test]
fn other_origins() {
    let upstream = Upstream::start();
    upstream.on(
        "/loose",
        Reply::new(200)
            .header("access-control-allow-origin", "*")
            .header("access-control-allow-credentials", "true")
            .header("access-control-allow-methods", "*")
            .header("access-control-expose-headers", "*")
            .header("vary", "Accept-Encoding")
            .body("x"),
    );
    upstream.on("/failing", Reply::new(500).header("access-control-allow-origin", "*").body("trace"));
    let mut policy = policy::with_routes(json!([
        {"name": "members", "match": {"path": "/members"}, "access": "authenticated"},
        {"name": "loose", "match": {"path": "/loose"}, "access": "public"},
        {"name": "failing", "match": {"path": "/failing"}, "access": "public"},
        {"name": "font", "match": {"path": "/font"}, "access": "public",
         "cors": {"allow_origins": ["*"], "allow_methods": ["GET"], "allow_credentials": false}},
        {"name": "family", "match": {"path": "/family"}, "access": "public",
         "cors": {"allow_origins": ["https://*.example.com"], "allow_methods": ["GET"], "allow_headers": ["X-One"],
                  "expose_headers": ["X-Total", "X-Page"], "allow_credentials": true, "max_age": "0s"}},
    ]));
    policy["cors"] = policy::cors();
    let mut closed = policy::with_routes(json!([
        {"name": "all", "match": {"path": "/{*rest}"}, "access": "public"},
        {"name": "font", "match": {"path": "/font"}, "access": "public",
         "cors": {"allow_origins": [APP], "allow_methods": ["GET"]}},
    ]));
    closed["security_headers"] = json!({"preset": "none"});
    let proxy = setup(&upstream).policy("main", &policy).policy("closed", &closed).start();

    let mut bench = Bench::new("preflights", &proxy, "main", &upstream);
    preflights(&mut bench);
    bench.finish();
    let metrics = proxy.metrics();
    assert!(
        metrics.iter().any(|(name, count)| name.contains("cors_preflight") && *count > 0.0),
        "no preflight was counted: {:?}",
        metrics.keys().filter(|name| name.contains("portcullis")).collect::<Vec<_>>()
    );

    let mut bench = Bench::new("requests from other origins", &proxy, "closed", &upstream);
    without_a_block(&mut bench);
    bench.finish();
}

fn preflight(path: &str, origin: &str, method: &str) -> Request {
    Request::new("OPTIONS", path).header("origin", origin).header("access-control-request-method", method)
}

fn preflights(bench: &mut Bench<'_>) {
    let allowed = || {
        Expect::preflight()
            .response("access-control-allow-origin", APP)
            .response("access-control-allow-credentials", "true")
    };
    let refused = |reason| {
        let mut expect = Expect::deny(403, reason).response_lists("vary", "Origin");
        for name in ["origin", "methods", "headers", "credentials"] {
            expect = expect.no_response(&format!("access-control-allow-{name}"));
        }
        expect.no_response("access-control-max-age")
    };
    bench.row(
        "an allowed method",
        &preflight("/members", APP, "PUT"),
        &allowed().response("access-control-max-age", "600"),
    );
    bench.row(
        "an allowed header, in any case",
        &preflight("/members", APP, "GET").header("access-control-request-headers", "AUTHORIZATION,content-type"),
        &allowed(),
    );
    bench.row("a simple method needs no leave", &preflight("/members", APP, "GET"), &allowed());
    bench.row("another method", &preflight("/members", APP, "PATCH"), &refused("cors_method"));
    bench.row("the method in another case", &preflight("/members", APP, "put"), &refused("cors_method"));
    bench.row(
        "another header",
        &preflight("/members", APP, "GET").header("access-control-request-headers", "authorization, x-evil"),
        &refused("cors_headers"),
    );
    for origin in [
        "https://evil.example.com",
        "http://app.example.com",
        "https://app.example.com:8443",
        "https://app.example.com.evil.com",
        "https://APP.example.com",
        "null",
        "",
    ] {
        bench.row(&format!("origin `{origin}`"), &preflight("/members", origin, "GET"), &refused("cors_origin"));
    }
    bench.row(
        "where no route is",
        &preflight("/nowhere", APP, "GET"),
        &Expect::preflight().response("access-control-allow-origin", APP),
    );
    bench.row(
        "OPTIONS without Access-Control-Request-Method is a request like any other",
        &Request::new("OPTIONS", "/members").header("origin", APP),
        &Expect::deny(401, "credentials_missing").response("access-control-allow-origin", APP),
    );
    bench.row(
        "OPTIONS without Origin too",
        &Request::new("OPTIONS", "/members").header("access-control-request-method", "GET"),
        &Expect::deny(401, "credentials_missing")
            .no_response("access-control-allow-origin")
            .response_lists("vary", "Origin"),
    );

    let token = Token::of("ada", "viewer").mint();
    bench.row(
        "an answer the page may read",
        &Request::get("/members").bearer(&token).header("origin", APP),
        &Expect::allow("authenticated")
            .response("access-control-allow-origin", APP)
            .response("access-control-allow-credentials", "true")
            .response_lists("vary", "Origin"),
    );
    bench.row(
        "an answer it may not",
        &Request::get("/members").bearer(&token).header("origin", "https://evil.example.com"),
        &Expect::allow("authenticated")
            .no_response("access-control-allow-origin")
            .no_response("access-control-allow-credentials")
            .response_lists("vary", "Origin"),
    );
    bench.row(
        "no origin, and caches are told all the same",
        &Request::get("/members").bearer(&token),
        &Expect::allow("authenticated").no_response("access-control-allow-origin").response_lists("vary", "Origin"),
    );
    bench.row(
        "the upstream's own leave does not count",
        &Request::get("/loose").header("origin", "https://evil.example.com"),
        &Expect::allow("public")
            .no_response("access-control-allow-origin")
            .no_response("access-control-allow-credentials")
            .no_response("access-control-allow-methods")
            .no_response("access-control-expose-headers"),
    );
    for (row, origin) in [("the upstream's Vary stays", APP), ("for others too", "https://evil.example.com")] {
        let response = bench.exchange(&Request::get("/loose").header("origin", origin)).response;
        let vary = response.headers.all("vary").join(",").to_ascii_lowercase().replace(' ', "");
        let mut names: Vec<_> = vary.split(',').collect();
        names.sort_unstable();
        bench.holds(row, names == ["accept-encoding", "origin"], || vary.clone());
    }
    bench.row(
        "a refusal the page may read",
        &Request::get("/members").bearer("rubbish").header("origin", APP),
        &Expect::deny(401, "token_malformed").response("access-control-allow-origin", APP),
    );
    bench.row(
        "a failure the page may read",
        &Request::get("/failing").header("origin", APP),
        &Expect::allow("public")
            .status(500)
            .response("access-control-allow-origin", APP)
            .response_lists("vary", "Origin"),
    );
    overrides(bench);
}

/// A route with a block of its own has nothing of the policy's.
fn overrides(bench: &mut Bench<'_>) {
    bench.row(
        "any origin, without credentials",
        &Request::get("/font").header("origin", "https://anyone.example.net"),
        &Expect::allow("public")
            .response("access-control-allow-origin", "*")
            .no_response("access-control-allow-credentials"),
    );
    let child = "https://a.b.example.com";
    bench.row(
        "a subdomain",
        &Request::get("/family").header("origin", child),
        &Expect::allow("public")
            .response("access-control-allow-origin", child)
            .response("access-control-allow-credentials", "true")
            .some_response("access-control-expose-headers"),
    );
    bench.row(
        "its preflight",
        &preflight("/family", child, "GET"),
        &Expect::preflight().response("access-control-allow-origin", child).response("access-control-max-age", "0"),
    );
    for origin in [
        "https://example.com",
        "https://evilexample.com",
        "http://a.example.com",
        "https://a.example.com.evil.com",
        "https://a.example.com:81",
        "https://.example.com",
    ] {
        bench.row(
            &format!("not a subdomain: {origin}"),
            &Request::get("/family").header("origin", origin),
            &Expect::allow("public").no_response("access-control-allow-origin"),
        );
    }
}

/// Without a CORS block, that is the upstream's own affair.
fn without_a_block(bench: &mut Bench<'_>) {
    bench.row(
        "no block: a request",
        &Request::get("/loose").header("origin", APP),
        &Expect::allow("public").response("access-control-allow-origin", "*").response("vary", "Accept-Encoding"),
    );
    bench.row("no block: a preflight is a request", &preflight("/loose", APP, "PUT"), &Expect::allow("public"));
    bench.row(
        "no block, but the route has one",
        &Request::get("/font").header("origin", APP),
        &Expect::allow("public").response("access-control-allow-origin", APP),
    );
}
