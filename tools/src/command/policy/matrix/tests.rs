use portcullis_engine::{Secret, SecretLookup};

use super::*;

fn matrix(routes: &str) -> Matrix {
    let document = format!(
        r#"{{"version": "v1", "providers": [{{"name": "local", "allowed_algorithms": ["HS256"],
        "keys": [{{"algorithm": "HS256", "secret": {{"env": "KEY"}}}}], "roles_from": {{"claim": ["role"]}}}}],
        "roles": {{"editor": {{"read": "any", "write": "own"}}, "<b>&": {{"read": "any"}}}}, "routes": {routes}}}"#
    );
    let secrets = |_: &str| SecretLookup::Value(Secret::new(vec![b'x'; 32]));
    Matrix::new(&Policy::load(document.as_bytes(), &secrets).unwrap())
}

const ROUTES: &str = r#"[
    {"name": "docs", "match": {"path": "/docs/{owner}/drafts"}, "access": "role_table",
     "owner": {"param": "owner", "claim": ["sub"]}, "when": [{"claim": ["plan"], "equals": "<script>"}], "step_up": {"amr": ["otp"]}},
    {"name": "open", "match": {"path": "/docs/{owner}/drafts", "methods": ["GET"]}, "access": "public"}]"#;

#[test]
fn a_table_that_does_not_fit_is_abbreviated_and_then_split() {
    let matrix = matrix(ROUTES);
    let (full, lines) = matrix.lines(false, 0..4, Palette::PLAIN);
    assert!(lines.iter().any(|line| line.contains("HEAD OPTIONS") && line.contains("allowed")), "{lines:?}");
    let (short, lines) = matrix.lines(true, 0..4, Palette::PLAIN);
    assert!(short < full && lines.iter().any(|line| line.contains("  yes")), "{lines:?}");
    let (part, lines) = matrix.lines(true, 2..3, Palette::PLAIN);
    assert!(part < short && !lines.concat().contains("any caller"), "{lines:?}");
}

#[test]
fn a_method_is_on_the_route_that_decides_it() {
    let shown = matrix(ROUTES).for_programs();
    assert_eq!(shown["routes"][0]["elsewhere"], json!([{"method": "GET", "route": "open"}]));
    assert_eq!(shown["routes"][0]["rows"][0]["methods"], json!(["HEAD", "OPTIONS"]));
    assert_eq!(shown["routes"][0]["rows"][1]["roles"]["editor"], "own");
    assert_eq!(shown["routes"][1]["rows"][0]["anyone"], "public");
}

#[test]
fn the_page_needs_nothing_and_escapes_everything() {
    let page = html::page(&matrix(ROUTES), "a<b>\"'.yaml");
    for bad in ["<b>", "\"<script>", "http:", "https:", "src=", "@import", "url("] {
        assert!(!page.contains(bad), "{bad}");
    }
    for good in ["&lt;b&gt;&amp;", "<caption", "scope=\"col\"", "scope=\"rowgroup\"", "scope=\"row\"", "own only"] {
        assert!(page.contains(good), "{good}");
    }
    assert_eq!(page.matches("<script>").count(), 1);
    assert!(page.contains("prefers-color-scheme: dark") && page.contains("@media print"));
}
