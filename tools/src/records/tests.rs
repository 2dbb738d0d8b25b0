use std::path::PathBuf;

use super::{Members, read};
use crate::exit::{Exit, Failure};
use crate::terminal::Terminal;

fn check(name: &str, text: &str) -> Result<Vec<String>, Failure> {
    let directory = std::env::temp_dir().join(format!("portcullis-records-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path: PathBuf = directory.join(name);
    std::fs::write(&path, text).unwrap();
    let mut found = Vec::new();
    let each = |line: u64, members: &Members| {
        let roles = members.list("roles")?.map_or("-".to_owned(), |roles| roles.join("+"));
        found.push(format!("{line} {} {roles}", members.needed("subject")?));
        Ok(())
    };
    read(&path, &["subject", "roles"], &mut Terminal::standard().bar("reading"), each)?;
    Ok(found)
}

#[test]
fn both_forms_say_the_same() {
    let expected = Ok(vec!["2 alice a+b".to_owned(), "3 bob -".to_owned()]);
    assert_eq!(check("good.csv", "subject,roles\nalice,a;b\nbob,\n"), expected);
    assert_eq!(check("bom.csv", "\u{feff}Subject, ROLES\nalice,a b\nbob,\n"), expected);
    let lines = "\n{\"subject\": \"alice\", \"roles\": [\"a\", \"b\"]}\n{\"subject\": \"bob\", \"roles\": null}";
    assert_eq!(check("good.jsonl", lines), expected);
    assert_eq!(check("empty.jsonl", ""), Ok(vec![]));
}

#[test]
fn mistakes_are_told_by_line() {
    for (name, text, says) in [
        ("a.jsonl", "{\"subject\": \"alice\"}\n[1]", "line 2: must be a JSON object"),
        ("b.jsonl", "{\"subject\": 7}", "line 1: /subject: must be a string"),
        ("c.jsonl", "{}\n", "line 1: /subject: must be there"),
        ("d.jsonl", "{\"subject\": \"a\", \"role\": \"b\"}", "line 1: must have no members but subject, roles"),
        ("e.jsonl", "{\"subject\": \"a\", \"roles\": [1]}", "line 1: /roles: must be an array of strings"),
        (
            "twice.jsonl",
            "{\"subject\": \"a\", \"roles\": [], \"roles\": [\"b\"]}",
            "line 1: /roles: must stand there once",
        ),
        ("f.csv", "subject,roles\na\nb,c\n", "line 2: must have 2 columns, not 1"),
        ("g.csv", "subject,secret\n", "has a column `secret`"),
        ("h.csv", "subject,subject\n", "twice"),
    ] {
        let failure = check(name, text).unwrap_err();
        assert_eq!(failure.exit, Exit::Invalid, "{name}");
        assert!(failure.cause.contains(says), "{name}: {}", failure.cause);
    }
    assert_eq!(check("what.txt", "").unwrap_err().exit, Exit::Usage);
    let many = check("many.jsonl", &"[]\n".repeat(150)).unwrap_err();
    assert!(many.cause.starts_with("150 lines") && many.cause.ends_with("and 50 more"), "{}", many.cause);
}
