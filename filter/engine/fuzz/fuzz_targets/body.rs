//! Bodies of any bytes, judged by size and by a JSON Schema, in pieces or whole.
//!
//! A byte of circumstances, then the body. What is let through is held against the schema as it is understood here,
//! without the library that understands it there.

#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use portcullis_engine::{Decision, LocalReply, Policy, RequestAction, UnixTime, Verdict, Worker, borrow_headers};
use portcullis_fuzz::{At, NOW, Signed, informed, policy};
use serde_json::{Map, Value};

const TRIAL: u8 = 1;
const CHUNKED: u8 = 2;
const ANOTHER_TYPE: u8 = 4;
const IN_PIECES: u8 = 8;

/// `max_body_bytes` of the routes.
const LIMIT: usize = 512;

thread_local! {
    static BENCH: (Policy, RefCell<Worker>) = {
        let signed = Signed::load();
        let policy = policy(&signed);
        let worker = informed(&policy, &signed);
        (policy, worker.into())
    };
}

fuzz_target!(|data: &[u8]| {
    let Some((circumstances, body)) = data.split_first() else { return };
    BENCH.with(|(policy, worker)| {
        let has = |flag: u8| circumstances & flag != 0;
        let Some(mut verdict) =
            head(policy, &mut worker.borrow_mut(), body, has(TRIAL), has(CHUNKED), has(ANOTHER_TYPE))
        else {
            return;
        };
        if has(IN_PIECES) {
            for size in 0..=body.len() {
                verdict.judge_size(size);
                assert_eq!(verdict.body.is_none(), size > LIMIT, "a body is too large from one byte on");
                if verdict.body.is_none() {
                    break;
                }
            }
        }
        verdict.judge_body(body);
        assert!(verdict.body.is_none(), "the verdict is final");
        check(verdict, body, has(TRIAL));
    });
});

/// The verdict of the head, where the body is in question.
fn head(
    policy: &Policy,
    worker: &mut Worker,
    body: &[u8],
    trial: bool,
    chunked: bool,
    another_type: bool,
) -> Option<Verdict> {
    let pair = |name: &str, value: &str| (name.to_owned(), value.as_bytes().to_vec());
    let mut headers = vec![
        pair(":method", "POST"),
        pair(":path", if trial { "/register/trial" } else { "/register" }),
        pair(":authority", "api.example.com"),
        pair("content-type", if another_type { "text/plain" } else { "application/json; charset=utf-8" }),
    ];
    headers.push(if chunked {
        pair("transfer-encoding", "chunked")
    } else {
        pair("content-length", &body.len().to_string())
    });
    let at = At { now: UnixTime::from_seconds(NOW), client: None };
    let verdict = policy.decide(&borrow_headers(&headers).expect("names are ASCII"), &at, worker, &mut ());
    let refused = match (&verdict.action, trial) {
        (RequestAction::Reply(reply), false) => Some(reply.status),
        (RequestAction::Continue(_), false) => None,
        (RequestAction::Continue(_), true) => return verdict.body.is_some().then_some(verdict),
        (RequestAction::Reply(_), true) => panic!("a trial refuses nobody"),
    };
    let too_large = !chunked && body.len() > LIMIT;
    let has_body = chunked || !body.is_empty();
    let expected = if too_large { Some(413) } else { (another_type && has_body).then_some(415) };
    assert_eq!(refused, expected, "what the head tells of the body");
    assert_eq!(verdict.body.is_some(), expected.is_none(), "the body is judged where the head is good");
    verdict.body.is_some().then_some(verdict)
}

fn check(verdict: Verdict, body: &[u8], trial: bool) {
    let status = match (verdict.decision, &verdict.action) {
        (Decision::Allow(_), RequestAction::Continue(_)) => 200,
        (Decision::Deny(_), RequestAction::Reply(reply)) if !trial => {
            check_reply(reply);
            reply.status
        }
        (Decision::DryRunDeny(reason), RequestAction::Continue(_)) if trial => match reason.code() {
            "body_too_large" => 413,
            _ => 422,
        },
        (decision, action) => panic!("{decision:?}, {action:?}"),
    };
    let good = serde_json::from_slice(body).is_ok_and(|value| is_user(&value));
    match status {
        200 => {
            assert!(body.len() <= LIMIT && (good || trial && body.is_empty()), "let through, and is none");
            assert!(
                body.is_empty() || members(body) == count(&serde_json::from_slice(body).unwrap()),
                "repeats a member"
            );
        }
        413 => assert!(body.len() > LIMIT),
        422 => assert!(body.len() <= LIMIT),
        status => panic!("{status}"),
    }
    let record = verdict.audit.expect("the level is all").line(Some(status));
    assert_eq!(serde_json::from_str::<Value>(&record).expect("JSON")["decision"], verdict.decision.as_str());
}

fn check_reply(reply: &LocalReply) {
    let document: Value = serde_json::from_slice(&reply.body).expect("a problem document");
    assert_eq!(document["status"], reply.status);
    if reply.status != 422 {
        assert!(document["errors"].is_null());
        return;
    }
    let errors = document["errors"].as_array().expect("what is wrong is told");
    assert!((1..=20).contains(&errors.len()), "{}", errors.len());
    let details: Vec<&str> = errors.iter().map(|error| error["detail"].as_str().expect("text")).collect();
    assert!(errors.iter().all(|error| error["in"] == "body" && error["pointer"].as_str().is_some()), "{errors:?}");
    // Seeds have it as a value, and no schema knows the word.
    assert!(!details.iter().any(|detail| detail.contains("hunter2")), "a value is repeated: {details:?}");
}

/// The schema `user`, but for its formats.
fn is_user(value: &Value) -> bool {
    let Value::Object(user) = value else { return false };
    user.contains_key("email") && user.contains_key("role") && user.iter().all(|(name, value)| is_member(name, value))
}

fn is_member(name: &str, value: &Value) -> bool {
    let text = |most: usize| value.as_str().is_some_and(|text| text.chars().count() <= most);
    match name {
        "email" => text(64) && value.as_str().is_some_and(|text| text.contains('@')),
        "role" => ["admin", "editor", "viewer"].iter().any(|role| value == role),
        "age" => value.as_f64().is_some_and(|age| age.fract() == 0.0 && (0.0..=150.0).contains(&age)),
        "ratio" => value.as_f64().is_some_and(|ratio| (ratio * 2.0).fract() == 0.0),
        "id" | "seen" | "home" => value.is_string(),
        // A format is only asked of strings.
        "address" => true,
        "tags" => value.as_array().is_some_and(|tags| {
            let unique = tags.iter().enumerate().all(|(index, tag)| !tags[..index].contains(tag));
            tags.len() <= 3 && unique && tags.iter().all(is_tag)
        }),
        "manager" => is_user(value),
        _ => false,
    }
}

fn is_tag(tag: &Value) -> bool {
    let letters = |text: &str| (1..=8).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_lowercase());
    tag.as_str().is_some_and(letters)
}

/// How many members the objects of a JSON text write down: each has a colon outside of strings.
fn members(text: &[u8]) -> usize {
    let (mut colons, mut in_string, mut escaped) = (0, false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b':' if !in_string => colons += 1,
            _ => {}
        }
    }
    colons
}

/// How many there are to whoever has read it.
fn count(value: &Value) -> usize {
    let below = |members: &Map<String, Value>| members.values().map(count).sum::<usize>();
    match value {
        Value::Object(members) => members.len() + below(members),
        Value::Array(items) => items.iter().map(count).sum(),
        _ => 0,
    }
}
