//! Signatures made to be taken for good ones, through a host's cryptography and through ours.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::harness::bench::Bench;
use crate::harness::bootstrap::Delivery;
use crate::harness::client::Request;
use crate::harness::fixtures;
use crate::harness::policy::CRYPTO;
use crate::harness::proxy::Setup;
use crate::harness::table::Table;
use crate::harness::upstream::Upstream;

const ALGORITHMS: [&str; 13] = [
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
];

/// The payloads are no claims: a signature that stands is refused for that, one that falls before it.
#[test]
fn signatures_stand_and_fall_alike() {
    let Some(rows) = fixtures::rows("wycheproof/cases_jws.jsonl") else { return };
    let mut sets: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row["form"] == "compact" && row["contested"] == false) {
        sets.entry(row["jwks"].to_string()).or_default().push(row);
    }
    let upstream = Upstream::start();
    // A set with a key that no policy takes has no listener, whoever verifies.
    let mut setup = Setup::before(&upstream).delivery(Delivery::Lds);
    for (number, set) in sets.keys().enumerate() {
        for crypto in CRYPTO {
            setup = setup.policy(&listener(number, crypto), &policy(crypto, set));
        }
    }
    let proxy = setup.start();
    let mut table = Table::new("wycheproof");
    let (mut stood, mut fell) = (0, 0);
    for (number, rows) in sets.values().enumerate() {
        let names = CRYPTO.map(|crypto| listener(number, crypto));
        if names.iter().all(|name| proxy.find_address(name).is_none()) {
            continue;
        }
        let mut benches = names.map(|name| Bench::new("wycheproof", &proxy, &name, &upstream));
        for row in rows {
            let token = row["token"].as_str().unwrap();
            let request = Request::get("/").bearer(token);
            let answers = benches.each_mut().map(|bench| {
                let exchange = bench.exchange(&request);
                let reason = exchange.record.map(|record| record.text("reason")).unwrap_or_default();
                (exchange.response.status, reason, exchange.seen.len())
            });
            let accept = row["our_expect"] == "accept";
            // What is malformed in a token whose signature was looked at is its payload.
            let stands = answers[0].1 == "token_malformed";
            let judged = accept || row["reference_reason"] == "signature" && !token.ends_with('.');
            let right = answers[0] == answers[1] && answers[0].0 == 401 && (!judged || stands == accept);
            table.holds(row["id"].as_str().unwrap(), right, || format!("{answers:?}, not {}", row["our_expect"]));
            stood += usize::from(judged && stands);
            fell += usize::from(judged && !stands);
        }
    }
    table.finish();
    assert!(stood > 0 && fell > 0, "{stood} stood and {fell} fell: one side proves nothing");
    assert!(proxy.vm_failures().is_empty(), "{:?}", proxy.vm_failures());
}

fn listener(number: usize, crypto: &str) -> String {
    format!("{crypto}-{number}")
}

fn policy(crypto: &str, set: &str) -> Value {
    json!({
        "version": "v1",
        "crypto": crypto,
        "providers": [{
            "name": "suite",
            "allowed_algorithms": ALGORITHMS,
            "local_jwks": {"inline": set},
            "require_expiration": false,
        }],
        "routes": [{"name": "all", "match": {"path": "/{*rest}"}, "access": "authenticated"}],
    })
}
