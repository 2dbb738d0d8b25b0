use proptest::prelude::*;

use super::*;

#[test]
fn a_record_is_told_from_other_lines() {
    let good = r#"{"timestamp":"t","event":"access","decision":"allow","reason":"public"}"#;
    let cases: [(&str, bool, &str); 9] = [
        (good, true, "the least there is"),
        (r#"{"timestamp":"t","event":"e","decision":"d","reason":"r","user_id":"a\"b"}"#, true, "an escaped value"),
        (r#"{"timestamp":"t","event":"e","decision":"d","reason":"r","more":[{}]}"#, true, "a member of tomorrow"),
        (r#"{"timestamp":"t","event":"e","decision":"d"}"#, false, "no reason"),
        (r#"{"timestamp":"t","event":"e","decision":"d","reason":"r","reason":"s"}"#, false, "a member twice"),
        (r#"{"timestamp":1,"event":"e","decision":"d","reason":"r"}"#, false, "a number for a text"),
        (r#"{"level":"info","message":"started"}"#, false, "another log's line"),
        (r#"{"timestamp":"t","event":"e","decision":"d","reason":"r"} x"#, false, "more behind it"),
        ("{", false, "the beginning of one"),
    ];
    for (line, expected, what) in cases {
        assert_eq!(Record::parse(line.as_bytes()).is_some(), expected, "{what}");
    }
    let escaped = Record::parse(cases[1].0.as_bytes()).unwrap();
    assert_eq!(text(&escaped.user_id), "a\"b");
}

proptest! {
    #[test]
    fn no_bytes_are_too_much(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _any = Record::parse(&bytes);
    }
}
