//! Requests that try to be taken for others. The rows are made from rules: what is guarded, how it is spelt, what is sent
//! beside. Whatever is answered, nothing reaches the upstream but the one form that was decided on.

use serde_json::{Value, json};

use crate::harness::bench::Bench;
use crate::harness::client::{Protocol, Request};
use crate::harness::expect::Expect;
use crate::harness::policy;
use crate::harness::token::Token;
use crate::harness::upstream::Upstream;

use super::{hanging_up_soon, setup};

/// Ways to write `/admin/keys`, and the reason they are refused for where the way is not simply the path itself.
const SPELLINGS: [(&str, Option<&str>); 46] = [
    ("/admin/keys", None),
    ("//admin/keys", None),
    ("/admin//keys", None),
    ("/./admin/keys", None),
    ("/admin/./keys", None),
    ("/open/../admin/keys", None),
    ("/open/x/../../admin/keys", None),
    ("/open/%2e%2e/admin/keys", None),
    ("/open/.%2E/admin/keys", None),
    ("/%61dmin/keys", None),
    ("/%61%64%6d%69%6e/%6B%65%79%73", None),
    ("/admin/keys?x=/open/", None),
    ("/ADMIN/keys", Some("path_ambiguous")),
    ("/Admin/Keys", Some("path_ambiguous")),
    ("/%41dmin/keys", Some("path_ambiguous")),
    ("/open/../ADMIN/keys", Some("path_ambiguous")),
    ("/admin./keys", Some("path_ambiguous")),
    ("/admin%20/keys", Some("path_ambiguous")),
    ("/admin%20./keys", Some("path_ambiguous")),
    ("/open/..%20/admin/keys", Some("path_ambiguous")),
    ("/.../admin/keys", Some("path_ambiguous")),
    ("/%20/admin/keys", Some("path_ambiguous")),
    ("/exact/", Some("path_ambiguous")),
    ("/exact.", Some("path_ambiguous")),
    ("/exact%20", Some("path_ambiguous")),
    ("/exact%3Fx", Some("path_ambiguous")),
    ("/exact%23x", Some("path_ambiguous")),
    ("/EXACT/%3F", Some("path_ambiguous")),
    ("/exac%54", Some("path_ambiguous")),
    ("/%65xact/", Some("path_ambiguous")),
    ("/admin%2fkeys", Some("path_malformed")),
    ("/admin%2Fkeys", Some("path_malformed")),
    ("/admin%252fkeys", Some("path_malformed")),
    ("/admin%5ckeys", Some("path_malformed")),
    ("/admin\\keys", Some("path_malformed")),
    ("/open/..%5cadmin/keys", Some("path_malformed")),
    ("/open/..;/admin/keys", Some("path_malformed")),
    ("/admin;x=y/keys", Some("path_malformed")),
    ("/admin%3bx/keys", Some("path_malformed")),
    ("/%2561dmin/keys", Some("path_malformed")),
    ("/open/%252e%252e/admin/keys", Some("path_malformed")),
    ("/%c1%a1dmin/keys", Some("path_malformed")),
    ("/admin%c0%afkeys", Some("path_malformed")),
    ("/admin/keys%00", Some("path_malformed")),
    ("/admin/keys%0d%0aHost:x", Some("path_malformed")),
    ("/../admin/keys", Some("path_malformed")),
];

/// Headers by which a service might take another request, or another caller.
const FORGED: [(&str, &str); 18] = [
    ("x-http-method-override", "DELETE"),
    ("X-HTTP-Method", "DELETE"),
    ("x-method-override", "PUT"),
    ("x-original-method", "DELETE"),
    ("x-forwarded-method", "DELETE"),
    ("x-original-url", "/admin/keys"),
    ("X-Original-URI", "/admin/keys"),
    ("x-rewrite-url", "/admin/keys"),
    ("x-override-url", "/admin/keys"),
    ("x-forwarded-uri", "/admin/keys"),
    ("x_http_method_override", "DELETE"),
    ("x_original_url", "/admin/keys"),
    ("x-user-id", "root"),
    ("X-User-Role", "admin"),
    ("x_user_id", "root"),
    ("x.user.role", "admin"),
    ("x-portcullis-scope", "any"),
    ("x_portcullis_scope", "any"),
];

/// What is no host, or more than one.
const HOSTS: [&str; 3] = ["inner.example.com@evil.test", "inner.example.com:80:80", "a..b"];

fn guarded() -> Value {
    policy::with_routes(json!([
        {"name": "admin", "match": {"path": "/admin/{*rest}"}, "access": "roles", "roles": ["admin"]},
        {"name": "exact", "match": {"path": "/exact"}, "access": "roles", "roles": ["admin"]},
        {"name": "open", "match": {"path": "/open/{*rest}"}, "access": "public"},
        {"name": "hosted", "match": {"path": "/hosted", "hosts": ["inner.example.com"]}, "access": "public"},
        {"name": "rest", "match": {"path": "/{*rest}"}, "access": "authenticated"},
    ]))
}

/// Whether HTTP/2 has no such request: of what is the connection's, it knows `te: trailers` alone (RFC 9113 section 8.2.2).
fn is_of_http1(request: &Request) -> bool {
    request.headers.iter().any(|(name, value)| match name.as_str() {
        "connection" | "keep-alive" | "proxy-connection" => true,
        "te" => value != b"trailers",
        _ => false,
    })
}

#[test]
fn nothing_passes_for_what_it_is_not() {
    let upstream = Upstream::start();
    let proxy = setup(&upstream).policy("main", &guarded()).manager(&hanging_up_soon()).start();
    let mut bench = Bench::new("hostile requests", &proxy, "main", &upstream);
    let tokens = ["viewer", "admin"].map(|role| Token::of("ada", role).mint());
    for protocol in Protocol::BOTH {
        bench = bench.over(protocol);
        let mut row = |name: &str, request: &Request, expect: &Expect| {
            if protocol == Protocol::Http2 && is_of_http1(request) {
                bench.refused(name, request);
            } else {
                bench.row(name, request, expect);
            }
        };
        paths(&tokens, &mut row);
        forged(&tokens, &mut row);
        single(&tokens, &mut row);
        hosts(protocol, &mut bench);
        not_http(protocol, &tokens[0], &mut bench);
    }
    let rows = bench.finish();
    assert!(rows >= 600, "{rows} rows");
    assert!(proxy.vm_failures().is_empty(), "{:?}", proxy.vm_failures());
}

fn paths([viewer, admin]: &[String; 2], row: &mut impl FnMut(&str, &Request, &Expect)) {
    for (path, refused) in SPELLINGS {
        let query = path.split_once('?').map_or(String::new(), |(_, query)| format!("?{query}"));
        for method in ["GET", "POST"] {
            let send = |token: Option<&str>| {
                let request = Request::new(method, path);
                token.iter().fold(request, |request, token| request.bearer(token))
            };
            let name = |who: &str| format!("{who}: {method} {path}");
            let nobody = match refused {
                Some("path_malformed") => Expect::deny(400, "path_malformed"),
                Some(reason) if path.starts_with("/open/..%20") => Expect::deny(400, reason),
                // Who may not even use the route it has is told no more.
                _ => Expect::deny(401, "credentials_missing"),
            };
            row(&name("nobody"), &send(None), &nobody);
            let [by_viewer, by_admin] = match refused {
                Some(reason) => [Expect::deny(400, reason), Expect::deny(400, reason)],
                None => [
                    Expect::deny(403, "role_denied").record("route", "admin"),
                    Expect::allow("role_allowed").record("route", "admin").target(&format!("/admin/keys{query}")),
                ],
            };
            row(&name("a viewer"), &send(Some(viewer)), &by_viewer);
            row(&name("an admin"), &send(Some(admin)), &by_admin);
        }
    }
}

fn forged([viewer, _]: &[String; 2], row: &mut impl FnMut(&str, &Request, &Expect)) {
    for (header, value) in FORGED {
        let bare = |expect: Expect| expect.no_upstream(&header.to_ascii_lowercase());
        let public = Request::get("/open/x").header(header, value);
        row(&format!("{header} to a public route"), &public, &bare(Expect::allow("public").target("/open/x")));
        let twice = public.header(header, "other");
        row(&format!("{header} twice"), &twice, &bare(Expect::allow("public").target("/open/x")));
        let guarded = Request::get("/admin/keys").bearer(viewer).header(header, value);
        row(&format!("{header} to a guarded route"), &guarded, &Expect::deny(403, "role_denied"));
        // Envoy takes `Connection` away before the filter is asked: what the filter sets is not dropped for it.
        let dropped = Request::get("/rest").bearer(viewer).header("connection", header).header(header, value);
        let told = Expect::allow("authenticated").upstream("x-user-id", "ada").upstream("x-user-role", "viewer");
        let told = if header.to_ascii_lowercase().starts_with("x-user") { told } else { bare(told) };
        row(&format!("{header} named in Connection"), &dropped, &told.no_upstream("connection"));
    }

    let told = Expect::allow("authenticated").upstream("x-user-id", "ada").upstream("x-user-role", "viewer");
    for (name, value) in [
        ("connection", "x-user-id"),
        ("connection", "close, x-user-role"),
        ("te", "trailers, x-user-id"),
        ("te", "trailers"),
        ("trailer", "x-user-id"),
        ("proxy-connection", "x-user-id"),
        ("keep-alive", "x-user-id"),
        ("http2-settings", "AAMAAABkAAQAAP__"),
    ] {
        let request = Request::get("/rest").bearer(viewer).header(name, value);
        row(&format!("{name}: {value}"), &request, &told);
    }
}

fn single([viewer, admin]: &[String; 2], row: &mut impl FnMut(&str, &Request, &Expect)) {
    for (name, request) in [
        ("authorization", Request::get("/open/x").bearer(viewer).bearer(admin)),
        ("authorization, the same", Request::get("/open/x").bearer(viewer).bearer(viewer)),
        ("origin", Request::get("/open/x").header("origin", "https://a.test").header("origin", "https://b.test")),
    ] {
        row(&format!("twice: {name}"), &request, &Expect::deny(400, "header_duplicate"));
    }
    let twice = Request::new("POST", "/open/x").header("content-type", "application/json");
    let twice = twice.header("content-type", "text/html");
    row("twice: content-type", &twice, &Expect::deny(400, "header_duplicate"));
    let listed = Request::new("POST", "/open/x").header("content-type", "multipart/mixed; boundary=\"a,b\"");
    row("a comma in a boundary", &listed, &Expect::allow("public"));
    for value in ["Bearer\t", "bearer \t", "Bearer\""] {
        let disguised = Request::get("/open/x").header("authorization", format!("{value}{viewer}"));
        row(&format!("{value:?} before a token"), &disguised, &Expect::allow("public").no_upstream("authorization"));
        let disguised = Request::get("/rest").header("authorization", format!("{value}{viewer}"));
        row(&format!("{value:?} where one is needed"), &disguised, &Expect::deny(401, "credentials_missing"));
    }
    for length in [8193, 20_000, 60_000] {
        let request = Request::get("/rest").bearer(&"a".repeat(length));
        row(&format!("a token of {length}"), &request, &Expect::deny(401, "token_too_large"));
        let request = Request::get("/open/x").header("cookie", "a=".to_owned() + &"b".repeat(length));
        row(&format!("a cookie of {length}"), &request, &Expect::allow("public"));
    }
    for method in ["TRACE", "PROPFIND", "OPTIONS", "HEAD", "PATCH"] {
        let request = Request::new(method, "/admin/keys").bearer(viewer);
        row(method, &request, &Expect::deny(403, "role_denied"));
    }
}

fn hosts(protocol: Protocol, bench: &mut Bench<'_>) {
    for host in HOSTS {
        let request = Request::get("/hosted").host(host);
        // Envoy knows some of them itself, in HTTP/2 alone.
        if protocol == Protocol::Http2 && host.contains('@') {
            bench.refused(host, &request);
        } else {
            bench.row(host, &request, &Expect::deny(400, "request_malformed"));
        }
    }
    for host in ["evil.test", "inner.example.com.evil.test"] {
        bench.row(host, &Request::get("/hosted").host(host), &Expect::deny(401, "credentials_missing"));
    }
    for (name, other) in [("the same", "inner.example.com"), ("another", "evil.test")] {
        let request = Request::get("/hosted").host("inner.example.com").header("host", other);
        let name = format!("two hosts, {name}");
        if protocol == Protocol::Http1 {
            bench.row(&name, &request, &Expect::deny(400, "header_duplicate"));
            continue;
        }
        // A `host` beside `:authority` goes no further than Envoy, and `policy explain` is not told of that.
        let exchange = bench.exchange(&request);
        let one = matches!(exchange.seen.as_slice(), [seen] if seen.headers.all("host") == ["inner.example.com"]);
        bench.holds(&name, one, || format!("{exchange:?}"));
    }
}

/// What is not HTTP, Envoy says itself, as far as it looks.
fn not_http(protocol: Protocol, viewer: &str, bench: &mut Bench<'_>) {
    for method in ["get", "GeT", "DELETE,GET"] {
        let request = Request::new(method, "/admin/keys").bearer(viewer);
        match protocol {
            // A token in whatever case is a method (RFC 9110 section 9.1), and these are none of those in the policy.
            Protocol::Http2 if !method.contains(',') => {
                _ = bench.row(method, &request, &Expect::deny(403, "role_denied"))
            }
            _ => bench.refused(method, &request),
        }
    }
    bench.refused("a path in the host", &Request::get("/hosted").host("evil.test/inner.example.com"));
    if protocol == Protocol::Http1 {
        // Envoy drops what `Connection` names before the filter is asked: who has their token dropped has none.
        let dropped = Request::get("/rest").bearer(viewer).header("connection", "keep-alive, authorization");
        let exchange = bench.exchange(&dropped);
        let refused = exchange.response.status == 401 && exchange.seen.is_empty();
        bench.holds("a token named in Connection", refused, || format!("{exchange:?}"));
    }
}
