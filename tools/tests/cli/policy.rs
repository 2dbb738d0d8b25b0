use crate::support::run;

#[test]
fn the_schema_is_printed() {
    let schema = run(["policy", "schema"]).json();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
}
