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
