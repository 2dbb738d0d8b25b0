//! Istio's path rules, where they can be said in ours.

use serde_json::{Value, json};

use crate::harness::bench::Bench;
use crate::harness::client::Request;
use crate::harness::exceptions::Suite;
use crate::harness::fixtures;
use crate::harness::proxy::Setup;
use crate::harness::upstream::Upstream;

#[test]
fn authorization_by_path() {
    let Some(rows) = fixtures::rows("istio/authz_paths.jsonl") else { return };
    let upstream = Upstream::start();
    let open = |name: &str, path: &str| json!({"name": name, "match": {"path": path}, "access": "public"});
    let closed = |name: &str, path: &str| json!({"name": name, "match": {"path": path}, "access": "authenticated"});
    // ALLOW /allow*, DENY /allow/admin*: the narrower route wins here as the DENY does there.
    let precedence = json!([
        open("allow", "/allow"),
        open("below", "/allow/{*rest}"),
        closed("admin", "/allow/admin"),
        closed("below-admin", "/allow/admin/{*rest}"),
    ]);
    // `{*}` is one segment and `{**}` the rest. A `{**}` with more after it has no counterpart:
    // the one such rule is written with as many segments as its rows have.
    let templating = json!([
        open("user", "/allow/user/{id}"),
        open("admin", "/allow/admin/{*rest}"),
        open("foo", "/foo/{a}/bar/{*rest}"),
        open("cart", "/store/{a}/{b}/cart"),
    ]);
    let normalization = json!([open("public", "/public"), closed("private", "/private")]);
    let listeners = [
        ("authz_path-precedence.yaml", precedence),
        ("authz_path-templating.yaml", templating),
        ("authz_path-normalization.yaml", normalization),
    ];
    let mut setup = Setup::before(&upstream);
    for (name, routes) in &listeners {
        setup = setup.policy(name, &policy(routes));
    }
    let proxy = setup.start();

    let mut suite = Suite::open("istio_authz");
    for (name, _) in &listeners {
        let mut bench = Bench::new("istio_authz", &proxy, name, &upstream);
        for row in rows.iter().filter(|row| row["policy"] == *name) {
            let request =
                Request::new(row["request"]["method"].as_str().unwrap(), row["request"]["path"].as_str().unwrap());
            let exchange = bench.exchange(&request);
            // Their 403 is our 401 to a caller who has shown nothing.
            let passed = exchange.response.status == 200 && exchange.seen.len() == 1;
            let refused = matches!(exchange.response.status, 401 | 403) && exchange.seen.is_empty();
            let agreed = if row["expect"]["status"] == 200 { passed } else { refused };
            let outcome = if agreed {
                Ok(())
            } else {
                Err(format!("{}, {} reached the upstream", exchange.response.status, exchange.seen.len()))
            };
            suite.row(row["id"].as_str().unwrap(), outcome);
        }
    }
    suite.finish();
}

fn policy(routes: &Value) -> Value {
    json!({
        "version": "v1",
        "providers": [{
            "name": "unused",
            "allowed_algorithms": ["EdDSA"],
            "local_jwks": {"inline": r#"{"keys": [{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": "k", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#},
        }],
        "routes": routes,
    })
}
