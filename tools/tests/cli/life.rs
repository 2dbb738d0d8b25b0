//! The whole life of an account, by the command line alone.

use serde_json::{Value, json};

use crate::accounts::{Accounts, PASSWORD};
use crate::sign_in::Tokens;

const ALICE: &str = "alice@example.com";

#[test]
fn an_account_lives_and_is_forgotten() {
    // First run: store, keys, first administrator; and no second time.
    let accounts = Accounts::new("whole_life");
    accounts.ask_with(["init", "admin@example.com"], PASSWORD).fails(4, "exists already");

    // Added, and given another role.
    let add = ["user", "add", ALICE, "--role", "viewer", "--name", "Alice", "--reason", "new here", "--json"];
    let added = accounts.ask_with(add, PASSWORD).json();
    let id = added["id"].as_str().unwrap().to_owned();
    accounts.ask(["user", "set-role", ALICE, "editor", "--reason", "writes now"]).ok();

    // Signs in with a password, then with a second factor too.
    let claims = accounts.tokens(ALICE, PASSWORD).claims();
    assert_eq!((&claims["sub"], &claims["role"], &claims["amr"]), (&json!(id), &json!("editor"), &json!(["pwd"])));
    let (app, _) = accounts.second_factor(ALICE);
    assert_eq!(accounts.login(ALICE, PASSWORD).code, 1, "a password is not enough any more");
    let first = accounts.tokens(ALICE, &format!("{PASSWORD}\n{}", app.code(30)));
    assert_eq!(first.claims()["amr"], json!(["pwd", "otp"]));

    // Refreshes; a stolen token is noticed when it is used.
    let second = Tokens(accounts.refresh(first.refresh()).json());
    assert_eq!(second.claims()["auth_time"], first.claims()["auth_time"]);
    let reuse = accounts.refresh(first.refresh());
    assert!(reuse.code == 1 && reuse.stderr.contains("used before"), "{reuse:?}");
    assert_eq!(accounts.refresh(second.refresh()).code, 1, "the whole family is revoked");

    // Disabled: no sign-in, and no word that would tell it from a wrong password.
    accounts.ask(["user", "disable", ALICE, "--reason", "left us"]).ok();
    let disabled = accounts.login(ALICE, PASSWORD);
    let nobody = accounts.login("nobody@example.com", PASSWORD);
    assert_eq!((disabled.code, &disabled.stdout, &disabled.stderr), (1, &nobody.stdout, &nobody.stderr));

    // Who did what, when and why, read back.
    let history = accounts.ask(["user", "history", ALICE, "--json"]).json();
    let versions = history["versions"].as_array().unwrap();
    let told: Vec<(&str, &Value)> =
        versions.iter().map(|version| (version["action"].as_str().unwrap(), &version["reason"])).collect();
    let why = |reason: &str| Value::from(reason);
    assert_eq!(
        told.iter().map(|(action, reason)| (*action, (*reason).clone())).collect::<Vec<_>>(),
        [
            ("add", why("new here")),
            ("set_role", why("writes now")),
            ("enroll_totp", Value::Null),
            ("confirm_totp", Value::Null),
            ("revoke_family", why("a refresh token was used a second time")),
            ("disable", why("left us")),
        ],
        "{history}"
    );
    for version in versions {
        assert!(version["actor"].as_str().is_some_and(|actor| !actor.is_empty()), "{version}");
    }

    // Everything that is held about her; then nothing is.
    let export = accounts.ask(["user", "export", ALICE]).json();
    let text = export.to_string();
    assert!(text.contains(ALICE) && text.contains("sign_in"), "{text}");
    assert!(!text.contains("$argon2") && !text.contains("rt_"), "what lets in is not personal data: {text}");
    accounts.ask(["user", "erase", ALICE, "--yes", "--reason", "asked to be forgotten"]).ok();
    accounts.ask(["user", "show", ALICE]).fails(1, "no such user");
    let erased = accounts.login(ALICE, &format!("{PASSWORD}\n{}", app.code(60)));
    assert_eq!((erased.code, &erased.stderr), (1, &nobody.stderr));
    let after = accounts.ask(["user", "history", &id, "--json"]).json().to_string();
    assert!(!after.contains(ALICE) && !after.contains("Alice") && after.contains("erase"), "{after}");
}
