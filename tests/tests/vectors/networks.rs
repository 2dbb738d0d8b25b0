//! Networks in a policy, against Python's `ipaddress`.

use std::collections::BTreeSet;

use portcullis_engine::{Policy, SecretLookup};
use serde_json::{Value, json};

use crate::harness::exceptions::Suite;
use crate::harness::fixtures;

#[test]
fn addresses_and_networks() {
    let Some(rows) = fixtures::rows("ip/python_ipaddress.jsonl") else { return };
    // A policy takes both families everywhere; a row that asks for the other one says nothing.
    let own_family = |row: &&Value| {
        let six = row["input"].as_str().unwrap().contains(':');
        six == row["kind"].as_str().unwrap().ends_with('6')
    };
    let rows: Vec<_> = rows.iter().filter(own_family).collect();
    let inputs: Vec<_> = rows.iter().map(|row| &row["input"]).collect();
    let refused = refused(&inputs);
    let mut suite = Suite::open("ip");
    for (index, row) in rows.iter().enumerate() {
        let wanted = row["valid"] == true && !is_python_only(row);
        let taken = !refused.contains(&index);
        let outcome = if taken == wanted {
            Ok(())
        } else {
            Err(format!("`{}` is {}", row["input"], if taken { "taken" } else { "refused" }))
        };
        suite.row(row["id"].as_str().unwrap(), outcome);
    }
    suite.finish();
}

/// Forms that Python reads and a policy does not: a mask written as an address, where a prefix
/// length says the same, and a zone, which means something on one machine only.
fn is_python_only(row: &Value) -> bool {
    let input = row["input"].as_str().unwrap();
    let dotted_mask = input.split_once('/').is_some_and(|(_, mask)| mask.contains('.'));
    let zone = input.contains('%');
    dotted_mask || zone
}

/// Which of `inputs` the engine finds fault with, each being one entry of an allow list.
fn refused(inputs: &[&Value]) -> BTreeSet<usize> {
    let policy = json!({"version": "v1", "routes": [
        {"name": "all", "match": {"path": "/"}, "access": "public", "ip": {"allow": inputs}},
    ]});
    let errors = Policy::load(policy.to_string().as_bytes(), &|_: &str| SecretLookup::Unset).unwrap_err();
    let index = |path: &str| path.strip_prefix("routes[0].ip.allow[")?.strip_suffix(']')?.parse().ok();
    errors.iter().map(|error| index(&error.path).unwrap_or_else(|| panic!("{error}"))).collect()
}
