//! `api-key`, and `token revoke`: what ends in the store.

use serde_json::Value;

use crate::accounts::{Accounts, contains};
use crate::support::{SECRET, run_with};

/// A key of a user: its text, and its id.
#[track_caller]
fn issue(accounts: &Accounts, options: &str) -> (String, String) {
    let key = accounts.run(&format!("api-key issue {options}")).ok();
    let id = key.strip_prefix("pk_").unwrap().split('_').next().unwrap().to_owned();
    (key, id)
}

fn keys(accounts: &Accounts) -> Vec<Value> {
    accounts.run("api-key list --json").json()["keys"].as_array().unwrap().clone()
}

fn token(claims: &[&str]) -> String {
    run_with(["token", "issue", "--sub", "alice", "--secret-env", "SECRET_KEY"].iter().chain(claims), "").ok()
}

#[test]
fn a_key_is_shown_once_and_kept_as_a_digest() {
    let accounts = Accounts::with("api_key_issue", "alice@example.com", "editor");
    let outcome = accounts.run("api-key issue --owner alice@example.com --cidr 192.0.2.0/24 --cidr 2001:db8::/32");
    let key = outcome.stdout.trim_end().to_owned();
    let (id, secret) = key.strip_prefix("pk_").unwrap().split_once('_').unwrap();
    assert_eq!((id.len(), secret.len(), outcome.stdout.lines().count()), (12, 43, 1), "the key, and nothing else");
    assert!(outcome.stderr.contains(id) && !outcome.stderr.contains(secret), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("192.0.2.0/24, 2001:db8::/32"), "{}", outcome.stderr);
    for kept in [secret, "192.0.2.0", "2001:db8"] {
        assert!(!contains(&accounts.bytes(), kept), "{kept} is in the store");
    }
    let listed = accounts.run("api-key list --json").ok();
    assert!(listed.contains(id) && !listed.contains(secret) && !listed.contains("secret"), "{listed}");

    let object = accounts.run("api-key issue --owner alice@example.com --role editor --no-expiry --json").json();
    assert!(object["key"].as_str().unwrap().starts_with(&format!("pk_{}_", object["id"].as_str().unwrap())));
    assert_eq!(
        (&object["roles"], &object["expires_at"], &object["cidrs"]),
        (&serde_json::json!(["editor"]), &Value::Null, &Value::Null)
    );
    let exported = accounts.run("user export alice@example.com").json();
    assert_eq!(exported["api_keys"].as_array().unwrap().len(), 2, "what is held about somebody");
    assert_eq!(exported["api_keys"][0]["cidrs"], serde_json::json!(["192.0.2.0/24", "2001:db8::/32"]));
}

#[test]
fn a_key_is_refused_where_it_would_be_too_much() {
    let accounts = Accounts::with("api_key_refused", "alice@example.com", "viewer");
    for (options, code, says) in [
        ("--owner nobody@example.com", 1, "no such user"),
        ("--owner alice@example.com --role admin", 1, "does not have all of these roles"),
        ("--owner alice@example.com --role root", 2, "must be one of"),
        ("--owner alice@example.com --cidr 10.1.2.3/8", 2, "`10.0.0.0/8`"),
        ("--owner alice@example.com --expires 1s", 2, "at least `1m`"),
        ("--owner alice@example.com --expires 90d --no-expiry", 2, "cannot be used with"),
        ("", 2, "--owner"),
    ] {
        accounts.run(&format!("api-key issue {options}")).fails(code, says);
    }
    accounts.run("user disable alice@example.com").ok();
    accounts.run("api-key issue --owner alice@example.com").fails(1, "disabled");
    assert!(keys(&accounts).is_empty());
}

#[test]
fn a_key_ends_when_it_is_told_to() {
    let accounts = Accounts::with("api_key_revoke", "alice@example.com", "editor");
    let (key, id) = issue(&accounts, "--owner alice@example.com");
    accounts.run(&format!("api-key revoke {key}")).fails(2, "no id of an API key");
    // There may be a `_` in it, too.
    let secret = key.splitn(3, '_').nth(2).unwrap();
    assert!(!accounts.run(&format!("api-key revoke {key}")).stderr.contains(secret), "it is not repeated");
    accounts.run("api-key revoke abcdefghij01").fails(1, "no such API key");
    assert_eq!(keys(&accounts)[0]["status"], "active");
    accounts.run(&format!("api-key revoke {id} --reason leaked")).ok();
    assert_eq!(keys(&accounts)[0]["status"], "revoked");
    accounts.run(&format!("api-key revoke {id}")).fails(1, "revoked already");
    accounts.run(&format!("api-key rotate {id}")).fails(1, "ended already");
    let history = accounts.history("alice@example.com");
    let told: Vec<_> = history.iter().map(|version| version["action"].as_str().unwrap()).collect();
    assert_eq!(told, ["add", "issue_api_key", "revoke_api_key"]);
    let last = history.last().unwrap();
    assert_eq!((&last["reason"], &last["extra"]["api_key"]), (&"leaked".into(), &id.into()));
    accounts.run("store check").ok();
}

#[test]
fn a_rotated_key_has_the_likeness_of_the_old_one_which_ends_later() {
    let accounts = Accounts::with("api_key_rotate", "alice@example.com", "editor");
    let (old_key, old) = issue(&accounts, "--owner alice@example.com --role editor --expires 30d --cidr 10.0.0.0/8");
    let rotated = accounts.run(&format!("api-key rotate {old} --overlap 2h --json")).json();
    assert_ne!(rotated["key"], old_key.as_str());
    assert_eq!(rotated["replaces"]["id"], old.as_str());
    let keys = keys(&accounts);
    for member in ["owner", "roles", "cidrs"] {
        assert_eq!(keys[0][member], keys[1][member], "{member}");
    }
    assert_eq!((&keys[0]["status"], &keys[1]["status"]), (&"active".into(), &"active".into()));
    assert!(keys[0]["expires_at"].as_str().unwrap() < keys[1]["expires_at"].as_str().unwrap());
    let (_, next) = issue(&accounts, "--owner alice@example.com --no-expiry");
    accounts.run(&format!("api-key rotate {next} --overlap 0s")).ok();
    let list = accounts.run("api-key list --owner alice@example.com").ok();
    let line = list.lines().find(|line| line.starts_with(&next)).unwrap();
    assert!(line.contains("expired"), "at once: {line}");
}

#[test]
fn an_erased_owner_takes_the_keys_along() {
    let accounts = Accounts::with("api_key_erase", "alice@example.com", "editor");
    let (_, id) = issue(&accounts, "--owner alice@example.com");
    accounts.run("user disable alice@example.com").ok();
    assert_eq!(keys(&accounts)[0]["status"], "owner disabled");
    accounts.run("user erase alice@example.com --yes").ok();
    assert!(keys(&accounts).is_empty());
    accounts.run(&format!("api-key revoke {id}")).fails(1, "no such API key");
}

#[test]
fn a_single_token_is_revoked_by_itself_or_by_its_id() {
    let accounts = Accounts::new("token_revoke");
    let revoke = |token: &str, options: &[&str]| {
        accounts.run_with(["token", "revoke", "--token-file", "-"].iter().chain(options), token)
    };
    let good = token(&[]);
    let object = revoke(&good, &["--json"]).json();
    let jti = object["jti"].as_str().unwrap().to_owned();
    assert!(object["expires_at"].is_string());
    revoke(&good, &[]).fails(1, "revoked already");
    assert!(!contains(&accounts.bytes(), &jti), "the store has no more than a digest");
    revoke(&token(&["--no-jti"]), &[]).fails(3, "no `jti`");
    revoke(&token(&["--at", "1000000000"]), &[]).fails(1, "expired already");
    revoke("nonsense", &[]).fails(3, "not a JSON Web Token");

    accounts.run(&format!("token unrevoke --jti {jti}")).ok();
    accounts.run(&format!("token unrevoke --jti {jti}")).fails(1, "not revoked");
    accounts.run(&format!("token revoke --jti {jti} --expires 2100-01-01T00:00:00Z")).ok();
    accounts.run_with(["token", "unrevoke", "--token-file", "-"], &good).ok();
    for (options, code, says) in [
        ("--jti a", 2, "--expires"),
        ("--jti a --expires 2107-01-01T00:00:00Z", 2, "2106"),
        ("--jti a --expires soon", 2, "RFC 3339"),
        ("", 2, "required"),
        ("--jti a --expires 1 --user alice@example.com", 2, "cannot be used with"),
        ("--jti a --expires 4000000000 --before now", 2, "cannot be used with"),
        ("--jti a --expires 4000000000 --reason b", 2, "cannot be used with"),
    ] {
        accounts.run(&format!("token revoke {options}")).fails(code, says);
    }
    // A secret goes by file or standard input, never by argument.
    assert!(!accounts.run("token revoke --help").ok().contains("--token "), "{SECRET}");
}

#[test]
fn all_tokens_of_a_user_from_before_a_moment_are_void() {
    let accounts = Accounts::with("token_revoke_user", "alice@example.com", "editor");
    let revoke = |options: &str| accounts.run(&format!("token revoke --user alice@example.com {options}"));
    let void = || accounts.run("user show alice@example.com --json").json()["tokens_void_before"].clone();
    assert_eq!(void(), Value::Null);
    revoke("--before 2026-11-01T00:00:00Z --reason stolen").ok();
    assert_eq!(void(), "2026-11-01T00:00:00Z");
    revoke("--before 2026-10-01T00:00:00Z").fails(1, "void already");
    revoke("--before 2100-01-01T00:00:00Z").fails(1, "yet to come");
    let tokens = accounts.login("alice@example.com", "correct horse battery\n").json();
    let refresh = tokens["refresh_token"].as_str().unwrap();
    revoke("--json").json();
    assert!(void().as_str().unwrap() > "2026-11-01T00:00:00Z");
    let refused = accounts.ask_with(["token", "refresh"], refresh);
    assert_eq!(refused.code, 1, "{refused:?}");
    let history = accounts.history("alice@example.com");
    assert_eq!((&history[1]["action"], &history[1]["reason"]), (&"revoke_all".into(), &"stolen".into()));
    accounts.run("token revoke --user nobody@example.com").fails(1, "no such user");
}
