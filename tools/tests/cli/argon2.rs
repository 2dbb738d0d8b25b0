//! Known answers and PHC strings from the reference implementation, RFC 9106 and other libraries.

use serde_json::Value;

use crate::fixtures::{Suite, rows};
use crate::support::run_with;

#[test]
fn hashes_from_elsewhere_verify() {
    let Some(rows) = rows("argon2/cases.jsonl") else { return };
    let mut suite = Suite::new("argon2");
    for row in rows {
        let text = |name: &str| row.get(name).and_then(Value::as_str);
        let (Some(id), Some(phc), Some(password), Some(expect)) =
            (text("id"), text("phc"), text("password"), text("expect"))
        else {
            continue;
        };
        if row["contested"] == true {
            continue;
        }
        let outcome = run_with(["password", "verify", "--hash", phc], password);
        let expected = match expect {
            "match" => 0,
            "mismatch" => 1,
            "malformed" => 3,
            other => panic!("{id}: unknown expectation {other}"),
        };
        let problem = (outcome.code != expected).then(|| format!("expected {expect}, got {outcome:?}"));
        suite.record(id, problem);
    }
    suite.finish();
}
