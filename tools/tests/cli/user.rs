//! `init` and `user`: what administrators do with accounts.

use crate::accounts::{Accounts, PASSWORD};
use crate::support::{directory, file, run, run_with};

#[test]
fn init_makes_everything_once() {
    let accounts = Accounts::new("init_once");
    for name in ["store.db", "store.keys", "secret.key"] {
        let path = accounts.path(name);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
        }
        assert!(path.exists(), "{name}");
    }
    let secret = accounts.path("secret.key");
    let again = ["init", "admin@example.com", "--secret-file", secret.to_str().unwrap()];
    accounts.run_with(again, PASSWORD).fails(4, "exists already");
    accounts.run_with(["init", "admin@example.com", "--no-secret"], PASSWORD).fails(4, "exists already");
    let admin = accounts.run("user show admin@example.com --json").json();
    assert_eq!((&admin["roles"], &admin["status"]), (&serde_json::json!(["admin"]), &"active".into()));
    let history = accounts.history("admin@example.com");
    assert_eq!((&history[0]["actor"], &history[0]["reason"]), (&"carol".into(), &"portcullis init".into()));
    let secret = secret.to_str().unwrap();
    let token = accounts.run_with(["token", "issue", "--sub", "x", "--secret-file", secret], "");
    token.ok();
}

#[test]
fn init_leaves_nothing_behind_when_it_fails() {
    let directory = directory("init_fails");
    let at = |name: &str| directory.join(name).to_str().unwrap().to_owned();
    let init = |email: &str, password: &str, secret: &str| {
        let args = ["init", email, "--store", &at("s.db"), "--key-file", &at("s.keys"), "--secret-file", secret];
        run_with(args, password)
    };
    init("admin", "short", &at("secret.key")).fails(3, "/email: must be an e-mail address");
    init("admin", "short", &at("secret.key")).fails(3, "/password: must have at least 8 characters");
    init("admin@example.com", PASSWORD, &at("no/such/secret.key")).fails(4, "cannot be written");
    assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 0);
    file(&directory, "s.keys", "something");
    init("admin@example.com", PASSWORD, &at("secret.key")).fails(4, "exists already");
    assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 1);
}

#[test]
fn without_a_store_every_command_says_how_to_make_one() {
    let directory = directory("no_store");
    let store = directory.join("none.db");
    for line in ["user list", "user show a@example.com", "store check", "user prune --inactive 1d --yes"] {
        let args = line.split(' ').chain(["--store", store.to_str().unwrap()]);
        let outcome = run(args);
        assert!(outcome.stderr.contains("portcullis init"), "{line}: {outcome:?}");
        outcome.fails(4, "there is no store");
    }
    let no_store = file(&directory, "other.db", "this is no database, however long it may be");
    let keys = file(&directory, "other.keys", "{}");
    let args = ["user", "list", "--store", no_store.to_str().unwrap(), "--key-file", keys.to_str().unwrap()];
    run(args).fails(3, "no key file");
}

#[test]
fn what_is_wrong_with_a_user_is_said_all_at_once() {
    let accounts = Accounts::new("user_422");
    let outcome = accounts.run_with(["user", "add", "nobody", "--role", "root", "--name", &"x".repeat(201)], "short");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (3, ""));
    for line in [
        "  /email: must be an e-mail address, such as `alice@example.com`\n",
        "  /role: must be one of `admin`, `editor`, `viewer`\n",
        "  /name: must have at most 200 characters\n",
        "  /password: must have at least 8 characters\n",
    ] {
        assert!(outcome.stderr.contains(line), "{line:?} not in {}", outcome.stderr);
    }
    accounts.run_with(["user", "add", "a@example.com"], PASSWORD).fails(2, "--role");
    accounts.run_with(["user", "add", "a@example.com", "--role", ""], PASSWORD).fails(3, "/role");
    accounts
        .run_with(["user", "add", "a@example.com", "--role", "viewer"], [0xff; 12])
        .fails(3, "/password: must be UTF-8");
    accounts.add("alice@example.com", "viewer");
    accounts
        .run_with(["user", "add", "ALICE@example.com", "--role", "viewer"], PASSWORD)
        .fails(1, "another user has this e-mail address");
    let total = &accounts.run("user list --json").json()["total"];
    assert_eq!(total, 2);
}

#[test]
fn an_administrator_changes_everything_and_the_history_tells() {
    let accounts = Accounts::new("user_life");
    let id = accounts.run_with(
        ["user", "add", "Alice@example.com", "--role", "viewer", "--name", "Alice", "--reason", "hired"],
        PASSWORD,
    );
    let id = id.ok();
    for line in [
        "user set-role alice@example.com editor admin --reason promoted",
        "user disable alice@example.com --reason stolen",
        "user enable alice@example.com --reason found",
        "user set-details alice@example.com --email alice@example.org --name Eve",
        "user consent give alice@example.org --purpose newsletter --text-version 2026-11",
        "user consent withdraw alice@example.org --purpose newsletter --text-version 2026-11",
    ] {
        accounts.run(line).ok();
    }
    accounts.run_with(["user", "set-password", &id], "another password").ok();
    accounts.run("user disable alice@example.com").fails(1, "there is no such user");

    let history = accounts.history(&id);
    let told: Vec<_> = history.iter().map(|v| (v["action"].as_str().unwrap(), v["reason"].as_str())).collect();
    assert_eq!(
        told,
        [
            ("add", Some("hired")),
            ("set_role", Some("promoted")),
            ("disable", Some("stolen")),
            ("enable", Some("found")),
            ("set_details", None),
            ("give_consent", None),
            ("withdraw_consent", None),
            ("set_password", None),
        ]
    );
    assert!(
        history.iter().all(|version| version["actor"] == "carol" && version["at"].as_str().unwrap().ends_with('Z'))
    );
    assert_eq!(history[1]["changed"], serde_json::json!(["roles: viewer -> admin, editor"]));
    assert_eq!(history[4]["changed"][0], "e-mail: Alice@example.com -> alice@example.org");
    assert_eq!(history[4]["changed"][1], "name: Alice -> Eve");
    assert!(history[2]["tokens_void_before"].is_string() && history[1]["tokens_void_before"].is_null());
    assert!(history[7]["changed"][0] == "password: set" && history[7]["tokens_void_before"].is_string());

    let shown = accounts.run(&format!("user show {id} --json")).json();
    assert_eq!(
        (&shown["email"], &shown["version"], &shown["status"]),
        (&"alice@example.org".into(), &8.into(), &"active".into())
    );
    let text = accounts.run(&format!("user show {id}")).ok();
    assert!(
        text.contains("alice@example.org") && text.contains("admin, editor") && !text.contains("$argon2"),
        "{text}"
    );
    let consents = accounts.run(&format!("user consent list {id} --json")).json();
    assert_eq!(consents["consents"][0]["text_version"], "2026-11");
    assert_eq!((&consents["consents"][0]["given"], &consents["consents"][1]["given"]), (&true.into(), &false.into()));
}

#[test]
fn what_would_change_nothing_is_refused() {
    let accounts = Accounts::new("user_noop");
    accounts.add("alice@example.com", "viewer");
    for (line, says) in [
        ("user set-role alice@example.com viewer", "has these roles already"),
        ("user enable alice@example.com", "is not disabled"),
        ("user set-details alice@example.com --email alice@example.com", "has these details already"),
        ("user consent withdraw alice@example.com --purpose x --text-version 1", "has not agreed"),
        ("user set-role nobody@example.com viewer", "no such user"),
        ("user set-password nobody@example.com", "no such user"),
    ] {
        accounts.run(line).fails(1, says);
    }
    accounts.run("user set-role alice@example.com root").fails(3, "/role: must be one of");
    accounts.run("user set-details alice@example.com").fails(2, "required");
    accounts.run_with(["user", "set-password", "alice@example.com"], "short").fails(3, "/password");
    assert_eq!(accounts.history("alice@example.com").len(), 1);
}

#[test]
fn injected_statements_are_refused_or_kept_as_text() {
    let accounts = Accounts::new("user_injection");
    accounts.add("alice@example.com", "viewer");
    let hostile = [
        "' OR '1'='1",
        "'; DROP TABLE users; --",
        "\" OR \"\"=\"",
        "1; UPDATE users SET roles='admin'",
        "x' UNION SELECT record_key FROM store --",
        "%",
        "\\'; SELECT 1",
        "$1",
        "?1",
        "{\"$ne\": null}",
    ];
    for text in hostile {
        for args in [
            &["user", "show", text][..],
            &["user", "history", text],
            &["user", "disable", text],
            &["user", "show", &format!("{text}@example.com")],
            &["user", "list", "--role", text],
            &["user", "list", "--status", text],
            &["user", "list", "--page", text],
            &["user", "set-role", "alice@example.com", text],
        ] {
            let outcome = accounts.run_with(args, "");
            assert!([1, 2, 3].contains(&outcome.code), "{args:?}: {outcome:?}");
            assert_eq!(outcome.stdout, "", "{args:?}");
        }
        let added = accounts.run_with(["user", "add", text, "--role", "viewer"], PASSWORD);
        assert_eq!(added.code, 3, "{text}: {added:?}");
        let found = accounts.run_with(["user", "list", "--json", "--search", text], "").json();
        assert_eq!(found["total"], 0, "{text}");
    }
    // As a name, a note, a reason or a purpose it is text like any other.
    let name = hostile[1];
    let args =
        ["user", "add", "o'brien@example.com", "--role", "viewer", "--name", name, "--notes", name, "--reason", name];
    accounts.run_with(args, PASSWORD).ok();
    accounts
        .run_with(["user", "consent", "give", "o'brien@example.com", "--purpose", name, "--text-version", name], "")
        .ok();
    let shown = accounts.run("user show o'brien@example.com --json").json();
    assert_eq!((&shown["name"], &shown["notes"]), (&name.into(), &name.into()));
    assert_eq!(accounts.history("o'brien@example.com")[0]["reason"], name);
    let found = accounts.run_with(["user", "list", "--json", "--search", "drop table"], "").json();
    assert_eq!((&found["total"], &found["users"][0]["email"]), (&1.into(), &"o'brien@example.com".into()));
    accounts.run("store check").ok();
    assert_eq!(accounts.history("alice@example.com").len(), 1);
}

#[test]
fn a_list_is_by_the_page_and_plain_in_a_pipe() {
    let accounts = Accounts::new("user_list");
    let lines: Vec<_> =
        (0..7).map(|at| format!("{{\"email\":\"user{at}@example.com\",\"role\":\"viewer\"}}\n")).collect();
    let users = accounts.file("users.jsonl", &lines.concat());
    accounts.run_with(["user", "import", users.to_str().unwrap()], "").ok();
    let page = accounts.run("user list --page 3 --per-page 3 --json").json();
    assert_eq!((&page["total"], &page["pages"], &page["page"]), (&8.into(), &3.into(), &3.into()));
    assert_eq!(page["users"].as_array().unwrap().len(), 2);
    let plain = accounts.run("user list --per-page 2").ok();
    let rows: Vec<Vec<_>> = plain.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(
        (rows.len(), rows[1].len(), rows[1][1], rows[1][2], rows[1][3]),
        (2, 6, "user0@example.com", "viewer", "active")
    );
    let admins = accounts.run("user list --role admin --status active --json").json();
    assert_eq!(admins["users"][0]["email"], "admin@example.com");
    assert_eq!(accounts.run("user list --search USER3 --json").json()["total"], 1);
    assert_eq!(accounts.run("user list --page 99").ok(), "");
    accounts.run("user list --page 0").fails(2, "--page");
    accounts.run("user list --per-page 1001").fails(2, "--per-page");
}

#[test]
fn an_export_has_everything_but_the_hash() {
    let accounts = Accounts::new("user_export");
    let id = accounts.add("alice@example.com", "viewer");
    accounts.run("user consent give alice@example.com --purpose newsletter --text-version 7").ok();
    let export = accounts.run("user export alice@example.com").ok();
    assert!(!export.contains("$argon2"), "{export}");
    let export: serde_json::Value = serde_json::from_str(&export).unwrap();
    assert_eq!((&export["user"]["id"], &export["user"]["email"]), (&id.into(), &"alice@example.com".into()));
    assert_eq!(export["password"], "argon2id m=64,t=1,p=1");
    assert_eq!(
        (export["history"].as_array().unwrap().len(), &export["consents"][0]["purpose"]),
        (2, &"newsletter".into())
    );

    let out = accounts.path("all.jsonl");
    accounts.run_with(["user", "export", "--all", "--out", out.to_str().unwrap()], "").ok();
    let all = std::fs::read_to_string(&out).unwrap();
    assert_eq!(all.lines().count(), 2);
    assert!(all.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
    accounts.run_with(["user", "export", "--all", "--out", out.to_str().unwrap()], "").fails(4, "exists already");
    assert_eq!(accounts.run("user export --all").ok(), all.trim_end());
    accounts.run("user export").fails(2, "USER");
}

#[test]
fn inactive_users_are_forgotten_only_when_somebody_says_so() {
    let accounts = Accounts::new("user_prune");
    accounts.add("alice@example.com", "viewer");
    let none = accounts.run("user prune --inactive 730d --yes --json").json();
    assert_eq!(none["erased"], 0, "they are too new");
    accounts.run("user prune --inactive 1h --yes").fails(2, "at least a day");
    accounts.run("user prune --inactive 730").fails(2, "730d");
    accounts.run("user erase alice@example.com").fails(2, "--yes");
    accounts.run("user show alice@example.com").ok();
}
