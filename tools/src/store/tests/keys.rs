//! API keys, revoked tokens, and the versions of the feed.

use super::*;
use crate::store::{KeptApiKey, RevokedToken, StoredApiKey};

const ID: &str = "abcdefghij01";

fn issue(store: &mut Store, owner: &str, id: &str, networks: &[&str]) -> Result<StoredApiKey, Error> {
    let networks: Vec<String> = networks.iter().map(|network| (*network).to_owned()).collect();
    let kept = KeptApiKey { id, secret: [7; 32], roles: None, networks: &networks, expires_at: Some(4_000_000_000) };
    let actor = actor();
    store.write(async |session| {
        let owner = session.find(&handle(owner)).await?;
        session.issue_api_key(&owner, &kept, &actor, Some("a script")).await
    })
}

fn key(store: &mut Store, id: &str) -> Result<StoredApiKey, Error> {
    store.read(async |session| session.find_api_key(id).await)
}

fn end(store: &mut Store, id: &str, at: Option<i64>) -> Result<StoredApiKey, Error> {
    let actor = actor();
    store.write(async |session| {
        let key = session.find_api_key(id).await?;
        session.end_api_key(&key, at, &actor, None).await
    })
}

#[test]
fn a_key_is_issued_ended_and_in_the_history_of_its_owner() {
    let (mut store, _) = store("api_key");
    let alice = add(&mut store, "alice@example.com", Role::Editor).unwrap();
    issue(&mut store, "alice@example.com", ID, &["10.0.0.0/8", "::1/128"]).unwrap();
    let kept = key(&mut store, ID).unwrap();
    assert_eq!((kept.owner, kept.secret, kept.networks.len()), (alice.id, [7; 32], 2));
    assert!(kept.is_good(kept.created_at) && !kept.is_good(4_000_000_000));
    let sooner = end(&mut store, ID, Some(kept.created_at + 60)).unwrap();
    assert_eq!(sooner.expires_at, Some(kept.created_at + 60));
    let later = end(&mut store, ID, Some(kept.created_at + 90)).unwrap();
    assert_eq!(later.expires_at, Some(kept.created_at + 60), "an end is never put off");
    assert!(end(&mut store, ID, None).unwrap().revoked_at.is_some());
    assert!(matches!(end(&mut store, ID, None).unwrap_err(), Error::Refused(..)), "once is enough");
    assert!(!key(&mut store, ID).unwrap().is_good(0));
    assert!(matches!(key(&mut store, "abcdefghij02").unwrap_err(), Error::Refused(..)));
    let user = find(&mut store, "alice@example.com").unwrap();
    let history = store.read(async |session| session.history(&user).await).unwrap();
    let told: Vec<_> = history.iter().map(|version| version.action.as_str()).collect();
    assert_eq!(told, ["add", "issue_api_key", "rotate_api_key", "rotate_api_key", "revoke_api_key"]);
    assert_eq!(history[1].extra, Some(serde_json::json!({"api_key": ID})));
    assert!(store.check(|_, _| ()).unwrap().is_good());
}

#[test]
fn nobody_gets_more_than_they_have() {
    let (mut store, _) = store("api_key_refused");
    add(&mut store, "alice@example.com", Role::Editor).unwrap();
    let actor = actor();
    let admin = Roles::new([Role::Admin]);
    let kept = KeptApiKey { id: ID, secret: [7; 32], roles: admin.as_ref(), networks: &[], expires_at: None };
    let refused = store.write(async |session| {
        let owner = session.find(&handle("alice@example.com")).await?;
        session.issue_api_key(&owner, &kept, &actor, None).await
    });
    assert!(matches!(refused.unwrap_err(), Error::Refused(cause, _) if cause.contains("roles")));
    store
        .write(async |session| {
            let user = session.find(&handle("alice@example.com")).await?;
            let mut change = Change::new(Action::Disable, &actor, None);
            change.status = Some(Status::Disabled);
            session.change(&user, change).await
        })
        .unwrap();
    assert!(
        matches!(issue(&mut store, "alice@example.com", ID, &[]), Err(Error::Refused(cause, _)) if cause.contains("disabled"))
    );
}

#[test]
fn a_key_is_never_edited_or_deleted_by_hand() {
    let (mut store, _) = store("api_key_triggers");
    add(&mut store, "alice@example.com", Role::Editor).unwrap();
    add(&mut store, "mallory@example.com", Role::Viewer).unwrap();
    issue(&mut store, "alice@example.com", ID, &["10.0.0.0/8"]).unwrap();
    for (what, sql) in [
        ("a key", "DELETE FROM api_keys"),
        ("an owner", "UPDATE api_keys SET slot = 1, version = version + 1"),
        ("a secret", "UPDATE api_keys SET secret = randomblob(32), version = version + 1"),
        ("a role", "UPDATE api_keys SET roles = 'admin', version = version + 1"),
        ("networks", "UPDATE api_keys SET networks = NULL, version = version + 1"),
        ("a later end", "UPDATE api_keys SET expires_at = expires_at + 1, version = version + 1"),
        ("no end", "UPDATE api_keys SET expires_at = NULL, version = version + 1"),
        ("no version", "UPDATE api_keys SET expires_at = created_at"),
    ] {
        assert!(by_hand(&mut store, sql).is_err(), "{what}");
    }
    end(&mut store, ID, None).unwrap();
    let undone = by_hand(&mut store, "UPDATE api_keys SET revoked_at = NULL, version = version + 1");
    assert!(undone.is_err(), "a revocation");
}

#[test]
fn a_key_that_somebody_made_or_widened_by_hand_is_found_out() {
    for (what, edit) in [
        ("an owner", "UPDATE api_keys SET slot = 1"),
        ("a secret", "UPDATE api_keys SET secret = zeroblob(32)"),
        ("roles", "UPDATE api_keys SET roles = 'editor'"),
        ("networks", "UPDATE api_keys SET networks = NULL"),
        ("an end", "UPDATE api_keys SET expires_at = NULL"),
        (
            "a key",
            "INSERT INTO api_keys SELECT 9, 'abcdefghij09', secret, slot, roles, NULL, created_at, NULL, NULL, version, actor \
             FROM api_keys",
        ),
    ] {
        let (mut store, _) = store("api_key_by_hand");
        add(&mut store, "alice@example.com", Role::Editor).unwrap();
        add(&mut store, "mallory@example.com", Role::Viewer).unwrap();
        issue(&mut store, "alice@example.com", ID, &["10.0.0.0/8"]).unwrap();
        by_hand(&mut store, "DROP TRIGGER api_keys_are").unwrap();
        assert_eq!(by_hand(&mut store, edit), Ok(1), "{what}");
        let all = store.read(async |session| session.api_keys_after(0, 10).await);
        assert!(matches!(all, Err(Error::Damaged(_))), "{what}");
        assert!(!store.check(|_, _| ()).unwrap().is_good(), "{what}");
    }
}

#[test]
fn erasing_somebody_takes_their_keys_along() {
    let (mut store, directory) = store("api_key_erased");
    let alice = add(&mut store, "alice@example.com", Role::Editor).unwrap();
    add(&mut store, "bob@example.com", Role::Editor).unwrap();
    issue(&mut store, "alice@example.com", ID, &["192.0.2.7/32"]).unwrap();
    issue(&mut store, "bob@example.com", "abcdefghij02", &[]).unwrap();
    let copy = directory.join("copy.db");
    std::fs::write(&copy, "").unwrap();
    store.backup(&copy).unwrap();
    let actor = actor();
    store
        .write(async |session| {
            let user = session.find(&Handle::Id(alice.id)).await?;
            session.erase(&user, &Change::new(Action::Erase, &actor, None)).await
        })
        .unwrap();
    store.destroy_keys().unwrap();
    assert!(key(&mut store, ID).is_err());
    key(&mut store, "abcdefghij02").unwrap();
    close(store);

    // In a backup from before, the key is there, and worth nothing.
    for suffix in ["-wal", "-shm"] {
        let _absent = std::fs::remove_file(directory.join(format!("store.db{suffix}")));
    }
    std::fs::copy(&copy, directory.join("store.db")).unwrap();
    let mut store = Store::open(location(&directory)).unwrap();
    let left = key(&mut store, ID).unwrap();
    assert!(left.is_left_over && left.networks.is_empty());
    let subjects = store.read(async |session| session.subjects_after(-1, 10).await).unwrap();
    assert_eq!(subjects.iter().map(|user| user.status).collect::<Vec<_>>(), [Status::Erased, Status::Active]);
    assert_eq!(store.repair(&actor).unwrap(), 1);
    assert!(key(&mut store, ID).is_err());
}

#[test]
fn keys_are_listed_by_the_page_and_by_owner() {
    let (mut store, _) = store("api_key_pages");
    add(&mut store, "alice@example.com", Role::Editor).unwrap();
    let bob = add(&mut store, "bob@example.com", Role::Editor).unwrap();
    for at in 0..5 {
        let owner = if at == 3 { "bob@example.com" } else { "alice@example.com" };
        issue(&mut store, owner, &format!("abcdefghij1{at}"), &[]).unwrap();
    }
    let mut page = |owner, limit, offset| {
        let (keys, total) = store.read(async |session| session.list_api_keys(owner, limit, offset).await).unwrap();
        (keys.iter().map(|key| key.id.clone()).collect::<Vec<_>>(), total)
    };
    assert_eq!(page(None, 2, 2), (vec!["abcdefghij12".to_owned(), "abcdefghij13".to_owned()], 5));
    assert_eq!(page(Some(bob.slot), 2, 0), (vec!["abcdefghij13".to_owned()], 1));
    assert_eq!(page(None, 10, 10), (vec![], 5));
}

#[test]
fn keys_open_after_the_store_has_new_ones() {
    let (mut store, _) = store("api_key_rotated");
    add(&mut store, "alice@example.com", Role::Editor).unwrap();
    issue(&mut store, "alice@example.com", ID, &["10.0.0.0/8"]).unwrap();
    store.rotate(None, |_, _| ()).unwrap();
    assert_eq!(key(&mut store, ID).unwrap().networks, ["10.0.0.0/8"]);
}

#[test]
fn a_revoked_token_is_kept_until_it_would_have_expired() {
    let (mut store, _) = store("revoked");
    let token = |at: u8, expires_at| RevokedToken { digest: [at; 16], expires_at };
    let mut revoke = |token| store.write(async |session| session.revoke_token(token).await).unwrap();
    assert!(revoke(token(2, 1_000_000)));
    assert!(revoke(token(1, 4_000_000_000)), "and the one before, long expired, is forgotten");
    assert!(!revoke(token(1, 4_000_000_001)), "again");
    assert!(!revoke(token(1, 4_000_000_000)));
    let all = |store: &mut Store| store.read(async |session| session.revoked_after(&[], 10).await).unwrap();
    assert_eq!(all(&mut store), [token(1, 4_000_000_001)], "the later expiry counts");
    assert!(store.write(async |session| session.unrevoke_token([1; 16]).await).unwrap());
    assert!(!store.write(async |session| session.unrevoke_token([1; 16]).await).unwrap());
    assert_eq!(all(&mut store), []);
}

#[test]
fn the_version_of_the_feed_never_goes_back() {
    let (mut store, _) = store("feed_version");
    let mut next = |wanted| store.write(async |session| session.next_feed_version(wanted).await).unwrap();
    assert_eq!([next(100), next(50), next(101), next(102), next(500)], [100, 101, 102, 103, 500]);
    for sql in ["UPDATE feed SET version = 499", "UPDATE feed SET version = 500", "DELETE FROM feed"] {
        assert!(by_hand(&mut store, sql).is_err(), "{sql}");
    }
}

#[test]
fn tokens_from_before_a_moment_are_void() {
    let (mut store, _) = store("void_before");
    add(&mut store, "alice@example.com", Role::Editor).unwrap();
    let actor = actor();
    let mut void = |moment| {
        let done = store.write(async |session| {
            let user = session.find(&handle("alice@example.com")).await?;
            let mut change = Change::new(Action::RevokeAll, &actor, None);
            change.void_tokens_before = Some(moment);
            session.change(&user, change).await
        });
        done.unwrap().tokens_void_before
    };
    assert_eq!([void(1000), void(500), void(2000)], [1000, 1000, 2000], "it never goes back");
    let subjects = store.read(async |session| session.subjects_after(-1, 10).await).unwrap();
    assert_eq!(subjects[0].tokens_void_before, 2000);
}

#[test]
fn a_step_of_the_schema_that_was_left_out_is_made_up_for() {
    let (mut store, directory) = store("skipped");
    for table in ["recovery_codes", "second_factors", "sessions", "failed_sign_ins", "sign_ins"] {
        by_hand(&mut store, &format!("DROP TABLE {table}")).unwrap();
    }
    for trigger in ["failed_sign_ins_forgiven", "sign_in_erased"] {
        by_hand(&mut store, &format!("DROP TRIGGER {trigger}")).unwrap();
    }
    by_hand(&mut store, "DELETE FROM _sqlx_migrations WHERE version = 2").unwrap();
    close(store);
    let mut store = Store::open(location(&directory)).unwrap();
    let user = add(&mut store, "alice@example.com", Role::Editor).unwrap();
    assert!(store.read(async |session| session.families(user.slot).await).unwrap().is_empty());
    by_hand(&mut store, "UPDATE _sqlx_migrations SET version = 999 WHERE version = 2").unwrap();
    close(store);
    assert_eq!(Store::open(location(&directory)).err(), Some(Error::Newer), "one that this command does not know");
}
