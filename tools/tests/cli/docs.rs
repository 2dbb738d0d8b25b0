//! The examples of `docs/cli.md`, run.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::directory;

/// A fenced block: what its fence says it is, and its text.
struct Block {
    language: String,
    text: String,
}

fn blocks(markdown: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for line in markdown.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(language)) => open = Some(Block { language: language.to_owned(), text: String::new() }),
            (Some(_), Some("")) => blocks.extend(open.take()),
            (Some(block), _) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    blocks
}

/// Whether a text is what a pattern says, where `…` is any text.
fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('…');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.is_empty()
}

#[test]
fn a_pattern_fits_any_text_where_it_says_so() {
    for (pattern, text, expected) in [
        ("a\n", "a\n", true),
        ("a\n", "a\nb\n", false),
        ("a … c", "a b c", true),
        ("a … c … e", "a b c d e", true),
        ("a … x … e", "a b c d e", false),
        ("… e", "a b c d e", true),
        ("a …", "a b", true),
        ("a …", "b", false),
    ] {
        assert_eq!(fits(pattern, text), expected, "{pattern:?} {text:?}");
    }
}

#[test]
fn the_examples_of_the_documentation_do_what_it_says() {
    const MARK: &str = "@@ next block @@";
    let markdown = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/cli.md");
    let blocks = blocks(&std::fs::read_to_string(markdown).unwrap());
    let scripts: Vec<&str> = blocks.iter().filter(|block| block.language == "sh").map(|block| &*block.text).collect();
    assert!(scripts.len() > 10, "only {} examples were found", scripts.len());

    let binary = Path::new(env!("CARGO_BIN_EXE_portcullis")).parent().unwrap();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
    let script = format!("set -eu\nexec 2>&1\n{}", scripts.join(&format!("echo '{MARK}'\n")));
    let mut bash = Command::new("bash");
    bash.arg("-c").arg(script).current_dir(directory("docs")).env("PATH", path).env_remove("SECRET_KEY");
    let output = bash.stdin(Stdio::null()).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{printed}");

    let mark = format!("{MARK}\n");
    let mut outputs = printed.split(&mark);
    let mut following = blocks.iter().peekable();
    while let Some(block) = following.next() {
        if block.language != "sh" {
            continue;
        }
        let printed = outputs.next().unwrap_or_default();
        match following.peek() {
            Some(shown) if shown.language == "text" => {
                assert!(fits(&shown.text, printed), "{}printed\n{printed}not\n{}", block.text, shown.text);
            }
            _ => assert_eq!(printed, "", "{}printed something", block.text),
        }
    }
}
