use portcullis_engine::{Policy, Secret, SecretLookup, UnixTime};

use super::{Case, HeaderValue, read};
use crate::yaml;

fn cases(text: &str) -> Result<Vec<Case>, Vec<String>> {
    let policy = "{version: v1, routes: [{name: a, match: {path: /}, access: public}]}";
    let secrets = |_: &str| SecretLookup::Value(Secret::new(Vec::new()));
    let policy = Policy::compile(&yaml::parse(policy).unwrap(), &secrets).unwrap();
    let findings = read(&yaml::parse(text).unwrap(), &policy);
    findings.map_err(|findings| findings.iter().map(ToString::to_string).collect())
}

#[test]
fn a_case_needs_little_and_can_say_much() {
    let text = "now: 1750000000\ncases:\n  - {name: a, request: {path: /}, expect: {role: null}}\n  \
                - {name: b, now: 1750000001, request: {method: PUT, path: /x, host: h, ip: '::1', body: {a: 1}, \
                headers: {X-A: [b, c], x-d: ''}}, expect: {response_headers: {a: null, B: c, d: [e, f]}}}";
    let cases = cases(text).unwrap();
    let head = |case: &Case| {
        let lines = case.headers.iter().map(|(name, value)| format!("{name}={}", String::from_utf8_lossy(value)));
        lines.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(head(&cases[0]), ":method=GET :path=/ :authority=localhost :scheme=https");
    assert_eq!(head(&cases[1]), ":method=PUT :path=/x :authority=h :scheme=https x-a=b x-a=c x-d=");
    assert_eq!(
        (cases[0].now, cases[0].client, cases[0].line),
        (Some(UnixTime::from_seconds(1_750_000_000)), None, Some(3))
    );
    assert_eq!((cases[1].now, cases[1].client), (Some(UnixTime::from_seconds(1_750_000_001)), "::1".parse().ok()));
    assert_eq!((&cases[0].expect.role, &cases[0].expect.route), (&Some(None), &None));
    let expected = [
        ("a".into(), HeaderValue::Absent),
        ("b".into(), HeaderValue::Joined("c".into())),
        ("d".into(), HeaderValue::Lines(vec!["e".into(), "f".into()])),
    ];
    assert_eq!(cases[1].expect.response_headers, expected);
}

#[test]
fn what_can_never_hold_is_a_mistake() {
    for (expect, problem) in [
        ("{decision: allow, status: 200}", None),
        ("{decision: allow, status: 204}", None),
        ("{decision: allow, status: 204, reason: cors_preflight}", None),
        ("{decision: allow, status: 204, reason: public}", Some("has no status 204")),
        ("{decision: allow, status: 403}", Some("has no status 403")),
        ("{decision: dry_run_deny, status: 200, reason: role_denied}", None),
        ("{decision: dry_run_deny, status: 403}", Some("has no status 403")),
        ("{decision: deny, status: 403, reason: role_denied}", None),
        ("{decision: deny, status: 200}", Some("has no status 200")),
        ("{decision: deny, reason: public}", Some("is never the reason")),
        ("{decision: allow, reason: role_denied}", Some("is never the reason")),
        ("{decision: deny, removed_headers: [a]}", Some("has no headers to the upstream")),
        ("{decision: perhaps}", Some("is not one of the choices")),
        ("{reason: nonsense}", Some("is not one of the choices")),
        ("{status: 302}", Some("is no status of the filter's")),
        ("{status: '403'}", Some("a status such as 403 is needed here")),
        ("{upstream_headers: {a b: c}}", Some("is not a header name")),
        ("{upstream_headers: {a: b, A: c}}", Some("stands twice")),
        ("{}", Some("nothing is expected")),
    ] {
        let found = cases(&format!("cases: [{{name: a, request: {{path: /}}, expect: {expect}}}]"));
        match problem {
            None => assert!(found.is_ok(), "{expect}: {found:?}"),
            Some(problem) => {
                let found = found.unwrap_err();
                assert!(found.len() == 1 && found[0].contains(problem), "{expect}: {found:?}");
            }
        }
    }
}

#[test]
fn a_mistake_in_a_case_hides_no_second_name() {
    let one = |expect: &str| format!("  - {{name: a, request: {{path: /}}, expect: {expect}}}\n");
    for (first, second) in [("{decision: perhaps}", "{decision: allow}"), ("{decision: allow}", "{decision: perhaps}")]
    {
        let found = cases(&format!("cases:\n{}{}", one(first), one(second))).unwrap_err();
        let twice =
            |error: &&String| error.starts_with("line 3: cases[1].name: another case is named `a`, on line 2 too");
        assert_eq!((found.len(), found.iter().filter(twice).count()), (2, 1), "{first}: {found:#?}");
    }
}

#[test]
fn what_stands_beside_a_request_is_not_taken_for_a_part_of_it() {
    for (member, remedy) in [
        ("as: {}", "write it one level further out, beside `request`"),
        ("expect: {}", "write it one level further out, beside `request`"),
        ("pth: /", "did you mean `path`?"),
    ] {
        let text = format!("cases:\n  - {{name: a, request: {{path: /, {member}}}, expect: {{decision: allow}}}}\n");
        let found = cases(&text).unwrap_err();
        assert_eq!(found.len(), 1, "{found:#?}");
        assert!(found[0].contains("unknown field") && found[0].contains(remedy), "{member}: {found:#?}");
    }
}
