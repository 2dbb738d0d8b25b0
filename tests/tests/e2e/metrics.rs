//! What Envoy's Prometheus page says of the filter.

use crate::harness::bench::Bench;
use crate::harness::client::Request;
use crate::harness::expect::Expect;
use crate::harness::policy;
use crate::harness::token::Token;
use crate::harness::upstream::Upstream;

use super::setup;

#[test]
fn every_decision_is_counted() {
    let upstream = Upstream::start();
    let mut policy = policy::example();
    policy["audit"] = serde_json::json!({"level": "all"});
    let proxy = setup(&upstream).policy("main", &policy).start();
    let mut bench = Bench::new("metrics", &proxy, "main", &upstream);
    let document = Request::get("/users/ada/documents/7");
    let token = Token::of("ada", "admin").mint();
    for _ in 0..3 {
        bench.row("allowed", &document.clone().bearer(&token), &Expect::allow("role_allowed"));
    }
    for _ in 0..2 {
        bench.row("denied", &document, &Expect::deny(401, "credentials_missing"));
    }
    bench.row("public", &Request::get("/healthz"), &Expect::allow("public"));
    bench.row("dry", &Request::get("/search"), &Expect::dry_run("credentials_missing"));
    let preflight = Request::new("OPTIONS", "/users/ada/documents/7")
        .header("origin", "https://app.example.com")
        .header("access-control-request-method", "GET");
    bench.row("preflight", &preflight, &Expect::preflight());
    bench.finish();

    let metrics = proxy.metrics();
    let ours: Vec<_> = metrics.iter().filter(|(name, _)| name.contains("portcullis")).collect();
    let requests = |decision: &str, reason: &str| -> f64 {
        let labels = [format!("decision=\"{decision}\""), format!("reason=\"{reason}\"")];
        ours.iter()
            .filter(|(name, _)| {
                name.starts_with("portcullis_requests{") && labels.iter().all(|label| name.contains(label))
            })
            .map(|(_, count)| **count)
            .sum()
    };
    assert_eq!(requests("allow", "role_allowed"), 3.0, "{ours:?}");
    assert_eq!(requests("deny", "credentials_missing"), 2.0, "{ours:?}");
    assert_eq!(requests("allow", "public"), 1.0, "{ours:?}");
    assert_eq!(requests("dry_run_deny", "credentials_missing"), 1.0, "{ours:?}");
    let total = |suffix: &str| proxy.metric(&format!("portcullis_{suffix}"));
    assert_eq!(total("denied"), 2.0, "{ours:?}");
    assert_eq!(total("dry_run_denied"), 1.0, "{ours:?}");
    assert_eq!(total("cors_preflight"), 1.0, "{ours:?}");
    assert_eq!(total("token_cache_hit"), 2.0, "{ours:?}");
    assert_eq!(total("token_cache_miss"), 1.0, "{ours:?}");
    assert!(total("policy_loaded") >= 1.0, "{ours:?}");
    assert_eq!(total("policy_rejected"), 0.0, "{ours:?}");
}
