//! Policies in and out of force: both forms, a refusal at the start, a change while serving.

use serde_json::{Value, json};

use crate::harness::bench::Bench;
use crate::harness::bootstrap::Delivery;
use crate::harness::client::{Request, fetch};
use crate::harness::eventually;
use crate::harness::expect::Expect;
use crate::harness::policy;
use crate::harness::proxy::Proxy;
use crate::harness::token::Token;
use crate::harness::upstream::Upstream;

use super::setup;

#[test]
fn text_and_struct_are_the_same_policy() {
    let upstream = Upstream::start();
    let policy = policy::example();
    let proxy = setup(&upstream).policy("text", &policy).policy_struct("struct", &policy).start();
    let mut digests = Vec::new();
    for listener in ["text", "struct"] {
        let mut bench = Bench::new("both forms", &proxy, listener, &upstream);
        let token = Token::of("ada", "editor").mint();
        let put = |path: &str| Request::new("PUT", path).bearer(&token);
        bench.row("own", &put("/users/ada/documents/7"), &Expect::allow("owner_allowed"));
        bench.row("foreign", &put("/users/bob/documents/7"), &Expect::deny(403, "owner_denied"));
        bench.row("nobody", &Request::get("/users/bob/documents/7"), &Expect::deny(401, "credentials_missing"));
        let preflight = Request::new("OPTIONS", "/")
            .header("origin", "https://app.example.com")
            .header("access-control-request-method", "GET");
        bench.row("a preflight", &preflight, &Expect::preflight().response("access-control-max-age", "600"));
        let record = bench.row("public", &Request::get("/healthz"), &Expect::allow("public")).record.unwrap();
        digests.push(record.text("policy"));
        bench.finish();
    }
    assert_eq!(digests[0], digests[1], "one policy, one digest");
}

/// Whatever is wrong, no request passes.
#[test]
fn a_refused_policy_serves_nobody() {
    let good = policy::example();
    let edited = |edit: &dyn Fn(&mut Value)| {
        let mut policy = good.clone();
        edit(&mut policy);
        policy.to_string()
    };
    let refused = [
        ("nothing", String::new()),
        ("not-json", "{".to_owned()),
        ("not-a-policy", "[]".to_owned()),
        ("unknown-field", edited(&|policy| policy["route"] = json!([]))),
        ("unknown-version", edited(&|policy| policy["version"] = json!("v2"))),
        ("no-secret", edited(&|policy| policy["providers"][0]["keys"][0]["secret"]["env"] = json!("NOT_SET"))),
        ("short-secret", edited(&|policy| policy["providers"][0]["keys"][0]["secret"]["env"] = json!("SHORT"))),
        ("open-cors", edited(&|policy| policy["cors"]["allow_origins"] = json!(["*"]))),
    ];
    let upstream = Upstream::start();
    // In the bootstrap: Envoy does not start, and says whose fault it is.
    let Err(log) = setup(&upstream).policy_text("main", &refused[3].1).launch() else { panic!("Envoy started") };
    assert!(log.contains("routes"), "the log does not name the field: {log}");
    // Delivered to a running Envoy: nobody is served where it would have served, and the rest is untouched.
    let mut delivered = setup(&upstream).env("SHORT", "short").delivery(Delivery::Lds).policy("good", &good);
    for (name, policy) in &refused {
        delivered = delivered.policy_text(name, policy);
    }
    let proxy = delivered.start();
    for (name, _) in refused {
        assert!(answers_nobody(&proxy, name), "{name}: somebody was answered");
        assert!(upstream.take().is_empty(), "{name}: something reached the upstream");
    }
    assert_eq!(fetch(proxy.address("good"), &Request::get("/healthz")).status, 200);
}

/// No listener, or one that fails closed.
fn answers_nobody(proxy: &Proxy, listener: &str) -> bool {
    let Some(address) = proxy.find_address(listener) else { return true };
    fetch(address, &Request::get("/healthz")).status >= 500
}

#[test]
fn a_bad_change_leaves_the_old_policy_in_force() {
    for delivery in [Delivery::Lds, Delivery::Ecds] {
        let upstream = Upstream::start();
        let mut proxy = setup(&upstream)
            .env("ROTATED", "another-secret-of-more-than-32-bytes")
            .policy("main", &policy::example())
            .delivery(delivery)
            .start();
        let token = Token::of("ada", "admin").mint();
        let show =
            |proxy: &Proxy| fetch(proxy.address("main"), &Request::get("/users/ada/documents/7").bearer(&token)).status;
        assert_eq!((ask(&proxy, "/healthz"), show(&proxy)), (200, 200), "{delivery:?}: the first policy");
        assert_eq!(ask(&proxy, "/new"), 401, "{delivery:?}: the first policy");

        let mut bad = policy::example();
        bad["routes"][0]["access"] = json!("everybody");
        let before = refusals(&proxy);
        proxy.replace_policy("main", &bad.to_string());
        eventually("the refusal", || (refusals(&proxy) > before).then_some(()));
        assert_eq!(ask(&proxy, "/healthz"), 200, "{delivery:?}: the old policy still serves");
        assert_eq!(ask(&proxy, "/new"), 401, "{delivery:?}: the old policy still denies");
        let rejected = proxy.metric("portcullis_policy_rejected");
        assert!(rejected >= 1.0, "{delivery:?}: policy_rejected is {rejected}");

        let mut good = policy::example();
        let new = json!({"name": "new", "match": {"path": "/new"}, "access": "public"});
        good["routes"].as_array_mut().unwrap().push(new);
        proxy.replace_policy("main", &good.to_string());
        eventually("the new policy", || (ask(&proxy, "/new") == 200).then_some(()));
        assert_eq!(ask(&proxy, "/users/ada/documents/7"), 401, "{delivery:?}: the new policy denies too");
        assert_eq!(show(&proxy), 200, "{delivery:?}: the same key under the new policy");

        good["providers"][0]["keys"][0]["secret"]["env"] = json!("ROTATED");
        proxy.replace_policy("main", &good.to_string());
        eventually("the new key", || (show(&proxy) == 401).then_some(()));
        assert!(proxy.vm_failures().is_empty(), "{delivery:?}: {:?}", proxy.vm_failures());
    }
}

fn ask(proxy: &Proxy, path: &str) -> u16 {
    fetch(proxy.address("main"), &Request::get(path)).status
}

/// How many updates Envoy has turned down.
fn refusals(proxy: &Proxy) -> u64 {
    let refused = |name: &str| {
        name.ends_with("lds.update_rejected") || name.ends_with("config_fail") || name.ends_with("update_rejected")
    };
    proxy.stats().into_iter().filter(|(name, _)| refused(name)).map(|(_, count)| count).sum()
}
