//! How paths are normalised, against Envoy's and Istio's tests and the URL standard's: what
//! reaches the upstream is their normal form, or nothing does.

use serde_json::{Value, json};

use crate::harness::bench::Bench;
use crate::harness::client::Request;
use crate::harness::exceptions::Suite;
use crate::harness::expect::Exchange;
use crate::harness::fixtures;
use crate::harness::proxy::Setup;
use crate::harness::upstream::Upstream;

#[test]
fn one_path_one_form() {
    let Some(istio) = fixtures::rows("istio/path_normalization.jsonl") else { return };
    let envoy = fixtures::rows("paths/envoy_path_utility.jsonl").unwrap();
    let url = fixtures::rows("paths/wpt_paths.jsonl").unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    // Only the modes that merge slashes are ours; in the others these paths differ by design.
    let merging = |row: &&Value| ["MERGE_SLASHES", "DECODE_AND_MERGE_SLASHES"].contains(&row["mode"].as_str().unwrap());
    let istio = istio
        .iter()
        .filter(merging)
        .map(|row| (&row["id"], text(&row["input"]), text(&row["expect"]["upstream_path"])));
    let envoy = envoy
        .iter()
        .filter(|row| row["op"] != "remove_query_and_fragment")
        .map(|row| (&row["id"], text(&row["input"]), text(&row["expect"])));
    // The standard keeps empty segments, which we merge.
    let url = url
        .iter()
        .filter(|row| !text(&row["request_target"]).contains("//"))
        .map(|row| (&row["id"], text(&row["request_target"]), text(&row["whatwg_pathname"])));

    let upstream = Upstream::start();
    let policy = json!({"version": "v1", "routes": [
        {"name": "root", "match": {"path": "/"}, "access": "public"},
        {"name": "all", "match": {"path": "/{*rest}"}, "access": "public"},
    ]});
    let proxy = Setup::before(&upstream).policy("main", &policy).start();
    let mut bench = Bench::new("paths", &proxy, "main", &upstream);
    let mut suite = Suite::open("paths");
    let mut passed = 0;
    // A path that is not one, or a line that is not one, never gets as far as the filter.
    let sendable =
        |path: &str| path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
    for (id, input, expected) in istio.chain(envoy).chain(url).filter(|(_, input, _)| sendable(input)) {
        let exchange = bench.exchange(&Request::get(&input));
        passed += usize::from(exchange.response.status == 200);
        suite.row(id.as_str().unwrap(), outcome(&exchange, &expected));
    }
    suite.finish();
    assert!(passed > 20, "only {passed} paths passed: refusing proves nothing");
    assert!(proxy.vm_failures().is_empty(), "{:?}", proxy.vm_failures());
}

fn outcome(exchange: &Exchange, expected: &str) -> Result<(), String> {
    match (exchange.response.status, exchange.seen.as_slice()) {
        (400, []) => Ok(()),
        (200, [seen]) => {
            let found = decoded(seen.target.split('?').next().unwrap_or_default());
            if found == decoded(expected.split('?').next().unwrap_or_default()) {
                Ok(())
            } else {
                Err(format!("the upstream saw `{}`, not `{expected}`", seen.target))
            }
        }
        (status, seen) => Err(format!("{status}, {} reached the upstream", seen.len())),
    }
}

/// The bytes a path stands for: two spellings of one path are equal here.
fn decoded(path: &str) -> Vec<u8> {
    let bytes = path.as_bytes();
    let mut out = Vec::new();
    let mut index = 0;
    while let Some(byte) = bytes.get(index) {
        let escape = (*byte == b'%').then(|| path.get(index + 1..index + 3)).flatten();
        match escape.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(value) => {
                out.push(value);
                index += 3;
            }
            None => {
                out.push(*byte);
                index += 1;
            }
        }
    }
    out
}
