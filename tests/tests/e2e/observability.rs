//! The dashboard and the alerts against what Envoy prints after all that they tell of has happened.

use portcullis_engine::{AllowReason, DenyReason};
use serde_json::json;

use super::jwks;
use crate::harness::bootstrap::Delivery;
use crate::harness::client::{Request, fetch};
use crate::harness::eventually;
use crate::harness::feed::{self, Feed};
use crate::harness::jwks::{Answer, KeyServer};
use crate::harness::keys;
use crate::harness::paths;
use crate::harness::policy;
use crate::harness::proxy::{Proxy, Setup};
use crate::harness::token::SECRET;
use crate::harness::tool;
use crate::harness::upstream::{Reply, Upstream};

/// What `tests/observability.py` finds wrong between two pages; `expected` are the queries that may find nothing.
fn problems(before: &str, after: &str, expected: &serde_json::Value) -> String {
    let allowed = AllowReason::ALL.iter().map(|reason| reason.code());
    let reasons: Vec<_> = allowed.chain(DenyReason::ALL.iter().map(|reason| reason.code())).collect();
    let told = json!({
        "before": before,
        "after": after,
        "closed": {"reason": reasons, "decision": ["allow", "deny", "dry_run_deny"]},
        "expected": expected,
    });
    let folder = paths::root().join("tests");
    let script = format!("import sys; sys.path.insert(0, {folder:?}); import observability; observability.main()");
    tool::python(&script, &told.to_string())
}

fn get(proxy: &Proxy, listener: &str, request: &Request) -> u16 {
    fetch(proxy.address(listener), request).status
}

#[test]
fn what_dashboard_and_alerts_name_is_there() {
    let upstream = Upstream::start();
    upstream.on("/users/ada/documents/7", Reply::new(200).body("ok"));
    upstream.on("/healthz", Reply::new(500).body("no"));
    let mut server = KeyServer::start_down();
    let mut main = jwks::policy(&json!({"timeout": "100ms"}));
    main["cors"] = policy::cors();
    let mut admin = policy::example();
    admin["stat_prefix"] = json!("admin");
    admin["identity_feed"] = feed::source(&json!({}));
    let mut identity = KeyServer::start_down();
    identity.on(feed::FULL, Feed::full(1).answer());
    identity.up();
    let mut proxy = Setup::before(&upstream)
        .cluster("jwks", server.address)
        .cluster("feed", identity.address)
        .env("SECRET_KEY", SECRET)
        .policy("main", &main)
        .policy("admin", &admin)
        .delivery(Delivery::Ecds)
        .start();
    let before = proxy.page();

    let token = &keys::old().tokens[0];
    let document = Request::get("/users/ada/documents/7");
    assert_eq!(get(&proxy, "main", &document.clone().bearer(token)), 503, "no keys");
    jwks::await_failures(&proxy);
    server.answer(Answer::keys([keys::old()]));
    server.up();
    eventually("the keys", || (get(&proxy, "main", &document.clone().bearer(token)) == 200).then_some(()));
    for _ in 0..2 {
        assert_eq!(get(&proxy, "main", &document.clone().bearer(token)), 200, "a good token");
    }
    let forged = keys::resigned(token, |signature| signature[9] ^= 1);
    for request in 0..60 {
        assert_eq!(get(&proxy, "main", &document.clone().bearer(&forged)), 401, "forged {request}");
    }
    let preflight = |origin: &str| {
        let request = Request::new("OPTIONS", "/users/ada/documents/7").header("origin", origin);
        request.header("access-control-request-method", "GET")
    };
    for (name, listener, request, status) in [
        ("anonymous", "main", document.clone(), 401),
        ("anonymous", "admin", document, 401),
        ("an upstream that fails", "main", Request::get("/healthz"), 500),
        ("on trial", "main", Request::get("/search"), 200),
        ("a preflight", "main", preflight("https://app.example.com"), 204),
        ("a preflight from elsewhere", "main", preflight("https://elsewhere.example.com"), 403),
    ] {
        assert_eq!(get(&proxy, listener, &request), status, "{name}");
    }
    let fed = |name: &str| proxy.metric(&format!("portcullis_admin_feed_{name}")) > 0.0;
    eventually("the feed", || fed("applied").then_some(()));
    identity.on(feed::FULL, feed::served(2, "no feed"));
    eventually("the feed's refusal", || fed("rejected").then_some(()));
    proxy.replace_policy("main", "{}");
    eventually("the refusal", || (proxy.metric("portcullis_policy_rejected") > 0.0).then_some(()));
    eventually("Envoy's refusal", || proxy.page().contains("main_update_rejected{} 1").then_some(()));
    let after = proxy.page();

    for wanted in [
        r#"portcullis_requests{decision="deny",reason="keys_unavailable"}"#,
        r#"portcullis_admin_requests{decision="deny",reason="credentials_missing"}"#,
        "portcullis_admin_denied{}",
    ] {
        assert!(after.contains(wanted), "Envoy does not print {wanted}");
    }
    // Every query finds something but those that tell of what has not happened.
    let expected = json!({
        "PortcullisTrapped": false,
        "PortcullisInternalError": false,
        "PortcullisNotDeciding": false,
        "PortcullisFeedNotRenewed": false,
        // Half an hour is no past to compare with.
        "PortcullisDenialSurge": false,
        "Share of requests denied B": false,
    });
    let found = problems(&before, &after, &expected);
    assert_eq!(found, "", "queries and page differ");
}

/// The module is denied a call it cannot do without: that is a trap, and Envoy makes it anew.
#[test]
fn a_trap_is_counted_where_the_alert_looks() {
    let upstream = Upstream::start();
    let proxy = Setup::before(&upstream)
        .env("SECRET_KEY", SECRET)
        .policy("main", &policy::example())
        .deny_capability("proxy_add_header_map_value")
        .start();
    assert_eq!(get(&proxy, "main", &Request::get("/healthz")), 503, "a trap");
    eventually("a machine made anew", || {
        let _ = get(&proxy, "main", &Request::get("/healthz"));
        (proxy.metric("envoy_wasm_portcullis_vm_reload_success") > 0.0).then_some(())
    });
    assert!(proxy.metric("envoy_wasm_portcullis_vm_reload_backoff") > 0.0, "a request in between is counted");
    // The name that promises as much says nothing of it.
    assert_eq!(proxy.metric("envoy_wasm_portcullis_vm_reload"), 0.0);
}

/// The machine that refused it is gone, and its counters with it: the alert on Envoy's own counter is the one that tells.
#[test]
fn a_first_policy_that_is_refused_is_counted_by_envoy() {
    let upstream = Upstream::start();
    let proxy = Setup::before(&upstream).policy_text("main", "{}").delivery(Delivery::Ecds).start();
    let rejected = "envoy_extension_config_discovery_http_filter_portcullis_main_update_rejected";
    eventually("the refusal", || (proxy.metric(rejected) > 0.0).then_some(()));
    let page = proxy.page();
    assert!(!page.contains("\nportcullis_"), "docs/metrics.md says that there are no counters of the filter's own");
}
