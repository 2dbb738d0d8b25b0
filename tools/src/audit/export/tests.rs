use super::*;

const REQUEST: &str = r#"{"timestamp":"2026-11-24T03:48:57.824Z","event":"authorization","action":"write","decision":"deny","reason":"owner_denied","route":"document","user_id":"edith","role":"editor","ip_address":"127.0.0.1","method":"PUT","path":"/users/{owner}","status":403,"request_id":"r-1","provider":"local","kid":"2026-11","token_id":"Xr4i","policy":"6S9Z"}"#;
const TOKEN: &str = r#"{"timestamp":"2026-11-24T03:48:57.824Z","event":"authentication","action":"authenticate","decision":"deny","reason":"token_expired","ip_address":"203.0.113.0/24","masked":["ip_address"],"status":401,"policy":"6S9Z","count":12,"since":"2026-11-24T03:48:50.000Z"}"#;
const COMMAND: &str = r#"{"timestamp":"2026-11-24T03:48:57.824Z","event":"admin","action":"user_disable","decision":"allow","reason":"done","user_id":"carol","target":"=cmd|' /C calc'!A0"}"#;

fn parse(line: &str) -> Record<'_> {
    Record::parse(line.as_bytes()).unwrap()
}

#[test]
fn ocsf_has_the_class_and_what_it_requires() {
    let event = ocsf(&parse(REQUEST));
    let expected = [
        ("/class_uid", json!(6003)),
        ("/category_uid", json!(6)),
        ("/activity_id", json!(3)),
        ("/type_uid", json!(600_303)),
        ("/time", json!(1_795_492_137_824_i64)),
        ("/severity_id", json!(2)),
        ("/status_id", json!(2)),
        ("/action_id", json!(2)),
        ("/metadata/version", json!("1.3.0")),
        ("/actor/user/uid", json!("edith")),
        ("/src_endpoint/ip", json!("127.0.0.1")),
        ("/api/operation", json!("PUT document")),
        ("/http_response/code", json!(403)),
    ];
    for (pointer, value) in expected {
        assert_eq!(event.pointer(pointer), Some(&value), "{pointer}");
    }
    let event = ocsf(&parse(TOKEN));
    let expected = [
        ("/class_uid", json!(3002)),
        ("/type_uid", json!(300_201)),
        ("/user/name", json!("anonymous")),
        ("/service/name", json!("portcullis")),
        ("/src_endpoint/name", json!("203.0.113.0/24")),
        ("/count", json!(12)),
        ("/start_time", json!(1_795_492_130_000_i64)),
    ];
    for (pointer, value) in expected {
        assert_eq!(event.pointer(pointer), Some(&value), "{pointer}");
    }
    assert_eq!(event.pointer("/src_endpoint/ip"), None, "a block is no address");
    assert_eq!(ocsf(&parse(COMMAND)).pointer("/api/operation"), Some(&json!("user_disable")));
}

#[test]
fn ecs_has_its_fields() {
    let event = ecs(&parse(REQUEST));
    let expected = [
        ("/@timestamp", json!("2026-11-24T03:48:57.824Z")),
        ("/event/outcome", json!("failure")),
        ("/event/type", json!(["access", "denied"])),
        ("/user/id", json!("edith")),
        ("/source/ip", json!("127.0.0.1")),
        ("/http/response/status_code", json!(403)),
        ("/url/path", json!("/users/{owner}")),
        ("/rule/name", json!("document")),
    ];
    for (pointer, value) in expected {
        assert_eq!(event.pointer(pointer), Some(&value), "{pointer}");
    }
    assert_eq!(ecs(&parse(TOKEN)).pointer("/source/ip"), None, "a block is no address");
    assert_eq!(ecs(&parse(COMMAND)).pointer("/event/type"), Some(&json!(["change", "allowed"])));
}

#[test]
fn no_cell_is_a_formula() {
    let cells = row(&parse(COMMAND));
    assert_eq!(cells[COLUMNS.iter().position(|column| *column == "target").unwrap()], "'=cmd|' /C calc'!A0");
    for (value, expected) in [("+1", "'+1"), ("-1", "'-1"), ("@x", "'@x"), ("\tx", "'\tx"), ("a=1", "a=1"), ("", "")] {
        assert_eq!(cell(value), expected);
    }
    assert_eq!(row(&parse(TOKEN))[COLUMNS.iter().position(|column| *column == "masked").unwrap()], "ip_address");
}
