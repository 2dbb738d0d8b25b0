//! What the store withstands: kills, eight writers at once, thieves of its files, and backups that come back.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::accounts::{Accounts, PASSWORD, contains};
use crate::support::run_with;

/// How often a command is killed.
const KILLS: u64 = 200;

#[test]
fn a_kill_at_any_moment_loses_nothing_that_was_acknowledged() {
    let accounts = Accounts::new("store_kill");
    accounts.add("alice@example.com", "viewer");
    let change = |at: u64| {
        let role = if at.is_multiple_of(2) { "editor" } else { "admin" };
        ["user", "set-role", "alice@example.com", role, "--reason"]
            .map(str::to_owned)
            .into_iter()
            .chain([format!("change {at}")])
    };
    // How long one takes when nobody kills it, so that kills fall on every part of it.
    let start = Instant::now();
    accounts.run_with(change(0), "").ok();
    let whole = start.elapsed();
    let (mut killed, mut acknowledged) = (0, vec![0]);
    for at in 1..=KILLS {
        let mut command = accounts.command(change(at));
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let moment = whole.mul_f64((at * 37 % 100) as f64 / 80.0);
        let spawned = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if spawned.elapsed() >= moment {
                child.kill().unwrap();
                break child.wait().unwrap();
            }
            std::thread::sleep(Duration::from_micros(200));
        };
        match status.code() {
            Some(0) => acknowledged.push(at),
            // The one before was killed after it was done, and this one is what they are already.
            Some(1) => {}
            Some(other) => panic!("change {at} ended with {other}"),
            None => killed += 1,
        }
    }
    assert!(killed > KILLS / 4, "only {killed} were killed");
    accounts.run("store check").ok();
    let history = accounts.history("alice@example.com");
    let reasons: Vec<_> = history.iter().filter_map(|version| version["reason"].as_str()).collect();
    for at in &acknowledged {
        assert!(reasons.contains(&format!("change {at}").as_str()), "change {at} was acknowledged and is lost");
    }
    let numbers: Vec<_> = history.iter().map(|version| version["version"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=history.len() as u64).collect::<Vec<_>>(), "the history is whole");
    let last = history.last().unwrap();
    let shown = accounts.run("user show alice@example.com --json").json();
    assert_eq!((&shown["version"], &shown["roles"]), (&last["version"], &last["roles"]));
    println!("{killed} of {KILLS} killed, {} acknowledged, {} versions", acknowledged.len(), history.len());
}

#[test]
fn a_killed_import_has_whole_batches_and_goes_on() {
    let accounts = Accounts::new("store_kill_import");
    let lines: Vec<_> = (0..12_000).map(|at| format!("user{at}@example.com,viewer\n")).collect();
    let users = accounts.file("users.csv", &format!("email,role\n{}", lines.concat()));
    let import = ["user", "import", users.to_str().unwrap(), "--skip-existing"];
    let count = || accounts.run("user list --json --per-page 1").json()["total"].as_u64().unwrap() - 1;
    let mut child = accounts.command(import).stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let start = Instant::now();
    while count() == 0 {
        assert!(start.elapsed() < Duration::from_secs(120), "no batch was ever added");
        if child.try_wait().unwrap().is_some() {
            break;
        }
    }
    let _done_already = child.kill();
    child.wait().unwrap();
    let there = count();
    assert!(there % 10_000 == 0 || there == 12_000, "{there} is no number of whole batches");
    accounts.run_with(import, "").ok();
    assert_eq!(count(), 12_000);
    accounts.run("store check").ok();
}

#[test]
fn eight_commands_at_once_lose_nothing_and_wait_for_each_other() {
    const EACH: usize = 12;
    let accounts = Accounts::new("store_eight");
    accounts.add("alice@example.com", "viewer");
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let workers: Vec<_> =
            (0..8)
                .map(|worker| {
                    let accounts = &accounts;
                    scope.spawn(move || {
                        let mut outcomes = Vec::new();
                        for at in 0..EACH {
                            let purpose = format!("purpose-{worker}-{at}");
                            outcomes.push(accounts.run(&format!(
                                "user consent give alice@example.com --purpose {purpose} --text-version 1"
                            )));
                        }
                        outcomes.push(accounts.run_with(
                            ["user", "add", &format!("worker{worker}@example.com"), "--role", "viewer"],
                            PASSWORD,
                        ));
                        outcomes
                    })
                })
                .collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    for outcome in outcomes {
        assert_eq!(outcome.code, 0, "{outcome:?}");
        assert!(!outcome.stderr.contains("locked") && !outcome.stderr.contains("busy"), "{outcome:?}");
    }
    let consents = accounts.run("user consent list alice@example.com --json").json();
    assert_eq!(consents["consents"].as_array().unwrap().len(), 8 * EACH);
    assert_eq!(accounts.history("alice@example.com").len(), 8 * EACH + 1);
    assert_eq!(accounts.run("user list --json").json()["total"], 2 + 8);
    accounts.run("store check").ok();
}

#[test]
fn of_a_thousand_addresses_none_is_in_the_files() {
    let accounts = Accounts::new("store_strings");
    let lines: Vec<_> = (0..1_000)
        .map(|at| {
            format!(
                "{{\"email\":\"planted-{at}@secret-{at}.example\",\"role\":\"viewer\",\"name\":\"Planted Name {at}\",\
                 \"notes\":\"planted note {at}\",\"password_hash\":\"pbkdf2_sha256$1$salt$c2VjcmV0c2VjcmV0c2VjcmV0MTIz\"}}\n"
            )
        })
        .collect();
    let users = accounts.file("users.jsonl", &lines.concat());
    accounts.run_with(["user", "import", users.to_str().unwrap(), "--reason", "planted reason"], "").ok();
    // The journal as it is while somebody writes, and when nobody does.
    let mut reader = accounts.command(["user", "export", "--all"]).stdout(Stdio::piped()).spawn().unwrap();
    accounts.run("user disable planted-7@secret-7.example --reason planted-why").ok();
    accounts.run("user set-details planted-8@secret-8.example --email planted-x@secret-x.example --name Planted").ok();
    let _done_already = reader.kill();
    reader.wait().unwrap();
    let bytes = accounts.bytes();
    assert!(bytes.len() > 500_000, "{} bytes are not a thousand users", bytes.len());
    for needle in ["planted", "@secret", "example", "pbkdf2", "c2VjcmV0c2VjcmV0", "carol", "Planted Name"] {
        assert!(!contains(&bytes, needle), "{needle} is in the files");
    }
    assert!(contains(&bytes, "viewer") && contains(&bytes, "disabled"), "what is not personal is not hidden");
    let found = accounts.run("user show planted-999@secret-999.example --json").json();
    assert_eq!((&found["name"], &found["notes"]), (&"Planted Name 999".into(), &"planted note 999".into()));
}

#[test]
fn what_was_erased_is_in_no_backup_that_comes_back() {
    let accounts = Accounts::new("store_erase");
    let id = accounts.add("gone@example.com", "editor");
    accounts.add("kept@example.com", "viewer");
    let backup = accounts.path("backup.db");
    accounts.run_with(["store", "backup", "--out", backup.to_str().unwrap()], "").ok();
    // And the crude way: the files as they lie there.
    let crude = accounts.path("crude");
    std::fs::create_dir(&crude).unwrap();
    for name in ["store.db", "store.db-wal"] {
        let _none = std::fs::copy(accounts.path(name), crude.join(name));
    }

    accounts.run_with(["user", "erase", "gone@example.com", "--yes", "--reason", "asked"], "").ok();
    accounts.run("user show gone@example.com").fails(1, "no such user");
    let export = accounts.run(&format!("user export {id}")).ok();
    assert!(!export.contains("gone@"), "{export}");
    let history = accounts.history(&id);
    assert_eq!(
        (&history[1]["action"], &history[1]["reason"], &history[1]["actor"]),
        (&"erase".into(), &"asked".into(), &"carol".into())
    );
    assert_eq!(history[0]["email"], serde_json::Value::Null);
    accounts.run("store check").ok();
    for line in [
        format!("user disable {id}"),
        format!("user set-role {id} admin"),
        format!("user enable {id}"),
        format!("user erase {id} --yes"),
        format!("user consent give {id} --purpose x --text-version 1"),
    ] {
        accounts.run(&line).fails(1, "was erased");
    }
    accounts.run_with(["user", "set-password", &id], PASSWORD).fails(1, "was erased");

    for copy in [backup, crude.join("store.db")] {
        accounts.restore(&copy);
        let wal = crude.join("store.db-wal");
        if copy.starts_with(&crude) && wal.exists() {
            std::fs::copy(&wal, accounts.path("store.db-wal")).unwrap();
        }
        for line in [
            format!("user show {id}"),
            "user show gone@example.com".to_owned(),
            format!("user history {id} --json"),
            format!("user export {id}"),
            "user export --all".to_owned(),
            "user list".to_owned(),
            "user list --search gone".to_owned(),
        ] {
            let outcome = accounts.run(&line);
            assert!([0, 1].contains(&outcome.code), "{line}: {outcome:?}");
            assert!(!outcome.stdout.contains("gone@") && !outcome.stderr.contains("gone@"), "{line}: {outcome:?}");
        }
        assert!(
            accounts.run("user show kept@example.com").ok().contains("kept@example.com"),
            "the others are all there"
        );
        let health = accounts.run("store check --json");
        assert_eq!(health.code, 1, "{health:?}");
        accounts.run("store check --repair").ok();
        accounts.run("user show gone@example.com").fails(1, "no such user");
        accounts.add("gone@example.com", "viewer");
        accounts.run("user erase gone@example.com --yes").ok();
    }
}

#[test]
fn a_master_key_in_the_environment_is_needed_and_can_be_changed() {
    let accounts = Accounts::new("store_master");
    accounts.add("alice@example.com", "viewer");
    let (first, second) = ("f".repeat(43), "s".repeat(43));
    let with = |line: &str, master: Option<&str>, new: Option<&str>| {
        let mut command: Command = accounts.command(line.split_whitespace());
        if let Some(master) = master {
            command.env("PORTCULLIS_MASTER_KEY", master);
        }
        if let Some(new) = new {
            command.env("NEW_MASTER", new);
        }
        crate::support::finish(command, b"")
    };
    with("user list", Some(&first), None).fails(2, "are not encrypted");
    with("store rotate-key --new-master-env NEW_MASTER", None, Some(&first)).ok();
    with("user list", None, None).fails(2, "are encrypted");
    with("user list", Some("short"), None).fails(3, "fewer than 32 bytes");
    with("user list", Some(&second), None).fails(3, "does not open");
    with("user show alice@example.com", Some(&first), None).ok();
    with("store rotate-key --new-master-env NEW_MASTER", Some(&first), Some(&second)).ok();
    with("user list", Some(&first), None).fails(3, "does not open");
    with("store rotate-key", Some(&second), None).ok();
    with("user set-role alice@example.com admin", Some(&second), None).ok();
    with("store check", Some(&second), None).ok();
    with("store rotate-key --no-master", Some(&second), None).ok();
    assert_eq!(accounts.history("alice@example.com").len(), 2);
    with("store rotate-key --new-master-env NO_SUCH_VARIABLE", None, None).fails(4, "is not set");
}

#[test]
fn a_key_file_of_another_store_is_refused() {
    let (one, other) = (Accounts::new("store_one"), Accounts::new("store_other"));
    let keys = other.path("store.keys");
    one.run_with(["user", "list", "--key-file", keys.to_str().unwrap()], "").fails(3, "are another store's");
    let none = one.path("none.keys");
    one.run_with(["user", "list", "--key-file", none.to_str().unwrap()], "").fails(4, "cannot be read");
}

#[test]
fn the_cost_of_hashes_is_the_stores() {
    let accounts = Accounts::new("store_cost");
    assert_eq!(accounts.run("store cost").ok(), "--memory 64 --iterations 1 --parallelism 1");
    accounts.run("store cost --iterations 2").ok();
    accounts.add("alice@example.com", "viewer");
    assert_eq!(accounts.run("user export alice@example.com").json()["password"], "argon2id m=64,t=2,p=1");
    assert_eq!(accounts.run("user export admin@example.com").json()["password"], "argon2id m=64,t=1,p=1");
    accounts.run("store cost --memory 99999999").fails(2, "excessive");
    let hash = run_with(["password", "hash", "--memory", "64", "--iterations", "1", "--parallelism", "1"], PASSWORD);
    assert!(hash.ok().starts_with("$argon2id$"));
}
