#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;
use crate::testing::{after, headers};

fn all() -> CookieRules {
    CookieRules { secure: true, http_only: true, same_site: Some(SameSite::Lax), except: vec!["XSRF-TOKEN".into()] }
}

#[test]
fn cookies_say_what_they_must() {
    let only = |change: fn(&mut CookieRules)| {
        let mut rules = CookieRules::default();
        change(&mut rules);
        rules
    };
    let secure = only(|rules| rules.secure = true);
    let http_only = only(|rules| rules.http_only = true);
    let strict = only(|rules| rules.same_site = Some(SameSite::Strict));
    for (rules, line, expected, message) in [
        (&all(), "a=b", "a=b; Secure; HttpOnly; SameSite=Lax", "nothing yet"),
        (&all(), "a=b; Secure; HttpOnly; SameSite=Strict", "a=b; Secure; HttpOnly; SameSite=Strict", "everything"),
        (
            &all(),
            "a=b;SECURE ;\thttponly=x; samesite = none",
            "a=b;SECURE ;\thttponly=x; samesite = none",
            "as browsers read",
        ),
        (&all(), "a=Secure; Path=/", "a=Secure; Path=/; Secure; HttpOnly; SameSite=Lax", "a value is no attribute"),
        (&all(), "a=b; Path=/Secure", "a=b; Path=/Secure; Secure; HttpOnly; SameSite=Lax", "nor another's value"),
        (&secure, "a=b; X-Secure; Insecure", "a=b; X-Secure; Insecure; Secure", "nor part of a name"),
        (&strict, "a=b; SameSite", "a=b; SameSite; SameSite=Strict", "an attribute without its value"),
        (&strict, "a=b; SameSite=odd", "a=b; SameSite=odd; SameSite=Strict", "no such value"),
        (
            &strict,
            "a=b; SameSite=Lax; SameSite=odd",
            "a=b; SameSite=Lax; SameSite=odd; SameSite=Strict",
            "the last counts",
        ),
        (&secure, "a=b", "a=b; Secure", "one alone"),
        (&http_only, "a=b; Secure", "a=b; Secure; HttpOnly", "another alone"),
        (&secure, "", "; Secure", "nothing at all"),
        (&secure, "a=b;", "a=b;; Secure", "a semicolon at the end"),
        (&all(), "XSRF-TOKEN=b", "XSRF-TOKEN=b", "what is excepted"),
        (&all(), " XSRF-TOKEN =b; Path=/", " XSRF-TOKEN =b; Path=/", "what is excepted, spaced"),
        (&secure, "XSRF-TOKEN=b", "XSRF-TOKEN=b; Secure", "by another rule"),
        (&all(), "xsrf-token=b", "xsrf-token=b; Secure; HttpOnly; SameSite=Lax", "names have case"),
        (&all(), "x=XSRF-TOKEN", "x=XSRF-TOKEN; Secure; HttpOnly; SameSite=Lax", "a value is no name"),
        (&all(), "XSRF-TOKEN", "XSRF-TOKEN; Secure; HttpOnly; SameSite=Lax", "nor is a value without one"),
    ] {
        let upstream = [("set-cookie", line)];
        let mut edits = Vec::new();
        rules.harden(&headers(&upstream), &mut edits);
        assert_eq!(after(&edits, &upstream), [("set-cookie".to_owned(), expected.to_owned())], "{message}");
        assert_eq!(edits.is_empty(), line == expected, "{message}: no more than is needed");
    }
}

#[test]
fn each_cookie_of_many_is_kept_in_its_place() {
    let upstream = [("set-cookie", "a=b; Secure; HttpOnly; SameSite=Lax"), ("set-cookie", "c=d"), ("x", "y")];
    let mut edits = Vec::new();
    all().harden(&headers(&upstream), &mut edits);
    let sent: Vec<_> = after(&edits, &upstream).into_iter().filter(|(name, _)| name == "set-cookie").collect();
    let sent: Vec<&str> = sent.iter().map(|(_, line)| line.as_str()).collect();
    assert_eq!(sent, ["a=b; Secure; HttpOnly; SameSite=Lax", "c=d; Secure; HttpOnly; SameSite=Lax"]);
}

#[test]
fn what_cannot_be_read_does_not_leave() {
    let upstream: [(&str, &[u8]); 2] =
        [("set-cookie", b"a=\xff"), ("set-cookie", b"c=d; Secure; HttpOnly; SameSite=Lax")];
    let mut edits = Vec::new();
    all().harden(&headers(&upstream), &mut edits);
    let left = HeaderEdit::Append("set-cookie".into(), "c=d; Secure; HttpOnly; SameSite=Lax".into());
    assert_eq!(edits, [HeaderEdit::remove("set-cookie"), left]);
}
