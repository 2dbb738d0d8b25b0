//! Signing in, refreshing and signing out.

use std::process::{Child, Stdio};

use serde_json::json;

use crate::accounts::{Accounts, PASSWORD};
use crate::sign_in::Tokens;
use crate::support::{Outcome, directory, file, finish, run_with};

const ALICE: &str = "alice@example.com";

#[test]
fn a_sign_in_prints_what_an_oauth_token_endpoint_answers() {
    let accounts = Accounts::with("login_json", ALICE, "editor");
    let Tokens(answer) = accounts.tokens(ALICE, PASSWORD);
    let mut members: Vec<&String> = answer.as_object().unwrap().keys().collect();
    members.sort();
    assert_eq!(members, ["access_token", "expires_in", "refresh_token", "token_type"], "RFC 6749 section 5.1");
    assert_eq!((&answer["token_type"], &answer["expires_in"]), (&json!("Bearer"), &json!(1800)));
}

#[test]
fn the_access_token_says_who_what_when_and_how() {
    let accounts = Accounts::with("login_claims", ALICE, "editor");
    let id = accounts.ask(["user", "show", ALICE, "--json"]).json()["id"].clone();
    let claims = accounts.tokens(ALICE, PASSWORD).claims();
    let number = |name: &str| claims[name].as_i64().unwrap();
    assert_eq!((&claims["sub"], &claims["role"], &claims["amr"]), (&id, &json!("editor"), &json!(["pwd"])));
    assert_eq!(number("exp") - number("iat"), 1800, "half an hour");
    assert_eq!(number("auth_time"), number("iat"));
    assert!(claims["jti"].as_str().unwrap().len() >= 22, "{claims}");
    assert_eq!(claims.as_object().unwrap().len(), 7, "and nothing more, least of all personal data: {claims}");
    assert_ne!(accounts.tokens(ALICE, PASSWORD).claims()["jti"], claims["jti"]);

    let options = ["--iss", "https://issuer.example.com", "--aud", "a", "--aud", "b", "--ttl", "5m"];
    let arguments = ["login", ALICE, "--json"].iter().chain(&options).copied();
    let claims = Tokens(accounts.ask_with(arguments, PASSWORD).json()).claims();
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!("https://issuer.example.com"), &json!(["a", "b"])));
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 300);
}

#[test]
fn without_json_each_token_has_a_line() {
    let accounts = Accounts::with("login_lines", ALICE, "viewer");
    let printed = accounts.ask_with(["login", ALICE], PASSWORD).ok();
    let [access, refresh] = printed.lines().collect::<Vec<_>>()[..] else { panic!("{printed}") };
    assert_eq!(run_with(["token", "verify", "--secret-env", "SECRET_KEY"], access).code, 0);
    assert!(refresh.starts_with("rt_"), "{printed}");
    let again = accounts.ask_with(["token", "refresh"], &printed).ok();
    assert_eq!(again.lines().count(), 2, "what was printed can be given back as it is: {again}");
}

#[test]
fn the_key_is_the_one_that_is_named_else_what_init_made() {
    let accounts = Accounts::with("login_keys", ALICE, "viewer");
    let key = accounts.ask(["key", "generate", "--algorithm", "EdDSA", "--out", "private.pem"]);
    assert_eq!(key.code, 0, "{key:?}");
    let jwks = accounts.ask(["key", "jwks", "private.pem"]).ok();
    let jwks = file(&accounts.directory, "jwks.json", &jwks);
    let printed = accounts.ask_with(["login", ALICE, "--key", "private.pem"], PASSWORD).ok();
    let access = printed.lines().next().unwrap();
    run_with(["token", "verify", "--jwks", jwks.to_str().unwrap()], access).ok();

    let mut command = accounts.here(["login", ALICE]);
    command.env_remove("SECRET_KEY");
    let printed = finish(command, PASSWORD.as_bytes()).ok();
    let secret = accounts.directory.join("secret.key");
    run_with(["token", "verify", "--secret-file", secret.to_str().unwrap()], printed.lines().next().unwrap()).ok();

    std::fs::remove_file(secret).unwrap();
    let mut command = accounts.here(["login", ALICE]);
    command.env_remove("SECRET_KEY");
    finish(command, PASSWORD.as_bytes()).fails(2, "no key to sign with");
    accounts.ask_with(["login", ALICE, "--ttl", "0s"], PASSWORD).fails(2, "would expire as it is issued");
    accounts.ask_with(["login", ALICE, "--refresh-ttl", "400d"], PASSWORD).fails(2, "at most");
}

/// The answer to whatever is wrong, which tells nothing apart.
fn refused(outcome: Outcome) -> (String, String) {
    assert_eq!(outcome.code, 1, "{outcome:?}");
    (outcome.stdout, outcome.stderr)
}

#[test]
fn whatever_is_wrong_has_the_same_answer() {
    let accounts = Accounts::with("login_refused", ALICE, "editor");
    accounts.add("bob@example.com", "viewer");
    accounts.ask(["user", "disable", "bob@example.com"]).ok();
    accounts.add("carol@example.com", "viewer");
    let (app, _) = accounts.second_factor("carol@example.com");
    let answer = refused(accounts.login(ALICE, "a wrong password"));
    assert_eq!(
        answer.1.lines().next(),
        Some("error: the e-mail address, the password or the code is wrong"),
        "{}",
        answer.1
    );
    let wrong = format!("{PASSWORD}\n{}", app.wrong());
    for (email, lines, why) in [
        ("nobody@example.com", PASSWORD, "nobody has the address"),
        ("", PASSWORD, "no address"),
        ("no address", PASSWORD, "not an address"),
        ("' OR 1=1 --", PASSWORD, "SQL"),
        ("alice@example.com' --", PASSWORD, "SQL after an address"),
        (ALICE, "", "no password"),
        (ALICE, "Correct horse battery", "another case"),
        (ALICE, "correct horse battery ", "a space more"),
        ("bob@example.com", PASSWORD, "a disabled account"),
        ("bob@example.com", "a wrong password", "a disabled account, and a wrong password"),
        ("carol@example.com", PASSWORD, "no code"),
        ("carol@example.com", &*wrong, "a wrong code"),
        ("carol@example.com", "a wrong password\n123456", "a wrong password and a code"),
    ] {
        assert_eq!(refused(accounts.login(email, lines)), answer, "{why}");
    }
    let text = accounts.ask_with(["login", ALICE], "a wrong password");
    text.fails(1, &answer.1);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&answer.0).unwrap()["error"], "invalid_grant");
    accounts.login(" Alice@Example.COM ", PASSWORD).ok();
}

#[test]
fn a_refresh_token_works_once_and_gives_the_next() {
    let accounts = Accounts::with("refresh_once", ALICE, "editor");
    let first = accounts.tokens(ALICE, PASSWORD);
    let second = Tokens(accounts.refresh(first.refresh()).json());
    let third = Tokens(accounts.refresh(second.refresh()).json());
    assert_ne!(first.refresh(), second.refresh());
    let (before, after) = (first.claims(), third.claims());
    for claim in ["sub", "auth_time", "amr", "role"] {
        assert_eq!(after[claim], before[claim], "{claim}");
    }
    assert_ne!(after["jti"], before["jti"]);
    accounts.ask(["user", "set-role", ALICE, "admin", "viewer"]).ok();
    let fourth = Tokens(accounts.refresh(third.refresh()).json());
    assert_eq!(fourth.claims()["role"], json!(["admin", "viewer"]), "roles as of now");
}

#[test]
fn a_refresh_token_that_is_used_again_ends_its_sign_in_and_no_other() {
    let accounts = Accounts::with("refresh_reuse", ALICE, "editor");
    let other = accounts.tokens(ALICE, PASSWORD);
    let first = accounts.tokens(ALICE, PASSWORD);
    let second = Tokens(accounts.refresh(first.refresh()).json());
    let third = Tokens(accounts.refresh(second.refresh()).json());

    let reused = accounts.refresh(first.refresh());
    assert_eq!(reused.code, 1, "{reused:?}");
    assert!(reused.stderr.contains("used before"), "{reused:?}");
    assert!(reused.stdout.contains("invalid_grant") && !reused.stdout.contains("rt_"), "{reused:?}");
    for (token, which) in [(&third, "the last one"), (&second, "the one before"), (&first, "the first")] {
        assert_eq!(accounts.refresh(token.refresh()).code, 1, "{which}");
    }
    assert_eq!(accounts.actions(ALICE), ["add", "revoke_family"], "once, however often it is tried");
    accounts.refresh(other.refresh()).json();
}

#[test]
fn of_several_with_one_token_one_is_served() {
    let accounts = Accounts::with("refresh_race", ALICE, "editor");
    for round in 0..5 {
        let token = accounts.tokens(ALICE, PASSWORD);
        let start = |_| {
            let mut command = accounts.here(["token", "refresh", "--env", "TOKEN", "--json"]);
            command.env("TOKEN", token.refresh()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
            command.spawn().unwrap()
        };
        let racing: Vec<Child> = (0..4).map(start).collect();
        let ended: Vec<_> = racing.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
        let codes: Vec<i32> = ended.iter().map(|output| output.status.code().unwrap()).collect();
        assert_eq!(codes.iter().filter(|code| **code == 0).count(), 1, "round {round}: {ended:?}");
        assert!(codes.iter().all(|code| matches!(code, 0 | 1)), "round {round}: {ended:?}");
        let served = ended.iter().find(|output| output.status.success()).unwrap();
        let next = Tokens(serde_json::from_slice(&served.stdout).unwrap());
        assert_eq!(accounts.refresh(next.refresh()).code, 1, "round {round}: the others were reuse");
    }
}

#[test]
fn what_is_no_refresh_token_ends_nothing() {
    let accounts = Accounts::with("refresh_garbage", ALICE, "editor");
    let token = accounts.tokens(ALICE, PASSWORD);
    let good = token.refresh();
    let swapped = format!("{}{}", &good[..good.len() - 1], if good.ends_with('0') { '1' } else { '0' });
    let elsewhere = Accounts::with("refresh_elsewhere", ALICE, "editor").tokens(ALICE, PASSWORD);
    for (text, why) in [
        ("", "nothing"),
        ("rt_", "a prefix"),
        (&good[..good.len() - 1], "shortened"),
        (&*swapped, "mistyped"),
        (token.access(), "an access token"),
        (elsewhere.refresh(), "another store's"),
        ("' OR 1=1 --", "SQL"),
    ] {
        let outcome = accounts.refresh(text);
        assert_eq!(outcome.code, 1, "{why}: {outcome:?}");
        assert!(!outcome.stderr.contains("rt_0") && !outcome.stdout.contains("rt_0"), "{why}");
    }
    accounts.ask_with(["logout"], &*swapped).fails(1, "no refresh token");
    accounts.refresh(good).json();
    accounts.ask(["token", "refresh", "--file", "no/such/file"]).fails(4, "cannot be read");
    accounts.ask(["token", "refresh", "--env", "PORTCULLIS_TEST_NEVER_SET"]).fails(4, "is not set");
}

#[test]
fn what_ends_a_user_ends_their_sign_ins() {
    let accounts = Accounts::with("refresh_ended", ALICE, "editor");
    let ends: [(&[&str], &str, &[&str]); 4] = [
        (&["user", "disable", ALICE], "", &["user", "enable", ALICE]),
        (&["user", "set-password", ALICE], PASSWORD, &[]),
        (&["logout", "--user", ALICE, "--reason", "lost laptop"], "", &[]),
        (&["user", "totp", "reset", ALICE, "--reason", "lost phone"], "", &[]),
    ];
    for (command, stdin, undo) in ends {
        let mut lines = PASSWORD.to_owned();
        if command.contains(&"totp") {
            let (app, _) = accounts.second_factor(ALICE);
            lines = format!("{PASSWORD}\n{}", app.code(30));
        }
        let token = accounts.tokens(ALICE, &lines);
        accounts.ask_with(command.iter().copied(), stdin).ok();
        if !undo.is_empty() {
            assert_eq!(accounts.refresh(token.refresh()).code, 1, "{command:?}");
            accounts.ask(undo.iter().copied()).ok();
        }
        assert_eq!(accounts.refresh(token.refresh()).code, 1, "{command:?}, undone");
        let next = accounts.tokens(ALICE, PASSWORD);
        let void = accounts.ask(["user", "show", ALICE, "--json"]).json()["tokens_void_before"].clone();
        let issued = moment(next.claims()["iat"].as_i64().unwrap());
        assert!(issued.as_str() >= void.as_str().unwrap_or_default(), "{command:?}: a new token is not void");
        accounts.refresh(next.refresh()).json();
    }
}

fn moment(seconds: i64) -> String {
    let moment = time::OffsetDateTime::from_unix_timestamp(seconds).unwrap();
    moment.format(&time::format_description::well_known::Rfc3339).unwrap()
}

#[test]
fn signing_out_ends_one_sign_in_or_all() {
    let accounts = Accounts::with("logout", ALICE, "editor");
    let [one, two, three] = [(); 3].map(|()| accounts.tokens(ALICE, PASSWORD));
    let said = accounts.ask_with(["logout"], one.refresh());
    assert!(said.stderr.starts_with("note: signed out"), "{said:?}");
    assert_eq!(said.ok(), "");
    assert_eq!(accounts.refresh(one.refresh()).code, 1);
    let again = accounts.ask_with(["logout", "--json"], one.refresh()).json();
    assert_eq!(again, json!({"ended": "none"}), "that it had ended is no error");

    let two = Tokens(accounts.refresh(two.refresh()).json());
    assert_eq!(accounts.ask_with(["logout", "--all", "--json"], two.refresh()).json(), json!({"ended": "all"}));
    assert_eq!(accounts.refresh(three.refresh()).code, 1);
    assert_eq!(accounts.actions(ALICE), ["add", "revoke_all"]);
    accounts.ask(["logout", "--user", "nobody@example.com"]).fails(1, "no such user");
    accounts.ask(["logout", "--user", ALICE, "--all"]).fails(2, "cannot be used with");
    accounts.ask(["logout", "--reason", "lost laptop"]).fails(2, "--user <USER>");
    for option in [&["--file", "token.txt"][..], &["--env", "TOKEN"], &["--all"]] {
        accounts
            .ask(["logout", "--reason", "lost laptop"].into_iter().chain(option.iter().copied()))
            .fails(2, "cannot be used with");
    }
}

#[test]
fn after_too_many_failures_the_right_password_is_wrong_too() {
    let accounts = Accounts::with("login_shut", ALICE, "editor");
    // The first wait is of a second, which a busy machine may need for the attempts alone: then it is tried anew.
    let shut = (0..6).any(|_| {
        let [.., answer] = [(); 12].map(|()| refused(accounts.login(ALICE, "a wrong password")));
        let right = accounts.login(ALICE, PASSWORD);
        right.code != 0 && refused(right) == answer
    });
    assert!(shut, "the right password, too, and by the same answer");
    accounts.login("admin@example.com", PASSWORD).ok();
    accounts.ask_with(["user", "set-password", ALICE], PASSWORD).ok();
    accounts.login(ALICE, PASSWORD).ok();
}

#[test]
fn who_failed_is_told_at_the_next_sign_in() {
    let accounts = Accounts::with("login_told", ALICE, "editor");
    for _ in 0..3 {
        refused(accounts.login(ALICE, "a wrong password"));
    }
    let outcome = accounts.login(ALICE, PASSWORD);
    assert!(outcome.stderr.contains("had failed 3 times since the last time"), "{outcome:?}");
    let outcome = accounts.login(ALICE, PASSWORD);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "and once");
}

#[test]
fn a_password_is_hashed_anew_when_hashes_cost_more() {
    let accounts = Accounts::with("login_rehash", ALICE, "editor");
    accounts.login(ALICE, PASSWORD).ok();
    assert_eq!(accounts.actions(ALICE), ["add"]);
    accounts.ask(["store", "cost", "--memory", "128"]).ok();
    refused(accounts.login(ALICE, "a wrong password"));
    assert_eq!(accounts.actions(ALICE), ["add"], "by nobody who does not know it");
    let first = accounts.tokens(ALICE, PASSWORD);
    accounts.login(ALICE, PASSWORD).ok();
    assert_eq!(accounts.actions(ALICE), ["add", "rehash_password"], "once");
    accounts.refresh(first.refresh()).json();
}

#[test]
fn an_imported_hash_is_replaced_at_the_first_sign_in() {
    let accounts = Accounts::new("login_import");
    // Of `U*U`, from the test vectors of crypt_blowfish.
    let bcrypt = "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
    accounts.file("users.csv", &format!("email,roles,password_hash\n{ALICE},viewer,{bcrypt}\n"));
    accounts.ask(["user", "import", "users.csv"]).ok();
    refused(accounts.login(ALICE, "U*V"));
    accounts.login(ALICE, "U*U").ok();
    assert_eq!(accounts.actions(ALICE), ["import", "rehash_password"]);
    let export = accounts.ask(["user", "export", ALICE]).json();
    assert_eq!(export["password"], "argon2id m=64,t=1,p=1", "{export}");
    accounts.login(ALICE, "U*U").ok();
}

#[test]
fn password_and_code_come_from_where_they_are_said_to() {
    let accounts = Accounts::with("login_inputs", ALICE, "editor");
    file(&accounts.directory, "password.txt", &format!("{PASSWORD}\n"));
    accounts.ask(["login", ALICE, "--file", "password.txt"]).ok();
    let mut command = accounts.here(["login", ALICE, "--env", "PASSWORD"]);
    command.env("PASSWORD", PASSWORD);
    finish(command, b"").ok();
    let (app, codes) = accounts.second_factor(ALICE);
    file(&accounts.directory, "code.txt", &format!("{}\n", app.code(30)));
    accounts.ask(["login", ALICE, "--file", "password.txt", "--otp-file", "code.txt"]).ok();
    let mut command = accounts.here(["login", ALICE, "--file", "password.txt", "--otp-env", "CODE"]);
    command.env("CODE", &codes[0]);
    finish(command, b"").ok();
    accounts.ask_with(["login", ALICE, "--file", "-"], format!("{PASSWORD}\n{}\n", codes[1])).ok();
    accounts.ask_with(["login", ALICE, "--otp-file", "-", "--file", "-"], "x").fails(2, "two things at once");
    accounts.ask_with(["login", ALICE, "--otp-file", "-"], "x").fails(2, "two things at once");
    accounts.ask_with(["login", ALICE], "one\ntwo\nthree\n").fails(3, "more than two lines");
    accounts.ask(["login"]).fails(2, "no e-mail address given");
}

#[test]
fn without_a_store_nobody_signs_in() {
    let accounts = Accounts { directory: directory("login_no_store") };
    accounts.login(ALICE, PASSWORD).fails(4, "no store");
    accounts.ask_with(["token", "refresh"], "rt_").fails(1, "no refresh token");
}
