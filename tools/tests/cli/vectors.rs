//! Tokens from RFCs and from another library's own tests, through `token verify`.

use std::path::Path;

use portcullis_engine::token::Algorithm;
use serde_json::Value;

use crate::fixtures::{Suite, rows};
use crate::support::{directory, file, run_with};

/// Runs `token verify` and compares. What is refused may be the token (1) or the keys (3).
fn compare(row: &Value, keys: &Path, args: &[String]) -> Option<String> {
    let start = ["token", "verify", "--json", "--jwks", keys.to_str().unwrap()].map(str::to_owned);
    let token = row["token"].as_str().map_or_else(|| row["token"].to_string(), str::to_owned);
    let outcome = run_with(start.iter().chain(args), token);
    let expected: &[i32] = match row["expect"].as_str().unwrap() {
        "accept" => &[0],
        "reject" => &[1, 3],
        other => panic!("unknown expectation {other}"),
    };
    (!expected.contains(&outcome.code)).then(|| format!("expected {}, got {outcome:?}", row["expect"]))
}

fn keys(row: &Value, directory: &Path) -> std::path::PathBuf {
    file(directory, "jwks.json", &row["jwks"].to_string())
}

#[test]
fn tokens_of_the_jose_rfcs() {
    let Some(rows) = rows("jose_rfc/cases.jsonl") else { return };
    let directory = directory("jose_rfc");
    let mut suite = Suite::new("jose_rfc");
    for row in rows {
        let mut args = Vec::new();
        match (row["layer"].as_str().unwrap(), row["now"].as_i64()) {
            ("signature", _) => args.push("--signature-only".to_owned()),
            (_, Some(now)) => args.extend(["--at".to_owned(), now.to_string()]),
            (_, None) => {}
        }
        let problem = compare(&row, &keys(&row, &directory), &args);
        suite.record(row["id"].as_str().unwrap(), problem);
    }
    suite.finish();
}

/// What a row of PyJWT's tests asks for, as options; `None` where no option says it.
fn options(row: &Value) -> Option<Vec<String>> {
    let mut args = vec!["--allow-short-keys".to_owned()];
    if let Some(names) = row["algorithms"].as_array() {
        let known: Vec<_> = names.iter().filter_map(Value::as_str).filter_map(Algorithm::from_name).collect();
        if known.is_empty() {
            return None;
        }
        args.extend(known.iter().flat_map(|algorithm| ["--algorithm".to_owned(), algorithm.name().to_owned()]));
    }
    if row["layer"] == "jws" {
        args.push("--signature-only".to_owned());
        return Some(args);
    }
    args.extend(["--at".to_owned(), row["now"].as_i64()?.to_string()]);
    let message = row["upstream_message"].as_str().unwrap_or_default();
    let missing = row["upstream_error"] == "MissingRequiredClaimError";
    if missing && ["iat", "nbf", "sub", "jti"].iter().any(|claim| message.contains(&format!("\"{claim}\""))) {
        return None; // only `exp` can be required by itself
    }
    if message.ends_with("(strict)") {
        return None; // a token for several audiences is good for each of them
    }
    if !(missing && message.contains("\"exp\"")) {
        args.push("--allow-missing-exp".to_owned());
    }
    for (name, value) in row["policy"].as_object()? {
        match (name.as_str(), value) {
            ("leeway", Value::Number(seconds)) => args.extend(["--clock-skew".to_owned(), format!("{seconds}s")]),
            ("leeway", Value::String(delta)) => {
                let seconds = delta.trim_start_matches("datetime.timedelta(seconds=").trim_end_matches(')');
                args.extend(["--clock-skew".to_owned(), format!("{seconds}s")]);
            }
            ("audience", Value::String(one)) => args.extend(["--audience".to_owned(), one.clone()]),
            ("audience", Value::Array(several)) => {
                for one in several {
                    args.extend(["--audience".to_owned(), one.as_str()?.to_owned()]);
                }
            }
            ("issuer", Value::String(one)) => args.extend(["--issuer".to_owned(), one.clone()]),
            _ => return None, // several issuers, or a subject
        }
    }
    Some(args)
}

#[test]
fn tokens_of_pyjwts_own_tests() {
    let Some(rows) = rows("pyjwt/recorded_cases.jsonl") else { return };
    let directory = directory("pyjwt");
    let mut suite = Suite::new("pyjwt");
    let mut inexpressible = 0;
    for row in rows {
        if row["contested"] == true {
            continue;
        }
        let Some(args) = options(&row) else {
            inexpressible += 1;
            continue;
        };
        let problem = compare(&row, &keys(&row, &directory), &args);
        suite.record(row["id"].as_str().unwrap(), problem);
    }
    assert!(inexpressible < 20, "{inexpressible} rows cannot be said with options");
    suite.finish();
}
