use super::*;
use crate::audit::testing::{START, directory, record};

fn evidence() -> Evidence {
    let mut evidence = Evidence { user: "alice<b>|".to_owned(), made: "now".to_owned(), ..Evidence::default() };
    for (at, denied) in [(9, true), (3, false), (5, true)] {
        let line = record(START + at, "alice", denied);
        evidence.add(line.as_bytes(), &Record::parse(line.as_bytes()).unwrap());
    }
    evidence.sort();
    evidence
}

#[test]
fn what_belongs_together_is_counted_together() {
    let evidence = evidence();
    assert_eq!((evidence.all.requests, evidence.all.refused), (3, 2));
    assert_eq!(evidence.addresses.len(), 3);
    let session = &evidence.sessions["t-alice"];
    assert_eq!((session.seen.requests, session.addresses.len()), (3, 3));
    assert_eq!((&*session.seen.first, &*session.seen.last), ("2026-11-24T00:00:00.003Z", "2026-11-24T00:00:00.009Z"));
    assert_eq!(evidence.reasons["role_denied"].requests, 2);
    let times: Vec<_> = evidence.timeline.iter().map(|record| record["timestamp"].as_str().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
}

#[test]
fn the_summary_says_it_in_two_ways_and_escapes() {
    let (page, text) = (summary::page(&evidence()), summary::markdown(&evidence()));
    assert!(page.contains("alice&lt;b&gt;|") && !page.contains("<script"), "{page}");
    assert!(text.contains("| user | alice\\<b\\>\\| |"), "{text}");
    for part in ["Addresses", "Sessions", "Timeline"] {
        assert!(page.contains(&format!("<h2>{part}</h2>")) && text.contains(&format!("## {part}")), "{part}");
    }
}

#[test]
fn python_unpacks_the_archive() {
    let folder = directory("zip");
    let text = "line\n".repeat(1000);
    let archive = zip::archive(&[("a.txt", text.as_bytes()), ("ü.json", b"{}"), ("empty", b"")]).unwrap();
    assert!(archive.len() < 1000, "it is packed");
    let path = folder.join("it.zip");
    std::fs::write(&path, archive).unwrap();
    let script = "import sys, zipfile\nz = zipfile.ZipFile(sys.argv[1])\nassert z.testzip() is None\n\
                  print([(i.filename, i.file_size, oct(i.external_attr >> 16)) for i in z.infolist()])";
    let output = std::process::Command::new("python3").args(["-c", script]).arg(path).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(printed.trim(), "[('a.txt', 5000, '0o100600'), ('ü.json', 2, '0o100600'), ('empty', 0, '0o100600')]");
}
