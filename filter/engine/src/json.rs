//! Strict JSON: RFC 8259 text in which no object repeats a member.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Objects with more members than this are sorted to find repeated ones, which is dearer where there are few.
const FEW_MEMBERS: usize = 16;

/// A value whose strings stand where they stood in its text, but for those with escapes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json<'t> {
    Null,
    Bool(bool),
    Number(Number),
    String(Cow<'t, str>),
    Array(Vec<Self>),
    Object(Members<'t>),
}

/// The members of an object, in their order, each name once.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Members<'t>(Vec<Member<'t>>);

type Member<'t> = (Cow<'t, str>, Json<'t>);

/// Reads JSON, refusing repeated members (RFC 7519 section 4 and RFC 7515 section 4 leave the choice; the strict one
/// keeps two readers of a token from seeing two different claims). Nesting is limited to 128 by `serde_json`.
pub(crate) fn read(text: &[u8]) -> Option<Json<'_>> {
    // As a whole: texts of its own are many, and short.
    serde_json::from_str(simdutf8::basic::from_utf8(text).ok()?).ok()
}

/// The same, as a value of its own.
pub(crate) fn parse(text: &[u8]) -> Option<Value> {
    read(text).map(Value::from)
}

impl<'t> Json<'t> {
    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Number(number) => number.as_f64(),
            _ => None,
        }
    }

    pub(crate) const fn as_object(&self) -> Option<&Members<'t>> {
        match self {
            Self::Object(members) => Some(members),
            _ => None,
        }
    }

    /// The same value, without its text.
    fn into_owned(self) -> Json<'static> {
        match self {
            Self::Null => Json::Null,
            Self::Bool(value) => Json::Bool(value),
            Self::Number(number) => Json::Number(number),
            Self::String(text) => Json::String(text.into_owned().into()),
            Self::Array(items) => Json::Array(items.into_iter().map(Json::into_owned).collect()),
            Self::Object(members) => Json::Object(members.into_owned(|_| true)),
        }
    }
}

impl<'t> Members<'t> {
    pub(crate) fn get(&self, name: &str) -> Option<&Json<'t>> {
        find(&self.0, name).map(|(_, value)| value)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Json<'t>)> {
        self.0.iter().map(|(name, value)| (&**name, value))
    }

    /// Puts a member in the place of any other of its name; `None` only removes that.
    pub(crate) fn set(&mut self, name: &str, value: Option<Json<'t>>) {
        self.0.retain(|(own, _)| own != name);
        self.0.extend(value.map(|value| (name.to_owned().into(), value)));
    }

    /// Those of these names, without their text.
    pub(crate) fn into_owned(self, is_kept: impl Fn(&str) -> bool) -> Members<'static> {
        let kept = self.0.into_iter().filter(|(name, _)| is_kept(name));
        Members(kept.map(|(name, value)| (name.into_owned().into(), value.into_owned())).collect())
    }
}

impl From<Json<'_>> for Value {
    fn from(json: Json<'_>) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Bool(value),
            Json::Number(number) => Self::Number(number),
            Json::String(text) => Self::String(text.into_owned()),
            Json::Array(items) => Self::Array(items.into_iter().map(Self::from).collect()),
            Json::Object(members) => Self::Object(members.into()),
        }
    }
}

#[cfg(any(test, feature = "assumed-identity"))]
impl<'t> From<&'t Value> for Json<'t> {
    fn from(value: &'t Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(number) => Self::Number(number.clone()),
            Value::String(text) => Self::String(text.into()),
            Value::Array(items) => Self::Array(items.iter().map(Self::from).collect()),
            Value::Object(members) => Self::Object(members.into()),
        }
    }
}

#[cfg(any(test, feature = "assumed-identity"))]
impl<'t> From<&'t Map<String, Value>> for Members<'t> {
    fn from(members: &'t Map<String, Value>) -> Self {
        Self(members.iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

impl From<Members<'_>> for Map<String, Value> {
    fn from(members: Members<'_>) -> Self {
        members.0.into_iter().map(|(name, value)| (name.into_owned(), Value::from(value))).collect()
    }
}

fn find<'m, 't>(members: &'m [Member<'t>], name: &str) -> Option<&'m Member<'t>> {
    // Names of claims are short and often of one length: few begin alike.
    let first = name.as_bytes().first();
    members.iter().find(|(own, _)| own.as_bytes().first() == first && own == name)
}

fn repeats(members: &[Member<'_>]) -> bool {
    if members.len() > FEW_MEMBERS {
        return repeats_among_many(members);
    }
    let mut rest = members;
    while let Some(((name, _), after)) = rest.split_first() {
        if find(after, name).is_some() {
            return true;
        }
        rest = after;
    }
    false
}

#[inline(never)]
fn repeats_among_many(members: &[Member<'_>]) -> bool {
    let mut names: Vec<&str> = members.iter().map(|(name, _)| &**name).collect();
    names.sort_unstable();
    names.windows(2).any(|pair| matches!(pair, [name, next] if name == next))
}

impl<'t> Deserialize<'t> for Json<'t> {
    fn deserialize<D: Deserializer<'t>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'t> Visitor<'t> for JsonVisitor {
    type Value = Json<'t>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Json<'t>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Json<'t>, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Json<'t>, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Json<'t>, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Json<'t>, E> {
        Number::from_f64(value).map(Json::Number).ok_or_else(|| de::Error::custom("number out of range"))
    }

    fn visit_borrowed_str<E: de::Error>(self, value: &'t str) -> Result<Json<'t>, E> {
        Ok(Json::String(value.into()))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Json<'t>, E> {
        Ok(Json::String(value.to_owned().into()))
    }

    fn visit_seq<A: SeqAccess<'t>>(self, mut access: A) -> Result<Json<'t>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Json::Array(items))
    }

    fn visit_map<A: MapAccess<'t>>(self, mut access: A) -> Result<Json<'t>, A::Error> {
        let mut members = Vec::new();
        while let Some((name, value)) = access.next_entry()? {
            let Json::String(name) = name else { return Err(de::Error::custom("a name that is no text")) };
            members.push((name, value));
        }
        if repeats(&members) {
            return Err(de::Error::custom("repeated member"));
        }
        Ok(Json::Object(Members(members)))
    }
}

#[cfg(test)]
mod tests;
