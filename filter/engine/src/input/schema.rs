//! JSON Schema 2020-12, compiled once.

use std::fmt;
use std::rc::Rc;

use boon::{CompileError, Compiler, Draft, ErrorKind, SchemaIndex, Schemas, UrlLoader, ValidationError};
use serde_json::Value;

use super::alike::{asks_for_unique_items, has_crowd};
use super::effort::Recursive;
use super::formats::FORMATS;

/// Where schemas of a policy are, for references among them: `/schemas/NAME`.
const BASE: &str = "policy:///";

/// A compiled schema. Cloning shares it.
#[derive(Clone)]
pub(crate) struct Schema {
    all: Rc<Schemas>,
    index: SchemaIndex,
    /// Where it refers to itself.
    recursive: Option<Rc<Recursive>>,
    /// Whether it, or what it may refer to, asks for `uniqueItems`.
    tells_items_apart: bool,
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Schema")
    }
}

/// What is wrong with a schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SchemaError {
    /// A JSON pointer to the place, as far as it is known.
    pub(crate) pointer: String,
    pub(crate) message: String,
}

/// Nothing is loaded from anywhere.
struct Nowhere;

impl UrlLoader for Nowhere {
    fn load(&self, _: &str) -> Result<Value, Box<dyn std::error::Error>> {
        Err("only /schemas/NAME of this policy can be referred to".into())
    }
}

impl Schema {
    /// Compiles a schema, which may refer to the `named` ones as `/schemas/NAME`. What is wrong with one of those is not told
    /// of this one.
    pub(crate) fn compile(schema: Value, named: &[(String, Value)]) -> Result<Self, Vec<SchemaError>> {
        let mut compiler = Compiler::new();
        compiler.set_default_draft(Draft::V2020_12);
        compiler.enable_format_assertions();
        FORMATS.into_iter().for_each(|format| compiler.register_format(format));
        compiler.use_loader(Box::new(Nowhere));
        let recursive = Recursive::of(&schema, named).map(Rc::new);
        let tells_items_apart =
            asks_for_unique_items(&schema) || named.iter().any(|(_, schema)| asks_for_unique_items(schema));
        let own = format!("{BASE}inline");
        let resources = named.iter().map(|(name, value)| (format!("{BASE}schemas/{name}"), value.clone()));
        for (place, value) in resources.chain([(own.clone(), schema)]) {
            compiler.add_resource(&place, value).map_err(|error| told(&error))?;
        }
        let mut all = Schemas::new();
        let index = compiler.compile(&own, &mut all).map_err(|error| told(&error))?;
        Ok(Self { all: Rc::new(all), index, recursive, tells_items_apart })
    }

    /// Whether a value, with so many values in it, can be checked in a time that is worth it.
    pub(crate) fn bears(&self, value: &Value, values: usize) -> bool {
        self.recursive.as_ref().is_none_or(|recursive| recursive.bears(value, values))
            && !(self.tells_items_apart && has_crowd(value))
    }

    /// Tells of mistakes, so many at most: a JSON pointer into the value, and what is wrong there. Never a value.
    pub(crate) fn check(&self, value: &Value, most: usize, mut tell: impl FnMut(String, String)) {
        if let Err(error) = self.all.validate(value, self.index) {
            let mut left = most;
            leaves(&error, &mut left, &mut tell);
        }
    }
}

/// The mistakes at the ends of the tree: what lies above only leads there.
fn leaves(error: &ValidationError<'_, '_>, left: &mut usize, tell: &mut impl FnMut(String, String)) {
    match &error.kind {
        // Which of several was meant is not known: that none fits is all there is to say.
        ErrorKind::AnyOf | ErrorKind::OneOf(_) | ErrorKind::Not | ErrorKind::Contains => {}
        _ if !error.causes.is_empty() => return error.causes.iter().for_each(|cause| leaves(cause, left, tell)),
        _ => {}
    }
    let Some(fewer) = left.checked_sub(1) else { return };
    *left = fewer;
    tell(error.instance_location.to_string(), detail(&error.kind));
}

/// What is wrong, in the schema's words.
fn detail(kind: &ErrorKind<'_, '_>) -> String {
    let list = |names: &[&str]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match kind {
        ErrorKind::Type { want, .. } => {
            let wanted: Vec<String> = want.iter().map(|kind| kind.to_string()).collect();
            format!("must be {}", wanted.join(" or "))
        }
        ErrorKind::Required { want } => format!("must have {}", list(want)),
        ErrorKind::Enum { want } => {
            let words: Vec<String> = want.iter().map(Value::to_string).collect();
            format!("must be one of {}", words.join(", "))
        }
        ErrorKind::Const { want } => format!("must be {want}"),
        ErrorKind::Format { want, .. } => format!("must be a valid {want}"),
        ErrorKind::Pattern { want, .. } => format!("must match the pattern {want}"),
        ErrorKind::MinLength { want, .. } => format!("must have at least {want} characters"),
        ErrorKind::MaxLength { want, .. } => format!("must have at most {want} characters"),
        ErrorKind::Minimum { want, .. } => format!("must be at least {want}"),
        ErrorKind::Maximum { want, .. } => format!("must be at most {want}"),
        ErrorKind::ExclusiveMinimum { want, .. } => format!("must be more than {want}"),
        ErrorKind::ExclusiveMaximum { want, .. } => format!("must be less than {want}"),
        ErrorKind::MultipleOf { want, .. } => format!("must be a multiple of {want}"),
        ErrorKind::MinItems { want, .. } => format!("must have at least {want} items"),
        ErrorKind::MaxItems { want, .. } => format!("must have at most {want} items"),
        ErrorKind::UniqueItems { .. } => "must not have an item twice".to_owned(),
        ErrorKind::MinProperties { want, .. } => format!("must have at least {want} members"),
        ErrorKind::MaxProperties { want, .. } => format!("must have at most {want} members"),
        ErrorKind::AdditionalProperties { .. } => "has members that are not allowed".to_owned(),
        ErrorKind::AdditionalItems { .. } => "has items that are not allowed".to_owned(),
        ErrorKind::FalseSchema => "is not allowed".to_owned(),
        ErrorKind::Dependency { missing, .. } | ErrorKind::DependentRequired { missing, .. } => {
            format!("must have {} with what it has", list(missing))
        }
        ErrorKind::PropertyName { .. } => "has a member whose name is not allowed".to_owned(),
        ErrorKind::AnyOf | ErrorKind::OneOf(None) => "fits none of what is allowed".to_owned(),
        ErrorKind::OneOf(Some(_)) => "fits more than one of what is allowed".to_owned(),
        ErrorKind::Not => "must not be like this".to_owned(),
        ErrorKind::Contains | ErrorKind::MinContains { .. } => "lacks an item that it must have".to_owned(),
        ErrorKind::MaxContains { .. } => "has too many items of a kind".to_owned(),
        _ => "is not what it must be".to_owned(),
    }
}

fn told(error: &CompileError) -> Vec<SchemaError> {
    // The last fragment of a place is the pointer within its schema.
    let text = match error {
        CompileError::ValidationError { url, .. } if url.starts_with(&format!("{BASE}schemas/")) => return Vec::new(),
        CompileError::ValidationError { src, .. } => return wrong(src),
        CompileError::LoadUrlError { url, src } => format!("{url} is not loaded: {src}"),
        error => error.to_string(),
    };
    let message = text.replace(BASE, "/").replace("/inline", "");
    vec![SchemaError { pointer: pointer_in(&text), message: one_line(&message) }]
}

/// A schema that its own schema refuses: everything that is wrong with it.
fn wrong(error: &ValidationError<'_, '_>) -> Vec<SchemaError> {
    let (mut found, mut left) = (Vec::new(), usize::MAX);
    leaves(error, &mut left, &mut |pointer, message| {
        let error = SchemaError { pointer, message };
        // The parts of the schema of schemas may say the same.
        if !found.contains(&error) {
            found.push(error);
        }
    });
    found
}

fn pointer_in(text: &str) -> String {
    let fragment = text.split_once(&format!("{BASE}inline#")).map(|(_, rest)| rest);
    let end =
        |rest: &str| rest.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',')).unwrap_or(rest.len());
    fragment.and_then(|rest| rest.get(..end(rest))).unwrap_or_default().to_owned()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
