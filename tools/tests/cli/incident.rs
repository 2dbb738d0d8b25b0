//! `portcullis incident report`: everything about a user in one place.

use serde_json::Value;

use crate::audit::{KEY, lines_file, sealed};
use crate::support::{command, directory, finish, run};

const NOVEMBER: i64 = 1_795_478_400_000;

#[test]
fn the_evidence_is_gathered_in_a_directory_a_zip_and_a_file() {
    let folder = directory("incident");
    let log = lines_file(&folder, "audit.log", &sealed(60, NOVEMBER));
    let log = log.to_str().unwrap();
    let report = |out: &str| {
        let out = folder.join(out);
        let args = ["incident", "report", "--user", "alice", "--audit", log, "--key-env", "AUDIT_KEY", "--out"];
        let mut command = command(args.iter().copied().chain([out.to_str().unwrap()]));
        command.env("AUDIT_KEY", KEY);
        let outcome = finish(command, b"");
        assert!(
            outcome.stderr.contains("20 requests, 5 of them refused, from 3 addresses in 1 session"),
            "{outcome:?}"
        );
        assert!(outcome.stderr.contains("the files are as they were written"), "{outcome:?}");
        outcome.ok();
        out
    };
    let made = report("made");
    let read = |name: &str| std::fs::read_to_string(made.join(name)).unwrap();
    let json: Value = serde_json::from_str(&read("report.json")).unwrap();
    assert_eq!(json["all"]["requests"], 20);
    assert_eq!(json["sessions"]["t-alice"]["requests"], 20);
    assert_eq!(json["verify"]["good"], true);
    assert_eq!(read("timeline.jsonl").lines().count(), 20);
    assert!(
        read("summary.html").contains("<h1>Incident report</h1>")
            && read("summary.md").starts_with("# Incident report")
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&made), mode(&made.join("report.json"))), (0o700, 0o600));
    }
    let file: Value = serde_json::from_str(&std::fs::read_to_string(report("made.json")).unwrap()).unwrap();
    assert_eq!(file["timeline"].as_array().unwrap().len(), 20);
    assert!(std::fs::read(report("made.zip")).unwrap().starts_with(b"PK"));
    run(["incident", "report", "--user", "alice", "--audit", log, "--out", made.to_str().unwrap()])
        .fails(4, "exists already");
}

#[test]
fn the_account_is_part_of_it_where_there_is_a_store() {
    let folder = directory("incident-store");
    let admin = folder.join("admin.log");
    let run = |args: &[&str], stdin: &str| {
        let mut command = command(args);
        command.current_dir(&folder).env("PORTCULLIS_AUDIT_LOG", &admin).env("PORTCULLIS_ACTOR", "carol");
        finish(command, stdin.as_bytes())
    };
    run(
        &["init", "admin@example.com", "--no-secret", "--memory", "8", "--iterations", "1", "--parallelism", "1"],
        "correct horse battery",
    )
    .ok();
    let id = run(&["user", "add", "alice@example.com", "--role", "editor"], "correct horse battery").ok();
    run(&["user", "disable", "alice@example.com", "--reason", "phished"], "").ok();
    let lines: Vec<String> =
        sealed(30, NOVEMBER).iter().map(|line| line.replace("\"bob\"", &format!("\"{id}\""))).collect();
    lines_file(&folder, "audit.log", &lines);
    let args = [
        "incident",
        "report",
        "--user",
        "alice@example.com",
        "--audit",
        "audit.log",
        "admin.log",
        "--store",
        "portcullis.db",
    ];
    run(&[&args[..], &["--out", "it.json"]].concat(), "").ok();
    let json: Value = serde_json::from_str(&std::fs::read_to_string(folder.join("it.json")).unwrap()).unwrap();
    assert_eq!(json["store"]["status"], "disabled");
    assert_eq!(json["store"]["versions"][1]["reason"], "phished");
    assert_eq!(json["all"]["requests"], 20, "by id, and by what records have of the address");
    let actions: Vec<&str> =
        json["admin"].as_array().unwrap().iter().map(|line| line["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["init", "user_add", "user_disable"], "a***@example.com may be somebody else, too");
    assert!(json["also"].as_array().unwrap().contains(&id.clone().into()));
    run(
        &["incident", "report", "--user", "0", "--audit", "audit.log", "--store", "portcullis.db", "--out", "no.json"],
        "",
    )
    .fails(2, "is no user of a store");
}
