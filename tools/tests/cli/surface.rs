//! What all commands have in common.

use std::process::Stdio;

use crate::support::{command, directory, run};

#[test]
fn help_goes_to_standard_output_and_mistakes_to_standard_error() {
    for args in [&["--help"][..], &["help"], &["token", "--help"], &["password", "hash", "--help"], &["--version"]] {
        let outcome = run(args);
        assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{args:?}");
        assert!(!outcome.stdout.is_empty(), "{args:?}");
    }
    for args in [&[][..], &["token"], &["no-such-command"], &["token", "issue"], &["secret", "generate", "--no-such"]] {
        let outcome = run(args);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""), "{args:?}");
        assert!(!outcome.stderr.is_empty(), "{args:?}");
    }
}

#[test]
fn completions_are_there_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run(["completions", shell]).ok();
        assert!(script.contains("portcullis") && script.contains("inspect"), "{shell}");
    }
    run(["completions", "tcsh"]).fails(2, "tcsh");
}

#[test]
fn there_is_a_manual_page_for_every_command() {
    let main = run(["man"]).ok();
    assert!(main.contains(".TH portcullis 1") && main.contains("Exit codes"), "{main}");

    let directory = directory("man").join("man1");
    let outcome = run(["man", "--out", directory.to_str().unwrap()]);
    assert!(outcome.stderr.starts_with("note: wrote "), "{outcome:?}");
    assert_eq!(outcome.ok(), "");
    for page in ["portcullis", "portcullis-token", "portcullis-token-issue", "portcullis-policy-schema"] {
        let text = std::fs::read_to_string(directory.join(format!("{page}.1"))).unwrap();
        assert!(text.contains(&format!(".TH {page} 1")), "{page}");
    }
    run(["man", "--out", directory.join("portcullis.1").to_str().unwrap()]).fails(4, "cannot be written");
}

#[test]
fn a_reader_that_goes_away_ends_a_command_quietly() {
    for args in [&["completions", "bash"][..], &["policy", "schema"], &["secret", "generate"], &["--help"], &["man"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = command(args).stdin(Stdio::null()).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{args:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_reported() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let output = command(["policy", "schema"]).stdout(full).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&output.stderr).contains("standard output cannot be written"));
}
