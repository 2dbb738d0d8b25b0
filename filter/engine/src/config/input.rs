//! `schemas`, and `input` of a route.

use serde_json::{Map, Value};

use super::decode::{Fields, Findings, boolean, choice, header_name, integer, name_of, non_empty, text, wrong_kind};
use super::error::Path;
use super::node::{Node, NodeValue};
use crate::input::{InputRules, Kind, Parameter, ParameterPlace, Schema};
use crate::route::PathPattern;

/// The most that `max_body_bytes` can be: what is judged is held in memory.
const MOST_BODY_BYTES: u32 = 16 * 1024 * 1024;

/// What a parameter's schema may say besides its type.
const KEYWORDS: [&str; 9] = [
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "minLength",
    "maxLength",
    "pattern",
    "enum",
    "format",
];

/// Formats that are checked.
const FORMATS: [&str; 9] = ["email", "uuid", "date-time", "date", "time", "uri", "ipv4", "ipv6", "hostname"];

/// `schemas`: by name, as JSON.
pub(crate) fn named_schemas(node: &Node, path: &Path<'_>, findings: &mut Findings) -> Option<Vec<(String, Value)>> {
    let NodeValue::Map(members) = &node.value else {
        wrong_kind(node, path, "a mapping of schemas", findings);
        return None;
    };
    let mut named: Vec<(String, Value)> = Vec::new();
    for (key, node) in members {
        let path = path.field(&key.name);
        let fits = !key.name.is_empty()
            && key.name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
        if !fits {
            findings.error(&path, key.line, "not a name for a schema", "write letters, digits, `-`, `_` and `.`");
        } else if named.iter().any(|(name, _)| *name == key.name) {
            findings.error(&path, key.line, format!("schema `{}` stands twice", key.name), "keep one");
        } else {
            named.push((key.name.clone(), node.to_canonical_json()));
        }
    }
    // Each may refer to the others.
    let mut sound = true;
    for (key, node) in members {
        if let Some((_, value)) = named.iter().find(|(name, _)| *name == key.name) {
            sound &= compile(value.clone(), node, &path.field(&key.name), &named, findings).is_some();
        }
    }
    if !sound {
        said_elsewhere(node, path, findings);
    }
    Some(named)
}

/// `input`.
pub(crate) fn input(
    node: &Node,
    path: &Path<'_>,
    pattern: Option<&PathPattern>,
    named: &[(String, Value)],
    findings: &mut Findings,
) -> Option<InputRules> {
    let before = findings.errors.len();
    let mut fields = Fields::of(node, path, findings)?;
    let content_types = fields.read("content_types", findings, |node, path, findings| {
        non_empty(node, path, findings, "list the media types, or leave the field out for any", media_type)
    });
    let max_body_bytes = fields
        .read("max_body_bytes", findings, |node, path, findings| integer(node, path, findings, 0..=MOST_BODY_BYTES));
    let mut parameters = Vec::new();
    for (name, place) in
        [("query", ParameterPlace::Query), ("path", ParameterPlace::Path), ("headers", ParameterPlace::Header)]
    {
        let read =
            fields.read(name, findings, |node, path, findings| self::parameters(node, path, place, pattern, findings));
        parameters.extend(read.into_iter().flatten());
    }
    let words = [("allow", true), ("deny", false)];
    let additional = fields.read("additional", findings, |node, path, findings| choice(node, path, findings, &words));
    let body = fields.read("body", findings, |node, path, findings| body(node, path, named, findings));
    fields.finish(findings);
    // Half of what was asked for is not what was asked for.
    (findings.errors.len() == before).then(|| InputRules {
        content_types: content_types.unwrap_or_default(),
        max_body_bytes: max_body_bytes.and_then(|most| usize::try_from(most).ok()),
        parameters,
        additional: additional.unwrap_or(true),
        body,
    })
}

/// A media type without parameters (RFC 9110 section 8.3.1), in lower case.
fn media_type(node: &Node, path: &Path<'_>, findings: &mut Findings) -> Option<String> {
    let given = text(node, path, findings)?;
    let parts = given.split_once('/').filter(|(kind, sub)| crate::cors::is_token(kind) && crate::cors::is_token(sub));
    if parts.is_none() || given.contains('*') {
        let remedy = "write type/subtype without parameters, such as application/json";
        findings.error(path, node.line, format!("`{given}` is not a media type"), remedy);
        return None;
    }
    Some(given.to_ascii_lowercase())
}

fn parameters(
    node: &Node,
    path: &Path<'_>,
    place: ParameterPlace,
    pattern: Option<&PathPattern>,
    findings: &mut Findings,
) -> Option<Vec<Parameter>> {
    let NodeValue::Map(members) = &node.value else {
        wrong_kind(node, path, "a mapping of parameters", findings);
        return None;
    };
    let mut found: Vec<Parameter> = Vec::new();
    for (key, node) in members {
        let path = path.field(&key.name);
        let name = match place {
            ParameterPlace::Header => {
                let name = Node { line: key.line, value: NodeValue::String(key.name.clone()) };
                let Some(name) = header_name(&name, &path, findings) else { continue };
                name
            }
            ParameterPlace::Path if pattern.is_some_and(|pattern| !pattern.names_param(&key.name)) => {
                let message = format!("the route's path has no parameter `{}`", key.name);
                findings.error(&path, key.line, message, "name a parameter of match.path");
                continue;
            }
            _ => key.name.clone(),
        };
        if found.iter().any(|own| own.name == name) {
            findings.error(&path, key.line, format!("parameter `{name}` stands twice"), "keep one");
            continue;
        }
        found.extend(parameter(name, node, &path, place, findings));
    }
    Some(found)
}

fn parameter(
    name: String,
    node: &Node,
    path: &Path<'_>,
    place: ParameterPlace,
    findings: &mut Findings,
) -> Option<Parameter> {
    let mut fields = Fields::of(node, path, findings)?;
    let kinds =
        [("integer", Kind::Integer), ("number", Kind::Number), ("boolean", Kind::Boolean), ("string", Kind::String)];
    let kind = fields.required("type", "say what it is: integer, number, boolean or string", findings);
    let kind = kind.and_then(|node| choice(node, &path.field("type"), findings, &kinds));
    let required = fields.read("required", findings, boolean).unwrap_or(false);
    let mut schema = Map::new();
    for keyword in KEYWORDS {
        if let Some(node) = fields.take(keyword) {
            if keyword == "format" {
                choice(node, &path.field("format"), findings, &FORMATS.map(|format| (format, ())));
            }
            schema.insert(keyword.to_owned(), node.to_canonical_json());
        }
    }
    fields.finish(findings);
    let schema = compile(Value::Object(schema), node, path, &[], findings)?;
    Some(Parameter { place, name, required, kind: kind?, schema })
}

/// `body`: `{schema: …}`, inline or by name.
fn body(node: &Node, path: &Path<'_>, named: &[(String, Value)], findings: &mut Findings) -> Option<Schema> {
    let mut fields = Fields::of(node, path, findings)?;
    let schema = fields.required("schema", "write a JSON Schema, or the name of one in `schemas`", findings);
    fields.finish(findings);
    let node = schema?;
    let path = path.field("schema");
    let compiled = if let NodeValue::String(_) = node.value {
        let name = name_of(node, &path, findings)?;
        let Some((_, schema)) = named.iter().find(|(own, _)| *own == name) else {
            let message = format!("there is no schema `{name}`");
            findings.error(&path, node.line, message, "name one of `schemas`, or write the schema here");
            return None;
        };
        Schema::compile(schema.clone(), named).ok()
    } else {
        compile(node.to_canonical_json(), node, &path, named, findings)
    };
    if compiled.is_none() {
        said_elsewhere(node, &path, findings);
    }
    compiled
}

fn compile(
    schema: Value,
    node: &Node,
    path: &Path<'_>,
    named: &[(String, Value)],
    findings: &mut Findings,
) -> Option<Schema> {
    match Schema::compile(schema, named) {
        Ok(schema) => Some(schema),
        Err(errors) => {
            for error in errors {
                let line = line_of(node, &error.pointer).or(node.line);
                let place = error.pointer.split('/').filter(|part| !part.is_empty()).collect::<Vec<_>>().join(".");
                let at = if place.is_empty() { String::new() } else { format!("`{place}`: ") };
                let remedy = "correct the schema (JSON Schema 2020-12)";
                findings.error(path, line, format!("{at}{}", error.message), remedy);
            }
            None
        }
    }
}

/// What is wrong with one of `schemas` is said where it stands, and not again of what refers to it. Without any error, what it
/// was to judge would go unjudged.
fn said_elsewhere(node: &Node, path: &Path<'_>, findings: &mut Findings) {
    if findings.errors.is_empty() {
        findings.error(path, node.line, "refers to a schema that is not valid", "correct that one");
    }
}

/// The line of what a JSON pointer leads to.
fn line_of(node: &Node, pointer: &str) -> Option<u32> {
    let mut at = node;
    for part in pointer.split('/').skip(1) {
        let part = part.replace("~1", "/").replace("~0", "~");
        at = match &at.value {
            NodeValue::Map(members) => members.iter().find(|(key, _)| key.name == part).map(|(_, node)| node)?,
            NodeValue::Seq(items) => items.get(part.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    at.line
}
