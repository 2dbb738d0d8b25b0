#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use serde_json::{Value, json};

use super::{OVERRIDES, OWN_PREFIX, forgeable, is_forged};
use crate::policy::Policy;
use crate::testing::{Request, after, amended, header_name, headers, policy, provider, token, with_routes};

fn routes() -> Value {
    json!([
        {"name": "open", "match": {"path": "/open/{*rest}"}, "access": "public"},
        {"name": "me", "match": {"path": "/me"}, "access": "authenticated"},
        {"name": "admin", "match": {"path": "/admin"}, "access": "roles", "roles": ["admin"]},
        {
            "name": "files",
            "match": {"path": "/files/{id}"},
            "access": "role_table",
            "owner": {"upstream": true},
        },
    ])
}

fn with_provider(members: Value) -> Policy {
    policy(&amended(with_routes(routes()), json!({"providers": [amended(provider(), members)]})))
}

/// What the upstream is sent of a request, without what every request has.
#[track_caller]
fn sent(request: &Request, policy: &Policy) -> Vec<(String, String)> {
    let verdict = request.decide(policy);
    let before: Vec<(&str, &str)> = request
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), std::str::from_utf8(value).unwrap_or("bytes")))
        .collect();
    let mut sent = after(verdict.edits(), &before);
    sent.retain(|(name, _)| !matches!(name.as_str(), ":method" | ":authority"));
    sent
}

#[track_caller]
fn check(request: &Request, policy: &Policy, expected: &[(&str, &str)], message: &str) {
    let sent = sent(request, policy);
    let sent: Vec<(&str, &str)> = sent.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(sent, expected, "{message}");
}

#[test]
fn no_client_names_itself() {
    let policy = policy(&with_routes(routes()));
    let spoofed = |request: Request| {
        request
            .with("x-user-id", "root")
            .with("x_user_id", "root")
            .with("x-user_id", "root")
            .with("x.user.id", "root")
            .with("x-user-id", "again")
            .with("x-user-role", "admin")
            .with("x-portcullis-scope", "any")
            .with("x_portcullis_scope", "any")
            .with("x-portcullis-", "any")
            .with("x-portcullis-new", "any")
            .with("x-user-ids", "kept")
            .with("x-portcullis", "kept")
            .with("xx-user-id", "kept")
    };
    let kept = [("x-portcullis", "kept"), ("x-user-ids", "kept"), ("xx-user-id", "kept")];
    let expected = |path, identity: &[(&'static str, &'static str)]| {
        let mut all = [&[(":path", path)], identity, &kept].concat();
        all.sort_unstable();
        all
    };
    check(&spoofed(Request::get("/open/x")), &policy, &expected("/open/x", &[]), "on a public route");
    check(
        &spoofed(Request::get("/me").role("viewer")),
        &policy,
        &expected("/me", &[("x-user-id", "u1"), ("x-user-role", "viewer")]),
        "beside a good token",
    );
    check(&spoofed(Request::get("/me").bearer(json!({}))), &policy, &expected("/me", &[]), "a token that names nobody");
    let dry = amended(with_routes(routes()), json!({"mode": "dry_run"}));
    let dry = crate::testing::policy(&dry);
    check(&spoofed(Request::get("/me")), &dry, &expected("/me", &[]), "in a dry run, without a token");
    check(
        &spoofed(Request::get("/me").with("authorization", "Bearer x")),
        &dry,
        &expected("/me", &[]),
        "in a dry run, with a bad one",
    );
    check(&spoofed(Request::get("/a%2fb")), &dry, &expected("/a%2fb", &[]), "in a dry run, however malformed");
    check(
        &spoofed(Request::get("/admin").role("viewer")),
        &dry,
        &expected("/admin", &[("x-user-id", "u1"), ("x-user-role", "viewer")]),
        "in a dry run, where the role would be refused",
    );
}

#[test]
fn claims_become_headers() {
    let policy = with_provider(json!({"claim_to_headers": [
        {"claim": ["sub"], "header": "X-User-Id"},
        {"claim": ["realm", "roles"], "header": "x_roles"},
        {"claim": ["level"], "header": "x-level"},
        {"claim": ["admin"], "header": "x-admin"},
    ]}));
    let me = (":path", "/me");
    for (claims, expected, message) in [
        (json!({"sub": "u1"}), vec![me, ("x-user-id", "u1")], "text"),
        (json!({"realm": {"roles": ["a", "b"]}}), vec![me, ("x_roles", "a,b")], "an array, further down"),
        (json!({"level": 7, "admin": false}), vec![me, ("x-admin", "false"), ("x-level", "7")], "other scalars"),
        (json!({"level": {"a": 1}, "realm": "x"}), vec![me], "what is no scalar"),
        (json!({"realm": {"roles": ["a,b"]}}), vec![me], "what would be read as two"),
        (json!({"level": "1\r\nx-admin: true"}), vec![me], "what would be two lines"),
        (json!({"sub": "josé"}), vec![me, ("x-user-id", "josé")], "beyond ASCII"),
    ] {
        check(&Request::get("/me").bearer(claims), &policy, &expected, message);
    }
    let spoofed = Request::get("/me").bearer(json!({"sub": "u1"})).with("x-roles", "root").with("x_roles", "root");
    check(&spoofed, &policy, &[me, ("x-user-id", "u1")], "in either spelling");
}

#[test]
fn only_the_provider_of_the_token_names_the_caller() {
    let other = amended(
        provider(),
        json!({
            "name": "other",
            "issuer": "https://b.test",
            "claim_to_headers": [{"claim": ["sub"], "header": "x-partner"}],
        }),
    );
    let policy = policy(&amended(with_routes(routes()), json!({"providers": [provider(), other]})));
    let spoofed = |claims| Request::get("/me").bearer(claims).with("x-user-id", "root").with("x-partner", "root");
    let partner = spoofed(json!({"iss": "https://b.test", "sub": "u1"}));
    check(&partner, &policy, &[(":path", "/me"), ("x-partner", "u1")], "the partner");
    check(&spoofed(json!({"sub": "u1"})), &policy, &[(":path", "/me"), ("x-user-id", "u1")], "ours");
}

#[test]
fn tokens_stay_behind() {
    let good = token(json!({"sub": "u1"}));
    let me = (":path", "/me");
    let user = ("x-user-id", "u1");
    let places = with_provider(json!({
        "from_headers": [{"name": "x-token"}, {"name": "authorization", "value_prefix": "Bearer "}],
        "from_cookies": ["session"],
        "from_params": ["token"],
    }));
    let cookie = |line: &str| Request::get("/me").with("cookie", line.replace("GOOD", &good));
    let target = |target: &str| Request::get(&target.replace("GOOD", &good));
    for (request, expected, message) in [
        (Request::get("/me").with("x-token", &good), vec![me, user], "a header of its own"),
        (Request::get("/me").with("authorization", format!("Bearer {good}")), vec![me, user], "authorization"),
        (
            Request::get("/me").with("x-token", &good).with("authorization", "Basic YTpi"),
            vec![me, ("authorization", "Basic YTpi"), user],
            "beside a credential of another scheme",
        ),
        (
            Request::get("/me").with("x-token", &good).with("x_token", "forged").with("x.token", "forged"),
            vec![me, user],
            "beside what some servers take for it",
        ),
        (cookie("session=GOOD"), vec![me, user], "the only cookie"),
        (cookie("a=b; session=GOOD; c=d"), vec![me, ("cookie", "a=b; c=d"), user], "one of three cookies"),
        (cookie("a=b;session=GOOD;;c"), vec![me, ("cookie", "a=b; c"), user], "cookies written otherwise"),
        (cookie("sessions=x; session=GOOD"), vec![me, ("cookie", "sessions=x"), user], "a cookie of a like name"),
        (cookie("a=b").with("cookie", format!("session={good}")), vec![me, ("cookie", "a=b"), user], "in two lines"),
        (cookie("a=b; session =GOOD"), vec![me, ("cookie", "a=b"), user], "a name that servers trim"),
        (cookie("\u{a0}session=GOOD; a=b"), vec![me, ("cookie", "a=b"), user], "of what is a space to some"),
        (
            Request::get("/me").with("cookie", [b"a=\xe9; session=", good.as_bytes(), b"; c=d"].concat()),
            vec![me, ("cookie", "c=d"), user],
            "beside one that is no text",
        ),
        (target("/me?token=GOOD"), vec![me, user], "the only parameter"),
        (target("/me?a=b&token=GOOD&c"), vec![(":path", "/me?a=b&c"), user], "one of three parameters"),
        (
            target("/me?%74oken=GOOD&a=%20+"),
            vec![(":path", "/me?a=%20+"), user],
            "escaped; the others stay as they are",
        ),
        (target("/me?tokens=x&token=GOOD"), vec![(":path", "/me?tokens=x"), user], "a parameter of a like name"),
        (target("/./me?token=GOOD"), vec![me, user], "in a path that changes too"),
        (target("/me?a"), vec![], "none"),
    ] {
        if expected.is_empty() {
            assert_eq!(request.decide(&places).outcome(), ("deny", "credentials_missing"), "{message}");
        } else {
            check(&request, &places, &expected, message);
        }
    }
}

#[test]
fn tokens_stay_behind_even_where_nobody_looks_at_them() {
    let policy = with_provider(json!({"from_cookies": ["session"], "from_params": ["token"]}));
    let open = (":path", "/open/x");
    for (request, message) in [
        (Request::get("/open/x").role("viewer"), "a good one"),
        (Request::get("/open/x").with("authorization", "Bearer x"), "a bad one"),
        (Request::get("/open/x").with("cookie", "session=x"), "in a cookie"),
        (Request::get("/open/x").with("cookie", b"a=\xe9; session=x"), "beside a cookie that is no text"),
        (Request::get("/open/x").with("cookie", b"session=x\xe9"), "in one that is no text itself"),
        (Request::get("/open/x?token=x"), "in a parameter"),
    ] {
        check(&request, &policy, &[open], message);
    }
    for value in ["Basic YTpi", "BearerX a.b.c", "Bearer.a.b.c"] {
        let request = Request::get("/open/x").with("authorization", value);
        check(&request, &policy, &[open, ("authorization", value)], "what is no token stays");
    }
}

/// What is no token here, and may be one to a service that splits more freely.
#[test]
fn disguised_tokens_stay_behind() {
    let places = json!({
        "from_headers": [{"name": "authorization", "value_prefix": "Bearer "}, {"name": "x-token"}, {"name": "x-raw", "value_prefix": "raw-"}],
        "forward": true,
        "claim_to_headers": [],
    });
    let policy = with_provider(places);
    let good = token(json!({}));
    for separator in ["\t", " \t", "\t ", "\u{b}", "\u{c}", "\u{1f}", "\u{a0}", ":", "=", "\"", "/"] {
        let disguised = format!("bEARER{separator}{good}");
        let open = Request::get("/open/x").with("authorization", &disguised);
        check(&open, &policy, &[(":path", "/open/x")], &disguised);
        let me = Request::get("/me").with("authorization", &disguised);
        assert_eq!(me.decide(&policy).outcome(), ("deny", "credentials_missing"), "{disguised}");
        let beside = me.with("x-token", &good);
        check(&beside, &policy, &[(":path", "/me"), ("x-token", &good)], &disguised);
    }
    let raw = Request::get("/open/x").with("x-raw", "raw\t1");
    check(&raw, &policy, &[(":path", "/open/x"), ("x-raw", "raw\t1")], "a prefix that is no scheme has no separator");
}

/// What a service may take for a header that was decided on, or for one of ours, does not follow in a trailer.
#[test]
fn trailers_say_nothing_of_what_was_decided() {
    let routes = json!([
        {"name": "a", "match": {"path": "/a"}, "access": "authenticated",
         "when": [{"claim": ["tenant"], "equals": {"header": "X-Tenant"}}]},
        {"name": "b", "match": {"path": "/b"}, "access": "public",
         "input": {"headers": {"X-Page": {"type": "integer"}}}},
    ]);
    let provider = amended(provider(), json!({"from_headers": [{"name": "X-Token"}], "forward": true}));
    let policy = policy(&amended(with_routes(routes), json!({"providers": [provider]})));
    let left = |name: &str| {
        let trailers = [(name, "a"), (name, "b"), ("x-checksum", "c")];
        let edits = policy.request_trailer_edits(&headers(&trailers));
        after(&edits, &trailers).len()
    };
    for name in [
        "x-user-id",
        "x_user_id",
        "x.user.role",
        "x-portcullis-scope",
        "x-http-method-override",
        "x_original_url",
        "x-token",
        "x_token",
        "x-tenant",
        "x_page",
        "authorization",
        "proxy-authorization",
        "cookie",
        "host",
        "origin",
        "content-type",
        "content-length",
        "transfer-encoding",
        "upgrade",
        "x-forwarded-for",
        "x_forwarded_client_cert",
        "x-envoy-external-address",
    ] {
        assert_eq!(left(name), 1, "{name} goes, every line of it");
    }
    for name in ["grpc-status", "x-users", "digest", "server-timing"] {
        assert_eq!(left(name), 3, "{name} stays");
    }
    assert_eq!(policy.request_trailer_edits(&headers(&[("digest", "a")])), [], "nothing to remove is no edit");
}

#[test]
fn tokens_go_on_where_their_provider_says_so() {
    let policy = with_provider(json!({"forward": true, "claim_to_headers": []}));
    let bearer = |value: &str| format!("Bearer {value}");
    let good = bearer(&token(json!({})));
    let me = Request::get("/me").with("authorization", &good);
    check(&me, &policy, &[(":path", "/me"), ("authorization", &good)], "a good one");
    let open = Request::get("/open/x").with("authorization", bearer("x"));
    check(&open, &policy, &[(":path", "/open/x"), ("authorization", "Bearer x")], "one that nobody looks at");

    let first = amended(provider(), json!({"forward": true, "issuer": "https://a.test", "claim_to_headers": []}));
    let second = amended(provider(), json!({"name": "second", "issuer": "https://b.test", "claim_to_headers": []}));
    let mixed = crate::testing::policy(&amended(with_routes(routes()), json!({"providers": [first, second]})));
    let of = |issuer: &str| bearer(&token(json!({"iss": issuer})));
    let (ours, theirs) = (of("https://a.test"), of("https://b.test"));
    let me = |value: &str| Request::get("/me").with("authorization", value);
    check(&me(&ours), &mixed, &[(":path", "/me"), ("authorization", &ours)], "the one that forwards");
    check(&me(&theirs), &mixed, &[(":path", "/me")], "the one that does not");
    let open = Request::get("/open/x").with("authorization", &ours);
    check(&open, &mixed, &[(":path", "/open/x")], "unverified, it may be of the one that does not");
}

/// What is refused before its token was looked for takes it along no more than any other.
#[test]
fn tokens_stay_behind_in_a_dry_run() {
    let places = json!({
        "from_headers": [{"name": "authorization", "value_prefix": "Bearer "}, {"name": "x-token"}],
        "from_cookies": ["session", "legacy"],
        "from_params": ["token"],
    });
    let document = amended(
        with_routes(routes()),
        json!({
            "mode": "dry_run",
            "cors": {"allow_origins": ["https://a.test"]},
            "providers": [amended(provider(), places)],
        }),
    );
    let policy = policy(&document);
    let me = Request::get("/me");
    for (request, reason, expected, message) in [
        (me.clone().with("authorization", "Bearer x"), "token_malformed", vec![(":path", "/me")], "a bad one"),
        (
            Request::get("/me?token=x&a=b")
                .with("authorization", "Bearer y")
                .with("cookie", "session=s; a=b; legacy=l")
                .with("x-token", "t"),
            "token_multiple",
            vec![(":path", "/me?a=b"), ("cookie", "a=b")],
            "one in every place",
        ),
        (
            me.clone().with("cookie", "session=a").with("cookie", "session=b; legacy=c"),
            "token_multiple",
            vec![(":path", "/me")],
            "two in one place",
        ),
        (
            me.clone().with("authorization", "Bearer a,Bearer b"),
            "header_duplicate",
            vec![(":path", "/me"), ("authorization", "Bearer a,Bearer b")],
            "a malformed request goes on as it is: nothing is known of it",
        ),
        (
            Request::new("OPTIONS", "/me")
                .with("origin", "https://evil.test")
                .with("access-control-request-method", "PUT")
                .with("authorization", "Bearer x"),
            "cors_origin",
            vec![(":path", "/me"), ("access-control-request-method", "PUT"), ("origin", "https://evil.test")],
            "with a preflight, where none has any business",
        ),
        (
            me.clone().with("authorization", "Basic YTpi"),
            "credentials_missing",
            vec![(":path", "/me"), ("authorization", "Basic YTpi")],
            "what is no token stays",
        ),
    ] {
        assert_eq!(request.decide(&policy).outcome(), ("dry_run_deny", reason), "{message}");
        check(&request, &policy, &expected, message);
    }
}

#[test]
fn every_header_of_the_lists_is_forged_in_any_spelling() {
    let own = format!("{OWN_PREFIX}scope");
    for name in OVERRIDES.into_iter().chain([own.as_str()]) {
        for spelling in [name.to_owned(), name.replace('-', "_"), name.replacen('-', ".", 1)] {
            assert!(
                is_forged(header_name(&spelling), &forgeable(Vec::new(), &crate::token::Sources::default())),
                "{spelling}"
            );
        }
    }
    for name in ["x-request-id", "accept", "x"] {
        assert!(!is_forged(header_name(name), &forgeable(Vec::new(), &crate::token::Sources::default())), "{name}");
    }
}

#[test]
fn the_upstream_is_told_of_no_other_method_or_path() {
    let policy = policy(&with_routes(routes()));
    let open = (":path", "/open/a");
    for name in [
        "x-http-method-override",
        "x-http-method",
        "x-method-override",
        "x-original-method",
        "x-forwarded-method",
        "x-original-url",
        "x-original-uri",
        "x-rewrite-url",
        "x-override-url",
        "x-forwarded-uri",
        "x_http_method_override",
        "x.rewrite-url",
    ] {
        check(&Request::get("/open/a").with(name, "DELETE"), &policy, &[open], name);
    }
    for name in ["x-original-host", "x-forwarded-host", "x-http-methods"] {
        check(&Request::get("/open/a").with(name, "x"), &policy, &[open, (name, "x")], name);
    }
}

#[test]
fn the_upstream_sees_the_path_that_was_decided_on() {
    let policy = policy(&with_routes(routes()));
    for (target, expected) in [
        ("/open/a", "/open/a"),
        ("//open///a", "/open/a"),
        ("/open/./a/../b", "/open/b"),
        ("/x/..//open/b?c=/../d", "/open/b?c=/../d"),
        ("/open/%7ea?", "/open/~a?"),
        ("/open/%c3%a9", "/open/%C3%A9"),
        ("/open/a%40b", "/open/a%40b"),
        ("/open/a?b=%2e%2e", "/open/a?b=%2e%2e"),
    ] {
        check(&Request::get(target), &policy, &[(":path", expected)], target);
    }
    assert_eq!(Request::get("/open/a").decide(&policy).edits().len(), 0, "what need not change is not written");
}

#[test]
fn the_service_is_told_to_check_ownership() {
    let policy = policy(&with_routes(routes()));
    let put = |role: &str| Request::new("PUT", "/files/7").role(role).with("x-portcullis-scope", "any");
    let path = (":path", "/files/7");
    let user = ("x-user-id", "u1");
    check(
        &put("editor"),
        &policy,
        &[path, ("x-portcullis-scope", "own"), user, ("x-user-role", "editor")],
        "a role that may with its own",
    );
    check(&put("admin"), &policy, &[path, user, ("x-user-role", "admin")], "a role that may with any");
    assert_eq!(put("viewer").decide(&policy).outcome(), ("deny", "role_denied"), "a role that may not");
    assert_eq!(put("editor").decide(&policy).outcome(), ("allow", "owner_upstream"));
}
