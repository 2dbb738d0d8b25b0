use portcullis_engine::HeaderEdit;

use super::{describe, shown_value};
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
