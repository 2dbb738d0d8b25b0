use portcullis_engine::HeaderEdit;

use serde_json::json;

use super::{Edits, describe, shown_value};
use crate::cli::parse_header;

#[test]
fn queries_and_cookies_are_not_shown() {
    assert_eq!(shown_value(":path", "/a?access_token=secret"), "/a?…");
    assert_eq!(shown_value(":path", "/a"), "/a");
    assert_eq!(shown_value("cookie", "session=secret"), "…");
    assert_eq!(shown_value("x-user-id", "alice?"), "alice?");
    let edit = HeaderEdit::Set("cookie".into(), "session=secret".into());
    assert_eq!(describe(&edit), "set     cookie: …");
}

#[test]
fn every_line_of_a_header_is_told() {
    let edits = [
        HeaderEdit::Remove("server".into()),
        HeaderEdit::Remove("set-cookie".into()),
        HeaderEdit::Append("set-cookie".into(), "a=1; Secure".into()),
        HeaderEdit::Append("set-cookie".into(), "b=2; Secure".into()),
        HeaderEdit::Append("set-cookie".into(), "c=3; Secure".into()),
        HeaderEdit::Append("vary".into(), "Origin".into()),
    ];
    let Edits { set, removed } = Edits::of(edits.iter());
    assert_eq!(json!(set), json!({"set-cookie": ["a=1; Secure", "b=2; Secure", "c=3; Secure"], "vary": "Origin"}));
    assert_eq!(removed, ["server"]);
}

#[test]
fn headers_are_a_name_a_colon_and_a_value() {
    for (text, expected) in [
        ("X-Tenant: acme", Some(("x-tenant", "acme"))),
        ("x-tenant:acme", Some(("x-tenant", "acme"))),
        ("x-tenant:", Some(("x-tenant", ""))),
        ("origin: https://app.example.com", Some(("origin", "https://app.example.com"))),
        ("x-tenant", None),
        (": acme", None),
        (":path: /", None),
        ("x tenant: acme", None),
    ] {
        let parsed = parse_header(text).ok();
        let parsed = parsed.as_ref().map(|(name, value)| (name.as_str(), value.as_str()));
        assert_eq!(parsed, expected, "{text}");
    }
}
