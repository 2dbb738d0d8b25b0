//! The audit record: its members, their order, and what is never in it.

mod bursts;
mod canaries;
mod chain;
mod ends;
mod masks;
mod otlp;

use serde_json::{Value, json};

use crate::harness::audit::Record;
use crate::harness::bench::Bench;
use crate::harness::client::{Request, fetch};
use crate::harness::eventually;
use crate::harness::expect::Expect;
use crate::harness::policy;
use crate::harness::proxy::Proxy;
use crate::harness::token::Token;
use crate::harness::upstream::Upstream;

use super::setup;

/// The example's policy with this `audit`.
fn audited(audit: &Value) -> Value {
    let mut policy = policy::example();
    policy["audit"] = audit.clone();
    policy
}

#[test]
fn a_record_says_who_what_and_why() {
    let upstream = Upstream::start();
    let proxy = setup(&upstream).policy("main", &policy::example()).start();
    let mut bench = Bench::new("audit records", &proxy, "main", &upstream);
    let token = Token::of("ada", "editor").claim("jti", "the-id-of-this-token");
    let put = Request::new("PUT", "/users/ada/documents/7?page=2")
        .bearer(&token.mint())
        .header("x-request-id", "11111111-2222-3333-4444-555555555555");
    let exchange = bench.row(
        "everything there is to say",
        &put,
        &Expect::allow("owner_allowed")
            .record("event", "access")
            .record("action", "write")
            .record("route", "documents")
            .record("user_id", "ada")
            .record("role", "editor")
            .record("ip_address", "127.0.0.1")
            .record("method", "PUT")
            .record("path", "/users/{owner}/documents/{id}")
            .record("provider", "local")
            .record("kid", "2026-11"),
    );
    let record = exchange.record.unwrap();
    let all = [
        "timestamp",
        "event",
        "action",
        "decision",
        "reason",
        "route",
        "user_id",
        "role",
        "ip_address",
        "method",
        "path",
        "status",
        "request_id",
        "provider",
        "kid",
        "token_id",
    ];
    let names: Vec<_> = record.names().into_iter().filter(|name| *name != "masked").collect();
    let expected: Vec<_> = all.into_iter().chain(["policy"]).collect();
    bench.holds("every member, in order", names == expected, || format!("{names:?}"));
    let id = record.text("token_id");
    bench.holds("the token's id is a digest", !id.is_empty() && !id.contains("the-id"), || id.clone());
    let logged = record.text("request_id");
    let passed = exchange.seen[0].headers.all("x-request-id");
    bench.holds("the upstream knows the same request id", passed == [logged.clone()], || {
        format!("{passed:?}, {logged}")
    });
    check_time(&mut bench, &record);

    let again = bench.exchange(&put).record.unwrap();
    bench.holds("the same token has the same id", again.text("token_id") == id, || again.line.clone());
    bench.holds("the same policy has the same digest", again.text("policy") == record.text("policy"), || {
        again.line.clone()
    });

    let rows = [
        (
            "nobody",
            Request::get("/users/ada/documents/7"),
            Expect::deny(401, "credentials_missing"),
            ("authentication", "authenticate"),
        ),
        (
            "a bad token",
            Request::get("/users/ada/documents/7").bearer(&token.forged()),
            Expect::deny(401, "token_signature"),
            ("authentication", "authenticate"),
        ),
        (
            "a role",
            Request::new("PUT", "/users/ada/documents/7").bearer(&Token::of("ada", "viewer").mint()),
            Expect::deny(403, "role_denied"),
            ("authorization", "write"),
        ),
        ("public", Request::get("/healthz"), Expect::allow("public"), ("access", "read")),
        ("a bad path", Request::get("/%00"), Expect::deny(400, "path_malformed"), ("validation", "read")),
    ];
    for (name, request, expect, (event, action)) in rows {
        bench.row(name, &request, &expect.record("event", event).record("action", action));
    }
    bench.row(
        "a preflight",
        &Request::new("OPTIONS", "/healthz")
            .header("origin", "https://app.example.com")
            .header("access-control-request-method", "GET"),
        &Expect::preflight().record("event", "cors"),
    );
    bench.row(
        "a path on no route is masked after what the policy knows of it",
        &Request::get("/users/ada@example.com/secrets").bearer(&token.mint()),
        &Expect::deny(403, "route_not_found").record("path", "/users/*").record("masked", r#"["path"]"#),
    );
    bench.row(
        "an e-mail address is masked",
        &Request::get("/users/ada/documents/7").bearer(&Token::of("ada.lovelace@example.com", "admin").mint()),
        &Expect::allow("role_allowed").upstream("x-user-id", "ada.lovelace@example.com"),
    );
    bench.finish();
    for (path, bytes) in proxy.written() {
        let text = String::from_utf8_lossy(&bytes);
        for personal in ["lovelace@", "ada@example", "page=2", "the-id-of-this-token"] {
            assert!(!text.contains(personal), "`{personal}` is in {}", path.display());
        }
    }
}

/// RFC 3339, UTC, milliseconds, and now.
fn check_time(bench: &mut Bench<'_>, record: &Record) {
    let time = record.text("timestamp");
    let shape: String = time.chars().map(|sign| if sign.is_ascii_digit() { '0' } else { sign }).collect();
    bench.holds("the time's form", shape == "0000-00-00T00:00:00.000Z", || time.clone());
}

#[test]
fn levels_and_sinks() {
    let upstream = Upstream::start();
    let with = |audit: Value| audited(&audit);
    let proxy = setup(&upstream)
        .policy("all", &with(json!({"level": "all"})))
        .policy("denied", &with(json!({"level": "denied"})))
        .policy("none", &with(json!({"level": "none"})))
        .policy("log", &with(json!({"sinks": ["log"]})))
        .policy("both", &with(json!({"sinks": ["log", "access_log"]})))
        .start();
    // Listener, and whether it leaves a record of: a denial, a pass, a dry denial.
    let rows = [
        ("all", [true; 3]),
        ("denied", [true, false, true]),
        ("none", [false; 3]),
        ("log", [false; 3]),
        ("both", [true; 3]),
    ];
    for (listener, expected) in rows {
        let mut audit = proxy.audit(listener);
        let mut client = proxy.client(listener);
        let found = ["/nowhere", "/healthz", "/search"].map(|path| {
            client.send(&Request::get(path));
            audit.next().is_some()
        });
        assert_eq!(found, expected, "{listener}");
    }
    logged(&proxy);
}

/// The `log` sink writes each record to Envoy's own log, once.
fn logged(proxy: &Proxy) {
    let records = || -> Vec<Record> {
        proxy
            .log()
            .lines()
            .filter_map(|line| line.find("{\"timestamp\"").map(|start| Record::parse(line[start..].trim_end())))
            .collect()
    };
    // Two listeners with that sink, three requests each.
    let records = eventually("the records in Envoy's log", || Some(records()).filter(|records| records.len() >= 6));
    let ids: std::collections::BTreeSet<_> = records.iter().map(|record| record.text("request_id")).collect();
    assert_eq!((records.len(), ids.len()), (6, 6), "{records:?}");
}

#[test]
fn one_record_a_request_under_load() {
    let upstream = Upstream::start();
    let mut policy = policy::example();
    policy["audit"] = json!({"sinks": ["access_log", "log"]});
    let proxy = setup(&upstream).policy("main", &policy).concurrency(2).start();
    let address = proxy.address("main");
    let token = Token::of("ada", "admin").mint();
    const CLIENTS: usize = 4;
    const REQUESTS: usize = 25;
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let token = &token;
            scope.spawn(move || {
                for request in 0..REQUESTS {
                    let path = if request % 2 == 0 { "/users/ada/documents/7" } else { "/nowhere" };
                    let response =
                        fetch(address, &Request::get(path).bearer(token).header("x-client", client.to_string()));
                    assert_eq!(response.status, if request % 2 == 0 { 200 } else { 403 });
                }
            });
        }
    });
    let mut audit = proxy.audit("main");
    let ids: std::collections::BTreeSet<_> =
        (0..CLIENTS * REQUESTS).map(|_| audit.next().expect("a record").text("request_id")).collect();
    assert_eq!(ids.len(), CLIENTS * REQUESTS, "every request has a record of its own");
    let logged = eventually("every record in the log", || {
        Some(proxy.log().matches("{\"timestamp\"").count()).filter(|count| *count >= CLIENTS * REQUESTS)
    });
    assert_eq!(logged, CLIENTS * REQUESTS);
}
