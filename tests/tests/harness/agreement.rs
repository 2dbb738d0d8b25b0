//! `portcullis policy explain` on the request that was just sent through Envoy: it must say what happened.

use std::path::PathBuf;

use serde_json::{Map, Value};
use tempfile::TempDir;

use super::client::Request;
use super::expect::Exchange;
use super::tool::{Said, portcullis_bytes};

/// What Envoy writes into requests and responses itself, and what belongs to a connection.
const ENVOYS_OWN: [&str; 14] = [
    "connection",
    "content-length",
    "date",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
    "x-envoy-external-address",
    "x-envoy-expected-rq-timeout-ms",
    "x-envoy-upstream-service-time",
    "x-forwarded-for",
    "x-forwarded-proto",
];

/// The command, with a policy that is in force in some Envoy.
pub struct Agreement {
    folder: TempDir,
    environment: Vec<(String, String)>,
    /// Where Envoy's clock stands, if it stands.
    clock: Option<i64>,
}

impl Agreement {
    /// `None` where the command cannot know what Envoy knows: keys and feeds that are fetched, failures that are counted.
    pub fn under(policy: &str, environment: Vec<(String, String)>, clock: Option<i64>) -> Option<Self> {
        if ["remote_jwks", "identity_feed", "\"lockout\""].iter().any(|fetched| policy.contains(fetched)) {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("policy.json"), policy).unwrap();
        Some(Self { folder, environment, clock })
    }

    fn policy(&self) -> PathBuf {
        self.folder.path().join("policy.json")
    }

    /// Where what happened is not what is explained. A request that left no record is not one the filter decided.
    pub fn problems(&self, request: &Request, exchange: &Exchange) -> Vec<String> {
        let Some(record) = &exchange.record else { return Vec::new() };
        let (Ok(path), true) = (std::str::from_utf8(&request.target), request.method.is_ascii()) else {
            return Vec::new();
        };
        let said = self.explain(request, path, &record.text("request_id"), &record.text("ip_address"), exchange);
        let Ok(explained) = serde_json::from_str::<Value>(&said.out) else {
            return vec![format!("policy explain: exit code {}: {}", said.code, said.err)];
        };
        let mut problems = Vec::new();
        compare_record(&explained, exchange, &mut problems);
        match explained["status"].as_u64() {
            Some(status) => compare_reply(status, &explained, exchange, &mut problems),
            None => compare_passage(request, &explained, exchange, &mut problems),
        }
        problems.into_iter().map(|problem| format!("policy explain: {problem}")).collect()
    }

    fn explain(&self, request: &Request, path: &str, id: &str, ip: &str, exchange: &Exchange) -> Said {
        let policy = self.policy();
        let mut arguments =
            vec!["policy", "explain", policy.to_str().unwrap(), "--json", "--header-file", "-", "--body-file"];
        let body = self.folder.path().join("body");
        std::fs::write(&body, &request.body).unwrap();
        arguments.push(body.to_str().unwrap());
        let owned = [
            format!("--method={}", request.method),
            format!("--path={path}"),
            format!("--host={}", request.host),
            format!("--ip={ip}"),
            format!("--at={}", self.clock.unwrap_or_default()),
        ];
        let given = if self.clock.is_some() { 5 } else { 4 };
        arguments.extend(owned.iter().take(given).map(String::as_str));
        let reply = exchange.seen.iter().flat_map(|seen| &seen.answered);
        let reply: Vec<String> = reply.map(|(name, value)| format!("--response-header={name}: {value}")).collect();
        arguments.extend(reply.iter().map(String::as_str));
        let mut headers = Vec::new();
        // Envoy takes `Connection` away before the filter is asked.
        let own = |name: &str| ["x-request-id", "connection"].iter().any(|own| name.eq_ignore_ascii_case(own));
        let sent = request.headers.iter().filter(|(name, _)| !own(name));
        for (name, value) in sent.chain([&("x-request-id".to_owned(), id.as_bytes().to_vec())]) {
            headers.extend_from_slice(&[name.as_bytes(), b": ", value, b"\n"].concat());
        }
        let environment: Vec<(&str, &str)> =
            self.environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        portcullis_bytes(&arguments, &headers, &environment)
    }
}

/// The record, all but the time and, of a request that went on, the status that was the upstream's.
fn compare_record(explained: &Value, exchange: &Exchange, problems: &mut Vec<String>) {
    let Some(record) = &exchange.record else { return };
    let empty = Map::new();
    let said = explained["audit"].as_object().unwrap_or(&empty);
    let names = record.names().into_iter().chain(said.keys().map(String::as_str));
    for name in names.filter(|name| !matches!(*name, "timestamp" | "status")) {
        if record.get(name) != said.get(name) {
            problems.push(format!(
                "the record's `{name}` is {:?}, explained as {:?}",
                record.get(name),
                said.get(name)
            ));
        }
    }
    for name in ["decision", "reason", "route"] {
        let said = explained[name].as_str().unwrap_or_default();
        if record.text(name) != said {
            problems.push(format!("{name} `{}`, explained as `{said}`", record.text(name)));
        }
    }
}

/// A reply of the filter's own: the status, and every header, no more and no less.
fn compare_reply(status: u64, explained: &Value, exchange: &Exchange, problems: &mut Vec<String>) {
    let response = &exchange.response;
    if u64::from(response.status) != status {
        problems.push(format!("status {}, explained as {status}", response.status));
    }
    compare_headers("answer", &response.headers.0, object(&explained["response_headers"]), problems);
}

/// What the upstream saw is what was sent, changed as explained; and what the client got is what the upstream sent.
fn compare_passage(request: &Request, explained: &Value, exchange: &Exchange, problems: &mut Vec<String>) {
    let [seen] = exchange.seen.as_slice() else {
        problems.push(format!("{} requests went on, explained as one", exchange.seen.len()));
        return;
    };
    let mut set = object(&explained["upstream_headers"]);
    if let Some(path) = set.remove(":path").as_ref().and_then(Value::as_str) {
        // A query is not shown.
        let (path, query) = path.split_once('?').map_or((path, false), |(path, _)| (path, true));
        let (seen_path, seen_query) =
            seen.target.split_once('?').map_or((seen.target.as_str(), false), |(path, _)| (path, true));
        if (seen_path, seen_query) != (path, query) {
            problems.push(format!("the upstream saw `{}`, explained as `{path}`", seen.target));
        }
    }
    let removed: Vec<&str> =
        explained["removed_headers"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let mut expected: Vec<(String, Vec<u8>)> =
        request.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect();
    expected.retain(|(name, _)| !removed.contains(&name.as_str()) && !set.contains_key(name) && name != "x-request-id");
    expected.extend(set.into_iter().map(|(name, value)| (name, value.as_str().unwrap_or_default().into())));
    let own = |name: &str| ENVOYS_OWN.contains(&name) || name == "x-request-id";
    compare_lines("upstream", &seen.headers.0, expected, own, problems);

    if seen.answered_with < 500 {
        let removed = explained["removed_response_headers"].as_array().unwrap();
        let set = object(&explained["response_headers"]);
        let added = |name: &str| set.contains_key(name) && name != "vary";
        let mut expected: Vec<(String, Vec<u8>)> =
            seen.answered.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone().into())).collect();
        expected.retain(|(name, _)| !removed.iter().any(|removed| removed == name) && !added(name));
        expected.extend(set.into_iter().flat_map(lines));
        let own = |name: &str| ENVOYS_OWN.contains(&name);
        compare_lines("response", &exchange.response.headers.0, expected, own, problems);
    }
}

/// The lines of a header: a text for one, a list for more.
fn lines((name, value): (String, Value)) -> Vec<(String, Vec<u8>)> {
    let values = if let Value::Array(values) = value { values } else { vec![value] };
    values.iter().map(|value| (name.clone(), value.as_str().unwrap_or_default().into())).collect()
}

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

fn compare_headers(side: &str, found: &[(String, Vec<u8>)], said: Map<String, Value>, problems: &mut Vec<String>) {
    let said = said.into_iter().map(|(name, value)| (name, value.as_str().unwrap_or_default().into())).collect();
    compare_lines(side, found, said, |name| ENVOYS_OWN.contains(&name), problems);
}

/// Both sides by name, the values in any order: Envoy groups the lines of a name.
fn compare_lines(
    side: &str,
    found: &[(String, Vec<u8>)],
    expected: Vec<(String, Vec<u8>)>,
    own: impl Fn(&str) -> bool,
    problems: &mut Vec<String>,
) {
    let sorted = |lines: Vec<(String, Vec<u8>)>| {
        let mut lines: Vec<_> = lines.into_iter().filter(|(name, _)| !own(name)).collect();
        lines.sort();
        lines
    };
    let (found, expected) = (sorted(joined(found)), sorted(joined(&expected)));
    let shown = |(name, value): &(String, Vec<u8>)| format!("{name}: {}", String::from_utf8_lossy(value));
    for line in found.iter().filter(|line| !expected.contains(line)) {
        problems.push(format!("{side} has `{}`, which is not explained", shown(line)));
    }
    for line in expected.iter().filter(|line| !found.contains(line)) {
        problems.push(format!("{side} lacks `{}`, which is explained", shown(line)));
    }
}

/// The elements of `Vary` are one list and cookies one string, whatever the number of their lines; and cookies that stay are
/// not shown.
fn joined(lines: &[(String, Vec<u8>)]) -> Vec<(String, Vec<u8>)> {
    let split = |(name, value): &(String, Vec<u8>)| match name.as_str() {
        "vary" => value.split(|byte| *byte == b',').map(|one| (name.clone(), one.trim_ascii().to_vec())).collect(),
        "cookie" => vec![(name.clone(), "…".into())],
        _ => vec![(name.clone(), value.clone())],
    };
    let mut lines: Vec<_> = lines.iter().flat_map(split).collect();
    let first_cookie = lines.iter().position(|(name, _)| name == "cookie");
    let mut place = 0..;
    lines.retain(|(name, _)| {
        let place = place.next();
        name != "cookie" || place == first_cookie
    });
    lines
}
