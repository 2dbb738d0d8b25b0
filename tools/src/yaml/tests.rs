use portcullis_engine::config::{Node, NodeValue};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{MAX_DEPTH, parse, spelled_out};

/// The tree as JSON, for comparing; members keep their order and repetitions as pairs.
fn tree(node: &Node) -> Value {
    match &node.value {
        NodeValue::Map(members) => {
            let mut object = serde_json::Map::new();
            for (key, value) in members {
                assert!(object.insert(key.name.clone(), tree(value)).is_none(), "repeated key {}", key.name);
            }
            Value::Object(object)
        }
        NodeValue::Seq(items) => items.iter().map(tree).collect(),
        _ => node.to_canonical_json(),
    }
}

#[track_caller]
fn check(text: &str, expected: &Value) {
    let node = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(&tree(&node), expected, "{text}");
}

#[track_caller]
fn refused(text: &str, line: u32, message: &str) {
    let error = parse(text).map(|node| tree(&node)).expect_err(text);
    assert!(error.message.contains(message), "{text}: {error}");
    assert_eq!(error.line, Some(line), "{text}: {error}");
}

#[test]
fn plain_scalars_follow_the_core_schema() {
    for (text, expected) in [
        ("null", json!(null)),
        ("~", json!(null)),
        ("", json!(null)),
        ("true", json!(true)),
        ("False", json!(false)),
        ("yes", json!("yes")),
        ("no", json!("no")),
        ("on", json!("on")),
        ("tRUE", json!("tRUE")),
        ("0", json!(0)),
        ("-12", json!(-12)),
        ("+12", json!(12)),
        ("0o17", json!(15)),
        ("0x1F", json!(31)),
        ("017", json!(17)),
        ("1_000", json!("1_000")),
        ("0b11", json!("0b11")),
        ("0x", json!("0x")),
        ("0x-1", json!("0x-1")),
        ("1.5", json!(1.5)),
        ("1.", json!(1)),
        (".5", json!(0.5)),
        ("1e3", json!(1000)),
        ("1E-3", json!(0.001)),
        (".", json!(".")),
        ("+.", json!("+.")),
        ("1e", json!("1e")),
        ("e3", json!("e3")),
        (".inf", json!(".inf")),
        (".nan", json!(".nan")),
        ("inf", json!("inf")),
        ("nan", json!("nan")),
        ("infinity", json!("infinity")),
        ("1e999", json!("1e999")),
        ("30s", json!("30s")),
        ("2026-11-24", json!("2026-11-24")),
        ("12:30:45", json!("12:30:45")),
        ("10.0.0.0/8", json!("10.0.0.0/8")),
    ] {
        check(&format!("a: {text}"), &json!({"a": expected}));
    }
}

#[test]
fn quoted_and_block_scalars_are_text() {
    check("a: '1'", &json!({"a": "1"}));
    check("a: \"true\"", &json!({"a": "true"}));
    check("a: \"\\u00e9\\n\"", &json!({"a": "é\n"}));
    check("a: 'it''s'", &json!({"a": "it's"}));
    check("a: |\n  1\nb: >-\n  x\n  y\n", &json!({"a": "1\n", "b": "x y"}));
    check("a: ''", &json!({"a": ""}));
}

#[test]
fn tags_of_the_core_schema_say_what_a_scalar_is() {
    check("a: !!str 1", &json!({"a": "1"}));
    check("a: ! 1", &json!({"a": "1"}));
    check("a: !!int '3'", &json!({"a": 3}));
    check("a: !!float 3", &json!({"a": 3}));
    check("a: !!bool 'true'", &json!({"a": true}));
    check("a: !!null ''", &json!({"a": null}));
    check("a: !!map {b: !!seq [1]}", &json!({"a": {"b": [1]}}));
    refused("a: !!int x", 1, "not what its tag");
    refused("a:\n  b: !!int 1.5", 2, "not what its tag");
    refused("a: !!binary aGk=", 1, "means nothing here");
    refused("a: !mine x", 1, "means nothing here");
    refused("a: !!python/object:os.system x", 1, "means nothing here");
    refused("a: !!set {b}", 1, "means nothing here");
    refused("a: !!map [1]", 1, "means nothing here");
}

#[test]
fn keys_are_text_whatever_they_look_like() {
    check("8080: x\ntrue: y\nnull: z\n'q': w", &json!({"8080": "x", "true": "y", "null": "z", "q": "w"}));
    check("a: &x name\n*x : b", &json!({"a": "name", "name": "b"}));
    refused("? [a]\n: b", 1, "cannot be a key");
    refused("x: 1\n? {a: b}\n: c", 2, "cannot be a key");
    refused("a: &x {b: c}\nd:\n  <<: *x", 3, "`<<`");
    check("'<<': x", &json!({"<<": "x"}));
}

#[test]
fn repeated_keys_are_kept_for_the_engine_to_report() {
    let node = parse("a: 1\nb: 2\na: 3").unwrap();
    let NodeValue::Map(members) = node.value else { panic!() };
    let seen: Vec<_> = members.iter().map(|(key, _)| (key.name.as_str(), key.line)).collect();
    assert_eq!(seen, [("a", Some(1)), ("b", Some(2)), ("a", Some(3))]);
}

#[test]
fn every_node_knows_its_line() {
    let node =
        parse("# comment\nroutes:\n  - name: a\n    match:\n      path: /x\n  - {name: b,\n     access: public}\n")
            .unwrap();
    let NodeValue::Map(root) = &node.value else { panic!() };
    let (key, routes) = &root[0];
    assert_eq!((node.line, key.line, routes.line), (Some(2), Some(2), Some(3)));
    let NodeValue::Seq(routes) = &routes.value else { panic!() };
    let NodeValue::Map(first) = &routes[0].value else { panic!() };
    assert_eq!((first[1].0.line, first[1].1.line), (Some(4), Some(5)));
    let NodeValue::Map(second) = &routes[1].value else { panic!() };
    assert_eq!((routes[1].line, second[1].0.line, second[1].1.line), (Some(6), Some(7), Some(7)));
}

#[test]
fn anchors_and_aliases_are_expanded() {
    check("a: &x [1, 2]\nb: *x", &json!({"a": [1, 2], "b": [1, 2]}));
    check("a: &x 1\nb: &x 2\nc: *x", &json!({"a": 1, "b": 2, "c": 2}));
    let node = parse("a: &x\n  b: 1\nc: *x").unwrap();
    let NodeValue::Map(root) = &node.value else { panic!() };
    assert_eq!(root[1].1.line, root[0].1.line, "an alias keeps the lines of what it names");
    refused("a: *nobody", 1, "");
    refused("a: &x [*x]", 1, "very value it names");
    refused("a: &x {b: [1, *x]}", 1, "very value it names");
}

#[test]
fn what_a_few_lines_stand_for_is_limited() {
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let before = level - 1;
        laughs.push_str(&format!("a{level}: &a{level} [{}*a{before}]\n", format!("*a{before}, ").repeat(8)));
    }
    refused(&laughs, 5, "more than 100000 values");

    let deep = "[".repeat(MAX_DEPTH) + &"]".repeat(MAX_DEPTH);
    assert!(parse(&deep).is_ok());
    refused(&format!("[{deep}]"), 1, "nested more than 128 deep");
    let mut chain = "a0: &a0 [x]\n".to_owned();
    for level in 1..200 {
        chain.push_str(&format!("a{level}: &a{level} [*a{}]\n", level - 1));
    }
    refused(&chain, 128, "nested more than 128 deep");
    for text in ["[".repeat(1_000_000), "{a: ".repeat(1_000_000), "- ".repeat(100_000), "&a ".repeat(100_000)] {
        assert!(parse(&text).is_err());
    }
}

#[test]
fn a_policy_is_one_document() {
    check("---\na: 1\n...\n", &json!({"a": 1}));
    check("%YAML 1.2\n---\na: 1\n", &json!({"a": 1}));
    check("\u{feff}a: 1\n", &json!({"a": 1}));
    check("", &json!(null));
    check("# nothing\n", &json!(null));
    refused("a: 1\n---\nb: 2\n", 3, "second document");
    refused("---\n---\na: 1\n", 3, "second document");
}

#[test]
fn syntax_errors_have_a_line_and_a_message() {
    for (text, line) in [
        ("a: b\n c: d", 2),
        ("a: [1, 2", 1),
        ("a: 'x", 1),
        ("a: \"\\q\"", 1),
        ("a:\n\t- b", 2),
        ("a: {b: c\nd: e", 2),
        ("a: @x", 1),
        ("a: - b", 1),
        ("key: value\n- item", 2),
    ] {
        let error = parse(text).expect_err(text);
        assert!(!error.message.is_empty(), "{text}");
        assert!(error.line.is_some_and(|at| at >= line), "{text}: {error}");
        assert!(error.message.chars().next().is_some_and(|c| !c.is_uppercase()), "{text}: {error}");
    }
}

/// Text built from what YAML gives a meaning to, which random characters hardly ever hit on.
fn yaml_like() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "a",
        "b: ",
        ": ",
        "- ",
        "? ",
        "[",
        "]",
        "{",
        "}",
        ",",
        "\n",
        "\n  ",
        "\n    ",
        "\t",
        "'",
        "\"",
        "|",
        ">",
        "|-",
        ">+2",
        "&x ",
        "*x",
        "!",
        "!!str ",
        "!!",
        "!<",
        "#",
        " #",
        "%YAML 1.2\n",
        "%TAG ! x\n",
        "---",
        "...",
        "---\n",
        "<<: ",
        "\\",
        "\\u12",
        "\u{feff}",
        "\r",
        "\r\n",
        "\u{85}",
        "\u{2028}",
        "é",
        "@",
        "`",
        "~",
        "null",
        "0x1",
        "1e5",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

/// Any JSON is YAML that means the same, but for what the two escape differently.
fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[ -~]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map("[ -~]{0,8}", inner, 0..6).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in any::<String>()) {
        let _either = parse(&text);
    }

    #[test]
    fn nothing_that_looks_like_yaml_makes_it_panic(text in yaml_like()) {
        let _either = parse(&text);
    }

    #[test]
    fn json_means_the_same(value in json_value()) {
        let node = parse(&value.to_string()).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(tree(&node), value);
    }
}

#[test]
fn what_other_readers_take_for_something_else_is_spelled_out() {
    for (text, expected, message) in [
        ("a: yes # or no\n", "a: \"yes\" # or no\n", "a boolean of YAML 1.1, a comment after it"),
        ("roles: [on, admin, off]", "roles: [\"on\", admin, \"off\"]", "in a list"),
        ("{y: N}", "{\"y\": \"N\"}", "a key"),
        ("a: TRUE\nb: ~\nc:\n", "a: true\nb: null\nc:\n", "booleans and null"),
        ("a: 010\nb: 0o10\nc: 0x1F\n", "a: 10\nb: 8\nc: 31\n", "numbers"),
        ("a: 1e3\nb: .5\nc: 0.1\nd: 1.0\ne: -7\n", "a: 1000\nb: 0.5\nc: 0.1\nd: 1\ne: -7\n", "fractions"),
        (
            "a: 12:30\nb: 2026-11-24\nc: 1_000\nd: 0b1\n",
            "a: \"12:30\"\nb: \"2026-11-24\"\nc: \"1_000\"\nd: \"0b1\"\n",
            "base 60, a date",
        ),
        ("8080: 10m\n", "\"8080\": 10m\n", "a key that looks like a number, a duration that does not"),
        ("a: 'yes'\nb: \"010\"\nc: |\n  yes\n", "a: 'yes'\nb: \"010\"\nc: |\n  yes\n", "what is quoted already"),
        ("- &x on\n- *x\n- !!str 010\n", "- &x \"on\"\n- *x\n- !!str \"010\"\n", "anchors and tags"),
        ("- &x !!str # why\n  010\n- *x\n", "- &x !!str # why\n  \"010\"\n- *x\n", "both, and a comment"),
        ("- &x\ton\n- *x\n", "- &x\t\"on\"\n- *x\n", "a tab between"),
        ("- &x\n- *x\n- a: yes\n    no # 2\n", "- &x\n- *x\n- a: yes\n    no # 2\n", "nothing, and two lines"),
        ("é: no\nü: ok\n", "é: \"no\"\nü: ok\n", "after letters of two bytes"),
        ("version: v1\nroutes:\n  - name: a # first\n", "version: v1\nroutes:\n  - name: a # first\n", "nothing"),
    ] {
        let spelled = spelled_out(text).unwrap();
        assert_eq!(spelled, expected, "{message}");
        assert_eq!(tree(&parse(&spelled).unwrap()), tree(&parse(text).unwrap()), "{message}");
    }
}

proptest! {
    #[test]
    fn spelling_changes_no_value(text in "(- ([&]x )?[a-zA-Z0-9+._~:-]{1,8}( # [a-z]{1,4})?\n){1,6}") {
        if let Ok(node) = parse(&text) {
            let spelled = spelled_out(&text).unwrap();
            prop_assert_eq!(parse(&spelled).map(|node| tree(&node)), Ok(tree(&node)), "{}", spelled);
        }
    }
}
