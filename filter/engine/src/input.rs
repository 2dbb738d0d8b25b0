//! What a request may bring along: parameters, the kind and the size of its body, and what is in it.

mod alike;
mod effort;
mod formats;
mod schema;

use std::borrow::Cow;
use std::fmt::Write as _;

use serde_json::Value;

pub(crate) use self::schema::Schema;
use crate::decision::DenyReason;
use crate::json;
use crate::path::decode_segment;
use crate::request::{Envelope, Lookup, RequestHead, decode_form, form_text};
use crate::route::RouteMatch;

#[cfg(test)]
mod tests;

/// Mistakes beyond this many are not told.
pub(crate) const MAX_VIOLATIONS: usize = 20;

/// How deep a JSON body may be nested.
const MAX_DEPTH: usize = 64;

/// How many values a JSON body may hold, lists and objects included: what is told of them takes memory, too.
const MAX_VALUES: usize = 100_000;

/// The longest pointer that is told, in characters: names in a body are its sender's.
const MAX_POINTER_CHARS: usize = 256;

/// A route's `input`.
#[derive(Clone, Debug, Default)]
pub(crate) struct InputRules {
    /// Media types in lower case, without parameters; empty: any.
    pub(crate) content_types: Vec<String>,
    pub(crate) max_body_bytes: Option<usize>,
    pub(crate) parameters: Vec<Parameter>,
    /// Whether query parameters may come that are not declared.
    pub(crate) additional: bool,
    pub(crate) body: Option<Schema>,
}

/// A declared parameter.
#[derive(Clone, Debug)]
pub(crate) struct Parameter {
    pub(crate) place: ParameterPlace,
    pub(crate) name: String,
    pub(crate) required: bool,
    pub(crate) kind: Kind,
    pub(crate) schema: Schema,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ParameterPlace {
    Query,
    Path,
    Header,
}

/// What a parameter's text is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Integer,
    Number,
    Boolean,
    String,
}

/// Something that a client must change. Never says what it sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) place: &'static str,
    /// A JSON pointer (RFC 6901): into the body, or to the parameter by its name.
    pub(crate) pointer: String,
    pub(crate) detail: String,
}

/// Why a request's input is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    MediaType,
    TooLarge,
    Invalid(Vec<Violation>),
}

impl Refused {
    pub(crate) const fn reason(&self) -> DenyReason {
        match self {
            Self::MediaType => DenyReason::MediaTypeUnsupported,
            Self::TooLarge => DenyReason::BodyTooLarge,
            Self::Invalid(_) => DenyReason::InputInvalid,
        }
    }

    pub(crate) fn into_violations(self) -> Vec<Violation> {
        match self {
            Self::Invalid(violations) => violations,
            Self::MediaType | Self::TooLarge => Vec::new(),
        }
    }

    pub(crate) fn violations(&self) -> &[Violation] {
        match self {
            Self::Invalid(violations) => violations,
            Self::MediaType | Self::TooLarge => &[],
        }
    }
}

impl ParameterPlace {
    const fn word(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Path => "path",
            Self::Header => "header",
        }
    }
}

impl InputRules {
    /// Whether the body, too, must be seen before the request goes on.
    pub(crate) const fn asks_for_body(&self) -> bool {
        self.max_body_bytes.is_some() || self.body.is_some()
    }

    /// Checks what the head says.
    #[inline(never)]
    pub(crate) fn check_head(
        &self,
        head: &RequestHead<'_>,
        matched: &RouteMatch<'_>,
        has_body: Option<bool>,
    ) -> Result<(), Refused> {
        // What follows is no body, and never ends: neither its size nor what is in it can be judged.
        if head.envelope.asks_to_upgrade() && (self.asks_for_body() || !self.content_types.is_empty()) {
            let detail = "the route judges bodies, and takes no other protocol".to_owned();
            let violation = Violation { place: "header", pointer: "/upgrade".to_owned(), detail };
            return Err(Refused::Invalid(vec![violation]));
        }
        let length = head.envelope.content_length();
        if self.max_body_bytes.is_some_and(|most| length.is_some_and(|length| length > most as u64)) {
            return Err(Refused::TooLarge);
        }
        let has_body = has_body.unwrap_or_else(|| head.envelope.may_have_body());
        if has_body && !self.takes(head.envelope) {
            return Err(Refused::MediaType);
        }
        let mut violations = Vec::new();
        for parameter in &self.parameters {
            parameter.check(head, matched, &self.parameters, &mut violations);
        }
        if !self.additional {
            self.check_undeclared(head, &mut violations);
        }
        if violations.is_empty() { Ok(()) } else { Err(Refused::invalid(violations)) }
    }

    /// Checks a part of a body, and all of it where `whole`.
    pub(crate) fn check_size(&self, size: usize) -> Result<(), Refused> {
        if self.max_body_bytes.is_some_and(|most| size > most) { Err(Refused::TooLarge) } else { Ok(()) }
    }

    /// Checks a whole body. `required`: where there must be one.
    pub(crate) fn check_body(&self, body: &[u8], required: bool) -> Result<(), Refused> {
        self.check_size(body.len())?;
        let Some(schema) = &self.body else { return Ok(()) };
        let whole = |detail: &str| {
            Err(Refused::Invalid(vec![Violation { place: "body", pointer: String::new(), detail: detail.to_owned() }]))
        };
        if body.is_empty() {
            return if required { whole("a JSON body is needed") } else { Ok(()) };
        }
        let (depth, values) = extent(body);
        if depth > MAX_DEPTH {
            return whole("is nested too deep");
        }
        if values > MAX_VALUES {
            return whole("has too many values");
        }
        let Some(value) = json::parse(body) else { return whole("is not JSON without repeated members") };
        if !schema.bears(&value, values) {
            return whole("is nested in too many ways");
        }
        let mut violations = Vec::new();
        schema.check(&value, MAX_VIOLATIONS, |pointer, detail| {
            violations.push(Violation { place: "body", pointer: shortened(pointer), detail });
        });
        if violations.is_empty() { Ok(()) } else { Err(Refused::invalid(violations)) }
    }

    /// Whether the body is of a kind that the route takes. What is held against a schema must be JSON in UTF-8 to the
    /// service, too.
    fn takes(&self, envelope: &Envelope<'_>) -> bool {
        let content_type = match envelope.content_type().map(std::str::from_utf8) {
            Some(Ok(given)) => Some(MediaType::of(given)),
            Some(Err(_)) => return false,
            None => None,
        };
        let is_listed = match &content_type {
            Some(given) if !self.content_types.is_empty() => self.content_types.contains(&given.essence),
            Some(given) => self.body.is_none() || given.is_json(),
            None => self.content_types.is_empty(),
        };
        let is_plain = || {
            content_type.as_ref().is_none_or(|given| given.is_utf8)
                && envelope.all("content-encoding").all(|coding| coding.eq_ignore_ascii_case(b"identity"))
        };
        is_listed && (self.body.is_none() || is_plain())
    }

    fn check_undeclared(&self, head: &RequestHead<'_>, violations: &mut Vec<Violation>) {
        let declared =
            |name: &str| self.parameters.iter().any(|own| own.place == ParameterPlace::Query && own.name == name);
        let pairs = head.query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        // Some servers split at `;`, too.
        let names = pairs
            .flat_map(|pair| std::iter::once(pair).chain(pair.split(';').skip(1).filter(|piece| piece.contains('='))));
        let names = names.map(|pair| decode_form(pair.split_once('=').map_or(pair, |(name, _)| name)));
        // The name is the client's own, and not repeated.
        if names.into_iter().any(|name| !declared(&name)) {
            let detail = "has parameters that are not declared".to_owned();
            violations.push(Violation { place: "query", pointer: String::new(), detail });
        }
    }
}

impl Refused {
    fn invalid(mut violations: Vec<Violation>) -> Self {
        violations.truncate(MAX_VIOLATIONS);
        Self::Invalid(violations)
    }
}

impl Parameter {
    fn check(&self, head: &RequestHead<'_>, matched: &RouteMatch<'_>, all: &[Self], violations: &mut Vec<Violation>) {
        let mut violate = |detail: String| {
            let pointer = format!("/{}", self.name.replace('~', "~0").replace('/', "~1"));
            violations.push(Violation { place: self.place.word(), pointer, detail });
        };
        let text = match self.find(head, matched, all) {
            Lookup::One(Ok(text)) => text,
            Lookup::One(Err(mistake)) => return violate(mistake.to_owned()),
            Lookup::Many => return violate("is there more than once".to_owned()),
            Lookup::Absent if self.required => return violate("is missing".to_owned()),
            Lookup::Absent => return,
        };
        match self.kind.read(&text) {
            Some(value) => self.schema.check(&value, MAX_VIOLATIONS, |_, detail| violate(detail)),
            None => violate(format!("is not {}", self.kind.word())),
        }
    }

    /// The one value, or what is wrong with it as such.
    fn find<'r>(
        &self,
        head: &RequestHead<'r>,
        matched: &RouteMatch<'r>,
        all: &[Self],
    ) -> Lookup<Result<Cow<'r, str>, &'static str>> {
        const NOT_TEXT: &str = "is not text";
        const OTHERWISE: &str = "is spelt otherwise";
        match self.place {
            ParameterPlace::Query => {
                let others = |name: &str| all.iter().any(|own| own.place == ParameterPlace::Query && own.name == name);
                let found = head.query_spelled(&self.name, others);
                found.map(|value| form_text(value.ok_or(OTHERWISE)?).ok_or(NOT_TEXT))
            }
            ParameterPlace::Path => {
                matched.param(&self.name).map_or(Lookup::Absent, |value| Lookup::One(Ok(decode_segment(value))))
            }
            ParameterPlace::Header => head.envelope.spelled(&self.name).map(|(spelling, value)| {
                if spelling != self.name {
                    return Err(OTHERWISE);
                }
                std::str::from_utf8(value).map(Cow::Borrowed).map_err(|_| NOT_TEXT)
            }),
        }
    }
}

/// `Content-Type`, as far as it matters here (RFC 9110 section 8.3.1).
struct MediaType {
    /// Type and subtype in lower case.
    essence: String,
    /// No `charset` says otherwise: one in quotes counts, since not everybody minds quotes.
    is_utf8: bool,
}

impl MediaType {
    fn of(given: &str) -> Self {
        let mut parts = given.split(';');
        let essence = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
        let is_utf8 = parts.all(|parameter| {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let value = value.trim().trim_matches('"');
            !name.trim().to_ascii_lowercase().starts_with("charset")
                || ["utf-8", "us-ascii"].iter().any(|own| own.eq_ignore_ascii_case(value))
        });
        Self { essence, is_utf8 }
    }

    /// RFC 8259, or by its suffix (RFC 6839 section 3.1).
    fn is_json(&self) -> bool {
        self.essence == "application/json" || self.essence.ends_with("+json")
    }
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Self::Integer => "an integer",
            Self::Number => "a number",
            Self::Boolean => "true or false",
            Self::String => "a string",
        }
    }

    /// Reads the text in the one way that JSON writes such a value.
    fn read(self, text: &str) -> Option<Value> {
        match self {
            Self::String => Some(text.into()),
            Self::Boolean => match text {
                "true" => Some(true.into()),
                "false" => Some(false.into()),
                _ => None,
            },
            Self::Integer => {
                let digits = text.strip_prefix('-').unwrap_or(text);
                let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
                let canonical = plain && (digits == "0" || !digits.starts_with('0')) && text != "-0";
                canonical.then(|| text.parse::<i64>().ok()).flatten().map(Value::from)
            }
            Self::Number => {
                let numeric =
                    text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E'));
                numeric.then(|| serde_json::from_str::<Value>(text).ok()).flatten().filter(Value::is_number)
            }
        }
    }
}

/// How deep brackets are nested outside of strings, and how many values there may be: at least as many as JSON has, and
/// some number where it is none.
fn extent(text: &[u8]) -> (usize, usize) {
    let (mut depth, mut deepest, mut values) = (0_usize, 0_usize, 1_usize);
    let (mut in_string, mut escaped) = (false, false);
    for byte in text {
        match (in_string, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_string = !in_string,
            (false, b'[' | b'{') => {
                depth = depth.saturating_add(1);
                deepest = deepest.max(depth);
                values = values.saturating_add(1);
            }
            (false, b']' | b'}') => depth = depth.saturating_sub(1),
            (false, b',') => values = values.saturating_add(1),
            _ => {}
        }
    }
    (deepest, values)
}

fn shortened(pointer: String) -> String {
    match pointer.char_indices().nth(MAX_POINTER_CHARS) {
        Some((end, _)) => format!("{}…", pointer.get(..end).unwrap_or_default()),
        None => pointer,
    }
}

/// The `errors` member of a problem document, with the comma before it; nothing where there are none.
pub(crate) fn errors_member(violations: &[Violation]) -> String {
    if violations.is_empty() {
        return String::new();
    }
    let mut out = String::from(r#","errors":["#);
    for (index, Violation { place, pointer, detail }) in violations.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        let (pointer, detail) = (Value::from(pointer.as_str()), Value::from(detail.as_str()));
        // Writing to a string does not fail.
        let _ = write!(out, r#"{comma}{{"in":"{place}","pointer":{pointer},"detail":{detail}}}"#);
    }
    out.push(']');
    out
}
