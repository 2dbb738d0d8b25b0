#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;
use crate::testing::headers;

#[test]
fn heads_are_parsed_or_refused() {
    let base = [(":method", "GET"), (":path", "/a?b=c"), (":authority", "Api.Example.com:8443")];
    for (extra, expected, message) in [
        (vec![], Ok(()), "a plain request"),
        (vec![("authorization", "a"), ("authorization", "b")], Err(DenyReason::HeaderDuplicate), "two Authorization"),
        (vec![("origin", "https://a"), ("origin", "https://b")], Err(DenyReason::HeaderDuplicate), "two Origin"),
        (vec![("origin", "https://a,https://b")], Err(DenyReason::HeaderDuplicate), "two Origin, joined"),
        (vec![("host", "a,b")], Err(DenyReason::HeaderDuplicate), "two hosts, joined"),
        (
            vec![("content-type", "a/b"), ("content-type", "a/b")],
            Err(DenyReason::HeaderDuplicate),
            "two kinds of content",
        ),
        (vec![("content-type", "a/b,c/d")], Err(DenyReason::HeaderDuplicate), "two kinds of content, joined"),
        (vec![("content-type", "a/b; c=\"d\", e/f")], Err(DenyReason::HeaderDuplicate), "joined, behind quotes"),
        (vec![("content-type", "a/b; c=\"d,e\\\",f\"")], Ok(()), "a comma in quotes"),
        (vec![(":path", "/b")], Err(DenyReason::HeaderDuplicate), "two paths"),
        (vec![("x-other", "a"), ("x-other", "b")], Ok(()), "other headers may repeat"),
    ] {
        let all = headers(&[base.as_slice(), &extra].concat());
        let envelope = Envelope::scan(&all);
        let parsed = RequestHead::parse(&envelope);
        assert_eq!(parsed.map(|head| (head.host.into_owned(), head.query)).err(), expected.err(), "{message}");
    }
    let all = headers(&base);
    let envelope = Envelope::scan(&all);
    let head = RequestHead::parse(&envelope).unwrap();
    assert_eq!((head.host.as_ref(), head.query, head.path.as_str()), ("api.example.com", Some("b=c"), "/a"));
}

#[test]
fn joined_credentials_are_told_from_parameters() {
    for (value, repeated) in [
        ("Bearer a", false),
        ("Bearer a,Bearer b", true),
        ("Basic YTpi,Basic YTpj", true),
        ("Basic YTpi,Bearer a", true),
        ("Basic YTpi, Bearer a", false),
        ("a,b", true),
        (r#"Digest username="a, b", realm = "c", uri=/"#, false),
        (r#"Digest username="a",realm="c",uri=/"#, false),
        (r#"Digest username="a\", b", realm="c""#, false),
        (r#"Digest username="a", realm="c",Bearer d"#, true),
        ("Basic YTpi,", false),
    ] {
        assert_eq!(repeats_credentials(value.as_bytes()), repeated, "{value}");
    }
}

#[test]
fn paths_are_refused_with_their_reason() {
    for (path, reason) in [
        ("/%2f", DenyReason::PathMalformed),
        ("/a?b=\u{e9}", DenyReason::RequestMalformed),
        ("*", DenyReason::PathMalformed),
    ] {
        let all = headers(&[(":method", "GET"), (":path", path)]);
        assert_eq!(RequestHead::parse(&Envelope::scan(&all)).err(), Some(reason), "{path}");
    }
    // RFC 9110 section 9.3.6, RFC 9113 section 8.5: nothing in it is for a route to match.
    let all = headers(&[(":method", "CONNECT"), (":authority", "db.internal:5432")]);
    assert_eq!(RequestHead::parse(&Envelope::scan(&all)).err(), Some(DenyReason::RequestMalformed), "CONNECT");
    assert_eq!(RequestHead::parse(&Envelope::scan(&[])).err(), Some(DenyReason::RequestMalformed), "no pseudo-headers");
}

#[test]
fn only_a_real_preflight_is_one() {
    for (method, extra, expected) in [
        ("OPTIONS", vec![("origin", "https://a"), ("access-control-request-method", "PUT")], Some("PUT")),
        ("OPTIONS", vec![("origin", "https://a")], None),
        ("OPTIONS", vec![("origin", "https://a"), ("access-control-request-method", "")], None),
        ("OPTIONS", vec![("access-control-request-method", "PUT")], None),
        ("GET", vec![("origin", "https://a"), ("access-control-request-method", "PUT")], None),
    ] {
        let all = headers(&[[(":method", method), (":path", "/")].as_slice(), &extra].concat());
        assert_eq!(
            RequestHead::parse(&Envelope::scan(&all)).unwrap().preflight_method(),
            expected,
            "{method} {extra:?}"
        );
    }
}

#[test]
fn query_parameters_are_decoded() {
    let all = headers(&[(":method", "GET"), (":path", "/?a=1+%41%zz&b&c=1&c=2&%61b=x")]);
    let envelope = Envelope::scan(&all);
    let head = RequestHead::parse(&envelope).unwrap();
    for (name, expected) in [
        ("a", Lookup::One("1 A%zz")),
        ("b", Lookup::One("")),
        ("c", Lookup::Many),
        ("ab", Lookup::One("x")),
        ("d", Lookup::Absent),
    ] {
        let found = head.query_param(name);
        let found = match &found {
            Lookup::One(value) => Lookup::One(value.as_ref()),
            Lookup::Absent => Lookup::Absent,
            Lookup::Many => Lookup::Many,
        };
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn request_ids_of_clients_are_not_repeated() {
    for (id, kept) in [
        ("0f8fad5b-d9cb-469f-a165-70867728950e", true),
        ("alice@example.com", false),
        ("short", false),
        ("eyJhbGciOi.J9.x", false),
    ] {
        let all = headers(&[("x-request-id", id)]);
        assert_eq!(Envelope::scan(&all).request_id.is_some(), kept, "{id}");
    }
}

#[test]
fn headers_are_unmistakable_in_one_spelling_only() {
    for (pairs, expected, message) in [
        (vec![("x-tenant", "a")], Some("a"), "once"),
        (vec![("x-tenant", "a"), ("x-tenants", "b")], Some("a"), "beside another"),
        (vec![("x-tenant", "a"), ("x-tenant", "a")], None, "twice"),
        (vec![("x-tenant", "a"), ("x_tenant", "b")], None, "in two spellings"),
        (vec![("x-tenant", "a"), ("x.tenant", "b")], None, "in two spellings of fewer servers"),
        (vec![("x_tenant", "a")], None, "in the other spelling only"),
        (vec![], None, "not at all"),
    ] {
        let all = headers(&pairs);
        let found = Envelope::scan(&all).unmistakable("x-tenant");
        assert_eq!(found, expected.map(str::as_bytes), "{message}");
    }
}

#[test]
fn hosts_are_compared_without_port_case_and_final_dot() {
    for (authority, host) in [
        ("api.example.com", Some("api.example.com")),
        ("API.Example.com", Some("api.example.com")),
        ("api.example.com:443", Some("api.example.com")),
        ("api.example.com:", Some("api.example.com")),
        ("api.example.com.", Some("api.example.com")),
        ("API.example.com.:8443", Some("api.example.com")),
        ("a_b-c.example.com", Some("a_b-c.example.com")),
        ("localhost", Some("localhost")),
        ("192.0.2.1:80", Some("192.0.2.1")),
        ("[2001:DB8::1]:8443", Some("[2001:db8::1]")),
        ("[::ffff:192.0.2.1]", Some("[::ffff:192.0.2.1]")),
        ("", Some("")),
        // Nobody knows what another reader makes of these.
        ("api.example.com..", None),
        (".example.com", None),
        ("a..example.com", None),
        ("user@api.example.com", None),
        ("user:pw@api.example.com", None),
        ("api.example.com:80x", None),
        ("api.example.com:80:80", None),
        ("api.example.com:@evil.test", None),
        ("api.example.com/", None),
        ("evil.test/.example.com", None),
        ("evil.test#.example.com", None),
        ("evil.test?.example.com", None),
        ("evil.test\\.example.com", None),
        ("api%2eexample.com", None),
        ("api.example.com ", None),
        ("é.example.com", None),
        ("2001:db8::1", None),
        ("[2001:db8::1", None),
        ("[]", Some("[]")),
        ("[::1]x", None),
        ("[::1]:x", None),
        ("[::1%eth0]", None),
    ] {
        let all = headers(&[(":method", "GET"), (":path", "/"), (":authority", authority)]);
        let envelope = Envelope::scan(&all);
        let parsed = RequestHead::parse(&envelope);
        let found = parsed.as_ref().map(|head| head.host.as_ref()).map_err(|reason| *reason);
        assert_eq!(found, host.ok_or(DenyReason::RequestMalformed), "{authority}");
    }
}

#[test]
fn a_request_is_for_one_host() {
    for (authority, host, expected) in [
        ("a.test", "a.test", Ok("a.test")),
        ("A.test", "a.Test", Ok("a.test")),
        ("a.test", "b.test", Err(DenyReason::RequestMalformed)),
        ("a.test", "a.test:8443", Err(DenyReason::RequestMalformed)),
        ("a.test", "a.test.", Err(DenyReason::RequestMalformed)),
        ("a.test", "", Err(DenyReason::RequestMalformed)),
        ("", "b.test", Err(DenyReason::RequestMalformed)),
        ("a.test", "a.test,b.test", Err(DenyReason::HeaderDuplicate)),
    ] {
        let all = headers(&[(":method", "GET"), (":path", "/"), ("host", host), (":authority", authority)]);
        let envelope = Envelope::scan(&all);
        let parsed = RequestHead::parse(&envelope);
        let found = parsed.as_ref().map(|head| head.host.as_ref()).map_err(|reason| *reason);
        assert_eq!(found, expected, "`{authority}` and `{host}`");
    }
}

#[test]
fn no_header_is_taken_away_on_the_way() {
    for (values, refused) in [
        (vec!["keep-alive"], false),
        (vec!["Upgrade"], false),
        (vec!["keep-alive, Upgrade"], false),
        (vec!["TE"], false),
        (vec!["Upgrade,HTTP2-Settings"], false),
        (vec![""], false),
        (vec!["x-user-id"], true),
        (vec!["upgrade, X-User-Id"], true),
        (vec!["upgrade,\tx-user-id"], true),
        (vec!["close,authorization"], true),
        (vec!["close", "upgrade"], true),
    ] {
        let mut pairs = vec![(":method", "GET"), (":path", "/")];
        pairs.extend(values.iter().map(|value| ("connection", *value)));
        let all = headers(&pairs);
        let expected = refused.then_some(DenyReason::RequestMalformed);
        assert_eq!(RequestHead::parse(&Envelope::scan(&all)).err(), expected, "{values:?}");
    }
}

#[test]
fn names_of_hosts_are_labels_with_dots_between_them() {
    let reference = |host: &str| {
        let label = |label: &str| {
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_~".contains(&byte);
            !label.is_empty() && label.bytes().all(fits)
        };
        host.is_empty() || host.split('.').all(label)
    };
    for host in ["", "a", "api.example.com", "a.service.in-a_cluster.svc.cluster.local", "~a"] {
        for (wrong, at) in ["", ".", "..", "-", "/", ":", ",", "@", "[", "`", "{", "\u{e9}", "\u{81}"]
            .iter()
            .flat_map(|wrong| (0..=host.len()).map(move |at| (wrong, at)))
        {
            let (before, after) = host.split_at(at);
            let host = format!("{before}{wrong}{after}");
            assert_eq!(is_name(&host), reference(&host), "{host:?}");
        }
    }
}
