#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;
use crate::testing::base64url;

fn token(header: &str) -> String {
    format!("{}.{}.AAAA", base64url(header), base64url("{}"))
}

fn same(token: &str, headers: &mut KnownHeaders) -> Result<Rc<JoseHeader>, TokenError> {
    let known = CompactJws::parse_knowing(token, headers).map(|jws| jws.header);
    assert_eq!(known, CompactJws::parse(token).map(|jws| jws.header), "{token}");
    known
}

#[test]
fn a_header_that_is_known_says_what_it_said_when_it_was_parsed() {
    let mut headers = KnownHeaders::default();
    let all = [
        r#"{"alg":"HS256"}"#,
        r#"{"alg":"RS256","kid":"a"}"#,
        r#"{"alg":"RS256","kid":"b"}"#,
        r#"{"alg":"RS256","kid":"b","typ":"at+jwt"}"#,
        r#"{"alg":"RS256","kid":"b","typ":"at+jwt","cty":"JWT"}"#,
        r#"{"alg":"HS256","typ":"application/JWT"}"#,
    ];
    for header in all.into_iter().cycle().take(3 * all.len()) {
        same(&token(header), &mut headers).unwrap();
        assert!(headers.known.len() <= MAX_KNOWN, "{} are known", headers.known.len());
    }
    let first = same(&token(all[0]), &mut headers).unwrap();
    let again = same(&token(all[0]), &mut headers).unwrap();
    assert!(Rc::ptr_eq(&first, &again), "it was parsed again");
}

#[test]
fn a_header_that_is_refused_or_long_is_not_remembered() {
    let mut headers = KnownHeaders::default();
    for header in
        [r#"{"alg":"none"}"#, r#"{"alg":"HS256","crit":["exp"],"exp":1}"#, r#"{"alg":"HS256","alg":"HS256"}"#, "{}"]
    {
        for attempt in 1..=2 {
            assert!(same(&token(header), &mut headers).is_err(), "{header}, attempt {attempt}");
        }
    }
    let long = format!(r#"{{"alg":"HS256","kid":"{}"}}"#, "k".repeat(MAX_KNOWN_BYTES));
    same(&token(&long), &mut headers).unwrap();
    assert_eq!(headers.known.len(), 0);
}
