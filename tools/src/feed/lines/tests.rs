use std::path::PathBuf;

use portcullis_engine::feed::{Digest16, Draft};

use super::{Sources, read_files};
use crate::exit::{Exit, Failure};
use crate::terminal::Terminal;

const NOW: i64 = 1_800_000_000;

/// Which of the three a file is for.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Subjects,
    Revoked,
    ApiKeys,
}

fn check(kind: Kind, ending: &str, text: &str) -> Result<Draft, Failure> {
    let directory = std::env::temp_dir().join(format!("portcullis-feed-lines-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path: PathBuf = directory.join(format!("{:?}.{ending}", std::thread::current().id()));
    std::fs::write(&path, text).unwrap();
    let mut sources = Sources::default();
    match kind {
        Kind::Subjects => sources.subjects = Some(&path),
        Kind::Revoked => sources.revoked = Some(&path),
        Kind::ApiKeys => sources.api_keys = Some(&path),
    }
    let mut draft = Draft::default();
    read_files(sources, &mut draft, NOW, &mut Terminal::standard().bar("reading"))?;
    Ok(draft)
}

#[test]
fn subjects_say_what_there_is_to_say() {
    let csv =
        "subject,disabled,tokens_before,roles\nalice,true,,\nbob,,2027-01-15T08:00:00Z,editor;admin\ncarol,false,0,\n";
    let jsonl = "{\"subject\":\"alice\",\"disabled\":true}\n\
        {\"subject\":\"bob\",\"tokens_before\":1800000000,\"roles\":[\"editor\",\"admin\",\"admin\"]}\n\
        {\"subject\":\"carol\"}\n";
    for (ending, text) in [("csv", csv), ("jsonl", jsonl)] {
        let subjects = check(Kind::Subjects, ending, text).unwrap().subjects;
        assert_eq!(subjects.len(), 3, "{ending}");
        assert_eq!((subjects[0].digest, subjects[0].disabled), (Digest16::subject("alice"), true), "{ending}");
        assert_eq!(subjects[1].tokens_before, 1_800_000_000, "{ending}");
        assert_eq!(subjects[1].roles.as_deref(), Some(&["admin".to_owned(), "editor".to_owned()][..]), "{ending}");
        assert_eq!((subjects[2].disabled, &subjects[2].roles), (false, &None), "{ending}");
    }
    let nothing = check(Kind::Subjects, "jsonl", "{\"subject\":\"a\",\"roles\":[]}").unwrap();
    assert_eq!(nothing.subjects[0].roles, Some(vec![]), "no roles is something to say");
}

#[test]
fn tokens_that_have_expired_for_a_day_are_left_out() {
    let text = format!("jti,expires\nold,{}\nlate,{}\nnew,2030-01-01T00:00:00Z\n", NOW - 86_401, NOW - 60);
    let revoked = check(Kind::Revoked, "csv", &text).unwrap().revoked;
    assert_eq!(revoked.iter().map(|entry| entry.digest).collect::<Vec<_>>(), ["late", "new"].map(Digest16::token));
}

#[test]
fn a_key_has_a_digest_in_either_form() {
    let hash = hmac_sha256::Hash::hash(b"secret");
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let base64 = base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, hash);
    for digest in [&hex, &base64, &hex.to_uppercase()] {
        let line = format!(
            "{{\"id\":\"abcdefghij01\",\"secret_sha256\":\"{digest}\",\"owner\":\"alice\",\"cidrs\":\"10.0.0.0/8 10.1.2.3\"}}"
        );
        let keys = check(Kind::ApiKeys, "jsonl", &line).unwrap().keys;
        assert_eq!((keys[0].secret_sha256, keys[0].expires), (hash, 0), "{digest}");
        let networks = keys[0].networks.as_deref();
        assert_eq!(networks, Some(&["10.0.0.0/8".to_owned(), "10.1.2.3/32".to_owned()][..]));
    }
}

#[test]
fn what_is_wrong_is_said_with_its_member() {
    let key = |member: &str| {
        let hash = "0".repeat(64);
        let good = format!("{{\"id\":\"abcdefghij01\",\"secret_sha256\":\"{hash}\",\"owner\":\"alice\"");
        format!("{good}{member}}}")
    };
    for (kind, text, says) in [
        (Kind::Subjects, "{\"disabled\":true}".to_owned(), "/subject: must be there"),
        (Kind::Subjects, "{\"subject\":\"a\\nb\"}".to_owned(), "/subject: must have no control characters"),
        (Kind::Subjects, format!("{{\"subject\":\"{}\"}}", "a".repeat(1025)), "/subject: must have at most 1024 bytes"),
        (Kind::Subjects, "{\"subject\":\"a\",\"disabled\":1}".to_owned(), "/disabled: must be true or false"),
        (Kind::Subjects, "{\"subject\":\"a\",\"tokens_before\":-1}".to_owned(), "/tokens_before: must be seconds"),
        (
            Kind::Subjects,
            "{\"subject\":\"a\",\"tokens_before\":4294967296}".to_owned(),
            "/tokens_before: must be seconds",
        ),
        (
            Kind::Subjects,
            "{\"subject\":\"a\",\"tokens_before\":\"soon\"}".to_owned(),
            "/tokens_before: must be seconds",
        ),
        (
            Kind::Subjects,
            "{\"subject\":\"a\",\"roles\":[\"a\\nb\"]}".to_owned(),
            "/roles: must have no control characters",
        ),
        (Kind::Subjects, "{\"subject\":\"a\"}\n{\"subject\":\"a\"}".to_owned(), "line 2: /subject: is named before"),
        (Kind::Revoked, "{\"jti\":\"a\"}".to_owned(), "/expires: must be there"),
        (Kind::Revoked, "{\"jti\":\"a\",\"expires\":0}".to_owned(), "/expires: must be there"),
        (Kind::Revoked, "{\"jti\":7,\"expires\":1}".to_owned(), "/jti: must be a string"),
        (Kind::ApiKeys, key("").replace("abcdefghij01", "ABC"), "/id: must be 12"),
        (Kind::ApiKeys, key("").replace(&"0".repeat(64), "abc"), "/secret_sha256: must be SHA-256"),
        (Kind::ApiKeys, key("").replace(&"0".repeat(64), &"g".repeat(64)), "/secret_sha256: must be SHA-256"),
        (Kind::ApiKeys, key(",\"cidrs\":[\"10.1.2.3/8\"]"), "/cidrs: has bits beyond its prefix"),
        (Kind::ApiKeys, key(",\"cidrs\":[]"), "/cidrs: must have at least 1 item"),
        (Kind::ApiKeys, key(",\"secret\":\"s\""), "must have no members but id"),
    ] {
        let failure = check(kind, "jsonl", &text).unwrap_err();
        assert_eq!(failure.exit, Exit::Invalid, "{text}");
        assert!(failure.cause.contains(says), "{says} not in {}", failure.cause);
    }
}
