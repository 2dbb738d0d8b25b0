use portcullis_engine::config::PolicyError;

use super::{Severity, github, human, without_secrets};
use crate::document::Document;
use crate::terminal::Palette;

fn document(text: &str) -> Document {
    let lines = text.lines().map(str::to_owned).collect();
    Document { name: "policy.yaml".to_owned(), lines, node: crate::yaml::parse("{}") }
}

fn finding(path: &str, line: Option<u32>) -> PolicyError {
    PolicyError { path: path.to_owned(), line, message: "a problem".to_owned(), remedy: "a remedy".to_owned() }
}

#[track_caller]
fn shows(text: &str, path: &str, line: u32, expected: &str) {
    let printed = human(&document(text), Severity::Error, &finding(path, Some(line)), Palette::PLAIN);
    assert_eq!(printed, expected);
}

#[test]
fn a_finding_shows_its_line_and_underlines_its_member() {
    shows(
        "version: v1\nroutes:\n  - name: a\n    acess: public\n",
        "routes[0].acess",
        4,
        "error: a problem\n --> policy.yaml:4 routes[0].acess\n  |\n4 |     acess: public\n  |     ^^^^^\n  = help: a remedy\n",
    );
}

#[test]
fn without_a_member_on_the_line_all_of_it_is_underlined() {
    shows(
        "routes:\n  - {name: a}\n",
        "routes[0]",
        2,
        "error: a problem\n --> policy.yaml:2 routes[0]\n  |\n2 |   - {name: a}\n  |   ^^^^^^^^^^^\n  = help: a remedy\n",
    );
    shows(
        "a: b\n\n\n\n\n\n\n\n\n  ünïcode: [\n",
        "",
        10,
        "error: a problem\n  --> policy.yaml:10\n   |\n10 |   ünïcode: [\n   |   ^^^^^^^^^^\n   = help: a remedy\n",
    );
}

#[test]
fn of_a_long_line_only_the_part_is_shown_that_matters() {
    let filler = "x: y, ".repeat(1000);
    for (text, path, message) in [
        (format!("{{{filler}acess: public, {filler}}}"), "routes[0].acess", "a member far inside"),
        (format!("{{acess: public, {filler}}}"), "acess", "one at the start"),
        (format!("{{{filler}acess: public}}"), "acess", "one at the end"),
    ] {
        let printed = human(&document(&text), Severity::Error, &finding(path, Some(1)), Palette::PLAIN);
        let lines: Vec<&str> = printed.lines().collect();
        assert!(printed.chars().count() < 1000, "{message}: {printed}");
        let marks: Vec<char> = lines[4].chars().collect();
        let marked: String =
            lines[3].chars().zip(&marks).filter_map(|(shown, mark)| (*mark == '^').then_some(shown)).collect();
        assert_eq!(marked, "acess", "{message}: {printed}");
    }
    let printed = human(&document(&filler), Severity::Error, &finding("", Some(1)), Palette::PLAIN);
    assert!(printed.chars().count() < 1000, "all of a line: {printed}");
}

#[test]
fn without_a_line_there_is_only_the_place() {
    let document = document("{}");
    let printed = human(&document, Severity::Warning, &finding("routes[0].name", None), Palette::PLAIN);
    assert_eq!(printed, "warning: a problem\n--> policy.yaml routes[0].name\n = help: a remedy\n");
    let printed = human(&document, Severity::Error, &finding("", Some(99)), Palette::PLAIN);
    assert_eq!(printed, "error: a problem\n  --> policy.yaml:99\n   = help: a remedy\n");
}

#[test]
fn secrets_are_never_shown() {
    for (line, expected) in [
        ("secret: hunter2", "secret: …"),
        ("      secret: {env: SECRET_KEY}", "      secret: {env: SECRET_KEY}"),
        ("- {secret: {env: A, encoding: hex}, kid: a}", "- {secret: {env: A, encoding: hex}, kid: a}"),
        ("secret: {env: A, value: hunter2}", "secret: …"),
        ("secret: {env: A}, k: hunter2", "secret: {env: A}, k: …"),
        ("secret: {env: A", "secret: …"),
        ("- {kid: a, algoritm: HS256, secret: hunter2}", "- {kid: a, algoritm: HS256, secret: …"),
        (r#"{"kid": "a", "secret": "hunter2"}"#, r#"{"kid": "a", "secret": …"#),
        (r#"inline: '{"keys": [{"kty": "oct", "k": "aHVudGVyMg"}]}'"#, "inline: …"),
        (r#"  {"kty": "oct", "k" : "aHVudGVyMg"}"#, r#"  {"kty": "oct", "k" : …"#),
        ("secret:", "secret:"),
        ("name: secretary: x", "name: secretary: x"),
        ("kid: x", "kid: x"),
    ] {
        assert_eq!(without_secrets(line), expected);
    }
    shows(
        "secret:\n  hunter2\n",
        "providers[0].keys[0].secret",
        2,
        "error: a problem\n --> policy.yaml:2 providers[0].keys[0].secret\n  = help: a remedy\n",
    );
}

#[test]
fn the_line_of_a_variable_is_shown() {
    shows(
        "secret:\n  env: SECRET_KEY\n",
        "providers[0].keys[0].secret.env",
        2,
        "error: a problem\n --> policy.yaml:2 providers[0].keys[0].secret.env\n  |\n2 |   env: SECRET_KEY\n  |   ^^^\n  = help: a remedy\n",
    );
}

#[test]
fn github_gets_its_own_escapes() {
    let mut document = document("");
    document.name = "a,b:c.yaml".to_owned();
    let mut finding = finding("routes[0]", Some(3));
    finding.message = "100%\nsure".to_owned();
    assert_eq!(
        github(&document, Severity::Warning, &finding),
        "::warning file=a%2Cb%3Ac.yaml,line=3,title=portcullis::routes[0]: 100%25%0Asure (a remedy)"
    );
}
