//! What a browser makes of an answer, after the Fetch standard: the judge of all our CORS
//! headers, itself judged by the web platform's tests.

use serde_json::Value;

use crate::harness::exceptions::Suite;
use crate::harness::fixtures;
use crate::harness::wire::Headers;

/// Methods and headers that need nobody's leave.
const SIMPLE_METHODS: [&str; 3] = ["GET", "HEAD", "POST"];

/// <https://fetch.spec.whatwg.org/#cors-check>
pub fn may_read(headers: &Headers, origin: &str, credentials: bool) -> bool {
    let allowed = headers.all("access-control-allow-origin");
    let [allowed] = allowed.as_slice() else { return false };
    if allowed == "*" && !credentials {
        return true;
    }
    allowed == origin && (!credentials || headers.all("access-control-allow-credentials") == ["true"])
}

/// <https://fetch.spec.whatwg.org/#cors-preflight-fetch>, from its status on.
pub fn may_send(
    status: u16,
    headers: &Headers,
    origin: &str,
    credentials: bool,
    method: &str,
    names: &[String],
) -> bool {
    if !(200..300).contains(&status) || !may_read(headers, origin, credentials) {
        return false;
    }
    let (Some(methods), Some(allowed)) = (tokens(headers, "methods"), tokens(headers, "headers")) else { return false };
    let star = |list: &[String]| !credentials && list.iter().any(|entry| entry == "*");
    let method_passes =
        methods.iter().any(|entry| entry == method) || SIMPLE_METHODS.contains(&method) || star(&methods);
    method_passes
        && names.iter().all(|name| {
            let listed = allowed.iter().any(|entry| entry.eq_ignore_ascii_case(name));
            listed || (star(&allowed) && !name.eq_ignore_ascii_case("authorization"))
        })
}

/// The entries of one `access-control-allow-` list; `None` if any is not a token, which voids
/// the whole answer.
fn tokens(headers: &Headers, list: &str) -> Option<Vec<String>> {
    let lines = headers.all(&format!("access-control-allow-{list}"));
    let entries: Vec<_> =
        lines.iter().flat_map(|line| line.split(',')).map(str::trim).filter(|entry| !entry.is_empty()).collect();
    let is_token =
        |entry: &&str| entry.bytes().all(|byte| byte.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?={}".contains(&byte));
    entries.iter().all(is_token).then(|| entries.into_iter().map(str::to_owned).collect())
}

#[test]
fn the_judge_reads_as_browsers_do() {
    let Some(rows) = fixtures::rows("cors/wpt_cors_check.jsonl") else { return };
    let mut suite = Suite::open("wpt_cors_check");
    for row in &rows {
        let mut headers = Headers::default();
        for value in row["acao"].as_array().unwrap() {
            add(&mut headers, "access-control-allow-origin", value);
        }
        add(&mut headers, "access-control-allow-credentials", &row["acac"]);
        let origin = row["request_origin"].as_str().unwrap();
        let found = may_read(&headers, origin, row["credentials"] == true);
        suite.row(row["id"].as_str().unwrap(), agree(found, row["cors_check"] == true));
    }
    suite.finish();

    let Some(rows) = fixtures::rows("cors/wpt_preflight.jsonl") else { return };
    let mut suite = Suite::open("wpt_preflight");
    for row in &rows {
        let mut headers = Headers::default();
        add(&mut headers, "access-control-allow-origin", &Value::from("https://a.example"));
        add(&mut headers, "access-control-allow-credentials", &Value::from("true"));
        add(&mut headers, "access-control-allow-methods", &row["allow_methods"]);
        add(&mut headers, "access-control-allow-headers", &row["allow_headers"]);
        let status = row["status"].as_u64().map_or(200, |status| u16::try_from(status).unwrap());
        let method = row["method"].as_str().unwrap_or("GET");
        let names: Vec<_> = row["header"].as_str().into_iter().map(str::to_owned).collect();
        let found = may_send(status, &headers, "https://a.example", row["credentials"] == true, method, &names);
        suite.row(row["id"].as_str().unwrap(), agree(found, row["preflight_ok"] == true));
    }
    suite.finish();
}

fn add(headers: &mut Headers, name: &str, value: &Value) {
    if let Some(value) = value.as_str() {
        // As the parser of header lines does: space and tab at the ends are not the value's.
        let value = value.trim_matches([' ', '\t']);
        headers.0.push((name.to_owned(), value.as_bytes().to_vec()));
    }
}

fn agree(found: bool, wanted: bool) -> Result<(), String> {
    if found == wanted { Ok(()) } else { Err(format!("the judge says {found}")) }
}
