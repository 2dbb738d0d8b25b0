//! A policy document as a tree: the one shape YAML, JSON and protobuf become before anything is checked.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// A value of a policy document and, where the format has lines, the line it starts on.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The line, counted from 1; `None` for JSON and protobuf.
    pub line: Option<u32>,
    /// What stands there.
    pub value: NodeValue,
}

/// What a [`Node`] holds. Mappings keep their order and their repeated keys, so that both can be reported.
#[derive(Clone, Debug, PartialEq)]
pub enum NodeValue {
    /// `null`, or nothing at all.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// Any number: policies have none that a double does not hold exactly.
    Number(f64),
    /// Text.
    String(String),
    /// A sequence.
    Seq(Vec<Node>),
    /// A mapping.
    Map(Vec<(Key, Node)>),
}

/// A key of a mapping and the line it stands on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The line, counted from 1.
    pub line: Option<u32>,
    /// The key itself.
    pub name: String,
}

impl Node {
    /// A node without a line.
    #[must_use]
    pub const fn new(value: NodeValue) -> Self {
        Self { line: None, value }
    }

    /// Parses JSON text, keeping repeated members.
    ///
    /// # Errors
    /// What serde_json says of text that is not JSON, or is nested more than 128 deep.
    pub fn from_json(text: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(text)
    }

    /// Decodes a serialized `google.protobuf.Struct`, the form in which Envoy hands over a plugin
    /// configuration given as a Struct.
    ///
    /// # Errors
    /// What prost says of bytes that are not such a message.
    pub fn from_struct(bytes: &[u8]) -> Result<Self, prost::DecodeError> {
        let message: prost_types::Struct = prost::Message::decode(bytes)?;
        Ok(from_fields(message))
    }

    /// The word for the kind of value, for messages.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self.value {
            NodeValue::Null => "nothing",
            NodeValue::Bool(_) => "a boolean",
            NodeValue::Number(_) => "a number",
            NodeValue::String(_) => "a string",
            NodeValue::Seq(_) => "a list",
            NodeValue::Map(_) => "a mapping",
        }
    }

    /// The value as JSON with members sorted by name: the same bytes for the same policy, whatever
    /// format it came in.
    #[must_use]
    pub fn to_canonical_json(&self) -> serde_json::Value {
        match &self.value {
            NodeValue::Null => serde_json::Value::Null,
            NodeValue::Bool(value) => (*value).into(),
            NodeValue::Number(value) => number(*value),
            NodeValue::String(value) => value.as_str().into(),
            NodeValue::Seq(items) => items.iter().map(Self::to_canonical_json).collect(),
            NodeValue::Map(members) => {
                let sorted: std::collections::BTreeMap<&str, serde_json::Value> =
                    members.iter().map(|(key, node)| (key.name.as_str(), node.to_canonical_json())).collect();
                sorted.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
            }
        }
    }
}

/// Integers stay integers, so that `1` from a Struct (a double) and `1` from JSON are the same text.
fn number(value: f64) -> serde_json::Value {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() <= EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53, checked above")]
        return (value as i64).into();
    }
    serde_json::Number::from_f64(value).map_or(serde_json::Value::Null, Into::into)
}

fn from_fields(message: prost_types::Struct) -> Node {
    let members =
        message.fields.into_iter().map(|(name, value)| (Key { line: None, name }, from_value(value))).collect();
    Node::new(NodeValue::Map(members))
}

fn from_value(value: prost_types::Value) -> Node {
    use prost_types::value::Kind;
    Node::new(match value.kind {
        None | Some(Kind::NullValue(_)) => NodeValue::Null,
        Some(Kind::NumberValue(value)) => NodeValue::Number(value),
        Some(Kind::StringValue(value)) => NodeValue::String(value),
        Some(Kind::BoolValue(value)) => NodeValue::Bool(value),
        Some(Kind::StructValue(value)) => return from_fields(value),
        Some(Kind::ListValue(list)) => NodeValue::Seq(list.values.into_iter().map(from_value).collect()),
    })
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor).map(Self::new)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = NodeValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<NodeValue, E> {
        Ok(NodeValue::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<NodeValue, E> {
        Ok(NodeValue::Bool(value))
    }

    #[expect(clippy::cast_precision_loss, reason = "see NodeValue::Number")]
    fn visit_i64<E: de::Error>(self, value: i64) -> Result<NodeValue, E> {
        Ok(NodeValue::Number(value as f64))
    }

    #[expect(clippy::cast_precision_loss, reason = "see NodeValue::Number")]
    fn visit_u64<E: de::Error>(self, value: u64) -> Result<NodeValue, E> {
        Ok(NodeValue::Number(value as f64))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<NodeValue, E> {
        Ok(NodeValue::Number(value))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<NodeValue, E> {
        Ok(NodeValue::String(value.to_owned()))
    }

    fn visit_string<E: de::Error>(self, value: String) -> Result<NodeValue, E> {
        Ok(NodeValue::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<NodeValue, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(NodeValue::Seq(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<NodeValue, A::Error> {
        let mut members = Vec::new();
        while let Some((name, node)) = access.next_entry::<String, Node>()? {
            members.push((Key { line: None, name }, node));
        }
        Ok(NodeValue::Map(members))
    }
}
