//! Request targets of any bytes: what has a normal form is sent on in it, and means what the client's path means.

#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis_engine::{Decision, DenyReason, HeaderEdit, Policy, RequestAction, UnixTime, Worker};
use portcullis_fuzz::{At, NOW, headers, load};

thread_local! {
    // Nobody is refused here but for the form of the request.
    static POLICY: Policy = load(&serde_json::json!({
        "version": "v1",
        "routes": [
            {"name": "root", "match": {"path": "/"}, "access": "public"},
            {"name": "all", "match": {"path": "/{*rest}"}, "access": "public"},
        ],
    }));
}

fuzz_target!(|target: &[u8]| {
    let Some(sent) = sent_on(target) else { return };
    let (path, query) = split(&sent);
    let (raw, raw_query) = split(target);
    assert_eq!(query, raw_query, "the query is nobody's to change");
    check_form(path);
    assert_eq!(sent_on(&sent).as_deref(), Some(sent.as_slice()), "a normal form is its own");
    assert_eq!(decode(path), resolve(&decode(raw)), "decoded first or last, it is the same path");
});

/// The target that the upstream is sent; `None` where the request is refused.
fn sent_on(target: &[u8]) -> Option<Vec<u8>> {
    let headers =
        headers([(":method", b"GET"), (":path", target), (":authority", b"a.example"), (":scheme", b"https")]);
    let at = At { now: UnixTime::from_seconds(NOW), client: None };
    POLICY.with(|policy| {
        let mut worker = Worker::new(policy, portcullis_engine::token::Proven::NOTHING);
        let verdict = policy.decide(&headers, &at, &mut worker, &mut ());
        match (verdict.decision, verdict.action) {
            (Decision::Allow(_), RequestAction::Continue(edits)) => {
                let rewritten = edits.iter().find_map(|edit| match edit {
                    HeaderEdit::Set(name, value) if &**name == ":path" => Some(value.as_bytes().to_vec()),
                    _ => None,
                });
                Some(rewritten.unwrap_or_else(|| target.to_vec()))
            }
            (Decision::Deny(reason), RequestAction::Reply(reply)) => {
                let of_form = [DenyReason::PathMalformed, DenyReason::PathAmbiguous, DenyReason::RequestMalformed]
                    .contains(&reason);
                assert!(of_form && reply.status == 400, "{reason}");
                None
            }
            (decision, action) => panic!("{decision:?}, {action:?}"),
        }
    })
}

fn split(target: &[u8]) -> (&[u8], Option<&[u8]>) {
    let mut parts = target.splitn(2, |byte| *byte == b'?');
    (parts.next().unwrap_or_default(), parts.next())
}

/// The rule of docs/policy.md, read again.
fn check_form(path: &[u8]) {
    assert_eq!(path.first(), Some(&b'/'));
    let text = std::str::from_utf8(path).expect("ASCII");
    assert!(!text.contains("//") && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\\;#?".contains(&byte)));
    assert!(text.split('/').all(|segment| segment != "." && segment != ".."), "{text}");
    for (at, _) in text.match_indices('%') {
        let digits = &text[at + 1..at + 3];
        assert!(!digits.bytes().any(|digit| digit.is_ascii_lowercase()), "{text}");
        let byte = u8::from_str_radix(digits, 16).expect("escapes are complete");
        let unreserved = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        assert!(!unreserved && !b"/\\;".contains(&byte), "{text}");
    }
    let decoded = decode(path);
    assert!(std::str::from_utf8(&decoded).is_ok_and(|text| !text.chars().any(char::is_control)), "{text}");
    assert_eq!(decode(&decoded), decoded, "nothing is left to decode: {text}");
}

/// Every escape decoded, once; what is no escape stays.
fn decode(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(path.len());
    let mut at = 0;
    while at < path.len() {
        let escape = path.get(at + 1..at + 3).filter(|_| path[at] == b'%');
        let digits = escape.filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        match digits.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(path[at]);
                at += 1;
            }
        }
    }
    out
}

/// RFC 3986 section 5.2.4 on a decoded path, slashes merged.
fn resolve(path: &[u8]) -> Vec<u8> {
    let mut out: Vec<&[u8]> = Vec::new();
    let mut folder = true;
    for segment in path.split(|byte| *byte == b'/') {
        folder = matches!(segment, b"" | b"." | b"..");
        match segment {
            b"" | b"." => {}
            b".." => drop(out.pop()),
            _ => out.push(segment),
        }
    }
    let mut joined: Vec<u8> = out.iter().flat_map(|segment| [b"/".as_slice(), segment].concat()).collect();
    if folder || joined.is_empty() {
        joined.push(b'/');
    }
    joined
}
