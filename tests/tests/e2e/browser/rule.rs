//! What must come of a request, from the policy's block and the Fetch standard alone: nothing here looks at an answer.

use serde_json::Value;

use super::API;

/// A request as script asks for it.
#[derive(Clone, Copy, Debug)]
pub struct Ask {
    pub name: &'static str,
    pub method: &'static str,
    pub headers: &'static [(&'static str, &'static str)],
    pub body: Option<&'static str>,
}

/// How it goes.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// The reason a preflight is answered with; `None` where none is sent.
    pub preflight: Option<&'static str>,
    /// The request itself leaves the browser.
    pub sent: bool,
    /// Script may read the answer, whatever it is.
    pub read: bool,
}

/// What a request to a route under `block` comes to, from a page at `origin`.
pub fn rule(block: &Value, origin: &str, ask: &Ask, include: bool) -> Rule {
    if origin == API {
        return Rule { preflight: None, sent: true, read: true };
    }
    let shared = allows_origin(block, origin);
    let with_credentials = !include || block["allow_credentials"] == true;
    if !needs_preflight(ask) {
        return Rule { preflight: None, sent: true, read: shared && with_credentials };
    }
    let reason = match () {
        () if !shared => "cors_origin",
        () if !allows_method(block, ask.method) => "cors_method",
        () if !unsafe_headers(ask).all(|name| allows_header(block, name)) => "cors_headers",
        () => "cors_preflight",
    };
    let read = reason == "cors_preflight" && with_credentials;
    Rule { preflight: Some(reason), sent: read, read }
}

/// Script may read that header of an answer it may read.
pub fn exposed(block: &Value, origin: &str, include: bool, name: &str) -> bool {
    // <https://fetch.spec.whatwg.org/#cors-safelisted-response-header-name>
    let safe =
        ["cache-control", "content-language", "content-length", "content-type", "expires", "last-modified", "pragma"];
    origin == API
        || safe.contains(&name)
        || list(block, "expose_headers").any(|listed| listed.eq_ignore_ascii_case(name) || (listed == "*" && !include))
}

/// The block names that origin, or a pattern of it.
pub fn allows_origin(block: &Value, origin: &str) -> bool {
    list(block, "allow_origins").any(|listed| match listed.split_once('*') {
        None => listed == origin,
        Some(("", "")) => true,
        Some((start, end)) => {
            let below = origin.strip_prefix(start).and_then(|rest| rest.strip_suffix(end));
            below.is_some_and(|name| name.split('.').all(|label| !label.is_empty() && !label.contains(['/', ':'])))
        }
    })
}

fn allows_method(block: &Value, method: &str) -> bool {
    is_simple_method(method) || list(block, "allow_methods").any(|listed| listed == method || listed == "*")
}

/// `*` is for every header but `authorization`, which must be named.
fn allows_header(block: &Value, name: &str) -> bool {
    let wild = name != "authorization";
    list(block, "allow_headers").any(|listed| listed.eq_ignore_ascii_case(name) || (listed == "*" && wild))
}

fn needs_preflight(ask: &Ask) -> bool {
    !is_simple_method(ask.method) || unsafe_headers(ask).next().is_some()
}

/// <https://fetch.spec.whatwg.org/#cors-safelisted-method>
fn is_simple_method(method: &str) -> bool {
    ["GET", "HEAD", "POST"].contains(&method)
}

/// <https://fetch.spec.whatwg.org/#cors-safelisted-request-header>
fn unsafe_headers(ask: &Ask) -> impl Iterator<Item = &'static str> + use<> {
    let simple_types = ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"];
    ask.headers.iter().filter_map(move |(name, value)| match *name {
        "accept" | "accept-language" | "content-language" => None,
        "content-type" if simple_types.contains(value) => None,
        name => Some(name),
    })
}

fn list<'a>(block: &'a Value, field: &str) -> impl Iterator<Item = &'a str> {
    block[field].as_array().into_iter().flatten().filter_map(Value::as_str)
}
