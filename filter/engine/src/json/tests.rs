#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;

#[test]
fn accepts_only_strict_json() {
    for (text, accepted, message) in [
        (r#"{"a":1,"b":[{"a":2}]}"#, true, "the same name at two depths"),
        (r#"{"a":1,"a":1}"#, false, "a repeated member"),
        (r#"{"b":{"a":1,"\u0061":2}}"#, false, "a repeated member, escaped and nested"),
        (r#"{"a":NaN}"#, false, "NaN"),
        (r#"{"a":1e999}"#, false, "a number beyond a double"),
        (r#"{"a":01}"#, false, "a leading zero"),
        (r#"{"a":1}x"#, false, "trailing text"),
        (r#"{"a":1,}"#, false, "a trailing comma"),
        ("{\"a\":\"\u{1}\"}", false, "a raw control character"),
        (r#"{"a":"\ud800"}"#, false, "a lone surrogate"),
    ] {
        assert_eq!(parse(text.as_bytes()).is_some(), accepted, "{message}");
    }
    assert!(parse("[".repeat(100_000).as_bytes()).is_none(), "deep nesting is refused, not followed");
    assert!(parse(b"\"\xff\"").is_none(), "text that is not UTF-8");
}

#[test]
fn members_are_told_apart_however_many_there_are() {
    for count in [2, FEW_MEMBERS, FEW_MEMBERS + 1, 500] {
        let member = |number: usize| format!(r#""m{number}":{number}"#);
        let members: Vec<String> = (0..count).map(member).collect();
        let object = |more: &str| format!("{{{}{more}}}", members.join(","));
        assert!(read(object("").as_bytes()).is_some(), "{count} members");
        for repeated in [0, count / 2, count - 1] {
            let again = object(&format!(r#","m{repeated}":0"#));
            assert!(read(again.as_bytes()).is_none(), "{count} members, and number {repeated} again");
        }
        let escaped = object(r#","\u006d1":0"#);
        assert!(read(escaped.as_bytes()).is_none(), "{count} members, and one again in another spelling");
    }
}

#[test]
fn a_text_is_read_as_it_is_where_it_stands() {
    let text = r#"{"a":"plain","b":"two\u0020words","c\n":[null,true,-7,1.5,18446744073709551615,"x",{"d":{}}]}"#;
    let Some(Json::Object(members)) = read(text.as_bytes()) else { panic!("an object") };
    assert!(matches!(members.get("a"), Some(Json::String(Cow::Borrowed("plain")))), "where it stands");
    assert_eq!(members.get("b").and_then(Json::as_str), Some("two words"), "an escape");
    assert!(members.get("").is_none() && members.get("c").is_none(), "names are whole");
    let expected: Value = serde_json::from_str(text).unwrap();
    assert_eq!(Value::Object(members.clone().into()), expected, "as serde_json reads it");
    assert_eq!(Json::Object(members.into_owned(|_| true)), Json::from(&expected), "and without its text");
}

#[test]
fn members_are_put_in_the_place_of_others() {
    let Some(Json::Object(mut members)) = read(br#"{"a":1,"b":2}"#) else { panic!("an object") };
    members.set("a", Some(Json::Bool(true)));
    members.set("c", Some(Json::Null));
    members.set("b", None);
    members.set("d", None);
    let expected = serde_json::json!({"a": true, "c": null});
    assert_eq!(Value::Object(members.clone().into()), expected);
    assert_eq!(Value::Object(members.into_owned(|name| name == "c").into()), serde_json::json!({"c": null}));
}
