//! What a value costs to hold against a schema that refers to itself.
//!
//! A union of such schemas, as of the operators of a filter, is tried in each of its alternatives at each level of a value:
//! of two, a body of 60 levels would be looked at 2^60 times. And of each level validation remembers where it came from, in
//! each schema that it went through, on a stack that has an end. Both are found out first, up to a limit. Other schemas look
//! at a value no more often, and no deeper, than their author wrote.

use serde_json::{Map, Value};

use crate::hash::FixedMap;

/// How many schemas a value may be held against, and how many more for each value in it.
const STEPS: usize = 50_000;
const STEPS_PER_VALUE: usize = 10;

/// How many schemas may be open, one within the other. With 390 of them V8 has no more stack for the module.
const MAX_OPEN: usize = 256;

/// References, which are taken for static ones; the last is of draft 2019-09.
const REFERENCES: [&str; 3] = ["$ref", "$dynamicRef", "$recursiveRef"];

/// Keywords with a schema for the value itself, or a list of them (JSON Schema core 2020-12, section 10.2).
const IN_PLACE: [&str; 4] = ["not", "if", "then", "else"];
const IN_PLACE_LISTS: [&str; 3] = ["allOf", "anyOf", "oneOf"];

/// A schema that refers to itself, or to one that does: it and all that it leads to. The first is where to begin.
pub(super) struct Recursive(Vec<Step>);

/// One of them, as the places of others.
#[derive(Default)]
struct Step {
    /// The kinds of values that it is about; empty: any.
    kinds: Vec<Kind>,
    /// The one value that it is about.
    constant: Option<Value>,
    in_place: Vec<usize>,
    members: FixedMap<String, usize>,
    /// Those of patterns, which count for every member.
    patterns: Vec<usize>,
    /// Of members that are not named.
    others: Option<usize>,
    every_member: Option<usize>,
    prefix: Vec<usize>,
    /// Of items after those.
    items: Option<usize>,
    every_item: Vec<usize>,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Null,
    Boolean,
    Number,
    String,
    Array,
    Object,
}

/// Reads schemas, each once.
struct Reader<'s> {
    own: &'s Value,
    named: &'s [(String, Value)],
    /// Where each has its place, by its address.
    known: FixedMap<usize, usize>,
    /// Those that are being read: one that leads to them refers to itself.
    open: Vec<usize>,
    steps: Vec<Step>,
    is_recursive: bool,
}

/// A schema, and the document that its references begin at.
#[derive(Clone, Copy)]
struct Place<'s> {
    document: &'s Value,
    schema: &'s Value,
}

impl Recursive {
    /// `None` where a schema does not refer to itself.
    pub(super) fn of(own: &Value, named: &[(String, Value)]) -> Option<Self> {
        let (open, steps) = (Vec::new(), Vec::new());
        let mut reader = Reader { own, named, known: FixedMap::default(), open, steps, is_recursive: false };
        reader.read(Place { document: own, schema: own });
        reader.is_recursive.then_some(Self(reader.steps))
    }

    /// Whether a value, with so many values in it, can be held against the schema in a time and a space that are worth it.
    pub(super) fn bears(&self, value: &Value, values: usize) -> bool {
        let mut left = values.saturating_mul(STEPS_PER_VALUE).saturating_add(STEPS);
        self.spend(0, value, &Way { at: 0, open: 0, up: None }, &mut left).is_some()
    }

    /// Counts what a value takes; `None` where it is too much.
    fn spend(&self, at: usize, value: &Value, way: &Way<'_>, left: &mut usize) -> Option<()> {
        *left = left.checked_sub(1).filter(|_| way.open < MAX_OPEN)?;
        let Some(step) = self.0.get(at).filter(|step| step.goes_on_with(value)) else { return Some(()) };
        for next in &step.in_place {
            // Validation ends where it is in a circle.
            if !way.has(*next) {
                self.spend(*next, value, &way.on(*next), left)?;
            }
        }
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    let named = step.members.get(name);
                    let others = step.others.as_ref().filter(|_| named.is_none());
                    for next in named.into_iter().chain(&step.patterns).chain(others).chain(&step.every_member) {
                        self.spend(*next, member, &way.down(*next), left)?;
                    }
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    let own = step.prefix.get(index).or(step.items.as_ref());
                    for next in own.into_iter().chain(&step.every_item) {
                        self.spend(*next, item, &way.down(*next), left)?;
                    }
                }
            }
            _ => {}
        }
        Some(())
    }
}

/// The schemas that one value is being held against, each because of the one before; and how many are open in all.
struct Way<'w> {
    at: usize,
    open: usize,
    up: Option<&'w Self>,
}

impl Way<'_> {
    fn has(&self, at: usize) -> bool {
        let mut way = Some(self);
        while let Some(here) = way {
            if here.at == at {
                return true;
            }
            way = here.up;
        }
        false
    }

    /// The same value is held against another.
    const fn on(&self, at: usize) -> Way<'_> {
        Way { at, open: self.open.saturating_add(1), up: Some(self) }
    }

    /// A part of the value is.
    const fn down(&self, at: usize) -> Way<'static> {
        Way { at, open: self.open.saturating_add(1), up: None }
    }
}

impl Step {
    /// Whether validation does not stop here at once. Numbers are equal in more than one spelling.
    fn goes_on_with(&self, value: &Value) -> bool {
        let is_of_a_kind = self.kinds.is_empty() || self.kinds.contains(&Kind::of(value));
        is_of_a_kind && self.constant.as_ref().is_none_or(|own| own.is_number() || own == value)
    }
}

impl Kind {
    const fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(_) => Self::Boolean,
            Value::Number(_) => Self::Number,
            Value::String(_) => Self::String,
            Value::Array(_) => Self::Array,
            Value::Object(_) => Self::Object,
        }
    }

    fn named(name: &Value) -> Option<Self> {
        Some(match name.as_str()? {
            "null" => Self::Null,
            "boolean" => Self::Boolean,
            "number" | "integer" => Self::Number,
            "string" => Self::String,
            "array" => Self::Array,
            "object" => Self::Object,
            _ => return None,
        })
    }
}

impl<'s> Reader<'s> {
    /// The place of a schema and of all that it leads to.
    fn read(&mut self, at: Place<'s>) -> usize {
        let address = std::ptr::from_ref(at.schema).addr();
        if let Some(place) = self.known.get(&address) {
            self.is_recursive |= self.open.contains(place);
            return *place;
        }
        let place = self.steps.len();
        self.known.insert(address, place);
        self.steps.push(Step::default());
        if let Value::Object(keywords) = at.schema {
            self.open.push(place);
            // What has a name of its own (`$id`) is where references within begin (JSON Schema core 2020-12, section 8.2.1).
            let document = if keywords.get("$id").is_some_and(Value::is_string) { at.schema } else { at.document };
            let step = self.step(document, keywords);
            self.open.pop();
            if let Some(empty) = self.steps.get_mut(place) {
                *empty = step;
            }
        }
        place
    }

    fn step(&mut self, document: &'s Value, keywords: &'s Map<String, Value>) -> Step {
        let one = |name: &str| keywords.get(name);
        let many = |name: &str| one(name).and_then(Value::as_array).into_iter().flatten();
        let by_name = |name: &str| one(name).and_then(Value::as_object).into_iter().flatten();
        let kinds = many("type").chain(one("type")).filter_map(Kind::named).collect();
        let references = REFERENCES.iter().filter_map(|name| one(name)?.as_str());
        let targets = references.flat_map(|reference| self.resolve(document, reference));
        let here =
            IN_PLACE_LISTS.iter().flat_map(|name| many(name)).chain(IN_PLACE.iter().filter_map(|name| one(name)));
        // `dependencies`, `additionalItems` and lists of `items` are those of drafts before 2019-09 and 2020-12.
        let dependent = by_name("dependentSchemas").chain(by_name("dependencies"));
        let here = here.chain(dependent.map(|(_, schema)| schema));
        let in_place: Vec<Place<'s>> = targets.chain(here.map(|schema| Place { document, schema })).collect();
        let mut read = |schema| self.read(Place { document, schema });
        let members = by_name("properties").map(|(name, schema)| (name.clone(), read(schema))).collect();
        let patterns = by_name("patternProperties").map(|(_, schema)| read(schema)).collect();
        let (others, every_member) =
            (one("additionalProperties").map(&mut read), one("unevaluatedProperties").map(&mut read));
        let prefix = many("prefixItems").chain(many("items")).map(&mut read).collect();
        let items = one("items").filter(|items| !items.is_array()).or(one("additionalItems")).map(&mut read);
        let every_item = ["contains", "unevaluatedItems"].into_iter().filter_map(one).map(&mut read).collect();
        let in_place = in_place.into_iter().map(|place| self.read(place)).collect();
        let constant = one("const").cloned();
        Step { kinds, constant, in_place, members, patterns, others, every_member, prefix, items, every_item }
    }

    /// `#/…`, `#anchor`, or the same of a named schema, and of all whose `$id` ends like this: to look at one too many is no harm.
    fn resolve(&self, from: &'s Value, reference: &str) -> Vec<Place<'s>> {
        let (place, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let mut documents = Vec::new();
        if place.is_empty() {
            documents.push(from);
        } else {
            let name = last_segment(place);
            identify(self.own, name, &mut documents);
            for (own, schema) in self.named {
                documents.extend(Some(schema).filter(|_| own == name));
                identify(schema, name, &mut documents);
            }
        }
        let at = |document: &'s Value| match fragment {
            "" => Some(document),
            pointer if pointer.starts_with('/') => document.pointer(pointer),
            anchor => anchored(document, anchor),
        };
        documents.into_iter().filter_map(|document| Some(Place { document, schema: at(document)? })).collect()
    }
}

fn last_segment(place: &str) -> &str {
    // `$id` may end with an empty fragment.
    place.trim_end_matches('#').rsplit(['/', ':']).next().unwrap_or(place)
}

/// The schemas in this one whose `$id` ends with a name.
fn identify<'s>(schema: &'s Value, name: &str, found: &mut Vec<&'s Value>) {
    match schema {
        Value::Object(members) => {
            let id = members.get("$id").and_then(Value::as_str);
            found.extend(id.filter(|id| last_segment(id) == name).map(|_| schema));
            members.values().for_each(|member| identify(member, name, found));
        }
        Value::Array(items) => items.iter().for_each(|item| identify(item, name, found)),
        _ => {}
    }
}

fn anchored<'s>(schema: &'s Value, anchor: &str) -> Option<&'s Value> {
    match schema {
        Value::Object(members) => {
            let is_it = |name: &str| members.get(name).and_then(Value::as_str) == Some(anchor);
            if is_it("$anchor") || is_it("$dynamicAnchor") {
                return Some(schema);
            }
            members.values().find_map(|member| anchored(member, anchor))
        }
        Value::Array(items) => items.iter().find_map(|item| anchored(item, anchor)),
        _ => None,
    }
}
