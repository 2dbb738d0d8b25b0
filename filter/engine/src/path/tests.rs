#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;

fn normal(raw: &str) -> Option<String> {
    NormalizedPath::parse(raw.as_bytes()).ok().map(|path| path.as_str().to_owned())
}

#[test]
fn normalises_or_refuses() {
    for (raw, expected, message) in [
        ("/", Some("/"), "the root"),
        ("/a/b", Some("/a/b"), "nothing to do"),
        ("/a/b/", Some("/a/b/"), "a trailing slash is kept"),
        ("//a///b", Some("/a/b"), "slashes are merged"),
        ("/a/./b", Some("/a/b"), "a dot segment"),
        ("/a/../b", Some("/b"), "a double dot segment"),
        ("/a/..", Some("/"), "up to the root"),
        ("/a/b/.", Some("/a/b/"), "a dot at the end leaves a directory"),
        ("/%2e%2E/b", None, "an escaped climb above the root"),
        ("/a/%2e%2e/b", Some("/b"), "escaped double dots"),
        ("/..", None, "above the root"),
        ("/%61%2D", Some("/a-"), "unreserved characters are written plainly"),
        ("/%c3%a9", Some("/%C3%A9"), "other characters keep their escape, in capitals"),
        ("/a%20b", Some("/a%20b"), "a space stays escaped"),
        ("/.hidden", Some("/.hidden"), "a name with a dot is a name"),
        ("/...", Some("/..."), "three dots are a name"),
        ("/a%2fb", None, "an escaped slash"),
        ("/a%5cb", None, "an escaped backslash"),
        ("/a\\b", None, "a backslash"),
        ("/a;b", None, "a parameter"),
        ("/a%3Bb", None, "an escaped parameter"),
        ("/a%00", None, "NUL"),
        ("/a%0a", None, "a control character"),
        ("/a%7f", None, "DEL"),
        ("/a%c2%85", None, "a control character beyond ASCII"),
        ("/a%252e", None, "a double escape"),
        ("/a%25", Some("/a%25"), "an escaped percent sign"),
        ("/a%25%32e", None, "a double escape in pieces"),
        ("/a%2", None, "a cut escape"),
        ("/a%zz", None, "not an escape"),
        ("/%c0%ae", None, "an overlong encoding"),
        ("/%ff", None, "not UTF-8"),
        ("/é", None, "raw non-ASCII"),
        ("/a b", None, "a raw space"),
        ("/a#b", None, "a fragment"),
        ("a", None, "no slash"),
        ("", None, "nothing"),
        ("*", None, "the asterisk form"),
    ] {
        assert_eq!(normal(raw).as_deref(), expected, "{message}: {raw}");
    }
    assert_eq!(normal(&format!("/{}", "a".repeat(MAX_PATH_BYTES))), None, "too long");
}

#[test]
fn segments_compare_without_needless_escapes() {
    for (segment, expected) in [
        ("plain", "plain"),
        ("a%3Ab%40c", "a:b@c"),
        ("%21%24%26%27%28%29%2A%2B%2C%3D", "!$&'()*+,="),
        ("a%20b", "a%20b"),
        ("%C3%A9", "%C3%A9"),
        ("%25", "%25"),
        ("%2540", "%2540"),
        ("50%25", "50%25"),
        ("%", "%"),
        ("%4", "%4"),
        ("%é", "%é"),
    ] {
        assert_eq!(comparable(segment), expected, "{segment}");
    }
}

#[test]
fn paths_compare_as_carelessly_as_any_server_does() {
    for (path, expected, message) in [
        ("/admin/x", Some("/admin/x"), "plain"),
        ("/ADMIN/x", Some("/admin/x"), "case"),
        ("/admin/", Some("/admin"), "a slash at the end"),
        ("/admin./x", Some("/admin/x"), "a dot at the end of a segment"),
        ("/admin.%20./x", Some("/admin/x"), "dots and spaces"),
        ("/a.b/.c", Some("/a.b/.c"), "dots elsewhere"),
        ("/a%20b", Some("/a b"), "an escape"),
        ("/%C3%84%C3%B6", Some("/äö"), "letters beyond ASCII"),
        ("/%E2%84%AAey%C5%BF", Some("/keys"), "letters whose other case is ASCII"),
        ("/stra%C3%9Fe%E1%BA%9E", Some("/strassess"), "a letter whose other case is two, or none"),
        ("/", Some(""), "the root"),
        ("/a/%20/b", None, "a segment of a space"),
        ("/a/..%20/b", None, "a dot segment to who trims first"),
        ("/...", None, "dots alone"),
    ] {
        assert_eq!(loose_path(path).as_deref(), expected, "{message}: {path}");
        if is_loose(path) {
            assert_eq!(expected, Some(path), "{message}: {path} is said to be so already");
        }
    }
    for (path, expected) in
        [("/a%3Fb%23", Some("/a")), ("/a/%23", Some("/a/")), ("/%25%3F", Some("/%25")), ("/a%20", None)]
    {
        assert_eq!(cut_at_query(path), expected, "{path}");
    }
}

#[test]
fn segments_are_decoded_for_comparison() {
    for (segment, expected) in
        [("plain", "plain"), ("a%20b", "a b"), ("%C3%A9", "é"), ("a%40b", "a@b"), ("%2540", "%40")]
    {
        assert_eq!(decode_segment(segment), expected, "{segment}");
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod properties {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_normal_form_is_its_own_normal_form(raw in "/[a-c./%2eE5fF;\\\\]{0,24}") {
            if let Some(once) = normal(&raw) {
                prop_assert_eq!(normal(&once), Some(once.clone()));
                prop_assert!(!once.contains("//") && !once.split('/').any(|segment| segment == "." || segment == ".."));
            }
        }

        #[test]
        fn what_is_quickly_seen_to_be_normal_is(raw in "/[a-cA0~/.:%;_-]{0,40}") {
            if is_plain(raw.as_bytes()) {
                prop_assert_eq!(NormalizedPath::normalize(raw.as_bytes(), &raw), Ok(NormalizedPath(Cow::Borrowed(&raw))));
            }
        }

        #[test]
        fn what_is_quickly_seen_to_be_loose_is(path in "/[a-cA./%2eE0F]{0,16}") {
            if let Some(path) = normal(&path).filter(|path| is_loose(path)) {
                prop_assert_eq!(loose_path(&path), Some(path.clone()));
            }
        }

        #[test]
        fn no_bytes_panic(raw in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = NormalizedPath::parse(&raw);
        }
    }
}
