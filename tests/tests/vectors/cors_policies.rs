//! Other libraries' CORS policies as blocks of ours.

use serde_json::{Value, json};

/// The policy of a `jub0bs/cors` test; `None` is that library's pass-through.
pub fn jub0bs(policy: &Value) -> Option<Value> {
    let policy = policy.as_object()?;
    let list = |name: &str| policy.get(name).cloned().unwrap_or_else(|| json!([]));
    let mut methods = list("Methods");
    // There, these three need no listing.
    if let Some(methods) = methods.as_array_mut() {
        for simple in ["GET", "HEAD", "POST"] {
            if !methods.contains(&json!(simple)) {
                methods.push(json!(simple));
            }
        }
    }
    let mut block = json!({
        "allow_origins": list("Origins"),
        "allow_methods": methods,
        "allow_headers": list("RequestHeaders"),
        "expose_headers": list("ResponseHeaders"),
        "allow_credentials": policy.get("Credentialed").cloned().unwrap_or(json!(false)),
    });
    if let Some(seconds) = policy.get("MaxAgeInSeconds") {
        block["max_age"] = json!(format!("{seconds}s"));
    }
    Some(block)
}

/// The policy of an `rs/cors` test, its defaults written out.
pub fn rscors(policy: &Value) -> Value {
    let list = |name: &str, default: Value| match &policy[name] {
        Value::Array(list) if !list.is_empty() => json!(list),
        _ => default,
    };
    let seconds = policy["MaxAge"].as_i64().unwrap_or(5).max(0);
    json!({
        "allow_origins": list("AllowedOrigins", json!(["*"])),
        "allow_methods": list("AllowedMethods", json!(["GET", "POST", "HEAD"])),
        "allow_headers": list("AllowedHeaders", json!(["Accept", "Content-Type", "X-Requested-With"])),
        "expose_headers": list("ExposedHeaders", json!([])),
        "allow_credentials": policy["AllowCredentials"] == true,
        "max_age": format!("{seconds}s"),
    })
}
