//! Requests of any bytes through the whole of `Policy::decide`, under a policy with every feature.
//!
//! A byte of circumstances, then headers: a serialized header map, or (with `TEXT`) lines of a name, a tab and a value.
//! In a value, 0x01 and claims, up to 0x03 or the end, stand for a token with these claims that the provider's secret
//! signed; 0x02 and a digit for one of the known tokens. So the fuzzer gets past the signature, to what is behind it.

#![no_main]

use std::cell::RefCell;
use std::collections::HashSet;
use std::net::IpAddr;

use libfuzzer_sys::fuzz_target;
use portcullis_engine::token::Proven;
use portcullis_engine::{
    AllowReason, Decision, HeaderEdit, HeaderEdits, Headers, LocalReply, Policy, RequestAction, Step, Trace, UnixTime,
    Verdict, Worker, borrow_headers, parse_header_map,
};
use portcullis_fuzz::{At, NOW, SECRET, Signed, informed, policy, serialize, sign};
use serde_json::Value;

const TEXT: u8 = 0x40;
const WITHOUT_FETCHED_KEYS: u8 = 0x10;

/// The headers of `claim_to_headers` in the policy.
const IDENTITY: [&str; 3] = ["x-user-id", "x-user-role", "x-tenant-id"];

struct Bench {
    signed: Signed,
    policy: Policy,
    informed: RefCell<Worker>,
    uninformed: RefCell<Worker>,
}

thread_local! {
    static BENCH: Bench = {
        let signed = Signed::load();
        let policy = policy(&signed);
        let (informed, uninformed) = (informed(&policy, &signed), Worker::new(&policy, Proven::NOTHING));
        Bench { signed, policy, informed: informed.into(), uninformed: uninformed.into() }
    };
}

fuzz_target!(|data: &[u8]| {
    let Some((circumstances, rest)) = data.split_first() else { return };
    BENCH.with(|bench| {
        let request =
            if circumstances & TEXT == 0 { Request::packed(rest) } else { Request::written(rest, &bench.signed) };
        let Some(request) = request else { return };
        let worker = if circumstances & WITHOUT_FETCHED_KEYS == 0 { &bench.informed } else { &bench.uninformed };
        try_out(&bench.policy, &request, &at(*circumstances), &mut worker.borrow_mut());
    });
});

fn at(circumstances: u8) -> At {
    let client: Option<IpAddr> = match circumstances & 3 {
        0 => None,
        1 => Some([127, 0, 0, 1].into()),
        2 => Some([10, 0, 0, 1].into()),
        _ => Some([10, 1, 0, 1].into()),
    };
    let now = match circumstances >> 2 & 3 {
        0 | 1 => UnixTime::from_seconds(NOW),
        2 => UnixTime::from_seconds(NOW + 3600),
        _ => UnixTime::from_millis(i64::MAX),
    };
    At { now, client }
}

struct Request {
    headers: Vec<(String, Vec<u8>)>,
    /// Every token that was put in, and whether it stands only where tokens may.
    tokens: Vec<(String, bool)>,
}

impl Request {
    /// From a header map in the host's form, its names in lower case, as a host has them.
    fn packed(bytes: &[u8]) -> Option<Self> {
        let headers = parse_header_map(bytes)?;
        let headers =
            headers.iter().map(|(name, value)| (name.as_str().to_ascii_lowercase(), value.to_vec())).collect();
        Some(Self { headers, tokens: Vec::new() })
    }

    fn written(text: &[u8], signed: &Signed) -> Option<Self> {
        let mut tokens = Vec::new();
        let mut headers: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        for line in text.split(|byte| *byte == b'\n') {
            let mut parts = line.splitn(2, |byte| *byte == b'\t');
            let name = parts.next()?.to_ascii_lowercase();
            let hidden = matches!(name.as_slice(), b"authorization" | b"x-token" | b"cookie");
            let value = fill_in(parts.next()?, signed, |token| tokens.push((token, hidden)));
            headers.push((name, value));
        }
        let packed = serialize(&headers);
        let parsed = parse_header_map(&packed);
        let is_sound = headers.iter().all(|(name, _)| name.is_ascii());
        assert_eq!(parsed.is_some(), is_sound, "a header map is read");
        let parsed = parsed?;
        let same =
            parsed.iter().zip(&headers).all(|(read, (name, value))| read.0.as_bytes() == name && read.1 == value);
        assert!(same && parsed.len() == headers.len(), "as it was written");
        let headers = parsed.iter().map(|(name, value)| (name.as_str().to_owned(), value.to_vec())).collect();
        Some(Self { headers, tokens })
    }
}

fn fill_in(value: &[u8], signed: &Signed, mut put: impl FnMut(String)) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        let token = match byte {
            1 => {
                let end = rest.iter().position(|byte| *byte == 3);
                let (claims, after) = rest.split_at(end.unwrap_or(rest.len()));
                rest = after.get(1..).unwrap_or_default();
                sign(br#"{"alg":"HS256","kid":"2026-11"}"#, claims, SECRET)
            }
            2 => {
                let Some((digit, after)) = rest.split_first() else { break };
                rest = after;
                signed.tokens[usize::from(*digit) % signed.tokens.len()].clone()
            }
            _ => {
                out.push(*byte);
                continue;
            }
        };
        out.extend(token.bytes());
        put(token);
    }
    out
}

fn try_out(policy: &Policy, request: &Request, at: &At, worker: &mut Worker) {
    let headers = borrow_headers(&request.headers).expect("names are ASCII");
    let verdict = policy.decide(&headers, at, worker, &mut ());
    let mut said = Said(String::new());
    let again = policy.decide(&headers, at, worker, &mut said);
    assert_eq!(verdict.decision, again.decision, "asked twice, answered alike");
    assert_eq!((&verdict.action, &verdict.route), (&again.action, &again.route));
    for (token, hidden) in &request.tokens {
        assert!(!hidden || shows_elsewhere(request, token) || !said.0.contains(signature(token)), "{}", said.0);
    }

    let objections = policy.objections(&headers, at, worker);
    let first = objections.first().map(|objection| objection.reason);
    let refused = match verdict.decision {
        Decision::Allow(_) => None,
        Decision::Deny(reason) | Decision::DryRunDeny(reason) => Some(reason),
    };
    assert_eq!(first, refused, "{objections:?}");
    drop(policy.near_misses(&headers));

    match (&verdict.decision, &verdict.action) {
        (Decision::Deny(reason), RequestAction::Reply(reply)) => {
            let authenticated = reply.status == 403;
            assert_eq!(reply.status, status(reason.code(), authenticated), "{reason}");
            check_reply(reply);
        }
        (Decision::Allow(AllowReason::CorsPreflight), RequestAction::Reply(reply)) => {
            assert_eq!((reply.status, reply.body.len()), (204, 0));
            check_reply(reply);
        }
        (Decision::Allow(AllowReason::CorsPreflight), RequestAction::Continue(_)) => {
            panic!("a preflight goes no further")
        }
        (Decision::Allow(reason), RequestAction::Continue(edits)) => {
            let sent = apply(&request.headers, edits);
            check_sent(&sent, edits, (*reason != AllowReason::Public).then_some(()));
            assert_eq!(edit(edits, "x-portcullis-scope").is_some(), *reason == AllowReason::OwnerUpstream);
            if *reason != AllowReason::Public {
                let proved =
                    request.tokens.iter().filter_map(|(token, _)| policy.verify_token(token, at.now, worker).ok());
                let user = edit(edits, "x-user-id");
                let mut subjects = proved.map(|(_, verified)| verified.claims().get("sub").cloned());
                assert!(
                    subjects.any(|subject| user.is_none() || subject.as_ref().and_then(Value::as_str) == user),
                    "{user:?}"
                );
                let left = borrow_headers(&sent).expect("names are ASCII");
                let next = policy.decide(&left, at, worker, &mut ()).decision;
                assert!(!matches!(next, Decision::Allow(_)), "the token is still there");
            }
        }
        (Decision::DryRunDeny(_), RequestAction::Continue(edits)) => {
            let route = verdict.route.as_deref();
            assert!(matches!(route, Some("trial" | "register-trial")), "no other route is in dry run: {route:?}");
            check_sent(&apply(&request.headers, edits), edits, Some(()));
        }
        (decision, action) => panic!("{decision:?}, {action:?}"),
    }
    check_response(&verdict, &headers);
    check_record(verdict, request);
    check_trailers(policy, request);
}

/// The status of each reason, as docs/answers.md has it.
fn status(reason: &str, authenticated: bool) -> u16 {
    match reason {
        "request_malformed" | "path_malformed" | "path_ambiguous" | "header_duplicate" | "token_multiple" => 400,
        "body_too_large" => 413,
        "media_type_unsupported" => 415,
        "input_invalid" => 422,
        "route_not_found" if authenticated => 403,
        "credentials_missing" | "route_not_found" | "step_up_required" => 401,
        "keys_unavailable" => 503,
        "internal_error" => panic!("there is no reason for an internal error"),
        _ if reason.starts_with("token_") => 401,
        _ => 403,
    }
}

fn check_reply(reply: &LocalReply) {
    let mut names = HashSet::new();
    for (name, value) in reply.headers() {
        assert!(names.insert(&**name), "{name} twice");
        assert!(!name.bytes().any(|byte| byte.is_ascii_uppercase() || byte.is_ascii_control()), "{name}");
        assert!(!value.bytes().any(|byte| byte.is_ascii_control()), "{name}: {value:?}");
    }
    assert!(reply.status != 401 || names.contains("www-authenticate"), "RFC 9110 section 11.6.1");
    if reply.status != 204 {
        let body: Value = serde_json::from_slice(&reply.body).expect("a problem document");
        assert_eq!(body["status"], reply.status);
    }
}

fn apply<'e>(headers: &[(String, Vec<u8>)], edits: impl IntoIterator<Item = &'e HeaderEdit>) -> Vec<(String, Vec<u8>)> {
    let mut sent = headers.to_vec();
    for edit in edits {
        if let HeaderEdit::Add(name, _) = edit {
            assert!(!sent.iter().any(|(own, _)| own.as_str() == &**name), "{name} is added, and there already");
        }
        if !matches!(edit, HeaderEdit::Append(..)) {
            sent.retain(|(name, _)| name != edit.name());
        }
        if let HeaderEdit::Set(name, value) | HeaderEdit::Add(name, value) | HeaderEdit::Append(name, value) = edit {
            sent.push((name.to_string(), value.as_bytes().to_vec()));
        }
    }
    sent
}

fn edit<'e>(edits: &'e HeaderEdits, wanted: &str) -> Option<&'e str> {
    edits.iter().find_map(|edit| match edit {
        HeaderEdit::Set(name, value) | HeaderEdit::Add(name, value) if &**name == wanted => Some(&**value),
        _ => None,
    })
}

/// What the upstream is sent: no identity but ours, no token.
fn check_sent(sent: &[(String, Vec<u8>)], edits: &HeaderEdits, proved: Option<()>) {
    for (name, value) in sent {
        let plain: String =
            name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).collect();
        if IDENTITY.contains(&plain.as_str()) || plain.starts_with("x-portcullis-") {
            let ours = edit(edits, name).map(str::as_bytes);
            assert!(proved.is_some() && ours == Some(value.as_slice()), "{name} is the client's own");
            assert_eq!(sent.iter().filter(|(other, _)| other == name).count(), 1, "{name}");
        }
        let credential = match name.as_str() {
            "x-token" => Some(value.as_slice()),
            "authorization" if value.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer ")) => {
                value.get(7..)
            }
            _ => None,
        };
        // White space other than a space separates nothing: what comes after it is no credential, to us or to a server.
        let separated =
            |value: &&[u8]| value.iter().find(|byte| **byte != b' ').is_some_and(|byte| !byte.is_ascii_whitespace());
        assert!(credential.filter(separated).is_none(), "a token is sent on");
    }
    for edit in edits {
        let (HeaderEdit::Set(name, value) | HeaderEdit::Add(name, value) | HeaderEdit::Append(name, value)) = edit
        else {
            continue;
        };
        // What is left of cookies is the client's own; hosts let no line break into a value.
        assert!(&**name == "cookie" || !value.bytes().any(|byte| byte.is_ascii_control()), "{name}: {value:?}");
    }
}

/// The same headers as trailers: nothing is left that the head may not say, nor what was looked at in it.
fn check_trailers(policy: &Policy, request: &Request) {
    let edits = policy.request_trailer_edits(&borrow_headers(&request.headers).expect("names are ASCII"));
    assert!(edits.iter().all(|edit| matches!(edit, HeaderEdit::Remove(_))), "{edits:?}");
    // No host hands over a name that is not ASCII (RFC 9110 section 5.1).
    for (name, _) in apply(&request.headers, &edits).into_iter().filter(|(name, _)| name.is_ascii()) {
        let plain = name.replace(|letter: char| !letter.is_ascii_alphanumeric(), "-");
        let goes = IDENTITY.contains(&plain.as_str())
            || ["x-portcullis-", "x-forwarded-", "x-envoy-"].iter().any(|prefix| plain.starts_with(prefix))
            || ["authorization", "cookie", "x-token", "x-tenant", "host", "x-original-url"].contains(&plain.as_str());
        assert!(!goes, "{name} is left in the trailers");
    }
}

fn check_response(verdict: &Verdict, headers: &Headers<'_>) {
    let edits = verdict.response.edits(headers);
    for edit in &edits {
        let (HeaderEdit::Set(name, value) | HeaderEdit::Add(name, value) | HeaderEdit::Append(name, value)) = edit
        else {
            continue;
        };
        assert!(!value.bytes().any(|byte| byte.is_ascii_control()), "{name}: {value:?}");
    }
    if let Some(reply) = verdict.response.hide_upstream_error(502, headers) {
        assert_eq!(reply.status, 502);
        check_reply(&reply);
    }
}

/// One record, on one line, JSON, and without any token.
fn check_record(verdict: Verdict, request: &Request) {
    let record = verdict.audit.expect("the level is all");
    let failed = record.clone().failed().line(Some(500));
    assert_eq!(serde_json::from_str::<Value>(&failed).expect("JSON")["reason"], "internal_error");
    let line = record.line(Some(200));
    assert!(!line.contains(['\n', '\r']), "{line}");
    let parsed: Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!(parsed["decision"], verdict.decision.as_str());
    assert_eq!(parsed["reason"], verdict.decision.reason());
    for (token, _) in &request.tokens {
        assert!(!line.contains(signature(token)), "{line}");
    }
}

fn signature(token: &str) -> &str {
    token.rsplit('.').next().expect("a token has parts")
}

/// Whether a token was also put where its text is nobody's secret: into the path, say.
fn shows_elsewhere(request: &Request, token: &str) -> bool {
    request.tokens.iter().any(|(other, hidden)| other == token && !hidden)
}

/// All that is said of a decision.
struct Said(String);

impl Trace for Said {
    fn step(&mut self, _: Step, _: bool, detail: impl FnOnce() -> String) {
        self.0.push_str(&detail());
        self.0.push('\n');
    }
}
