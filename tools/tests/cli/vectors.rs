//! Tokens from RFCs and from another library's own tests, through `token verify`.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_engine::token::{Algorithm, KeySet};
use serde_json::{Value, json};

use crate::fixtures::{Suite, rows};
use crate::support::{directory, file, run_with};

/// Runs `token verify` and compares. What is refused may be the token (1) or the keys (3).
fn compare(row: &Value, keys: &Path, args: &[String]) -> Option<String> {
    let start = ["token", "verify", "--json", "--jwks", keys.to_str().unwrap()].map(str::to_owned);
    let token = row["token"].as_str().map_or_else(|| row["token"].to_string(), str::to_owned);
    let outcome = run_with(start.iter().chain(args), token);
    let expected: &[i32] = match row["our_expect"].as_str().or(row["expect"].as_str()).unwrap() {
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

/// Signatures and keys made to be taken for good ones.
#[test]
fn signatures_of_wycheproof() {
    each_of("wycheproof/cases_jws.jsonl", "wycheproof", |row, directory| {
        compare(row, &keys(row, directory), &["--signature-only".to_owned()])
    });
}

/// Records what is wrong with each row of a table that is not contested.
fn each_of(table: &str, name: &'static str, judge: impl Fn(&mut Value, &Path) -> Option<String>) {
    let Some(rows) = rows(table) else { return };
    let directory = directory(name);
    let mut suite = Suite::new(name);
    for mut row in rows.into_iter().filter(|row| row["contested"] != true) {
        let problem = judge(&mut row, &directory);
        suite.record(row["id"].as_str().unwrap(), problem);
    }
    suite.finish();
}

/// The key set of a row of `jwt_verify_lib`: as it is, or made of a public key in PEM by `key jwks`.
fn jwks_of(key: &Value, directory: &Path) -> std::path::PathBuf {
    if key["kind"] == "pem" {
        let pem = file(directory, "key.pem", key["value"].as_str().unwrap());
        let made = run_with(["key", "jwks", pem.to_str().unwrap()], "");
        return file(directory, "jwks.json", &made.stdout);
    }
    file(directory, "jwks.json", &key["value"].to_string())
}

fn hs256(claims: &Value, secret: &str) -> String {
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let input = format!("{}.{}", encode(br#"{"alg":"HS256"}"#), encode(claims.to_string().as_bytes()));
    format!("{input}.{}", encode(&hmac_sha256::HMAC::mac(input.as_bytes(), secret.as_bytes())))
}

/// The library of Envoy's own `jwt_authn`. Its comparison of audiences without scheme and slash is contested, and not ours.
#[test]
fn tokens_of_envoys_own_library() {
    let secret = "a secret of more than thirty-two bytes";
    let shared = json!({"keys": [{"kty": "oct", "k": URL_SAFE_NO_PAD.encode(secret)}]});
    each_of("jwt_verify_lib/tokens.jsonl", "jwt_verify_lib", |row, directory| {
        let mut args = vec!["--allow-short-keys".to_owned()];
        if row["layer"] == "verify" {
            // Times are not looked at in these.
            args.push("--signature-only".to_owned());
        } else {
            args.push("--allow-missing-exp".to_owned());
            for (field, option, unit) in [("now", "--at", ""), ("clock_skew", "--clock-skew", "s")] {
                if let Some(number) = row[field].as_i64() {
                    args.extend([option.to_owned(), format!("{number}{unit}")]);
                }
            }
        }
        let keys = match row["layer"].as_str().unwrap() {
            "verify" => jwks_of(&row["key"], directory),
            // Signed with a key that is not there, or with none: what matters is what they say.
            "time" => {
                row["token"] = hs256(&row["claims"], secret).into();
                file(directory, "jwks.json", &shared.to_string())
            }
            "audience" => {
                row["token"] = hs256(&json!({"aud": row["aud"]}), secret).into();
                let allowed = row["allowed_audiences"].as_array().unwrap().iter().filter_map(Value::as_str);
                args.extend(allowed.flat_map(|name| ["--audience".to_owned(), name.to_owned()]));
                file(directory, "jwks.json", &shared.to_string())
            }
            _ => file(directory, "jwks.json", &shared.to_string()),
        };
        compare(row, &keys, &args)
    });
}

#[test]
fn key_sets_of_envoys_own_library() {
    each_of("jwt_verify_lib/jwks.jsonl", "jwt_verify_lib_jwks", |row, directory| {
        let document = row["document"].as_str().unwrap();
        let loaded = if row["kind"] == "pem" {
            let pem = file(directory, "key.pem", document);
            let made = run_with(["key", "jwks", pem.to_str().unwrap()], "");
            (made.code == 0).then(|| KeySet::from_jwks(made.stdout.as_bytes(), false).ok()).flatten()
        } else {
            KeySet::from_jwks(document.as_bytes(), true).ok()
        };
        let usable = loaded.as_ref().map(|keys| keys.keys().len());
        let fits = match row["expect"].as_str().unwrap() {
            "load" => {
                usable.is_some_and(|usable| row["usable_keys"].as_u64().is_none_or(|count| count == usable as u64))
            }
            _ => usable.is_none(),
        };
        (!fits).then(|| format!("expected {} {}, got {usable:?} keys", row["expect"], row["usable_keys"]))
    });
}
