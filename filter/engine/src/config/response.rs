//! `cors`, `security_headers` and `errors`.

use super::decode::{Fields, Findings, boolean, choice, duration, header_name, list, non_empty, text, wrong_kind};
use super::error::Path;
use super::node::{Node, NodeValue};
use crate::cors::{CorsPolicy, Names, Origins, Subdomains, is_token};
use crate::hash::FixedSet;
use crate::headers::{Preset, SecurityHeaders};
use crate::set_cookie::{CookieRules, SameSite};
use crate::text::has_control;

/// Headers that say how a message is framed or what is in it, and those that our own replies give a meaning.
const NOT_TO_SET: [&str; 10] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "retry-after",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "vary",
    "www-authenticate",
];

/// `cors`.
pub(crate) fn cors(node: &Node, path: &Path<'_>, findings: &mut Findings) -> Option<CorsPolicy> {
    let mut fields = Fields::of(node, path, findings)?;
    let origins_node =
        fields.required("allow_origins", "list the origins, such as [\"https://app.example.com\"]", findings);
    let origins_path = path.field("allow_origins");
    let origins =
        origins_node.and_then(|node| non_empty(node, &origins_path, findings, "list at least one origin", origin));
    let methods = fields.read("allow_methods", findings, |node, path, findings| list(node, path, findings, method));
    let headers =
        fields.read("allow_headers", findings, |node, path, findings| list(node, path, findings, allowed_header));
    let expose =
        fields.read("expose_headers", findings, |node, path, findings| list(node, path, findings, allowed_header));
    let credentials = fields.read("allow_credentials", findings, boolean).unwrap_or(false);
    let max_age = fields.read("max_age", findings, duration).unwrap_or(600);
    let line = fields.line;
    fields.finish(findings);

    let any_origin = origins.as_ref().is_some_and(|origins| origins.contains(&Origin::Any));
    let wildcards = [
        ("allow_origins", any_origin),
        ("allow_methods", contains_star(methods.as_deref())),
        ("allow_headers", contains_star(headers.as_deref())),
        ("expose_headers", contains_star(expose.as_deref())),
    ];
    for (field, _) in wildcards.iter().filter(|(_, wild)| *wild && credentials) {
        let remedy = "list each one, or set allow_credentials: false";
        findings.error(&path.field(field), line, "`*` together with allow_credentials: true", remedy);
    }
    if any_origin && origins.as_ref().is_some_and(|origins| origins.len() > 1) {
        findings.error(&origins_path, line, "`*` beside other origins", "keep `*` alone, or remove it");
    }
    let safelisted = || vec!["GET".to_owned(), "HEAD".to_owned(), "POST".to_owned()];
    Some(CorsPolicy {
        origins: compile_origins(origins?),
        methods: names(methods.unwrap_or_else(safelisted)),
        headers: names(headers.unwrap_or_default()),
        expose_headers: expose.unwrap_or_default(),
        credentials,
        max_age,
    })
}

fn contains_star(names: Option<&[String]>) -> bool {
    names.is_some_and(|names| names.iter().any(|name| name == "*"))
}

fn names(mut names: Vec<String>) -> Names {
    let any = contains_star(Some(&names));
    names.retain(|name| name != "*");
    Names { any, listed: names }
}

pub(crate) fn method(node: &Node, path: &Path<'_>, findings: &mut Findings) -> Option<String> {
    let method = text(node, path, findings)?;
    if !is_token(method) {
        findings.error(path, node.line, format!("`{method}` is not a method"), "write one, such as GET");
        return None;
    }
    let upper = method.to_ascii_uppercase();
    if upper != method
        && matches!(
            upper.as_str(),
            "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS" | "TRACE" | "CONNECT"
        )
    {
        findings.error(
            path,
            node.line,
            format!("methods are case-sensitive, and `{method}` is none"),
            format!("write {upper}"),
        );
        return None;
    }
    Some(method.to_owned())
}

fn allowed_header(node: &Node, path: &Path<'_>, findings: &mut Findings) -> Option<String> {
    header_name(node, path, findings)
}

#[derive(PartialEq)]
enum Origin {
    Any,
    Exact(String),
    Below(Subdomains),
}

/// An origin as browsers serialise it (Fetch, "serialized origin"; RFC 6454 section 6.2), or a pattern of one.
fn origin(node: &Node, path: &Path<'_>, findings: &mut Findings) -> Option<Origin> {
    let given = text(node, path, findings)?;
    if given == "*" {
        return Some(Origin::Any);
    }
    match parse_origin(given) {
        Ok(origin) => Some(origin),
        Err(remedy) => {
            findings.error(path, node.line, format!("`{given}` is not an origin"), remedy);
            None
        }
    }
}

fn parse_origin(given: &str) -> Result<Origin, String> {
    if given == "null" {
        return Err("`null` is the origin of any sandboxed page; name real origins".into());
    }
    if given.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(format!("browsers send lower case: {}", given.to_ascii_lowercase()));
    }
    let shape = "write scheme://host or scheme://host:port, without a path";
    let (scheme, authority) = given.split_once("://").ok_or(shape)?;
    let mut letters = scheme.bytes();
    let scheme_fits = letters.next().is_some_and(|byte| byte.is_ascii_lowercase())
        && letters.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.'));
    if !scheme_fits {
        return Err(shape.into());
    }
    let (host, port) = split_port(authority).ok_or(shape)?;
    if let Some(port) = port {
        let number = port.parse::<u16>().ok().filter(|number| *number > 0 && !port.starts_with('0'));
        let number = number.ok_or("the port must be a number from 1 to 65535")?;
        if matches!((scheme, number), ("http", 80) | ("https", 443)) {
            return Err(format!("browsers leave out the default port: {scheme}://{host}"));
        }
    }
    let colon = port.map_or_else(String::new, |port| format!(":{port}"));
    if let Some(below) = host.strip_prefix("*.") {
        if below.parse::<std::net::Ipv4Addr>().is_ok() || !is_domain(below) {
            return Err("after `*.` comes a domain name, such as https://*.example.com".into());
        }
        return Ok(Origin::Below(Subdomains { scheme: format!("{scheme}://"), suffix: format!(".{below}{colon}") }));
    }
    let is_address = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok_and(|parsed| parsed.to_string() == address),
        None => is_domain(host) && ends_in_number_only_if_ipv4(host),
    };
    if is_address { Ok(Origin::Exact(given.to_owned())) } else { Err(shape.into()) }
}

/// Splits `host:port`; a colon without a port is no authority.
fn split_port(authority: &str) -> Option<(&str, Option<&str>)> {
    let bracket = authority.rfind(']').unwrap_or(0);
    match authority.rfind(':').filter(|colon| *colon >= bracket) {
        Some(colon) => {
            let port = authority.get(colon + 1..)?;
            (!port.is_empty()).then_some((authority.get(..colon)?, Some(port)))
        }
        None => Some((authority, None)),
    }
}

/// A domain name in the form that browsers send: lower-case labels, at most 253 characters, perhaps a final dot.
fn is_domain(host: &str) -> bool {
    let labels = host.strip_suffix('.').unwrap_or(host);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_'))
    };
    labels.len() <= 253 && labels.split('.').all(is_label)
}

/// A host whose last label is a number is an IPv4 address, or nothing (URL Standard, section 3.5).
fn ends_in_number_only_if_ipv4(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or_default();
    let host_labels = host.strip_suffix('.').map(|host| host.rsplit('.').next().unwrap_or_default());
    let numeric = |label: &str| !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_digit());
    !(numeric(last) || host_labels.is_some_and(numeric)) || host.parse::<std::net::Ipv4Addr>().is_ok()
}

fn compile_origins(origins: Vec<Origin>) -> Origins {
    let mut exact = FixedSet::default();
    let mut subdomains = Vec::new();
    for origin in origins {
        match origin {
            Origin::Any => return Origins::Any,
            Origin::Exact(origin) => {
                exact.insert(origin);
            }
            Origin::Below(pattern) => subdomains.push(pattern),
        }
    }
    Origins::Listed { exact, subdomains }
}

/// `security_headers`.
pub(crate) fn security_headers(node: &Node, path: &Path<'_>, findings: &mut Findings) -> Option<SecurityHeaders> {
    let mut fields = Fields::of(node, path, findings)?;
    let presets = [("recommended", Preset::Recommended), ("api", Preset::Api), ("none", Preset::None)];
    let preset = fields.read("preset", findings, |node, path, findings| choice(node, path, findings, &presets));
    let set = fields.read("set", findings, headers_to_set);
    let remove = fields.read("remove", findings, |node, path, findings| list(node, path, findings, header_name));
    let keep = fields.read("keep", findings, |node, path, findings| list(node, path, findings, header_name));
    let set_cookie = fields.read("set_cookie", findings, set_cookie);
    let (set_path, keep_path, line) = (path.field("set"), path.field("keep"), fields.line);
    fields.finish(findings);
    let is_removed = |name: &String| remove.iter().flatten().any(|removed| removed == name);
    for (name, _) in set.iter().flatten().filter(|(name, _)| is_removed(name)) {
        findings.error(&set_path, line, format!("`{name}` is also in `remove`"), "keep one of them");
    }
    for name in keep.iter().flatten().filter(|name| is_removed(name)) {
        findings.error(&keep_path, line, format!("`{name}` is also in `remove`"), "keep one of them");
    }
    let defaults = SecurityHeaders::default();
    let set = set.unwrap_or_default();
    let remove = remove.unwrap_or_else(|| {
        let is_set = |name: &String| set.iter().any(|(set, _)| set == name);
        defaults.remove.into_iter().filter(|name| !is_set(name)).collect()
    });
    let (preset, keep) = (preset.unwrap_or(defaults.preset), keep.unwrap_or_default());
    Some(SecurityHeaders { preset, set, remove, keep, set_cookie })
}

/// `set_cookie`.
fn set_cookie(node: &Node, path: &Path<'_>, findings: &mut Findings) -> Option<CookieRules> {
    let mut fields = Fields::of(node, path, findings)?;
    let secure = fields.read("secure", findings, boolean).unwrap_or(false);
    let http_only = fields.read("http_only", findings, boolean).unwrap_or(false);
    let asks = secure || http_only || fields.take("same_site").is_some();
    let same_site = fields.read("same_site", findings, |node, path, findings| {
        choice(node, path, findings, &[("strict", SameSite::Strict), ("lax", SameSite::Lax)])
    });
    let except = fields.read("except", findings, |node, path, findings| list(node, path, findings, cookie_name));
    let line = fields.line;
    fields.finish(findings);
    if !asks {
        findings.error(
            path,
            line,
            "nothing is asked of cookies",
            "set secure, http_only or same_site, or leave it out",
        );
    }
    Some(CookieRules { secure, http_only, same_site, except: except.unwrap_or_default() })
}

fn cookie_name(node: &Node, path: &Path<'_>, findings: &mut Findings) -> Option<String> {
    let name = text(node, path, findings)?;
    if !is_token(name) {
        findings.error(path, node.line, format!("`{name}` is not a name of a cookie"), "write it as the service does");
        return None;
    }
    Some(name.to_owned())
}

fn headers_to_set(node: &Node, path: &Path<'_>, findings: &mut Findings) -> Option<Vec<(String, String)>> {
    let NodeValue::Map(members) = &node.value else {
        wrong_kind(node, path, "a mapping of header names to values", findings);
        return None;
    };
    let mut headers: Vec<(String, String)> = Vec::new();
    for (key, value) in members {
        let path = path.field(&key.name);
        let Some(written) = text(value, &path, findings) else { continue };
        let name = key.name.to_ascii_lowercase();
        if !is_token(&name) || name.starts_with("access-control-") || NOT_TO_SET.contains(&name.as_str()) {
            findings.error(
                &path,
                key.line,
                format!("`{}` cannot be set here", key.name),
                "name a header of security; those of CORS come from `cors`, those of the message from its sender",
            );
        } else if headers.iter().any(|(earlier, _)| *earlier == name) {
            findings.error(&path, key.line, format!("`{name}` is set twice"), "keep one");
        } else if has_control(written) {
            findings.error(&path, value.line, "a control character in a header value", "remove it");
        } else {
            headers.push((name, written.to_owned()));
        }
    }
    Some(headers)
}

/// `errors`: whether upstream errors are hidden.
pub(crate) fn errors(node: &Node, path: &Path<'_>, findings: &mut Findings) -> Option<bool> {
    let mut fields = Fields::of(node, path, findings)?;
    let hide = fields.read("hide_upstream_5xx", findings, boolean);
    fields.finish(findings);
    Some(hide.unwrap_or(true))
}
