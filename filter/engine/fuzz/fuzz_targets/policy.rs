//! Policies of any bytes, as JSON (`j`), as a protobuf Struct (`p`) and, as the command reads them, as YAML (`y`).

#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis_engine::config::{Node, NodeValue, PolicyError};
use portcullis_engine::token::Proven;
use portcullis_engine::{Policy, UnixTime, Worker};
use portcullis_fuzz::{At, NOW, OLD_SECRET, SECRET, headers, secrets};
use prost::Message as _;
use prost_types::value::Kind;

#[path = "../../../../tools/src"]
mod tools {
    #[allow(dead_code, reason = "the command says more of an error than is asked here")]
    pub(crate) mod yaml;
}

/// What the YAML of the command asks of the rest of it: its messages are not looked at here.
mod terminal {
    pub(crate) fn visible(text: &str) -> String {
        text.to_owned()
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((mode, rest)) = data.split_first() else { return };
    // Who writes a secret into a policy's names reads it in its mistakes.
    if [SECRET, OLD_SECRET].iter().any(|secret| rest.windows(secret.len()).any(|part| part == *secret)) {
        return;
    }
    match mode {
        b'p' => judge(Node::from_struct(rest).ok()),
        b'y' => judge(std::str::from_utf8(rest).ok().and_then(|text| tools::yaml::parse(text).ok())),
        _ => judge(Node::from_json(rest).ok()),
    }
    // And as the filter is handed it, which must tell the formats apart itself.
    if *mode != b'y' {
        drop(Policy::load(rest, &secrets));
    }
});

fn judge(document: Option<Node>) {
    let Some(document) = document else { return };
    let policy = match Policy::compile(&document, &secrets) {
        Ok(policy) => policy,
        Err(errors) => {
            assert!(!errors.is_empty(), "a refusal has its reason");
            return errors.iter().for_each(check_message);
        }
    };
    policy.warnings().iter().chain(policy.advice()).for_each(check_message);
    // A policy that repeats a member is refused, so its canonical form is the whole of it.
    let canonical = document.to_canonical_json();
    let again = Policy::load(canonical.to_string().as_bytes(), &secrets).expect("the canonical form of a good policy");
    assert_eq!(policy.digest(), again.digest(), "of one policy, one digest");
    let message = as_struct(&document).encode_to_vec();
    let again = Policy::load(&message, &secrets).expect("a good policy as a Struct");
    assert_eq!(policy.digest(), again.digest(), "JSON or Struct, it is one policy");
    try_out(&policy);
}

/// What is said of a policy stays on its line, and has no secret in it.
fn check_message(error: &PolicyError) {
    let text = error.to_string();
    assert!(!error.message.is_empty() && !error.remedy.is_empty(), "{text}");
    for secret in [SECRET, OLD_SECRET] {
        assert!(!text.contains(std::str::from_utf8(secret).expect("ASCII")), "{text}");
    }
}

/// Whatever a policy says, requests are decided by it.
fn try_out(policy: &Policy) {
    let mut worker = Worker::new(policy, Proven::NOTHING);
    let at = At { now: UnixTime::from_seconds(NOW), client: Some([127, 0, 0, 1].into()) };
    for (method, path) in [("GET", "/"), ("OPTIONS", "/a"), ("PUT", "/users/ada/documents/7")] {
        let headers = headers([
            (":method", method.as_bytes()),
            (":path", path.as_bytes()),
            (":authority", b"api.example.com"),
            ("origin", b"https://app.example.com"),
            ("access-control-request-method", b"PUT"),
        ]);
        let verdict = policy.decide(&headers, &at, &mut worker, &mut ());
        drop(verdict.response.edits(&headers));
        drop(policy.near_misses(&headers));
    }
    let _ = policy.route_names().count();
}

fn as_struct(node: &Node) -> prost_types::Struct {
    match as_value(node).kind {
        Some(Kind::StructValue(fields)) => fields,
        _ => panic!("a good policy is a mapping"),
    }
}

fn as_value(node: &Node) -> prost_types::Value {
    let kind = match &node.value {
        NodeValue::Null => Kind::NullValue(0),
        NodeValue::Bool(value) => Kind::BoolValue(*value),
        NodeValue::Number(value) => Kind::NumberValue(*value),
        NodeValue::String(value) => Kind::StringValue(value.clone()),
        NodeValue::Seq(items) => {
            Kind::ListValue(prost_types::ListValue { values: items.iter().map(as_value).collect() })
        }
        NodeValue::Map(members) => Kind::StructValue(prost_types::Struct {
            fields: members.iter().map(|(key, node)| (key.name.clone(), as_value(node))).collect(),
        }),
    };
    prost_types::Value { kind: Some(kind) }
}
