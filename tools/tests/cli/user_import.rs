//! `user import`: users of another system.

use crate::accounts::Accounts;

const HASH: &str = "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";

#[test]
fn csv_and_json_lines_are_taken_over() {
    let accounts = Accounts::new("import_both");
    let csv = format!(
        "email,roles,password_hash,name,status,id\n\
         alice@example.com,admin;editor,{HASH},\"Example, Alice\",active,0190c3f4-7d1c-7b55-9c8e-0d6f7a1b2c3d\n\
         bob@example.com,viewer,pbkdf2_sha256$4096$salt$xeR41ZKIyEGqUw22hFxMjZYok6ABzk4RpJY4c6qYE0o=,,disabled,\n"
    );
    let csv = accounts.file("users.csv", &csv);
    let report = accounts.run_with(["user", "import", csv.to_str().unwrap(), "--json", "--reason", "moved"], "").json();
    assert_eq!((&report["added"], &report["skipped"]), (&2.into(), &0.into()));
    let jsonl = accounts.file(
        "users.jsonl",
        "{\"email\":\"carol@example.com\",\"roles\":[\"viewer\",\"editor\"],\"notes\":\"vip\"}\n\n\
         {\"email\":\"dave@example.com\",\"role\":\"viewer\",\"password_hash\":null}\n",
    );
    accounts.run_with(["user", "import", jsonl.to_str().unwrap()], "").ok();

    let alice = accounts.run("user export alice@example.com").json();
    assert_eq!(alice["user"]["id"], "0190c3f4-7d1c-7b55-9c8e-0d6f7a1b2c3d");
    assert_eq!(alice["user"]["roles"], serde_json::json!(["admin", "editor"]));
    assert_eq!((&alice["user"]["name"], &alice["password"]), (&"Example, Alice".into(), &"bcrypt cost 5".into()));
    assert_eq!((&alice["history"][0]["action"], &alice["history"][0]["reason"]), (&"import".into(), &"moved".into()));
    let bob = accounts.run("user export bob@example.com").json();
    assert_eq!(
        (&bob["user"]["status"], &bob["password"]),
        (&"disabled".into(), &"PBKDF2 SHA-256, 4096 iterations".into())
    );
    let carol = accounts.run("user show carol@example.com --json").json();
    assert_eq!((&carol["notes"], &carol["has_password"]), (&"vip".into(), &false.into()));
}

#[test]
fn mistakes_are_told_by_line_and_nothing_is_added() {
    let accounts = Accounts::new("import_mistakes");
    let jsonl = accounts.file(
        "users.jsonl",
        "{\"email\":\"good@example.com\",\"role\":\"viewer\"}\n\
         {\"email\":\"bad\",\"role\":\"root\"}\n\
         not json\n\
         {\"email\":\"GOOD@example.com\",\"role\":\"viewer\"}\n\
         {\"email\":\"admin@example.com\",\"role\":\"viewer\"}\n\
         {\"email\":\"h@example.com\",\"role\":\"viewer\",\"password_hash\":\"md5:hunter2\"}\n\
         {\"email\":\"m@example.com\",\"role\":\"viewer\",\"is_superuser\":true}\n\
         {\"email\":\"i@example.com\",\"role\":\"viewer\",\"id\":\"7\"}\n\
         {\"email\":\"s@example.com\",\"role\":\"viewer\",\"status\":\"erased\"}\n\
         {\"email\":7,\"roles\":[1]}\n",
    );
    let outcome = accounts.run_with(["user", "import", jsonl.to_str().unwrap()], "");
    assert_eq!(outcome.code, 3, "{outcome:?}");
    for line in [
        "line 2: /email: must be an e-mail address, such as `alice@example.com`; /role: must be one of",
        "line 3: must be a JSON object",
        "line 4: /email: is in the file twice",
        "line 5: /email: another user has this e-mail address",
        "line 6: /password_hash: it is neither",
        "line 7: : must have no members but",
        "line 8: /id: must be a valid uuid",
        "line 9: /status: must be one of `active`, `disabled`",
        "line 10: /email: must be a string",
        "9 lines of the file are not valid",
    ] {
        assert!(outcome.stderr.contains(line), "{line:?} not in {}", outcome.stderr);
    }
    assert!(!outcome.stderr.contains("hunter2"), "{outcome:?}");
    assert_eq!(accounts.run("user list --json").json()["total"], 1);

    for (name, content, code, says) in [
        ("a.csv", "email,role,password\nx@example.com,viewer,secret\n", 3, "has no meaning here"),
        ("b.csv", "email,role\nx@example.com\n", 3, "line 2: must have 2 columns, not 1"),
        ("c.csv", "", 0, ""),
        ("d.txt", "", 2, "--format"),
    ] {
        let path = accounts.file(name, content);
        let outcome = accounts.run_with(["user", "import", path.to_str().unwrap()], "");
        assert_eq!(outcome.code, code, "{name}: {outcome:?}");
        assert!(outcome.stderr.contains(says) && !outcome.stderr.contains("secret"), "{name}: {outcome:?}");
    }
    accounts.run_with(["user", "import", accounts.path("none.csv").to_str().unwrap()], "").fails(4, "cannot be read");
}

#[test]
fn a_dry_run_adds_nothing_and_what_is_there_can_be_left_out() {
    let accounts = Accounts::new("import_again");
    let csv = accounts.file("users.csv", "email,role\na@example.com,viewer\nb@example.com,viewer\n");
    let import =
        |more: &[&str]| accounts.run_with(["user", "import", csv.to_str().unwrap(), "--json"].iter().chain(more), "");
    assert_eq!(import(&["--dry-run"]).json()["would_be_added"], 2);
    assert_eq!(accounts.run("user list --json").json()["total"], 1);
    assert_eq!(import(&[]).json()["added"], 2);
    assert_eq!(import(&[]).code, 3);
    let again = import(&["--skip-existing"]).json();
    assert_eq!((&again["added"], &again["skipped"]), (&0.into(), &2.into()));
}
