//! Bodies that JSON parsers disagree about, against the JSON test suite: what passes is JSON, and reaches the upstream as
//! it was sent.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::harness::bench::Bench;
use crate::harness::client::Request;
use crate::harness::exceptions::Suite;
use crate::harness::expect::Exchange;
use crate::harness::fixtures;
use crate::harness::proxy::Setup;
use crate::harness::upstream::Upstream;

#[test]
fn what_passes_is_json() {
    let Some(rows) = fixtures::rows("json_parsing/cases.jsonl") else { return };
    let upstream = Upstream::start();
    let routes = json!([{"name": "body", "match": {"path": "/body"}, "access": "public", "input": {
        "content_types": ["application/json"], "max_body_bytes": 1_048_576, "body": {"schema": true},
    }}]);
    let policy = json!({"version": "v1", "routes": routes});
    let proxy = Setup::before(&upstream).stop_iteration().policy("main", &policy).start();
    let mut bench = Bench::new("JSON bodies", &proxy, "main", &upstream);
    let mut suite = Suite::open("json_parsing");
    let mut passed = 0;
    for row in &rows {
        let body = STANDARD.decode(row["body_b64"].as_str().unwrap()).unwrap();
        let exchange = bench.exchange(&Request::new("POST", "/body").body("application/json", &body));
        passed += usize::from(exchange.response.status == 200);
        suite.row(row["id"].as_str().unwrap(), outcome(&exchange, &body, row["expect"].as_str().unwrap()));
    }
    suite.finish();
    assert!(passed > 20, "only {passed} bodies passed: refusing proves nothing");
    assert!(proxy.vm_failures().is_empty(), "{:?}", proxy.vm_failures());
}

fn outcome(exchange: &Exchange, body: &[u8], expected: &str) -> Result<(), String> {
    match (exchange.response.status, exchange.seen.as_slice()) {
        (200, [seen]) if seen.body == body && expected != "reject" => Ok(()),
        (422, []) if expected != "accept" => Ok(()),
        (status, seen) => Err(format!("{status}, {} reached the upstream", seen.len())),
    }
}
