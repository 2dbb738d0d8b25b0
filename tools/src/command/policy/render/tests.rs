use portcullis_engine::config::NodeValue;

use super::*;
use crate::yaml;

#[test]
fn scalars_are_read_as_what_they_were() {
    for text in [
        "SECRET_KEY",
        "/etc/envoy/portcullis.wasm",
        "a b",
        "x: y",
        "#",
        "true",
        "No",
        "0x10",
        "1.5",
        "",
        "\"",
        "a\\b",
        "é",
    ] {
        let read = yaml::parse(&format!("k: {}", quoted(text))).unwrap();
        let NodeValue::Map(members) = &read.value else { panic!("{text}: {read:?}") };
        assert_eq!(members[0].1.value, NodeValue::String(text.to_owned()), "{text}");
    }
}

#[test]
fn digests_are_hexadecimal() {
    assert_eq!(hexadecimal(&[0, 0x0f, 0xa0, 0xff]), "000fa0ff");
}

#[test]
fn a_policy_is_the_same_in_json() {
    for (text, expected, message) in [
        (
            "a: 0.5\nb: 010\nc: 1e3\nd: yes\n",
            "{\"a\": 0.5, \"b\": 10, \"c\": 1000, \"d\": \"yes\"}",
            "scalars, on one line",
        ),
        ("b: []\na: {}\n", "{\n  \"b\": [],\n  \"a\": {}\n}", "nothing, in its own order"),
        ("a: [x, ~]\n", "{\n  \"a\": [\"x\", null]\n}", "a list of scalars"),
        ("- [a: 1]\n", "[\n  [\n    {\"a\": 1}\n  ]\n]", "nested"),
        ("a: \"\\u2028\\u0085\\x7f\\n\"\n", "{\"a\": \"\\u2028\\u0085\\u007f\\n\"}", "what breaks a line of YAML"),
    ] {
        let node = yaml::parse(text).unwrap();
        let mut json = String::new();
        push_json(&node, 0, &mut json);
        assert_eq!(json, expected, "{message}");
        assert_eq!(yaml::parse(&json).unwrap().to_canonical_json(), node.to_canonical_json(), "{message}");
        assert_eq!(
            Node::from_json(json.as_bytes()).unwrap().to_canonical_json(),
            node.to_canonical_json(),
            "{message}"
        );
    }
}
