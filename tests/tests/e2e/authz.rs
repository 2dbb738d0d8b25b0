//! Who may do what: ownership, conditions, addresses, and which route a request is on.

use serde_json::{Value, json};

use crate::harness::bench::Bench;
use crate::harness::client::Request;
use crate::harness::expect::Expect;
use crate::harness::policy;
use crate::harness::token::Token;
use crate::harness::upstream::Upstream;

use super::setup;

#[test]
fn ownership_conditions_and_addresses() {
    let upstream = Upstream::start();
    let proxy = setup(&upstream).policy("main", &policy::with_routes(rules())).start();
    let mut bench = Bench::new("authorization", &proxy, "main", &upstream);
    ownership(&mut bench);
    conditions(&mut bench);
    addresses(&mut bench);
    bench.finish();
}

fn rules() -> Value {
    json!([
        {"name": "left", "match": {"path": "/left/{id}"}, "access": "role_table", "owner": {"upstream": true}},
        {"name": "ownerless", "match": {"path": "/ownerless/{id}"}, "access": "role_table"},
        {"name": "by-account", "match": {"path": "/accounts/{account}"}, "access": "role_table",
         "owner": {"param": "account", "claim": ["app", "account"]}},
        {"name": "several", "match": {"path": "/several"}, "access": "roles", "roles": ["editor", "viewer"]},
        {"name": "scope", "match": {"path": "/scope"}, "access": "authenticated",
         "when": [{"claim": ["scope"], "contains": "docs:read"}]},
        {"name": "groups", "match": {"path": "/groups"}, "access": "authenticated",
         "when": [{"claim": ["groups"], "contains": "staff"}]},
        {"name": "value", "match": {"path": "/value"}, "access": "authenticated",
         "when": [{"claim": ["tenant"], "equals": "acme"}]},
        {"name": "header", "match": {"path": "/header"}, "access": "authenticated",
         "when": [{"claim": ["tenant"], "equals": {"header": "x-tenant"}}]},
        {"name": "param", "match": {"path": "/param/{tenant}"}, "access": "authenticated",
         "when": [{"claim": ["tenant"], "equals": {"param": "tenant"}}]},
        {"name": "query", "match": {"path": "/query"}, "access": "authenticated",
         "when": [{"claim": ["tenant"], "equals": {"query": "tenant"}}]},
        {"name": "both", "match": {"path": "/both"}, "access": "authenticated", "when": [
            {"claim": ["tenant"], "equals": "acme"}, {"claim": ["scope"], "contains": "docs:read"}]},
        {"name": "nested", "match": {"path": "/nested"}, "access": "authenticated",
         "when": [{"claim": ["org", "kubernetes.io/name"], "equals": "acme"}]},
        {"name": "far", "match": {"path": "/far"}, "access": "public", "ip": {"allow": ["192.0.2.0/24"]}},
        {"name": "near", "match": {"path": "/near"}, "access": "public", "ip": {"allow": ["127.0.0.1/32"]}},
        {"name": "banned", "match": {"path": "/banned"}, "access": "public", "ip": {"deny": ["127.0.0.0/8"]}},
        {"name": "carved", "match": {"path": "/carved"}, "access": "public",
         "ip": {"allow": ["127.0.0.0/8"], "deny": ["127.0.0.1/32"]}},
        {"name": "far-members", "match": {"path": "/far-members"}, "access": "authenticated",
         "ip": {"allow": ["192.0.2.0/24"]}},
    ])
}

fn ownership(bench: &mut Bench<'_>) {
    let editor = Token::of("ada", "editor");
    let put = |path: &str, token: &Token| Request::new("PUT", path).bearer(&token.mint());
    bench.row(
        "the service decides what is the caller's own",
        &put("/left/5", &editor).header("x-portcullis-scope", "any"),
        &Expect::allow("owner_upstream").upstream("x-portcullis-scope", "own"),
    );
    bench.row(
        "a role that may do it anyway is not narrowed",
        &put("/left/5", &Token::of("root", "admin")),
        &Expect::allow("role_allowed").no_upstream("x-portcullis-scope"),
    );
    bench.row("a role that may not", &put("/left/5", &Token::of("ada", "viewer")), &Expect::deny(403, "role_denied"));
    bench.row(
        "own, where nothing says what that is",
        &put("/ownerless/5", &editor),
        &Expect::deny(403, "owner_denied"),
    );
    bench.row(
        "reading needs no owner",
        &Request::get("/ownerless/5").bearer(&editor.mint()),
        &Expect::allow("role_allowed"),
    );

    let account = |value: Value| editor.clone().claim("app", json!({"account": value}));
    let accounts = account(json!("a2"));
    bench.row("a claim within a claim", &put("/accounts/a2", &accounts), &Expect::allow("owner_allowed"));
    bench.row("a number", &put("/accounts/42", &account(json!(42))), &Expect::allow("owner_allowed"));
    for (name, path, claim) in [
        ("another account", "/accounts/a3", json!("a2")),
        ("a part of it", "/accounts/a", json!("a2")),
        ("its case counts", "/accounts/A2", json!("a2")),
        ("the claim is empty", "/accounts/a2", json!("")),
        ("the claim is missing", "/accounts/a2", Value::Null),
        ("the claim is something else", "/accounts/a2", json!({"a2": true})),
    ] {
        bench.row(name, &put(path, &account(claim)), &Expect::deny(403, "owner_denied"));
    }
    bench.row(
        "an escaped letter is the letter",
        &put("/accounts/%61%32", &accounts),
        &Expect::allow("owner_allowed").target("/accounts/a2"),
    );
    bench.row(
        "two roles, the better counts",
        &put("/ownerless/5", &editor.clone().claim("role", vec!["viewer", "admin"])),
        &Expect::allow("role_allowed"),
    );
    bench.row("one of several roles", &Request::get("/several").bearer(&editor.mint()), &Expect::allow("role_allowed"));
    bench.row(
        "none of them",
        &Request::get("/several").bearer(&Token::of("root", "admin").mint()),
        &Expect::deny(403, "role_denied"),
    );
}

fn conditions(bench: &mut Bench<'_>) {
    let token = Token::of("ada", "viewer").claim("tenant", "acme");
    let get = |path: &str, token: &Token| Request::get(path).bearer(&token.mint());
    let (allow, deny) = (Expect::allow("authenticated"), Expect::deny(403, "condition_denied"));
    let claim = |name: &str, value: Value| token.clone().claim(name, value);
    let rows = [
        ("a word of a scope", get("/scope", &claim("scope", json!("docs:write docs:read"))), &allow),
        ("a part of a word", get("/scope", &claim("scope", json!("docs:readonly"))), &deny),
        ("an empty scope", get("/scope", &claim("scope", json!(""))), &deny),
        ("no scope", get("/scope", &token), &deny),
        ("a scope that is a list", get("/scope", &claim("scope", json!(["docs:read"]))), &allow),
        ("a member of a list", get("/groups", &claim("groups", json!(["sales", "staff"]))), &allow),
        ("no member of it", get("/groups", &claim("groups", json!(["staffing"]))), &deny),
        ("an empty list", get("/groups", &claim("groups", json!([]))), &deny),
        ("a list of other things", get("/groups", &claim("groups", json!([1, null, {"staff": 1}]))), &deny),
        ("the value", get("/value", &token), &allow),
        ("another value", get("/value", &claim("tenant", json!("ACME"))), &deny),
        ("a value of another kind", get("/value", &claim("tenant", json!({"acme": 1}))), &deny),
        ("the header's", get("/header", &token).header("x-tenant", "acme"), &allow),
        ("another in the header", get("/header", &token).header("x-tenant", "umbrella"), &deny),
        ("no header", get("/header", &token), &deny),
        ("no header and no claim", get("/header", &claim("tenant", Value::Null)), &deny),
        (
            "two headers, one of them right",
            get("/header", &token).header("x-tenant", "acme").header("x-tenant", "umbrella"),
            &deny,
        ),
        ("the parameter's", get("/param/acme", &token), &allow),
        ("another parameter", get("/param/umbrella", &token), &deny),
        ("the query's", get("/query?a=1&tenant=acme", &token), &allow),
        ("the query's, escaped", get("/query?tenant=%61cme", &token), &allow),
        ("another in the query", get("/query?tenant=umbrella", &token), &deny),
        ("two in the query, one of them right", get("/query?tenant=acme&tenant=umbrella", &token), &deny),
        ("no query", get("/query", &token), &deny),
        ("all hold", get("/both", &claim("scope", json!("docs:read"))), &allow),
        ("one does not", get("/both", &token), &deny),
        ("a claim within a claim", get("/nested", &claim("org", json!({"kubernetes.io/name": "acme"}))), &allow),
        ("dots do not make a path", get("/nested", &claim("org", json!({"kubernetes": {"io/name": "acme"}}))), &deny),
    ];
    for (name, request, expect) in rows {
        bench.row(name, &request, expect);
    }
}

fn addresses(bench: &mut Bench<'_>) {
    let denied = Expect::deny(403, "ip_denied").record("ip_address", "127.0.0.1");
    bench.row("an address not allowed", &Request::get("/far"), &denied);
    bench.row("an address allowed", &Request::get("/near"), &Expect::allow("public").record("ip_address", "127.0.0.1"));
    bench.row("an address denied", &Request::get("/banned"), &denied);
    bench.row("allowed and denied", &Request::get("/carved"), &denied);
    bench.row(
        "a header does not make the address",
        &Request::get("/far").header("x-forwarded-for", "192.0.2.7").header("x-real-ip", "192.0.2.7"),
        &denied,
    );
    let token = Token::of("ada", "admin").mint();
    bench.row("a good token does not help", &Request::get("/far-members").bearer(&token), &denied);
}

#[test]
fn the_most_specific_route_wins() {
    let upstream = Upstream::start();
    // In the worst order: the widest first.
    let routes = json!([
        {"name": "rest", "match": {"path": "/files/{*rest}"}, "access": "public"},
        {"name": "parameter", "match": {"path": "/files/{id}"}, "access": "public"},
        {"name": "literal", "match": {"path": "/files/index"}, "access": "public"},
        {"name": "literal-write", "match": {"path": "/things/special", "methods": ["POST"]}, "access": "public"},
        {"name": "any", "match": {"path": "/things/{id}"}, "access": "public"},
        {"name": "suffix", "match": {"path": "/hosted", "hosts": ["*.example.org"]}, "access": "public"},
        {"name": "exact", "match": {"path": "/hosted", "hosts": ["api.example.org"]}, "access": "public"},
        {"name": "inside", "match": {"path": "/a/{x}/c"}, "access": "public"},
        {"name": "closed", "match": {"path": "/private/{*rest}"}, "access": "authenticated"},
        {"name": "root", "match": {"path": "/"}, "access": "public"},
    ]);
    let proxy = setup(&upstream).policy("main", &policy::with_routes(routes)).start();
    let mut bench = Bench::new("routes", &proxy, "main", &upstream);
    let taken = [
        ("/files/index", "literal", "/files/index"),
        ("/files/other", "parameter", "/files/other"),
        ("/files/a/b", "rest", "/files/a/b"),
        ("/files/index?x=/../y", "literal", "/files/index?x=/../y"),
        ("/files/%69ndex", "literal", "/files/index"),
        ("/files/./index", "literal", "/files/index"),
        ("/files//index", "literal", "/files/index"),
        ("//files/index", "literal", "/files/index"),
        ("/files/x/../index", "literal", "/files/index"),
        ("/files/x/%2e%2E/index", "literal", "/files/index"),
        ("/private/../files/index", "literal", "/files/index"),
        ("/files/%20x", "parameter", "/files/%20x"),
        ("/files/%c3%a9", "parameter", "/files/%C3%A9"),
        ("/things/special", "any", "/things/special"),
        ("/a/b/c", "inside", "/a/b/c"),
        ("/", "root", "/"),
        ("/?x", "root", "/?x"),
    ];
    for (path, route, target) in taken {
        bench.row(path, &Request::get(path), &Expect::allow("public").record("route", route).target(target));
    }
    bench.row(
        "methods choose",
        &Request::new("POST", "/things/special"),
        &Expect::allow("public").record("route", "literal-write"),
    );
    let hosts = [
        ("api.example.org", "exact"),
        ("API.example.org:8080", "exact"),
        ("www.example.org", "suffix"),
        ("a.b.example.org", "suffix"),
    ];
    for (host, route) in hosts {
        bench.row(host, &Request::get("/hosted").host(host), &Expect::allow("public").record("route", route));
    }
    for host in ["example.org", "evilexample.org", "example.com", "example.org.evil.com"] {
        bench.row(host, &Request::get("/hosted").host(host), &Expect::deny(401, "route_not_found"));
    }
    let elsewhere = ["/files", "/files/", "/files/index/..", "/a/b/c/d", "/a//c", "/files/../private/x/../../nothing"];
    for path in elsewhere {
        bench.row(path, &Request::get(path), &Expect::deny(401, "route_not_found"));
    }
    for path in ["/files/../private/x", "/files/%2e%2e/private/x", "/./private//x", "/files/a/../../private/x"] {
        bench.row(path, &Request::get(path), &Expect::deny(401, "credentials_missing").record("route", "closed"));
    }
    for path in ["/..", "/files/../..", "/%2e%2e/files/index"] {
        bench.row(path, &Request::get(path), &Expect::deny(400, "path_malformed"));
    }
    // Envoy picked its route by what the client wrote; it must follow the path it is given.
    bench.row(
        "/direct/../files/index",
        &Request::get("/direct/../files/index"),
        &Expect::allow("public").record("route", "literal").target("/files/index"),
    );
    bench.finish();
}

/// With Envoy's own normalisation on, as `envoy/envoy.yaml` has it, the two agree.
#[test]
fn envoy_may_normalize_first() {
    let upstream = Upstream::start();
    let routes = json!([
        {"name": "open", "match": {"path": "/open/{*rest}"}, "access": "public"},
        {"name": "closed", "match": {"path": "/closed/{*rest}"}, "access": "authenticated"},
    ]);
    let proxy = setup(&upstream).policy("main", &policy::with_routes(routes)).normalize().start();
    let mut bench = Bench::new("normalized by Envoy", &proxy, "main", &upstream);
    for path in ["/open/x", "/closed/../open/x", "//open//x", "/open/%78"] {
        bench.row(path, &Request::get(path), &Expect::allow("public").target("/open/x"));
    }
    for path in ["/closed/x", "/open/../closed/x", "/open/%2e%2e/closed/x"] {
        bench.row(path, &Request::get(path), &Expect::deny(401, "credentials_missing"));
    }
    bench.finish();
}
