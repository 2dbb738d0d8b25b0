//! Tokens that must not pass, and the few that must, on a clock that stands where the suite
//! was signed.

use serde_json::{Value, json};

use crate::harness::bench::Bench;
use crate::harness::client::Request;
use crate::harness::exceptions::Suite;
use crate::harness::expect::Exchange;
use crate::harness::fixtures;
use crate::harness::policy::CRYPTO;
use crate::harness::proxy::Setup;
use crate::harness::upstream::Upstream;

#[test]
fn no_bad_token_passes() {
    for crypto in CRYPTO {
        no_bad_token_passes_with(crypto);
    }
}

fn no_bad_token_passes_with(crypto: &str) {
    let Some(rows) = fixtures::rows("jwt_negative/cases.jsonl") else { return };
    let configs: Value = serde_json::from_str(&fixtures::text("jwt_negative/configs.json").unwrap()).unwrap();
    let now = configs["policy_base"]["now"].as_i64().unwrap();
    let configs = configs["configs"].as_object().unwrap();

    let upstream = Upstream::start();
    let mut setup = Setup::before(&upstream).clock(now);
    for (name, config) in configs {
        setup = setup.policy(name, &policy(crypto, config));
    }
    let proxy = setup.start();

    let mut suite = Suite::open("jwt_negative");
    for name in configs.keys() {
        let mut bench = Bench::new("jwt_negative", &proxy, name, &upstream);
        for row in rows.iter().filter(|row| row["config"] == name.as_str()) {
            let id = row["id"].as_str().unwrap();
            let exchange = bench.exchange(&request(&row["request"]));
            let outcome = outcome(row["expect"] == "accept", &exchange);
            if row["contested"] == true {
                suite.contested(id, outcome);
            } else {
                suite.row(id, outcome);
            }
            let status = exchange.response.status;
            assert!(status < 500, "{id}, {crypto}: {status}, {}", exchange.response.text());
        }
    }
    suite.finish();
    assert!(proxy.vm_failures().is_empty(), "{:?}", proxy.vm_failures());
}

/// The suite's configuration as a policy of ours.
fn policy(crypto: &str, config: &Value) -> Value {
    json!({
        "version": "v1",
        "crypto": crypto,
        "providers": [{
            "name": "suite",
            "issuer": config["issuer"],
            "audiences": [config["audience"]],
            "allowed_algorithms": config["algorithms"],
            "local_jwks": {"inline": config["jwks"].to_string()},
            "clock_skew": format!("{}s", config["leeway"]),
            "claim_to_headers": [
                {"claim": ["sub"], "header": "x-user-id"},
                {"claim": ["roles"], "header": "x-user-role"},
            ],
        }],
        "routes": [{"name": "protected", "match": {"path": "/protected"}, "access": "authenticated"}],
    })
}

fn request(row: &Value) -> Request {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut request = Request::new(&text(&row["method"]), text(&row["path"]));
    for header in row["headers"].as_array().unwrap() {
        request = request.header(&text(&header[0]), text(&header[1]));
    }
    request
}

/// 200 and through, as the subject the token names; or 401 and not. A request whose token is
/// there twice is 400.
fn outcome(accept: bool, exchange: &Exchange) -> Result<(), String> {
    let Exchange { response, seen, record } = exchange;
    let reason = record.as_ref().map(|record| record.text("reason")).unwrap_or_default();
    let told = || Err(format!("{} ({reason}), {} reached the upstream", response.status, seen.len()));
    if accept {
        let [seen] = seen.as_slice() else { return told() };
        let spoofed = seen.headers.all("x-user-id") != ["alice"] || seen.headers.has("authorization");
        return if response.status == 200 && !spoofed { Ok(()) } else { told() };
    }
    let refused = match response.status {
        401 => true,
        400 => ["header_duplicate", "token_multiple"].contains(&reason.as_str()),
        _ => false,
    };
    if refused && seen.is_empty() { Ok(()) } else { told() }
}
