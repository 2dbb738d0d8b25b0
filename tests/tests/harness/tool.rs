//! The command under test, and the libraries of other languages it must agree with.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use super::paths;

/// What a program said and how it ended.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// Runs `portcullis` with `stdin`; `environment` is all that is added to this process's own.
#[track_caller]
pub fn portcullis(arguments: &[&str], stdin: &str, environment: &[(&str, &str)]) -> Said {
    run(&paths::command(), arguments, stdin.as_bytes(), environment)
}

/// The same with a `stdin` that is not text.
#[track_caller]
pub fn portcullis_bytes(arguments: &[&str], stdin: &[u8], environment: &[(&str, &str)]) -> Said {
    run(&paths::command(), arguments, stdin, environment)
}

/// Runs a Python script that reads `stdin`; a failing script is a failing test.
#[track_caller]
pub fn python(script: &str, stdin: &str) -> String {
    let said = run(&paths::python(), &["-c", script], stdin.as_bytes(), &[]);
    assert_eq!(said.code, 0, "python: {}", said.err);
    said.out
}

/// Runs a Node.js script of this folder that reads `stdin`; a failing script is a failing test.
#[track_caller]
pub fn node(script: &str, stdin: &str) -> String {
    paths::need_node_packages();
    let script = paths::root().join("tests").join(script);
    let said = run(&paths::node(), &[script.to_str().unwrap()], stdin.as_bytes(), &[]);
    assert_eq!(said.code, 0, "node: {}", said.err);
    said.out
}

/// Runs `openssl`, which must succeed.
#[track_caller]
pub fn openssl(arguments: &[&str], stdin: &str) -> String {
    let said = run(Path::new("openssl"), arguments, stdin.as_bytes(), &[]);
    assert_eq!(said.code, 0, "openssl {arguments:?}: {}", said.err);
    said.out
}

#[track_caller]
fn run(program: &Path, arguments: &[&str], stdin: &[u8], environment: &[(&str, &str)]) -> Said {
    let mut child = Command::new(program)
        .args(arguments)
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{} cannot be run ({error}): `make e2e` sees to it", program.display()));
    // A program may answer without reading all it is offered.
    let _ = child.stdin.take().unwrap().write_all(stdin);
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    Said {
        code: status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&stdout).into_owned(),
        err: String::from_utf8_lossy(&stderr).into_owned(),
    }
}
