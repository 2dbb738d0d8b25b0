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

fn each(value: &Value, visit: &mut impl FnMut(&Value)) {
    visit(value);
    match value {
        Value::Array(items) => items.iter().for_each(|item| each(item, visit)),
        Value::Object(members) => members.values().for_each(|member| each(member, visit)),
        _ => {}
    }
}
