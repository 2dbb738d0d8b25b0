#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use serde_json::{Value, json};

use super::*;
use crate::pipeline::{RequestAction, Verdict};
use crate::policy::Policy;
use crate::testing::{Request, amended, errors, policy, with_routes};

fn with_input(input: Value) -> Policy {
    policy(&document(input))
}

fn document(input: Value) -> Value {
    with_routes(json!([{"name": "r", "match": {"path": "/r/{id}"}, "access": "public", "input": input}]))
}

/// The `errors` of a 422.
fn told(verdict: &Verdict) -> Vec<String> {
    let body: Value = serde_json::from_slice(&verdict.reply().body).unwrap();
    let errors = body["errors"].as_array().cloned().unwrap_or_default();
    let one = |error: &Value| {
        let text = |name: &str| error[name].as_str().unwrap().to_owned();
        format!("{} {}: {}", text("in"), text("pointer"), text("detail"))
    };
    errors.iter().map(one).collect()
}

#[test]
fn parameters_are_what_they_are_declared_to_be() {
    let policy = with_input(json!({
        "query": {
            "page": {"type": "integer", "minimum": 1, "maximum": 100},
            "ratio": {"type": "number", "exclusiveMinimum": 0},
            "deep": {"type": "boolean"},
            "sort": {"type": "string", "enum": ["name", "date"]},
            "q": {"type": "string", "minLength": 2, "maxLength": 5, "pattern": "^[a-z]+$"},
        },
        "path": {"id": {"type": "string", "format": "uuid"}},
        "headers": {"X-Tenant": {"type": "string", "maxLength": 4}},
    }));
    let uuid = "2e1b0e3a-4f0b-4c52-8d2b-2d1f7c5f0a11";
    for (query, expected, message) in [
        ("", None, "nothing"),
        ("page=1&ratio=0.5&deep=true&sort=date&q=abc", None, "all of them"),
        ("page=100&other=x", None, "one that is not declared"),
        ("page=%31", None, "escaped"),
        ("page=0", Some("query /page: must be at least 1"), "too small"),
        ("page=101", Some("query /page: must be at most 100"), "too large"),
        ("page=1.0", Some("query /page: is not an integer"), "no integer"),
        ("page=01", Some("query /page: is not an integer"), "another spelling"),
        ("page=+1", Some("query /page: is not an integer"), "a space"),
        ("page=", Some("query /page: is not an integer"), "nothing in it"),
        ("page", Some("query /page: is not an integer"), "no value"),
        ("page=99999999999999999999", Some("query /page: is not an integer"), "beyond 64 bits"),
        ("page=1&page=2", Some("query /page: is there more than once"), "twice"),
        ("page=1&p%61ge=2", Some("query /page: is there more than once"), "twice, one in escapes"),
        ("ratio=0", Some("query /ratio: must be more than 0"), "not above"),
        ("ratio=NaN", Some("query /ratio: is not a number"), "no number"),
        ("ratio=1e999", Some("query /ratio: is not a number"), "beyond a double"),
        ("deep=yes", Some("query /deep: is not true or false"), "another word"),
        ("deep=True", Some("query /deep: is not true or false"), "another case"),
        ("sort=size", Some("query /sort: must be one of \"name\", \"date\""), "another word"),
        ("q=a", Some("query /q: must have at least 2 characters"), "too short"),
        ("q=abcdef", Some("query /q: must have at most 5 characters"), "too long"),
        ("q=ABC", Some("query /q: must match the pattern ^[a-z]+$"), "another pattern"),
        ("q=%EF%BF%BD%EF%BF%BD", Some("query /q: must match the pattern ^[a-z]+$"), "an odd letter"),
        ("q=%C0%BC", Some("query /q: is not text"), "no letter in UTF-8"),
        ("q=ab&%FF=1", None, "the same in a name that is not declared"),
        ("Page=0", Some("query /page: is spelt otherwise"), "to who does not mind case"),
        ("page[$gt]=0", Some("query /page: is spelt otherwise"), "to who makes an object of it"),
        ("x=1;page=0", Some("query /page: is spelt otherwise"), "to who splits at `;`"),
        ("page=1&page[]=0", Some("query /page: is there more than once"), "twice, one in a list"),
        ("pages=0&x[page]=0&q=ab", None, "other names"),
    ] {
        let verdict = Request::get(&format!("/r/{uuid}?{query}")).decide(&policy);
        match expected {
            None => assert_eq!(verdict.outcome(), ("allow", "public"), "{message}: {query}"),
            Some(expected) => {
                assert_eq!((verdict.status(), verdict.decision.reason()), (Some(422), "input_invalid"), "{message}");
                assert_eq!(told(&verdict), [expected], "{message}: {query}");
            }
        }
    }
    let brackets =
        json!({"query": {"page": {"type": "integer"}, "page[size]": {"type": "integer"}, "Page": {"type": "string"}}});
    let verdict = Request::get("/r/1?page=1&page[size]=2&Page=x").decide(&with_input(brackets));
    assert_eq!(verdict.outcome(), ("allow", "public"), "all of them declared");
    let verdict = Request::get("/r/7").decide(&policy);
    assert_eq!(told(&verdict), ["path /id: must be a valid uuid"]);
    let request = Request::get(&format!("/r/{uuid}"));
    for (request, expected, message) in [
        (request.clone().with("x-tenant", "acme"), None, "good"),
        (request.clone().with("x-tenant", "acme2"), Some("header /x-tenant: must have at most 4 characters"), "long"),
        (
            request.clone().with("x-tenant", "a").with("x-tenant", "b"),
            Some("header /x-tenant: is there more than once"),
            "two",
        ),
        (request.clone().with("x-tenant", b"\xff"), Some("header /x-tenant: is not text"), "bytes"),
        (
            request.clone().with("x-tenant", "a").with("x_tenant", "way too long"),
            Some("header /x-tenant: is there more than once"),
            "two, to who makes `_` of `-`",
        ),
        (request.with("x_tenant", "a"), Some("header /x-tenant: is spelt otherwise"), "another spelling alone"),
    ] {
        let verdict = request.decide(&policy);
        assert_eq!(verdict.status(), expected.map(|_| 422), "{message}");
        if let Some(expected) = expected {
            assert_eq!(told(&verdict), [expected], "{message}");
        }
    }
}

#[test]
fn what_must_be_there_is_missed_and_what_must_not_is_refused() {
    let policy = with_input(json!({
        "query": {"page": {"type": "integer", "required": true}, "q": {"type": "string"}}, "additional": "deny",
    }));
    for (target, expected) in [
        ("/r/1?page=1", vec![]),
        ("/r/1", vec!["query /page: is missing"]),
        ("/r/1?page=1&debug=secret", vec!["query : has parameters that are not declared"]),
        ("/r/1?page=1&q=a;debug=secret", vec!["query : has parameters that are not declared"]),
        ("/r/1?page=1&q=a;b", vec![]),
        ("/r/1?x=1", vec!["query /page: is missing", "query : has parameters that are not declared"]),
    ] {
        let verdict = Request::get(target).decide(&policy);
        assert_eq!(verdict.status(), (!expected.is_empty()).then_some(422), "{target}");
        if !expected.is_empty() {
            assert_eq!(told(&verdict), expected, "{target}");
            let body = String::from_utf8(verdict.reply().body.clone()).unwrap();
            assert!(!body.contains("secret") && !body.contains("debug"), "{body}");
        }
    }
}

fn with_body(body: Value) -> Policy {
    with_input(amended(json!({"content_types": ["application/json"], "max_body_bytes": 200}), body))
}

fn post(kind: &str, length: Option<usize>) -> Request {
    let request = Request::new("POST", "/r/1").with("content-type", kind);
    match length {
        Some(length) => request.with("content-length", length.to_string()),
        None => request.with("transfer-encoding", "chunked"),
    }
}

#[test]
fn the_kind_and_the_announced_size_of_a_body_are_checked_with_the_head() {
    let policy = with_body(json!({}));
    let json = "application/json";
    for (request, expected, message) in [
        (post(json, Some(200)), None, "at the limit"),
        (post("Application/JSON; charset=utf-8", Some(2)), None, "in another case, with parameters"),
        (post(json, None), None, "of no announced size"),
        (post(json, Some(201)), Some((413, "body_too_large")), "announced too large"),
        (post("text/plain", Some(2)), Some((415, "media_type_unsupported")), "another kind"),
        (post("application/json2", None), Some((415, "media_type_unsupported")), "a longer name"),
        (post("", Some(2)), Some((415, "media_type_unsupported")), "no name"),
        (Request::new("POST", "/r/1").with("content-length", "2"), Some((415, "media_type_unsupported")), "no kind"),
        (Request::new("POST", "/r/1"), Some((415, "media_type_unsupported")), "a method that brings a body"),
        (post("text/plain", Some(0)), None, "no body, so of no kind"),
        (Request::get("/r/1"), None, "a method that brings none"),
    ] {
        let verdict = request.decide(&policy);
        let found = verdict.status().map(|status| (status, verdict.decision.reason()));
        assert_eq!(found, expected, "{message}");
        assert_eq!(verdict.body.is_some(), expected.is_none(), "{message}: the body is waited for");
    }
}

/// A service that reads the same bytes as something else than JSON in UTF-8 sees another body than was judged.
#[test]
fn where_there_is_a_schema_bodies_are_json_to_everybody() {
    let plain = with_input(json!({"body": {"schema": {"type": "object"}}}));
    let listed = with_input(json!({"content_types": ["text/json"], "body": {"schema": {"type": "object"}}}));
    for (policy, kind, coding, fits, message) in [
        (&plain, Some("application/json"), None, true, "JSON"),
        (&plain, Some("Application/Problem+JSON; charset=UTF-8"), None, true, "by its suffix"),
        (&plain, Some("application/json; Charset=\"us-ascii\""), Some("Identity"), true, "a part of UTF-8"),
        (&plain, None, None, true, "a kind that nobody tells"),
        (&plain, Some("application/x-www-form-urlencoded"), None, false, "a form"),
        (&plain, Some("text/yaml"), None, false, "text"),
        (&plain, Some("json"), None, false, "no kind"),
        (&plain, Some("application/json+xml"), None, false, "another suffix"),
        (&listed, Some("text/json"), None, true, "a kind of the policy's own"),
        (&listed, Some("application/json"), None, false, "one that it does not list"),
        (&listed, Some("text/json; charset=utf-7"), None, false, "another charset"),
        (&plain, Some("application/json; charset=utf-7"), None, false, "another charset"),
        (&plain, Some("application/json;a=b; Charset = utf-16le"), None, false, "another charset, spaced"),
        (&plain, Some("application/json; charset=utf-8; charset=utf-7"), None, false, "two of them"),
        (&plain, Some("application/json; x=\"; charset=utf-7\""), None, false, "in quotes, which not everybody minds"),
        (&plain, Some("application/json"), Some("gzip"), false, "compressed"),
        (&plain, Some("application/json"), Some("identity, br"), false, "twice"),
    ] {
        let request = Request::new("POST", "/r/1").with("content-length", "2");
        let request = kind.into_iter().fold(request, |request, kind| request.with("content-type", kind));
        let request = coding.into_iter().fold(request, |request, coding| request.with("content-encoding", coding));
        let expected = if fits { ("allow", "public") } else { ("deny", "media_type_unsupported") };
        assert_eq!(request.decide(policy).outcome(), expected, "{message}: {kind:?} {coding:?}");
    }
}

/// What follows an upgrade is no body: it has no kind and no end.
#[test]
fn where_bodies_are_judged_there_is_no_other_protocol() {
    let detail = "header /upgrade: the route judges bodies, and takes no other protocol";
    for (input, refused, message) in [
        (json!({"max_body_bytes": 10}), true, "a size"),
        (json!({"content_types": ["application/json"]}), true, "a kind"),
        (json!({"body": {"schema": {}}}), true, "a schema"),
        (json!({"query": {"page": {"type": "integer"}}}), false, "parameters alone"),
    ] {
        let request = Request::get("/r/1").with("connection", "upgrade").with("upgrade", "websocket");
        let verdict = request.decide(&with_input(input));
        if refused {
            assert_eq!(
                (verdict.outcome(), told(&verdict)),
                (("deny", "input_invalid"), vec![detail.to_owned()]),
                "{message}"
            );
        } else {
            assert_eq!(verdict.outcome(), ("allow", "public"), "{message}");
        }
    }
}

#[test]
fn a_body_is_judged_when_it_is_whole_and_refused_as_soon_as_it_is_too_large() {
    let schema = json!({
        "type": "object",
        "required": ["email", "role"],
        "properties": {
            "email": {"type": "string", "format": "email"},
            "role": {"enum": ["admin", "viewer"]},
            "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 2},
        },
        "additionalProperties": false,
    });
    let policy = with_body(json!({"body": {"schema": schema}}));
    let deep = format!("{}{}", "[".repeat(65), "]".repeat(65));
    for (body, expected, message) in [
        (r#"{"email": "a@example.com", "role": "viewer"}"#, vec![], "good"),
        ("", vec!["body : a JSON body is needed"], "nothing"),
        ("{", vec!["body : is not JSON without repeated members"], "no JSON"),
        (r#"{"role": "admin", "role": "viewer"}"#, vec!["body : is not JSON without repeated members"], "repeated"),
        (&deep, vec!["body : is nested too deep"], "deep"),
        ("[]", vec!["body : must be object"], "another type"),
        ("{}", vec!["body : must have `email`, `role`"], "missing members"),
        (
            r#"{"email": "hunter2", "role": "root", "tags": ["a", 1, "c"], "x/y~": 1}"#,
            vec![
                "body /email: must be a valid email",
                "body /role: must be one of \"admin\", \"viewer\"",
                "body /tags/1: must be string",
                "body /tags: must have at most 2 items",
                "body : has members that are not allowed",
            ],
            "everything wrong",
        ),
    ] {
        let mut verdict = post("application/json", None).decide(&policy);
        verdict.judge_size(body.len().min(1));
        assert!(verdict.body.is_some(), "{message}: not before it is whole");
        verdict.judge_body(body.as_bytes());
        assert!(verdict.body.is_none(), "{message}: it is judged once");
        assert_eq!(verdict.status(), (!expected.is_empty()).then_some(422), "{message}");
        if !expected.is_empty() {
            let (mut found, mut expected) = (told(&verdict), expected);
            found.sort();
            expected.sort_unstable();
            assert_eq!(found, expected, "{message}");
            assert!(!String::from_utf8(verdict.reply().body.clone()).unwrap().contains("hunter2"), "{message}");
            assert_eq!(verdict.recorded("reason"), Some(json!("input_invalid")), "{message}");
        }
    }
    let mut verdict = post("application/json", None).decide(&policy);
    verdict.judge_size(201);
    assert_eq!((verdict.status(), verdict.outcome()), (Some(413), ("deny", "body_too_large")));
    let mut verdict = post("application/json", None).decide(&policy);
    verdict.abandon_body();
    assert_eq!(verdict.recorded("reason"), Some(json!("body_incomplete")));
}

#[test]
fn a_method_that_brings_no_body_needs_none() {
    let policy = with_body(json!({"body": {"schema": {"type": "object"}}}));
    for (method, needed) in [("GET", false), ("DELETE", false), ("POST", true), ("PUT", true), ("PATCH", true)] {
        let request = Request::new(method, "/r/1").with("content-length", "0");
        let mut verdict = request.decide(&policy);
        verdict.judge_body(b"");
        assert_eq!(verdict.status(), needed.then_some(422), "{method}");
    }
}

#[test]
fn mistakes_beyond_a_number_are_not_told() {
    let policy = with_input(json!({"body": {"schema": {"items": {"type": "string"}}}}));
    let mut verdict = post("application/json", None).decide(&policy);
    verdict.judge_body(json!((0..100).collect::<Vec<_>>()).to_string().as_bytes());
    assert_eq!(told(&verdict).len(), MAX_VIOLATIONS);
}

#[test]
fn formats_are_those_of_their_standards() {
    let long = |count: usize, rest: &str| format!("{}{rest}", "a".repeat(count));
    let (local, too_long) = (long(64, "@example.com"), long(65, "@example.com"));
    let domain = format!("a@{}.{0}.{0}.{}", "b".repeat(63), "c".repeat(60));
    let rows: [(&str, &[&str], &[&str]); 4] = [
        (
            "email",
            &[
                "a@example.com",
                "a.b+c@sub.example.com",
                "~!#$%&'*/=?^_`{|}-@b",
                r#""a b"@b.com"#,
                r#""a@b"@c.com"#,
                "a@[127.0.0.1]",
                "a@[IPv6:::1]",
                &local,
                &domain,
            ],
            &[
                "",
                "a",
                "@",
                "@example.com",
                "a@",
                "a@@b.com",
                ".a@b.com",
                "a.@b.com",
                "a..b@c.com",
                "a b@c.com",
                "a@b..com",
                "a@-b.com",
                "a@b-.com",
                "a@b_c.com",
                "a@[127.0.0.300]",
                "a@[::1]",
                "a@[127.0.0.1",
                "a@b.com\n",
                "é@b.com",
                "\"a@b.com",
                "\"@b.com",
                r#""a"b"@c.com"#,
                &too_long,
                &domain.replace('c', "cc"),
            ],
        ),
        (
            "date",
            &["2025-06-15", "0000-01-01", "2024-02-29", "2000-02-29", "9999-12-31"],
            &[
                "",
                "2025-6-15",
                "2025-06-15Z",
                "2025-13-01",
                "2025-00-01",
                "2025-01-00",
                "2025-04-31",
                "2025-02-29",
                "1900-02-29",
                "+202-01-01",
                "2025-+1-01",
                "2025-01-+1",
                "2025/01/01",
                "２025-1-1",
                "２２-01-01",
            ],
        ),
        (
            "time",
            &["00:00:00Z", "23:59:59.123z", "12:00:00+05:30", "23:59:60Z", "00:29:60+00:30", "15:59:60.9-08:00"],
            &[
                "",
                "12:00Z",
                "12:00:00",
                "24:00:00Z",
                "12:60:00Z",
                "12:00:61Z",
                "12:00:60Z",
                "12:00:00.Z",
                "12:00:00+24:00",
                "12:00:00+00:60",
                "12:00:00+0530",
                "+1:00:00Z",
                "12:+1:00Z",
                "12:00:00++1:00",
                "12:00:00 Z",
                "23:59:60+00:30",
                "12:00:0０Z",
                "1:00:00Z",
            ],
        ),
        (
            "date-time",
            &[
                "2025-06-15T12:00:00Z",
                "2025-06-15t12:00:00.5+01:00",
                "1998-12-31T23:59:60Z",
                "1998-12-31T15:59:60-08:00",
            ],
            &[
                "",
                "2025-06-15",
                "2025-06-15 12:00:00Z",
                "2025-06-15T12:00:00",
                "2025-02-30T12:00:00Z",
                "2025-06-15T+1:00:00Z",
                "2025-06-15T25:00:00Z",
                "1998-12-31T22:59:60Z",
                "2025-06-1５T12:00:00Z",
            ],
        ),
    ];
    for (format, good, bad) in rows {
        let policy = with_input(json!({"body": {"schema": {"format": format}}}));
        let judge = |value: Value| {
            let mut verdict = post("application/json", None).decide(&policy);
            verdict.judge_body(value.to_string().as_bytes());
            verdict
        };
        for text in good {
            assert_eq!(judge(json!(text)).status(), None, "{format}: {text}");
        }
        for text in bad {
            assert_eq!(told(&judge(json!(text))), [format!("body : must be a valid {format}")], "{text}");
        }
        assert_eq!(judge(json!(7)).status(), None, "{format}: what is no text has none");
    }
}

/// Each alternative looks at what is below, and each of those at what is below that.
#[test]
fn a_body_that_a_union_of_itself_would_look_at_for_ever_is_refused() {
    let operator = |name: &str, below: &str| json!({"properties": {"op": {"const": name}, "of": {"type": "array", "items": {"$ref": below}}}, "required": ["op"]});
    let union = |below: &str| json!({"oneOf": [operator("and", below), operator("or", below), operator("is", below)]});
    let alternatives = |below: &str| {
        let of = |name: &str| json!({"prefixItems": [{"const": name}], "items": {"$ref": below}});
        json!({"type": "array", "anyOf": [of("and"), of("or"), of("is")]})
    };
    let nested = |levels: usize| {
        format!("{}{}{}", r#"{"op": "or", "of": ["#.repeat(levels), r#"{"op": "is"}"#, "]}".repeat(levels))
    };
    let lists = |levels: usize| format!("{}{}{}", r#"["or", "#.repeat(levels), r#"["is"]"#, "]".repeat(levels));
    let with = |schema: Value| with_input(json!({"body": {"schema": schema}}));
    let mut named = document(json!({"body": {"schema": "filter"}}));
    named["schemas"] = json!({"filter": {"$ref": "/schemas/one"}, "one": union("/schemas/filter")});
    let mut anchored = union("#top");
    anchored["$anchor"] = json!("top");
    let drafts = |schema: &str, mut own: Value| {
        own["$schema"] = json!(schema);
        with(own)
    };
    let mut bundled = union("f");
    bundled["$id"] = json!("https://schemas.test/f");
    let of_2019 = {
        let mut own = union("#");
        own["oneOf"].as_array_mut().unwrap().iter_mut().for_each(|operator| {
            operator["properties"]["of"]["items"] = json!({"$recursiveRef": "#"});
        });
        own
    };
    let of_7 = |below: &str| {
        let of = |name: &str| json!({"items": [{"const": name}], "additionalItems": {"$ref": below}});
        json!({"type": "array", "anyOf": [of("and"), of("or"), of("is")]})
    };
    let policies = [
        (
            with(json!({"$ref": "https://schemas.test/f", "$defs": {"f": bundled.clone()}})),
            false,
            "by a name of its own",
        ),
        (with(bundled), false, "with a name"),
        (drafts("https://json-schema.org/draft/2019-09/schema", of_2019), false, "in draft 2019-09"),
        (drafts("http://json-schema.org/draft-07/schema#", of_7("#")), true, "in draft 7"),
        (with(union("#")), false, "itself"),
        (with(json!({"$ref": "#/$defs/f", "$defs": {"f": union("#/$defs/f")}})), false, "a part"),
        (policy(&named), false, "by names"),
        (with(anchored), false, "by an anchor"),
        (with(alternatives("#")), true, "lists"),
    ];
    for (policy, is_of_lists, message) in policies {
        let body = |levels| if is_of_lists { lists(levels) } else { nested(levels) };
        for (levels, expected) in [(0, None), (3, None), (6, None), (30, Some(422))] {
            let mut verdict = post("application/json", None).decide(&policy);
            verdict.judge_body(body(levels).as_bytes());
            assert_eq!(verdict.status(), expected, "{message}, {levels} levels");
            if expected.is_some() {
                assert_eq!(told(&verdict), ["body : is nested in too many ways"], "{message}");
            }
        }
    }
}

/// Each schema on the way to a value takes a piece of a stack that has an end.
#[test]
fn a_body_that_is_deep_in_too_many_schemas_is_refused() {
    let mut schemas = json!({"last": {"type": "object", "properties": {"of": {"$ref": "#/$defs/s0"}}}});
    for hop in 0..4 {
        let next = if hop == 3 { "last".to_owned() } else { format!("s{}", hop + 1) };
        schemas[format!("s{hop}")] = json!({"allOf": [{"$ref": format!("#/$defs/{next}")}]});
    }
    let policy = with_input(json!({"body": {"schema": {"$ref": "#/$defs/s0", "$defs": schemas}}}));
    for (levels, expected) in [(1, None), (20, None), (60, Some(422))] {
        let body = format!("{}{{}}{}", r#"{"of": "#.repeat(levels), "}".repeat(levels));
        let mut verdict = post("application/json", None).decide(&policy);
        verdict.judge_body(body.as_bytes());
        assert_eq!(verdict.status(), expected, "{levels}");
    }
}

/// Alternatives may lead back to where they are: one that does is none.
#[test]
fn a_circle_that_nothing_is_in_is_no_way_to_go() {
    let schema =
        json!({"anyOf": [{"type": "string"}, {"$ref": "#"}, {"allOf": [{"$ref": "#"}]}, {"items": {"$ref": "#"}}]});
    let policy = with_input(json!({"body": {"schema": schema}}));
    for (body, expected) in [(r#""a""#, None), (r#"["a", ["b", []]]"#, None)] {
        let mut verdict = post("application/json", None).decide(&policy);
        verdict.judge_body(body.as_bytes());
        assert_eq!(verdict.status(), expected, "{body}");
    }
}

/// Items that differ in nothing but the lists in them would be compared each with each.
#[test]
fn a_body_of_items_that_are_hard_to_tell_apart_is_refused() {
    let policy = with_input(json!({"body": {"schema": {"properties": {"tags": {"uniqueItems": true}}}}}));
    let plain = with_input(json!({"body": {"schema": {"properties": {"tags": {"type": "array"}}}}}));
    // Item n is of ones, with lists where n has ones in binary.
    let item = |n: usize| (0..12).map(|bit| if n >> bit & 1 == 1 { "[1]" } else { "1" }).collect::<Vec<_>>().join(",");
    let tags = |items: Vec<String>| format!(r#"{{"tags": [{}]}}"#, items.join(","));
    let alike = |count: usize| tags((0..count).map(|n| format!("[{}]", item(n))).collect());
    let within = |count: usize| tags((0..count).map(|n| format!(r#"{{"a": [{}]}}"#, item(n))).collect());
    let hidden = |count: usize| format!(r#"{{"tags": [{{"x": {}}}]}}"#, alike(count));
    let told_of = |policy: &Policy, body: &str| {
        let mut verdict = post("application/json", None).decide(policy);
        verdict.judge_body(body.as_bytes());
        verdict.status().map(|_| told(&verdict))
    };
    let too_many = Some(vec!["body : is nested in too many ways".to_owned()]);
    for (body, message) in [(alike(65), "lists"), (within(65), "in objects"), (hidden(65), "further down")] {
        assert_eq!(told_of(&policy, &body), too_many, "{message}");
        assert_eq!(told_of(&plain, &body), None, "{message}, where nobody asks");
    }
    let numbers = tags((0..9_000).map(|n| format!("[{n}]")).collect());
    let twice = tags(vec!["[1, [2]]".to_owned(); 9_000]);
    for (body, message) in [(alike(64), "few"), (within(64), "few, in objects"), (numbers, "with other values")] {
        assert_eq!(told_of(&policy, &body), None, "{message}");
    }
    assert_eq!(told_of(&policy, &twice), Some(vec!["body /tags: must not have an item twice".to_owned()]));
}

/// A tree or a list of itself is looked at once, however large it is.
#[test]
fn a_body_that_is_long_and_deep_is_no_trouble_where_each_part_is_looked_at_once() {
    let tree = json!({"type": "object", "properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}}});
    let menu = json!({"properties": {"of": {"items": {"anyOf": [{"type": "string"}, {"$ref": "#"}]}}}});
    let both = (0..12).fold("{}".to_owned(), |below, _| format!(r#"{{"left": {below}, "right": {below}}}"#));
    let deep = format!("{}{}{}", r#"{"left": "#.repeat(60), "{}", "}".repeat(60));
    let wide = format!(r#"{{"of": [{}]}}"#, vec![r#"{"of": ["a", {}]}"#; 15_000].join(","));
    for (schema, body, message) in [(&tree, both, "a tree"), (&tree, deep, "a deep one"), (&menu, wide, "a wide one")] {
        let mut verdict = post("application/json", None).decide(&with_input(json!({"body": {"schema": schema}})));
        verdict.judge_body(body.as_bytes());
        assert_eq!(verdict.status(), None, "{message}");
    }
}

/// A body of a megabyte can hold half a million mistakes.
#[test]
fn a_body_of_very_many_values_is_refused_before_it_is_read() {
    let policy = with_input(json!({"body": {"schema": {"items": {"type": "integer"}}}}));
    for (values, expected) in [(MAX_VALUES, None), (MAX_VALUES + 1, Some(422))] {
        // The list itself is one of them.
        let body = format!("[{}]", vec!["1"; values - 1].join(","));
        let mut verdict = post("application/json", None).decide(&policy);
        verdict.judge_body(body.as_bytes());
        assert_eq!(verdict.status(), expected, "{values}");
        if expected.is_some() {
            assert_eq!(told(&verdict), ["body : has too many values"]);
        }
    }
}

#[test]
fn a_schema_that_leads_to_itself_ends() {
    for schema in [json!({"$ref": "#"}), json!({"allOf": [{"$ref": "#"}]})] {
        let policy = with_input(json!({"body": {"schema": schema}}));
        let mut verdict = post("application/json", None).decide(&policy);
        verdict.judge_body(b"{}");
        assert_eq!(verdict.outcome(), ("deny", "input_invalid"), "{schema}");
    }
}

#[test]
fn a_dry_run_lets_everything_through_and_says_what_it_would_have_refused() {
    let mut document = document(
        json!({"max_body_bytes": 10, "body": {"schema": {"type": "object"}}, "query": {"n": {"type": "integer"}}}),
    );
    document["mode"] = json!("dry_run");
    let policy = policy(&document);
    let head = Request::get("/r/1?n=x").decide(&policy);
    assert_eq!(head.outcome(), ("dry_run_deny", "input_invalid"));
    for (body, reason) in [("[]", "input_invalid"), ("[1,2,3,4,5,6]", "body_too_large")] {
        let mut verdict = post("application/json", None).decide(&policy);
        verdict.judge_body(body.as_bytes());
        assert_eq!(verdict.outcome(), ("dry_run_deny", reason), "{body}");
        assert!(matches!(verdict.action, RequestAction::Continue(_)), "{body}");
        assert_eq!(verdict.recorded("reason"), Some(json!(reason)), "{body}");
    }
}

#[test]
fn records_are_those_that_the_level_wants() {
    for (level, good, bad) in [("all", true, true), ("denied", false, true), ("none", false, false)] {
        let document =
            amended(document(json!({"body": {"schema": {"type": "object"}}})), json!({"audit": {"level": level}}));
        let policy = policy(&document);
        for (body, expected) in [("{}", good), ("[]", bad)] {
            let mut verdict = post("application/json", None).decide(&policy);
            verdict.judge_body(body.as_bytes());
            assert_eq!(verdict.audit.is_some(), expected, "{level} {body}");
        }
    }
}

#[test]
fn schemas_may_be_named_and_refer_to_each_other() {
    let mut document = document(json!({"body": {"schema": "user"}}));
    document["schemas"] = json!({
        "name": {"type": "string", "minLength": 1},
        "user": {"type": "object", "properties": {"name": {"$ref": "/schemas/name"}}},
    });
    let policy = policy(&document);
    for (body, status) in [(r#"{"name": "a"}"#, None), (r#"{"name": ""}"#, Some(422))] {
        let mut verdict = post("application/json", None).decide(&policy);
        verdict.judge_body(body.as_bytes());
        assert_eq!(verdict.status(), status, "{body}");
    }
}

#[test]
fn mistakes_in_input_are_errors_of_the_policy() {
    for (input, path, message) in [
        (json!({"content_types": ["json"]}), "content_types[0]", "`json` is not a media type"),
        (json!({"content_types": ["text/*"]}), "content_types[0]", "is not a media type"),
        (json!({"content_types": []}), "content_types", "an empty list"),
        (json!({"max_body_bytes": 1.5}), "max_body_bytes", "a whole number"),
        (json!({"query": {"n": {}}}), "query.n", "missing field `type`"),
        (json!({"query": {"n": {"type": "array"}}}), "query.n.type", "not one of the choices"),
        (json!({"query": {"n": {"type": "string", "format": "colour"}}}), "query.n.format", "not one of the choices"),
        (json!({"query": {"n": {"type": "string", "pattern": "("}}}), "query.n", "pattern"),
        (json!({"query": {"n": {"type": "integer", "minimum": "1"}}}), "query.n", "`minimum`: must be number"),
        (json!({"query": {"n": {"type": "integer", "max": 1}}}), "query.n.max", "unknown field"),
        (json!({"path": {"nope": {"type": "string"}}}), "path.nope", "has no parameter `nope`"),
        (json!({"headers": {"a b": {"type": "string"}}}), "headers.a b", "is not a header name"),
        (json!({"additional": "maybe"}), "additional", "not one of the choices"),
        (json!({"body": {"schema": {"type": "objekt"}}}), "body.schema", "`type`"),
        (
            json!({"body": {"schema": {"properties": {"a": {"minLength": -1}}}}}),
            "body.schema",
            "`properties.a.minLength`",
        ),
        (json!({"body": {"schema": {"$ref": "https://example.com/s.json"}}}), "body.schema", "only /schemas/NAME"),
        (json!({"body": {"schema": "user"}}), "body.schema", "there is no schema `user`"),
        (json!({"body": {}}), "body", "missing field `schema`"),
    ] {
        let found = errors(&document(input.clone()));
        let place = format!("routes[0].input.{path}");
        let here = found.iter().find(|error| error.path == place);
        assert!(here.is_some_and(|error| error.message.contains(message)), "{input}: {found:?}");
    }
}
