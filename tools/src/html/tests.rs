use super::*;

#[test]
fn text_cannot_leave_its_place() {
    let cases = [
        ("<script>", "&lt;script&gt;", "an element"),
        ("\" onclick=\"x", "&quot; onclick=&quot;x", "an attribute"),
        ("' x='", "&#39; x=&#39;", "an attribute in single quotes"),
        ("&lt;", "&amp;lt;", "what is escaped already"),
        ("a\u{202e}b\n", "a\\u{202e}b\\u{a}", "what turns text around"),
    ];
    for (raw, expected, what) in cases {
        assert_eq!(text(raw), expected, "{what}");
    }
}

#[test]
fn a_page_allows_its_own_style_and_nothing_else() {
    let page = page("a <b>", "p { color: red; }", "<p>x</p>\n");
    // printf 'p { color: red; }' | openssl dgst -sha256 -binary | base64
    let hash = STANDARD.encode(hmac_sha256::Hash::hash(b"p { color: red; }"));
    assert!(page.contains(&format!("style-src 'sha256-{hash}'")), "{page}");
    assert!(page.contains("default-src 'none'") && page.contains("<title>a &lt;b&gt;</title>"), "{page}");
    assert!(!page.contains("<script") && !page.contains(" style=") && !page.contains("http:"), "{page}");
}
