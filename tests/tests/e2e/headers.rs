//! What the filter adds to and takes from the headers, both ways.

use serde_json::{Value, json};

use crate::harness::bench::Bench;
use crate::harness::client::Request;
use crate::harness::expect::Expect;
use crate::harness::fixtures;
use crate::harness::policy;
use crate::harness::table::Table;
use crate::harness::token::Token;
use crate::harness::upstream::{Reply, Upstream};

use super::setup;

#[test]
fn security_headers_by_preset() {
    let upstream = Upstream::start();
    upstream.on("/bare", Reply::new(200).body("x"));
    upstream.on(
        "/own",
        Reply::new(200)
            .header("content-security-policy", "default-src 'self'")
            .header("cache-control", "max-age=60")
            .header("x-frame-options", "SAMEORIGIN")
            .header("referrer-policy", "unsafe-url")
            .header("strict-transport-security", "max-age=1")
            .header("server", "leaky/1.0")
            .header("x-powered-by", "leaky")
            .header("set-cookie", "a=1")
            .header("set-cookie", "b=2")
            .body("x"),
    );
    let proxy = setup(&upstream)
        .policy("recommended", &preset(json!({"preset": "recommended", "remove": ["server", "x-powered-by"]})))
        .policy("default", &preset(Value::Null))
        .policy("api", &preset(json!({"preset": "api"})))
        .policy("none", &preset(json!({"preset": "none"})))
        .policy(
            "edited",
            &preset(json!({
                "preset": "recommended",
                "set": {"x-frame-options": "SAMEORIGIN", "x-extra": "yes", "cache-control": "private"},
                "remove": ["x-request-cost", "referrer-policy"],
            })),
        )
        .policy("api-cors", &{
            let mut policy = preset(json!({"preset": "api"}));
            policy["cors"] = policy::cors();
            policy
        })
        .start();

    for listener in ["recommended", "default"] {
        let mut bench = Bench::new("recommended security headers", &proxy, listener, &upstream);
        bench.row(
            "an upstream that sets nothing",
            &Request::get("/bare"),
            &recommended("frame-ancestors 'none'").no_response("cache-control"),
        );
        bench.row(
            "an upstream with its own",
            &Request::get("/own"),
            &recommended("default-src 'self'")
                .response("cache-control", "max-age=60")
                .no_response("server")
                .no_response("x-powered-by"),
        );
        let cookies = bench.exchange(&Request::get("/own")).response.headers.all("set-cookie");
        bench.holds("cookies stay", cookies == ["a=1", "b=2"], || format!("{cookies:?}"));
        bench.row(
            "a reply of our own has the stricter set",
            &Request::get("/nowhere"),
            &Expect::deny(401, "route_not_found"),
        );
        bench.finish();
    }

    let mut bench = Bench::new("api security headers", &proxy, "api", &upstream);
    let api = recommended("default-src 'none'; frame-ancestors 'none'");
    bench.row(
        "an upstream that sets nothing",
        &Request::get("/bare"),
        &api.response("cross-origin-resource-policy", "same-origin").response("cache-control", "no-store"),
    );
    let own = bench.exchange(&Request::get("/own")).response.headers;
    bench.holds("its own cache-control stays", own.all("cache-control") == ["max-age=60"], || format!("{own:?}"));
    bench.holds("one policy for its content", own.all("content-security-policy").len() == 1, || format!("{own:?}"));
    bench.finish();

    let mut bench = Bench::new("api security headers under CORS", &proxy, "api-cors", &upstream);
    bench.row(
        "other origins may read",
        &Request::get("/bare"),
        &Expect::allow("public").no_response("cross-origin-resource-policy"),
    );
    bench.finish();

    let mut bench = Bench::new("no security headers", &proxy, "none", &upstream);
    let mut untouched = Expect::allow("public");
    for name in [
        "x-content-type-options",
        "x-frame-options",
        "x-xss-protection",
        "referrer-policy",
        "strict-transport-security",
        "content-security-policy",
        "cross-origin-opener-policy",
        "permissions-policy",
        "cache-control",
        "cross-origin-resource-policy",
    ] {
        untouched = untouched.no_response(name);
    }
    bench.row("an upstream that sets nothing", &Request::get("/bare"), &untouched);
    bench.row(
        "an upstream with its own",
        &Request::get("/own"),
        &Expect::allow("public")
            .response("x-frame-options", "SAMEORIGIN")
            .response("content-security-policy", "default-src 'self'"),
    );
    bench.row(
        "a reply of our own has them all the same",
        &Request::get("/nowhere"),
        &Expect::deny(401, "route_not_found"),
    );
    bench.finish();

    let mut bench = Bench::new("set and remove", &proxy, "edited", &upstream);
    bench.row(
        "what the policy says goes",
        &Request::get("/own"),
        &Expect::allow("public")
            .response("x-frame-options", "SAMEORIGIN")
            .response("x-extra", "yes")
            .response("cache-control", "private")
            .response("x-content-type-options", "nosniff")
            .no_response("referrer-policy"),
    );
    bench.finish();
}

fn preset(headers: Value) -> Value {
    let mut policy = policy::with_routes(json!([
        {"name": "bare", "match": {"path": "/bare"}, "access": "public"},
        {"name": "own", "match": {"path": "/own"}, "access": "public"},
    ]));
    policy["security_headers"] = if headers.is_null() { json!({}) } else { headers };
    policy
}

/// The headers any site can bear, the upstream's weaker ones replaced.
fn recommended(content_security_policy: &str) -> Expect {
    Expect::allow("public")
        .response("x-content-type-options", "nosniff")
        .response("x-frame-options", "DENY")
        .response("x-xss-protection", "1; mode=block")
        .response("referrer-policy", "no-referrer")
        .response("strict-transport-security", "max-age=31536000; includeSubDomains")
        .response("cross-origin-opener-policy", "same-origin")
        .response("content-security-policy", content_security_policy)
        .some_response("permissions-policy")
}

#[test]
fn nobody_brings_an_identity_along() {
    let upstream = Upstream::start();
    let mut policy = policy::with_routes(json!([
        {"name": "open", "match": {"path": "/open"}, "access": "public"},
        {"name": "members", "match": {"path": "/members"}, "access": "authenticated"},
        {"name": "trial", "match": {"path": "/trial"}, "access": "authenticated", "mode": "dry_run"},
        {"name": "left", "match": {"path": "/left"}, "access": "role_table", "owner": {"upstream": true}},
    ]));
    policy["providers"][0]["claim_to_headers"] = json!([
        {"claim": ["sub"], "header": "X-User-Id"},
        {"claim": ["role"], "header": "x-user-role"},
        {"claim": ["org", "name"], "header": "x-user-org"},
        {"claim": ["groups"], "header": "x-user-groups"},
        {"claim": ["level"], "header": "x-user-level"},
    ]);
    let proxy = setup(&upstream).policy("main", &policy).start();
    let mut bench = Bench::new("identity headers", &proxy, "main", &upstream);
    let spoofed = |request: Request| {
        request
            .header("x-user-id", "root")
            .header("X-USER-ID", "root2")
            .header("X-User-Role", "admin")
            .header("x-user-org", "evil")
            .header("x-portcullis-scope", "any")
            .header("X-Portcullis-Anything", "x")
            .header("x-harmless", "stays")
    };
    let bare = |expect: Expect| {
        expect
            .no_upstream("x-user-id")
            .no_upstream("x-user-role")
            .no_upstream("x-user-org")
            .no_upstream("x-portcullis-scope")
            .no_upstream("x-portcullis-anything")
            .upstream("x-harmless", "stays")
    };
    bench.row("public", &spoofed(Request::get("/open")), &bare(Expect::allow("public")));
    let viewer = Token::of("ada", "viewer").mint();
    bench.row(
        "public, with a good token",
        &spoofed(Request::get("/open").bearer(&viewer)),
        &bare(Expect::allow("public")),
    );
    bench.row(
        "a dry run that would deny",
        &spoofed(Request::get("/trial")),
        &bare(Expect::dry_run("credentials_missing")),
    );
    bench.row(
        "authenticated",
        &spoofed(Request::get("/members").bearer(&viewer)),
        &Expect::allow("authenticated")
            .upstream("x-user-id", "ada")
            .upstream("x-user-role", "viewer")
            .no_upstream("x-user-org")
            .no_upstream("x-portcullis-scope")
            .no_upstream("x-portcullis-anything")
            .no_upstream("authorization"),
    );
    let rich = Token::of("ada", "viewer")
        .claim("org", json!({"name": "acme"}))
        .claim("groups", json!(["a", "b"]))
        .claim("level", 3);
    bench.row(
        "every kind of claim",
        &Request::get("/members").bearer(&rich.mint()),
        &Expect::allow("authenticated")
            .upstream("x-user-org", "acme")
            .upstream("x-user-groups", "a,b")
            .upstream("x-user-level", "3"),
    );
    // A claim that would end its header line must not start another.
    for value in ["ada\r\nx-user-role: admin", "ada\nx", "ada\0"] {
        let token = Token::of(value, "viewer").mint();
        let exchange = bench.exchange(&Request::get("/members").bearer(&token));
        let harmless = exchange.response.status < 500
            && exchange.seen.iter().all(|seen| seen.headers.all("x-user-role") == ["viewer"]);
        bench.holds(value, harmless, || format!("{exchange:?}"));
    }
    bench.finish();
    assert!(proxy.vm_failures().is_empty(), "{:?}", proxy.vm_failures());
}

#[test]
fn what_tells_of_the_inside_stays_there() {
    let Some(list) = fixtures::text("owasp/headers_remove.json") else { return };
    let leaky: Value = serde_json::from_str(&list).unwrap();
    let leaky: Vec<&str> = leaky["headers"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert!(leaky.len() > 50, "OWASP's list has more than {}", leaky.len());
    let upstream = Upstream::start();
    let reply = leaky.iter().fold(Reply::new(200), |reply, name| reply.header(name, "inner.example.com/1.2"));
    upstream.on("/own", reply.header("x-of-the-service", "kept").body("x"));
    let proxy = setup(&upstream)
        .policy("default", &preset(Value::Null))
        .policy("api", &preset(json!({"preset": "api"})))
        .policy("kept", &preset(json!({"keep": ["x-b3-traceid"]})))
        .start();
    for (listener, kept) in [("default", None), ("api", None), ("kept", Some("x-b3-traceid"))] {
        let mut bench = Bench::new("leaky headers", &proxy, listener, &upstream);
        let headers = bench.exchange(&Request::get("/own")).response.headers;
        bench.holds("the service's own stays", headers.all("x-of-the-service") == ["kept"], || format!("{headers:?}"));
        for name in leaky.iter().map(|name| name.to_ascii_lowercase()) {
            let found = headers.all(&name);
            let expected = if kept == Some(name.as_str()) { vec!["inner.example.com/1.2"] } else { vec![] };
            bench.holds(&name, found == expected, || format!("{found:?}"));
        }
        bench.finish();
    }
}

#[test]
fn cookies_say_what_the_policy_asks() {
    let upstream = Upstream::start();
    upstream.on(
        "/own",
        Reply::new(200)
            .header("set-cookie", "sid=1; Path=/")
            .header("set-cookie", "csrf=2; SameSite=None; Secure")
            .header("set-cookie", "ready=3; secure; httponly; samesite=Strict")
            .body("x"),
    );
    let proxy = setup(&upstream)
        .policy(
            "main",
            &preset(json!({"set_cookie": {"secure": true, "http_only": true, "same_site": "lax", "except": ["csrf"]}})),
        )
        .start();
    let mut bench = Bench::new("cookies", &proxy, "main", &upstream);
    let cookies = bench.exchange(&Request::get("/own")).response.headers.all("set-cookie");
    let expected = [
        "sid=1; Path=/; Secure; HttpOnly; SameSite=Lax",
        "csrf=2; SameSite=None; Secure",
        "ready=3; secure; httponly; samesite=Strict",
    ];
    bench.holds("each in its place", cookies == expected, || format!("{cookies:?}"));
    bench.finish();
}

/// Hosts of later ABIs leave a route as it was found before the filters; ours must find another one for another head, or a
/// forged header chose where a request goes.
#[test]
fn envoy_routes_by_what_the_filter_leaves() {
    let upstream = Upstream::start();
    let routes = json!({"route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [
        {"match": {"prefix": "/", "headers": [{"name": "x-user-role", "string_match": {"exact": "admin"}}]},
         "direct_response": {"status": 202}},
        {"match": {"prefix": "/vault/"}, "direct_response": {"status": 203}},
        {"match": {"prefix": "/"}, "direct_response": {"status": 200}},
    ]}]}});
    let policy = policy::with_routes(json!([
        {"name": "open", "match": {"path": "/open"}, "access": "public"},
        {"name": "vault", "match": {"path": "/vault/{item}"}, "access": "public"},
        {"name": "own", "match": {"path": "/own"}, "access": "authenticated"},
    ]));
    let proxy = setup(&upstream).policy("routes", &policy).manager(&routes).start();
    let mut client = proxy.client("routes");
    let mut table = Table::new("which of Envoy's routes");
    let (admin, viewer) = (Token::of("u1", "admin").mint(), Token::of("u2", "viewer").mint());
    for (row, request, status) in [
        ("as it came", Request::get("/open"), 200),
        ("a forged role does not choose it", Request::get("/open").header("x-user-role", "admin"), 200),
        ("nor one spelt otherwise", Request::get("/open").header("X_User_Role", "admin"), 200),
        ("the role that was proved does", Request::get("/own").bearer(&admin), 202),
        ("another does not", Request::get("/own").bearer(&viewer), 200),
        ("nor with a forged one beside", Request::get("/own").bearer(&viewer).header("x-user-role", "admin"), 200),
        ("the path as it was judged", Request::get("/vault/../open"), 200),
        ("and in the other direction", Request::get("/open/../vault/1"), 203),
    ] {
        let answer = client.send(&request).status;
        table.holds(row, answer == status, || format!("{answer}, not {status}"));
    }
    table.finish();
}
