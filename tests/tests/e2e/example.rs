//! The documentation's example policy, case by case as its table of answers has them.

use crate::harness::bench::Bench;
use crate::harness::client::Request;
use crate::harness::expect::Expect;
use crate::harness::policy;
use crate::harness::token::{Alg, Token, now};
use crate::harness::upstream::Upstream;

use super::setup;

#[test]
fn answers_as_documented() {
    let upstream = Upstream::start();
    let proxy = setup(&upstream).policy("main", &policy::example()).start();
    let mut bench = Bench::new("example policy", &proxy, "main", &upstream);

    authentication(&mut bench);
    roles(&mut bench);
    routes(&mut bench);
    malformed(&mut bench);
    dry_route(&mut bench);
    cors(&mut bench);
    bench.finish();
    assert!(proxy.vm_failures().is_empty(), "{:?}", proxy.vm_failures());
}

const DOCUMENT: &str = "/users/ada/documents/7";

fn authentication(bench: &mut Bench<'_>) {
    let good = Token::of("ada", "admin");
    bench.row("no credentials", &Request::get(DOCUMENT), &Expect::deny(401, "credentials_missing"));
    bench.row("a good token", &Request::get(DOCUMENT).bearer(&good.mint()), &Expect::allow("role_allowed"));

    let refused = [
        ("expired", good.clone().claim("exp", now() - 60).mint(), "token_expired"),
        ("not yet valid", good.clone().claim("nbf", now() + 600).mint(), "token_not_yet_valid"),
        ("no expiry", good.clone().claim("exp", ()).mint(), "token_expiration_missing"),
        ("lives too long", good.clone().claim("exp", now() + 90_000).mint(), "token_lifetime"),
        ("forged", good.forged(), "token_signature"),
        (
            "signed with another secret",
            good.clone().secret("another-secret-of-at-least-32-bytes").mint(),
            "token_signature",
        ),
        ("unsigned, alg none", good.clone().head("alg", "none").unsigned(), "token_malformed"),
        ("signed, alg none", good.clone().head("alg", "none").mint(), "token_algorithm"),
        ("an algorithm not allowed", good.clone().algorithm(Alg::Hs512).mint(), "token_algorithm"),
        ("an unknown key", good.clone().head("kid", "2019-01").mint(), "token_unknown_key"),
        ("another issuer", good.clone().claim("iss", "https://elsewhere.example.com").mint(), "token_issuer"),
        ("no issuer", good.clone().claim("iss", ()).mint(), "token_issuer"),
        ("another audience", good.clone().claim("aud", "elsewhere").mint(), "token_audience"),
        ("no audience", good.clone().claim("aud", ()).mint(), "token_audience"),
        ("not a token", "not-a-token".to_owned(), "token_malformed"),
        ("a critical extension", good.clone().head("crit", vec!["exp"]).mint(), "token_malformed"),
        ("larger than allowed", good.clone().claim("pad", "x".repeat(9000)).mint(), "token_too_large"),
    ];
    for (name, token, reason) in refused {
        bench.row(name, &Request::get(DOCUMENT).bearer(&token), &Expect::deny(401, reason));
    }

    let taken = [
        ("several audiences, one of them ours", good.clone().claim("aud", vec!["elsewhere", "portcullis-demo"])),
        ("expired within the clock skew", good.clone().claim("exp", now() - 5)),
        ("no kid", good.clone().head("kid", ())),
        ("no typ", good.clone().head("typ", ())),
    ];
    for (name, token) in taken {
        bench.row(name, &Request::get(DOCUMENT).bearer(&token.mint()), &Expect::allow("role_allowed"));
    }
}

/// Role × method × own or foreign.
fn roles(bench: &mut Bench<'_>) {
    let (own, foreign) = (DOCUMENT, "/users/bob/documents/9");
    let rows = [
        ("admin", own, "role_allowed", "role_allowed"),
        ("admin", foreign, "role_allowed", "role_allowed"),
        ("editor", own, "role_allowed", "owner_allowed"),
        ("editor", foreign, "role_allowed", "owner_denied"),
        ("viewer", own, "role_allowed", "role_denied"),
        ("viewer", foreign, "role_allowed", "role_denied"),
    ];
    for (role, path, read, write) in rows {
        let token = Token::of("ada", role).mint();
        for (method, reason) in [
            ("GET", read),
            ("HEAD", read),
            ("OPTIONS", read),
            ("POST", write),
            ("PUT", write),
            ("PATCH", write),
            ("DELETE", write),
        ] {
            let expect = match reason {
                "owner_denied" | "role_denied" => Expect::deny(403, reason),
                _ => Expect::allow(reason)
                    .upstream("x-user-id", "ada")
                    .upstream("x-user-role", role)
                    .no_upstream("authorization"),
            };
            let expect = expect.record("route", "documents").record("user_id", "ada").record("role", role);
            bench.row(&format!("{role} {method} {path}"), &Request::new(method, path).bearer(&token), &expect);
        }
    }
    let unknown = Token::of("ada", "auditor").mint();
    bench.row(
        "a role the policy does not know",
        &Request::get(DOCUMENT).bearer(&unknown),
        &Expect::deny(403, "role_missing"),
    );
    let none = Token::of("ada", "admin").claim("role", ()).mint();
    bench.row("a token without a role", &Request::get(DOCUMENT).bearer(&none), &Expect::deny(403, "role_missing"));
    let token = Token::of("ada", "admin").mint();
    bench.row(
        "a method that neither reads nor writes",
        &Request::new("TRACE", DOCUMENT).bearer(&token),
        &Expect::deny(403, "role_denied"),
    );
}

fn routes(bench: &mut Bench<'_>) {
    let admin = Token::of("root", "admin").mint();
    let viewer = Token::of("ada", "viewer").mint();
    let public = Expect::allow("public").record("route", "health").record("user_id", "");
    bench.row("public", &Request::get("/healthz"), &public);
    bench.row(
        "public with a good token: not looked at, not passed on",
        &Request::get("/healthz").bearer(&viewer),
        &public.clone().no_upstream("authorization").no_upstream("x-user-id"),
    );
    bench.row(
        "public with a bad token",
        &Request::get("/healthz").bearer("rubbish"),
        &public.no_upstream("authorization"),
    );
    bench.row(
        "public, but another method",
        &Request::new("POST", "/healthz").bearer(&admin),
        &Expect::deny(403, "route_not_found"),
    );
    bench.row("a route for one role", &Request::get("/admin/users/3").bearer(&admin), &Expect::allow("role_allowed"));
    bench.row(
        "the same, another role",
        &Request::get("/admin/users/3").bearer(&viewer),
        &Expect::deny(403, "role_denied"),
    );
    bench.row("the same, nobody", &Request::get("/admin/users/3"), &Expect::deny(401, "credentials_missing"));
    bench.row(
        "`{*rest}` needs something",
        &Request::get("/admin/").bearer(&admin),
        &Expect::deny(403, "route_not_found"),
    );
    bench.row(
        "no route, a good token",
        &Request::get("/nowhere").bearer(&admin),
        &Expect::deny(403, "route_not_found"),
    );
    bench.row("no route, nobody", &Request::get("/nowhere"), &Expect::deny(401, "route_not_found"));
    bench.row(
        "no route, a bad token",
        &Request::get("/nowhere").bearer(&Token::of("ada", "admin").forged()),
        &Expect::deny(401, "token_signature"),
    );
    bench.row(
        "a trailing slash is another path",
        &Request::get("/users/ada/documents/7/").bearer(&admin),
        &Expect::deny(403, "route_not_found"),
    );
    bench.row(
        "the case of a path counts",
        &Request::get("/Admin/users/3").bearer(&admin),
        &Expect::deny(403, "route_not_found"),
    );
}

fn malformed(bench: &mut Bench<'_>) {
    let token = Token::of("ada", "admin").mint();
    let twice = Request::get(DOCUMENT).bearer(&token).bearer(&token);
    bench.row("two Authorization headers", &twice, &Expect::deny(400, "header_duplicate"));
    let origins = Request::get(DOCUMENT)
        .bearer(&token)
        .header("origin", "https://app.example.com")
        .header("origin", "https://evil.example.com");
    bench.row("two Origin headers", &origins, &Expect::deny(400, "header_duplicate"));
    bench.row(
        "two Authorization headers on a public route",
        &Request::get("/healthz").bearer(&token).bearer("x"),
        &Expect::deny(400, "header_duplicate"),
    );
    let schemes = [
        ("another scheme twice", "Basic YTpi", "Basic YTpj"),
        ("another scheme before ours", "Basic YTpi", token.as_str()),
    ];
    for (name, first, second) in schemes {
        let twice = |path: &str| Request::get(path).header("authorization", first).bearer(second);
        bench.row(name, &twice(DOCUMENT), &Expect::deny(400, "header_duplicate"));
        bench.row(&format!("{name}, in public"), &twice("/healthz"), &Expect::deny(400, "header_duplicate"));
    }
    bench.row(
        "two Host headers",
        &Request::get("/healthz").header("host", "elsewhere.example.com"),
        &Expect::deny(400, "header_duplicate"),
    );
    for path in [
        "/users/ada%2fdocuments/7",
        "/admin/%5cx",
        "/admin/%00",
        "/admin/%zz",
        "/admin/%252e",
        "/admin/%c0%ae",
        "/admin/a;b",
        "/admin/a%3bb",
        "/admin\\x",
    ] {
        bench.row(path, &Request::get(path).bearer(&token), &Expect::deny(400, "path_malformed"));
    }
}

fn dry_route(bench: &mut Bench<'_>) {
    let good = Token::of("ada", "viewer").claim("scope", "docs:write docs:read").claim("tenant", "acme");
    let search = Request::get("/search?q=x").header("x-tenant", "acme");
    bench.row("all conditions hold", &search.clone().bearer(&good.mint()), &Expect::allow("authenticated"));
    bench.row(
        "a condition fails on a dry route",
        &Request::get("/search?q=x").header("x-tenant", "other").bearer(&good.mint()),
        &Expect::dry_run("condition_denied").target("/search?q=x"),
    );
    bench.row("nobody on a dry route", &search, &Expect::dry_run("credentials_missing"));
    bench.row(
        "another host is another route",
        &search.host("elsewhere.example.com").bearer(&good.mint()),
        &Expect::deny(403, "route_not_found"),
    );
}

fn cors(bench: &mut Bench<'_>) {
    let origin = "https://app.example.com";
    let preflight = |origin: &str, method: &str| {
        Request::new("OPTIONS", DOCUMENT).header("origin", origin).header("access-control-request-method", method)
    };
    bench.row(
        "an allowed preflight, without credentials",
        &preflight(origin, "PUT").header("access-control-request-headers", "authorization"),
        &Expect::preflight()
            .response("access-control-allow-origin", origin)
            .response("access-control-allow-credentials", "true")
            .response("access-control-max-age", "600")
            .some_response("access-control-allow-methods")
            .some_response("access-control-allow-headers"),
    );
    bench.row(
        "a preflight from another origin",
        &preflight("https://evil.example.com", "GET"),
        &Expect::deny(403, "cors_origin").no_response("access-control-allow-origin"),
    );
    bench.row(
        "a refused request can be read by the page that sent it",
        &Request::get(DOCUMENT).header("origin", origin),
        &Expect::deny(401, "credentials_missing").response("access-control-allow-origin", origin),
    );
}
