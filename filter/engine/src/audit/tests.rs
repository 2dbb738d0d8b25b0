#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use serde_json::{Value, json};

use super::{escape, push_dotted};
use crate::policy::Policy;
use crate::testing::{OTHER_SECRET, Request, amended, expiring, policy, provider, sign, token, with_routes};
use crate::token::Proven;
use crate::worker::Worker;

fn document() -> Value {
    with_routes(json!([
        {"name": "open", "match": {"path": "/open"}, "access": "public"},
        {"name": "me", "match": {"path": "/me"}, "access": "authenticated"},
        {"name": "users.docs", "match": {"path": "/users/{owner}/docs/{*rest}"}, "access": "roles", "roles": ["editor"]},
    ]))
}

fn standard() -> Policy {
    policy(&document())
}

/// The line as it stands, but for the digest of the policy.
fn line(request: &Request, policy: &Policy, status: u16) -> String {
    request.decide(policy).line(status).replace(policy.digest(), "DIGEST")
}

#[test]
fn records_have_their_members_in_the_order_of_the_contract() {
    let policy = standard();
    let id = "0f8fad5b-d9cb-469f-a165-70867728950e";
    let claims = json!({"sub": "alice@example.com", "role": ["x", "editor"], "jti": "t-1"});
    let request = Request::new("PUT", "/users/alice@example.com/docs/secret%20plan?token=x&q=y")
        .bearer(claims)
        .with("x-request-id", id)
        .with("cookie", "session=s3cret");
    assert_eq!(
        line(&request, &policy, 200),
        concat!(
            r#"{"timestamp":"2025-06-15T15:06:40.000Z","event":"access","action":"write","decision":"allow","#,
            r#""reason":"role_allowed","route":"users.docs","user_id":"a***@example.com","role":"editor","#,
            r#""ip_address":"203.0.113.9","method":"PUT","path":"/users/{owner}/docs/{*rest}","status":200,"#,
            r#""request_id":"0f8fad5b-d9cb-469f-a165-70867728950e","provider":"local","kid":"k1","#,
            r#""token_id":"Rum8NHbJLqJPsXra","masked":["user_id"],"policy":"DIGEST"}"#,
        )
    );
    let refused = Request::get("/users/bob/docs/x").from("2001:db8::1");
    assert_eq!(
        line(&refused, &policy, 401),
        concat!(
            r#"{"timestamp":"2025-06-15T15:06:40.000Z","event":"authentication","action":"authenticate","#,
            r#""decision":"deny","reason":"credentials_missing","route":"users.docs","ip_address":"2001:db8::1","#,
            r#""method":"GET","path":"/users/{owner}/docs/{*rest}","status":401,"policy":"DIGEST"}"#,
        )
    );
    let unknown = Request::get("/users/bob/secret").from("-").bearer(json!({"sub": "carol@example.com"}));
    assert_eq!(
        line(&unknown, &policy, 403),
        concat!(
            r#"{"timestamp":"2025-06-15T15:06:40.000Z","event":"authorization","action":"read","decision":"deny","#,
            r#""reason":"route_not_found","user_id":"c***@example.com","method":"GET","path":"/users/*","status":403,"#,
            r#""provider":"local","kid":"k1","masked":["user_id","path"],"policy":"DIGEST"}"#,
        )
    );
    let malformed = Request::new("PROPFIND", "/a%2fb");
    assert_eq!(
        line(&malformed, &policy, 400),
        concat!(
            r#"{"timestamp":"2025-06-15T15:06:40.000Z","event":"validation","action":"other","decision":"deny","#,
            r#""reason":"path_malformed","ip_address":"203.0.113.9","method":"other","status":400,"policy":"DIGEST"}"#,
        )
    );
    let nothing = Request::get("/").without(":method").without(":path").without(":authority").from("-");
    let without_status = nothing.decide(&policy).audit.unwrap().line(None).replace(policy.digest(), "DIGEST");
    assert_eq!(
        without_status,
        concat!(
            r#"{"timestamp":"2025-06-15T15:06:40.000Z","event":"validation","action":"other","decision":"deny","#,
            r#""reason":"request_malformed","policy":"DIGEST"}"#,
        )
    );
}

#[test]
fn events_and_actions_follow_from_what_happened() {
    let cors = json!({"cors": {"allow_origins": ["https://a.test"]}});
    let policy = policy(&amended(document(), cors));
    let preflight = |origin: &str| {
        Request::new("OPTIONS", "/me").with("origin", origin).with("access-control-request-method", "GET")
    };
    for (request, event, action, method) in [
        (Request::get("/open"), "access", "read", "GET"),
        (Request::new("HEAD", "/open"), "access", "read", "HEAD"),
        (Request::new("OPTIONS", "/open"), "access", "read", "OPTIONS"),
        (Request::new("POST", "/open"), "access", "write", "POST"),
        (Request::new("PATCH", "/open"), "access", "write", "PATCH"),
        (Request::new("DELETE", "/open"), "access", "write", "DELETE"),
        (Request::new("TRACE", "/open"), "access", "other", "TRACE"),
        (Request::new("MKCOL", "/open"), "access", "other", "other"),
        (Request::new("alice@example.com", "/open"), "access", "other", "other"),
        (Request::get("/me"), "authentication", "authenticate", "GET"),
        (Request::get("/users/a/docs/b").role("viewer"), "authorization", "read", "GET"),
        (Request::get("/a;b"), "validation", "read", "GET"),
        (preflight("https://a.test"), "cors", "preflight", "OPTIONS"),
        (preflight("https://b.test"), "cors", "preflight", "OPTIONS"),
    ] {
        let verdict = request.decide(&policy);
        let found = ["event", "action", "method"].map(|member| verdict.recorded(member));
        assert_eq!(found, [event, action, method].map(|word| Some(word.into())), "{request:?}");
    }
}

/// Section 5 of the contract: never a token, cookie, query, unmasked address, or anything a client made up.
#[test]
fn nothing_that_a_client_made_up_is_repeated() {
    let forged_kid = r#"{"alg":"HS256","kid":"FORGED"}"#;
    let with_unnamed_key = amended(
        provider(),
        json!({"keys": [
            {"kid": "k1", "algorithm": "HS256", "secret": {"env": "SECRET_KEY"}},
            {"algorithm": "HS256", "secret": {"env": "OTHER_KEY"}},
        ]}),
    );
    let policy = policy(&amended(document(), json!({"providers": [with_unnamed_key]})));
    let good = token(json!({"sub": "u1", "role": "INVENTED", "jti": "SECRETID", "email": "MAIL@example.com"}));
    let bearer = |request: Request, token: &str| request.with("authorization", format!("Bearer {token}"));
    for (request, message) in [
        (bearer(Request::get("/me?q=QUERY"), &good), "a role that the policy does not know, an id, other claims"),
        (bearer(Request::get("/users/OWNER/docs/REST"), &good), "parameters"),
        (bearer(Request::get("/SECRET/PATH"), &good), "a path that no route has"),
        (bearer(Request::get("/users/OWNER"), &good), "a path that begins like a route's"),
        (bearer(Request::get("/me"), &sign(forged_kid, &expiring(json!({"sub": "u1"})), OTHER_SECRET)), "a kid"),
        (
            bearer(Request::get("/me"), &sign(forged_kid, &expiring(json!({"sub": "FORGED"})), b"x")),
            "claims unverified",
        ),
        (bearer(Request::get("/me"), "NOTATOKEN"), "a token that is none"),
        (Request::get("/me").with("authorization", "Basic UEFTU1dPUkQ"), "other credentials"),
        (Request::get("/me").with("cookie", "a=COOKIE").with("x-request-id", "REQUESTID"), "headers"),
        (Request::new("METHOD", "/me"), "a method"),
        (Request::get("/open").with("origin", "https://ORIGIN.test").with(":authority", "HOST.test"), "an origin"),
    ] {
        let line = request.decide(&policy).line(200);
        let line = line.replace(policy.digest(), "");
        let capitals = line.as_bytes().windows(4).any(|window| window.iter().all(u8::is_ascii_uppercase));
        let known = ["\"OPTIONS\"", "\"HEAD\""].iter().any(|word| line.contains(word));
        let digest = line.contains("token_id");
        assert!(!capitals || known || digest, "{message}: {line}");
        for word in ["INVENTED", "SECRETID", "MAIL", "QUERY", "OWNER", "FORGED", &good] {
            assert!(!line.contains(word), "{message}: {word} in {line}");
        }
    }
}

#[test]
fn values_of_claims_are_escaped() {
    let sub = "a\"b\\c</script>\u{2028}é";
    let verdict = Request::get("/me").bearer(json!({"sub": sub})).decide(&standard());
    assert_eq!(verdict.recorded("user_id"), Some(sub.into()));
    let line = verdict.line(200);
    assert!(line.contains(r#""user_id":"a\"b\\c"#), "{line}");
}

#[test]
fn the_level_says_what_is_recorded() {
    let dry = |level: &str| policy(&amended(document(), json!({"audit": {"level": level}, "mode": "dry_run"})));
    let wet = |level: &str| policy(&amended(document(), json!({"audit": {"level": level}})));
    for (level, allowed, denied) in [("all", true, true), ("denied", false, true), ("none", false, false)] {
        let is_recorded = |policy: &Policy, path: &str| Request::get(path).decide(policy).audit.is_some();
        assert_eq!(is_recorded(&wet(level), "/open"), allowed, "{level}: allowed");
        assert_eq!(is_recorded(&wet(level), "/me"), denied, "{level}: denied");
        assert_eq!(is_recorded(&dry(level), "/me"), denied, "{level}: would be denied");
        assert_eq!(is_recorded(&wet(level), "/a%2fb"), denied, "{level}: malformed");
    }
}

#[test]
fn addresses_are_dotted_as_ever() {
    for bits in [0, u32::MAX, 0x7f00_0001, 0x0a09_6364, 0xc0a8_0a64, 0x0109_0a0b] {
        let ip = std::net::Ipv4Addr::from(bits);
        let mut dotted = String::new();
        push_dotted(ip, &mut dotted);
        assert_eq!(dotted, ip.to_string());
    }
}

#[test]
fn text_is_escaped_for_json() {
    for text in
        ["", "plain", "\"", "\\", "\n\r\t\u{0}\u{1f}", "é😀\u{2028}", "\u{7f}\u{85}\u{9b}31m\u{202e}x\u{2066}\u{200f}ü"]
    {
        let quoted = format!("\"{}\"", escape(text.to_owned()));
        assert_eq!(serde_json::from_str::<String>(&quoted).unwrap(), text, "{quoted}");
        let acts = |sign: char| sign.is_control() || "\u{2028}\u{2029}\u{202e}\u{2066}\u{200f}".contains(sign);
        assert!(!quoted.contains(acts), "one line, and nothing for a terminal to act on: {quoted:?}");
    }
    assert_eq!(escape("é\n\u{85}".to_owned()), "é\\n\\u0085");
}

#[test]
fn a_share_of_allowed_requests_is_recorded_and_every_denial() {
    for (share, least, most) in [(0.0, 0, 0), (0.1, 60, 140), (0.5, 420, 580), (1.0, 1000, 1000)] {
        let cors = json!({"allow_origins": ["https://a.test"]});
        let policy = policy(&amended(document(), json!({"audit": {"sample": share}, "cors": cors})));
        let preflight = Request::new("OPTIONS", "/me")
            .with("origin", "https://a.test")
            .with("access-control-request-method", "GET");
        for (what, request, least, most) in [
            ("allowed", Request::get("/open"), least, most),
            ("a preflight", preflight, least, most),
            ("denied", Request::get("/me"), 1000, 1000),
            ("malformed", Request::get("/a%2fb"), 1000, 1000),
        ] {
            let recorded = |seed: Option<u64>| -> Vec<bool> {
                let mut worker = Worker::new(&policy, Proven::NOTHING);
                if let Some(seed) = seed {
                    worker.seed(seed);
                }
                (0..1000).map(|_| request.decide_with(&policy, &mut worker).audit.is_some()).collect()
            };
            let first = recorded(Some(7));
            let count = first.iter().filter(|recorded| **recorded).count();
            assert!((least..=most).contains(&count), "{what}, {share}: {count}");
            assert_eq!(first, recorded(Some(7)), "the same seed, the same requests");
            assert_eq!(recorded(None), [true; 1000], "without a seed, all");
            assert!(count == 0 || count == 1000 || first != recorded(Some(8)), "another seed, others");
        }
    }
}

#[test]
fn what_was_to_have_no_record_has_one_if_the_host_fails_it() {
    let with = |audit: Value| policy(&amended(document(), json!({"audit": audit})));
    for (audit, path) in [(json!({"sample": 0}), "/open"), (json!({"level": "denied"}), "/open"), (json!({}), "/me")] {
        let policy = with(audit);
        let request = Request::get(path);
        let record = policy.record_failure(&request.map(), &request).unwrap();
        let line = record.line(Some(500));
        assert!(line.contains(r#""decision":"deny","reason":"internal_error""#), "{line}");
    }
    let request = Request::get("/open");
    let none = with(json!({"level": "none"})).record_failure(&request.map(), &request);
    assert!(none.is_none(), "level: none");
    let nothing = standard().record_failure(&[], &request).unwrap();
    assert!(nothing.line(None).contains("internal_error"), "without headers");
}

#[test]
fn a_request_that_the_host_failed_is_recorded_as_refused() {
    let policy = standard();
    let request = Request::new("PUT", "/users/alice/docs/x").bearer(json!({"sub": "alice", "role": "editor"}));
    let record = request.decide(&policy).audit.unwrap();
    assert_eq!(
        record.failed().line(Some(500)).replace(policy.digest(), "DIGEST"),
        concat!(
            r#"{"timestamp":"2025-06-15T15:06:40.000Z","event":"authorization","action":"write","decision":"deny","#,
            r#""reason":"internal_error","route":"users.docs","user_id":"alice","role":"editor","#,
            r#""ip_address":"203.0.113.9","method":"PUT","path":"/users/{owner}/docs/{*rest}","status":500,"#,
            r#""provider":"local","kid":"k1","policy":"DIGEST"}"#,
        )
    );
}

#[test]
fn ids_of_the_usual_form_are_told_from_all_others() {
    let good = "0b3c1a44-8d0e-4B52-9a1b-3c6A5e0f7d11";
    assert!(super::scrub::is_uuid(good), "{good}");
    for at in 0..good.len() {
        for wrong in ["-", "a", "g", "G", ":", "/", "@", "`", "", "aa"] {
            let (before, after) = good.split_at(at);
            let other = format!("{before}{wrong}{}", after.split_at(1).1);
            let fits = wrong.len() == 1 && (wrong == "-") == (good.as_bytes()[at] == b'-') && "-a".contains(wrong);
            assert_eq!(super::scrub::is_uuid(&other), fits, "{other}");
        }
    }
}
