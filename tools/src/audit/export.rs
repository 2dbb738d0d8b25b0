//! Records in the form of other systems.

use portcullis_engine::UnixTime;
use serde_json::{Map, Value, json};

use super::record::{Record, text};

#[cfg(test)]
mod tests;

/// The version of the Open Cybersecurity Schema Framework that is written: <https://schema.ocsf.io/1.3.0>.
const OCSF_VERSION: &str = "1.3.0";
const AUTHENTICATION: u32 = 3002;
const API_ACTIVITY: u32 = 6003;

/// The version of the Elastic Common Schema that is written.
const ECS_VERSION: &str = "8.11.0";

/// The columns of the table: every field of a record, in its order.
pub const COLUMNS: [&str; 21] = [
    "timestamp",
    "event",
    "action",
    "decision",
    "reason",
    "route",
    "user_id",
    "role",
    "ip_address",
    "method",
    "path",
    "status",
    "request_id",
    "provider",
    "kid",
    "token_id",
    "masked",
    "policy",
    "target",
    "count",
    "since",
];

/// A row of the table.
#[must_use]
pub fn row(record: &Record<'_>) -> [String; 21] {
    let number = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
    [
        record.timestamp.as_str(),
        record.event.as_str(),
        text(&record.action),
        record.decision.as_str(),
        record.reason.as_str(),
        text(&record.route),
        text(&record.user_id),
        text(&record.role),
        text(&record.ip_address),
        text(&record.method),
        text(&record.path),
        &number(record.status.map(u64::from)),
        text(&record.request_id),
        text(&record.provider),
        text(&record.kid),
        text(&record.token_id),
        &masked(record).join(" "),
        text(&record.policy),
        text(&record.target),
        &number(record.count),
        text(&record.since),
    ]
    .map(cell)
}

/// A cell that no spreadsheet takes for a formula: OWASP, "CSV Injection".
fn cell(value: &str) -> String {
    if value.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) { format!("'{value}") } else { value.to_owned() }
}

fn masked<'r>(record: &'r Record<'_>) -> Vec<&'r str> {
    record.masked.iter().flatten().map(super::record::Text::as_str).collect()
}

/// Members that are there.
fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    let empty = |value: &Value| match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    };
    let kept = members.into_iter().filter(|(_, value)| !empty(value));
    Value::Object(kept.map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>())
}

fn millis(timestamp: &str) -> Option<i64> {
    UnixTime::parse_rfc3339(timestamp).map(UnixTime::millis)
}

/// An address that is one: a block or a hash is none.
fn address<'r>(record: &'r Record<'_>) -> Option<&'r str> {
    Some(text(&record.ip_address)).filter(|address| address.parse::<std::net::IpAddr>().is_ok())
}

/// An event of the Open Cybersecurity Schema Framework.
#[must_use]
pub fn ocsf(record: &Record<'_>) -> Value {
    let authentication = record.event.as_str() == "authentication";
    let (class, category) = if authentication { (AUTHENTICATION, 3) } else { (API_ACTIVITY, 6) };
    let activity = if authentication { authentication_activity(record) } else { api_activity(record) };
    let decision = record.decision.as_str();
    // allowed and allowed; denied and blocked; allowed and only logged.
    let (action, disposition) = match decision {
        "allow" => (1, 1),
        "deny" => (2, 2),
        _ => (1, 17),
    };
    let severity = match (decision, record.reason.as_str()) {
        (_, "internal_error") => 4,
        ("allow", _) => 1,
        _ => 2,
    };
    let name = if record.event.as_str() == "admin" { "localhost" } else { "unknown" };
    let user = match text(&record.user_id) {
        "" => json!({"name": "anonymous"}),
        id => object([("uid", json!(id)), ("groups", groups(record))]),
    };
    let endpoint = match address(record) {
        Some(ip) => json!({"ip": ip}),
        None => json!({"name": Some(text(&record.ip_address)).filter(|text| !text.is_empty()).unwrap_or(name)}),
    };
    let end = millis(record.timestamp.as_str());
    let start = record.since.as_ref().and_then(|since| millis(since.as_str()));
    object([
        ("class_uid", json!(class)),
        ("category_uid", json!(category)),
        ("activity_id", json!(activity)),
        ("type_uid", json!(class.saturating_mul(100).saturating_add(activity))),
        ("time", json!(end)),
        ("start_time", json!(start)),
        ("end_time", json!(start.and(end))),
        ("count", json!(record.count)),
        ("severity_id", json!(severity)),
        ("status_id", json!(if decision == "deny" { 2 } else { 1 })),
        ("status_code", json!(record.status.map(|status| status.to_string()))),
        ("status_detail", json!(record.reason.as_str())),
        ("action_id", json!(action)),
        ("disposition_id", json!(disposition)),
        (
            "metadata",
            object([
                ("version", json!(OCSF_VERSION)),
                ("product", json!({"name": "Portcullis", "vendor_name": "Portcullis"})),
                ("profiles", json!(["security_control"])),
                ("event_code", json!(record.reason.as_str())),
                ("correlation_uid", json!(text(&record.request_id))),
                ("original_time", json!(record.timestamp.as_str())),
            ]),
        ),
        ("actor", json!({"user": user})),
        ("user", if authentication { user.clone() } else { Value::Null }),
        ("service", if authentication { json!({"name": service(record)}) } else { Value::Null }),
        ("api", if authentication { Value::Null } else { json!({"operation": operation(record)}) }),
        ("src_endpoint", endpoint),
        (
            "http_request",
            object([
                ("http_method", json!(text(&record.method))),
                ("uid", json!(text(&record.request_id))),
                ("url", object([("path", json!(text(&record.path)))])),
            ]),
        ),
        ("http_response", object([("code", json!(record.status))])),
        ("unmapped", own(record)),
    ])
}

/// 1 is a logon, 2 a logoff, 99 another.
fn authentication_activity(record: &Record<'_>) -> u32 {
    match text(&record.action) {
        "authenticate" | "login" => 1,
        "logout" => 2,
        _ => 99,
    }
}

/// 1 creates, 2 reads, 3 updates, 4 deletes, 99 is another.
fn api_activity(record: &Record<'_>) -> u32 {
    match text(&record.method) {
        "POST" => 1,
        "GET" | "HEAD" | "OPTIONS" => 2,
        "PUT" | "PATCH" => 3,
        "DELETE" => 4,
        _ => 99,
    }
}

fn service<'r>(record: &'r Record<'_>) -> &'r str {
    Some(text(&record.provider)).filter(|provider| !provider.is_empty()).unwrap_or("portcullis")
}

fn operation(record: &Record<'_>) -> String {
    match (text(&record.method), text(&record.route)) {
        ("", _) => text(&record.action).to_owned(),
        (method, "") => method.to_owned(),
        (method, route) => format!("{method} {route}"),
    }
}

fn groups(record: &Record<'_>) -> Value {
    record.role.as_ref().map_or(Value::Null, |role| json!([{"name": role}]))
}

/// What other systems have no field for.
fn own(record: &Record<'_>) -> Value {
    object([
        ("event", json!(record.event)),
        ("action", json!(record.action)),
        ("decision", json!(record.decision)),
        ("route", json!(record.route)),
        ("role", json!(record.role)),
        ("provider", json!(record.provider)),
        ("kid", json!(record.kid)),
        ("token_id", json!(record.token_id)),
        ("masked", json!(masked(record))),
        ("policy", json!(record.policy)),
        ("target", json!(record.target)),
        ("chain", json!(record.chain)),
        ("seq", json!(record.seq)),
    ])
}

/// A document of the Elastic Common Schema.
#[must_use]
pub fn ecs(record: &Record<'_>) -> Value {
    let (category, kind) = match record.event.as_str() {
        "authentication" => (json!(["authentication"]), "start"),
        "admin" => (json!(["iam", "configuration"]), "change"),
        "access" => (json!(["web"]), "access"),
        _ => (json!(["web", "network"]), "access"),
    };
    let verdict = if record.is_denial() { "denied" } else { "allowed" };
    object([
        ("@timestamp", json!(record.timestamp)),
        ("ecs", json!({"version": ECS_VERSION})),
        (
            "event",
            object([
                ("kind", json!("event")),
                ("category", category),
                ("type", json!([kind, verdict])),
                ("action", json!(text(&record.action))),
                ("outcome", json!(if record.is_denial() { "failure" } else { "success" })),
                ("reason", json!(record.reason)),
                ("module", json!("portcullis")),
                ("dataset", json!("portcullis.audit")),
                ("start", json!(text(&record.since))),
            ]),
        ),
        (
            "user",
            object([("id", json!(text(&record.user_id))), ("roles", json!(record.role.as_ref().map(|role| [role])))]),
        ),
        ("source", object([("ip", json!(address(record))), ("address", json!(text(&record.ip_address)))])),
        (
            "http",
            object([
                ("request", object([("method", json!(text(&record.method))), ("id", json!(text(&record.request_id)))])),
                ("response", object([("status_code", json!(record.status))])),
            ]),
        ),
        ("url", object([("path", json!(text(&record.path)))])),
        ("rule", object([("name", json!(text(&record.route))), ("ruleset", json!(text(&record.policy)))])),
        ("portcullis", object([("audit", own(record)), ("count", json!(record.count))])),
    ])
}
