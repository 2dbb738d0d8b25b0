use portcullis_engine::config::{Key, Node, NodeValue, PolicyError};
use portcullis_engine::{Policy, Secret, SecretLookup};
use serde_json::Value;

use super::SCHEMA;

const EVERYTHING: &str = include_str!("../../../tests/policies/everything.yaml");

fn schema() -> Value {
    serde_json::from_str(SCHEMA).unwrap()
}

/// What the schema says against a document.
fn refusal(document: &Value) -> Option<String> {
    let mut compiler = boon::Compiler::new();
    compiler.add_resource("policy.json", schema()).unwrap();
    let mut schemas = boon::Schemas::new();
    let index = compiler.compile("policy.json", &mut schemas).unwrap();
    schemas.validate(document, index).err().map(|error| error.to_string())
}

#[test]
fn the_schema_fits_a_policy_with_everything() {
    let everything = crate::yaml::parse(EVERYTHING).unwrap().to_canonical_json();
    assert_eq!(refusal(&everything), None);
}

#[test]
fn the_schema_describes_every_field_and_allows_no_other() {
    let schema = schema();
    let mut fields = 0;
    each(&schema, &mut |place| {
        if place.get("type") != Some(&"object".into()) {
            return;
        }
        assert!(place.get("additionalProperties").is_some(), "{place}");
        let Some(properties) = place.get("properties").and_then(Value::as_object) else { return };
        assert_eq!(place["additionalProperties"], false, "{place}");
        for (name, property) in properties {
            let pointer = property.get("$ref").and_then(Value::as_str).map(|target| target.trim_start_matches('#'));
            let referred = pointer.and_then(|pointer| schema.pointer(pointer));
            let described = |at: &Value| at.get("description").is_some_and(Value::is_string);
            assert!(described(property) || referred.is_some_and(described), "{name} has no description");
            fields += 1;
        }
    });
    assert!(fields > 50, "only {fields} fields were looked at");
}

/// What the schema shows as an example or as a default is good where it stands.
#[test]
fn the_examples_in_the_schema_are_good() {
    let schema = schema();
    let mut compiler = boon::Compiler::new();
    compiler.add_resource("policy.json", schema.clone()).unwrap();
    let mut schemas = boon::Schemas::new();
    let mut shown = 0;
    each_at(&schema, String::new(), &mut |place, pointer| {
        // A field may be called `default` too: then its schema is an object with a type or a reference.
        let is_schema = ["type", "$ref", "enum", "const", "oneOf"].iter().any(|keyword| place.get(keyword).is_some());
        let examples = place.get("examples").and_then(Value::as_array).into_iter().flatten();
        for value in examples.chain(place.get("default")).filter(|_| is_schema) {
            let index = compiler.compile(&format!("policy.json#{pointer}"), &mut schemas).unwrap();
            let refused = schemas.validate(value, index).err().map(|error| error.to_string());
            assert_eq!(refused, None, "{pointer}: {value}");
            shown += 1;
        }
    });
    assert!(shown > 60, "only {shown} examples were looked at");
}

fn each_at(value: &Value, pointer: String, visit: &mut impl FnMut(&Value, &str)) {
    visit(value, &pointer);
    match value {
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| each_at(item, format!("{pointer}/{index}"), visit));
        }
        Value::Object(members) => {
            members.iter().for_each(|(name, member)| each_at(member, format!("{pointer}/{name}"), visit));
        }
        _ => {}
    }
}

fn each(value: &Value, visit: &mut impl FnMut(&Value)) {
    visit(value);
    match value {
        Value::Array(items) => items.iter().for_each(|item| each(item, visit)),
        Value::Object(members) => members.values().for_each(|member| each(member, visit)),
        _ => {}
    }
}

/// Whether the engine compiles a document, or finds nothing but what a schema cannot say: that routes need a table.
fn compiles(document: &Node) -> bool {
    let secret = |_: &str| SecretLookup::Value(Secret::new(vec![b'A'; 86]));
    match Policy::compile(document, &secret) {
        Ok(_) => true,
        // What depends on two places at once is beyond a schema.
        Err(errors) => errors.iter().all(|error| {
            let known = [
                "without a role table",
                "the policy has no providers",
                "there is no schema",
                "no provider is called",
                "no route is called",
            ];
            known.iter().any(|known| error.message.contains(known))
        }),
    }
}

/// Every place in a document, as a path of indices.
fn places(node: &Node, path: &[usize], visit: &mut impl FnMut(&[usize])) {
    visit(path);
    let inside = |index: usize| [path, &[index]].concat();
    match &node.value {
        NodeValue::Seq(items) => items.iter().enumerate().for_each(|(index, item)| places(item, &inside(index), visit)),
        NodeValue::Map(members) => {
            members.iter().enumerate().for_each(|(index, (_, node))| places(node, &inside(index), visit));
        }
        _ => {}
    }
}

fn at<'n>(node: &'n mut Node, path: &[usize]) -> &'n mut Node {
    let Some((index, rest)) = path.split_first() else { return node };
    match &mut node.value {
        NodeValue::Seq(items) => at(&mut items[*index], rest),
        NodeValue::Map(members) => at(&mut members[*index].1, rest),
        _ => panic!("no such place"),
    }
}

/// The schema knows the fields and the types that the engine knows: a policy with everything is changed at every place
/// there is, and both must think the same of it.
#[test]
fn the_schema_and_the_engine_agree() {
    let everything = crate::yaml::parse(EVERYTHING).unwrap();
    assert!(compiles(&everything));
    let mut all = Vec::new();
    places(&everything, &[], &mut |path| all.push(path.to_vec()));
    assert!(all.len() > 150, "{}", all.len());

    let mut compiler = boon::Compiler::new();
    compiler.add_resource("policy.json", schema()).unwrap();
    let mut schemas = boon::Schemas::new();
    let index = compiler.compile("policy.json", &mut schemas).unwrap();
    let agree = |document: &Node, what: &str| {
        let by_schema = schemas.validate(&document.to_canonical_json(), index).is_ok();
        // What stands in a schema that is part of a policy is beyond the policy's own.
        let within = |error: &PolicyError| error.path.starts_with("schemas.") || error.path.ends_with(".body.schema");
        let secret = |_: &str| SecretLookup::Value(Secret::new(vec![b'A'; 86]));
        if by_schema && Policy::compile(document, &secret).is_err_and(|errors| errors.iter().all(within)) {
            return;
        }
        assert_eq!(by_schema, compiles(document), "{what}: the schema says {by_schema}");
    };
    for path in &all {
        for value in [NodeValue::Null, NodeValue::Seq(Vec::new()), NodeValue::Map(Vec::new())] {
            let mut changed = everything.clone();
            let place = at(&mut changed, path);
            let what = format!("{:?} instead of {:?}", value, place.value);
            place.value = value;
            agree(&changed, &what);
        }
        let mut changed = everything.clone();
        if let NodeValue::Map(members) = &mut at(&mut changed, path).value {
            let name = "surplus".to_owned();
            members.push((Key { line: None, name }, Node::new(NodeValue::String("x".to_owned()))));
            let what = format!("a surplus field in {members:?}");
            agree(&changed, &what);
        }
    }
}
