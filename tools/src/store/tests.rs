use std::path::{Path, PathBuf};

use sqlx::{AssertSqlSafe, Connection, Row};

use super::{
    Action, Change, Details, Email, Error, Filter, Handle, Location, NewUser, Role, Roles, Status, Store, User,
    api_keys, check, consents, erase, failures, families, feed, open, revoked, rotate, second_factor, settings,
    sign_ins, users,
};
use crate::actor::Actor;
use crate::password::Cost;
use crate::store::error::KeysError;

mod keys;

const CHEAP: Cost = Cost { memory: 64, iterations: 1, parallelism: 1 };

/// A fresh directory for one test.
pub fn directory(test: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("portcullis-store-{}", std::process::id())).join(test);
    let _absent = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    path
}

fn location(directory: &Path) -> Location {
    Location { store: directory.join("store.db"), keys: directory.join("store.keys"), master: None }
}

fn store(test: &str) -> (Store, PathBuf) {
    let directory = directory(test);
    (Store::create(location(&directory), CHEAP).unwrap(), directory)
}

fn actor() -> Actor {
    Actor::test("carol")
}

fn email(text: &str) -> Email {
    text.parse().unwrap()
}

fn handle(text: &str) -> Handle {
    text.parse().unwrap()
}

fn add(store: &mut Store, address: &str, role: Role) -> Result<User, Error> {
    let (email, roles) = (email(address), Roles::new([role]).unwrap());
    let new = NewUser {
        id: None,
        email: &email,
        name: Some("Somebody"),
        notes: None,
        roles: &roles,
        status: Status::Active,
        password: Some("$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$c29tZXRhZzEyMzQ1Njc4"),
    };
    store.write(async |session| session.add(&new, &Change::new(Action::Add, &actor(), Some("hired"))).await)
}

fn find(store: &mut Store, text: &str) -> Result<User, Error> {
    store.read(async |session| session.find(&handle(text)).await)
}

/// Runs a statement by hand, as somebody with a shell of SQLite would.
fn by_hand(store: &mut Store, sql: &str) -> Result<u64, String> {
    let done = store.write(async |session| {
        Ok(sqlx::query(AssertSqlSafe(sql)).execute(&mut *session.connection).await.map(|done| done.rows_affected()))
    });
    done.unwrap().map_err(|error| error.to_string())
}

/// Lets go of the store's files. Dropped, a connection closes them in a thread of its own, some time later.
fn close(store: Store) {
    let Store { runtime, connection, .. } = store;
    runtime.block_on(connection.close()).unwrap();
}

#[test]
fn a_user_is_found_by_address_in_any_spelling_and_by_id() {
    let (mut store, directory) = store("found");
    let added = add(&mut store, "Alice@Example.com", Role::Editor).unwrap();
    for text in ["alice@example.com", "ALICE@EXAMPLE.COM", &added.id.to_string(), &added.id.simple().to_string()] {
        let user = find(&mut store, text).unwrap();
        assert_eq!((user.id, user.version, user.status), (added.id, 1, Status::Active), "{text}");
        assert_eq!(user.details.unwrap().email, "Alice@Example.com", "{text}");
    }
    assert_eq!(find(&mut store, "bob@example.com").unwrap_err(), Error::Unknown);
    assert_eq!(add(&mut store, "aLICE@example.com", Role::Viewer).unwrap_err(), Error::Taken);
    close(store);
    let mut store = Store::open(location(&directory)).unwrap();
    assert_eq!(find(&mut store, "alice@example.com").unwrap().id, added.id, "after it was opened again");
}

#[test]
fn every_change_is_a_version_and_none_is_ever_edited() {
    let (mut store, _) = store("versions");
    let user = add(&mut store, "alice@example.com", Role::Viewer).unwrap();
    let actor = actor();
    let changed = store
        .write(async |session| {
            let user = session.find(&handle("alice@example.com")).await?;
            let mut change = Change::new(Action::SetRole, &actor, Some("promoted"));
            change.roles = Roles::new([Role::Admin, Role::Editor]);
            let user = session.change(&user, change).await?;
            let mut change = Change::new(Action::Disable, &actor, None);
            (change.status, change.void_tokens) = (Some(Status::Disabled), true);
            session.change(&user, change).await
        })
        .unwrap();
    assert_eq!((changed.version, changed.roles.to_string().as_str()), (3, "admin,editor"));
    assert!(changed.tokens_void_before > changed.changed_at, "a token of this second is void too");
    let history = store.read(async |session| session.history(&changed).await).unwrap();
    let told: Vec<_> = history
        .iter()
        .map(|v| (v.number, v.action.as_str(), v.actor.as_str(), v.reason.as_deref(), v.status, v.roles.to_string()))
        .collect();
    assert_eq!(
        told,
        [
            (1, "add", "carol", Some("hired"), Status::Active, "viewer".to_owned()),
            (2, "set_role", "carol", Some("promoted"), Status::Active, "admin,editor".to_owned()),
            (3, "disable", "carol", None, Status::Disabled, "admin,editor".to_owned()),
        ]
    );
    let slot = user.slot;
    for (what, sql) in [
        ("a role", "UPDATE user_versions SET roles = 'admin' WHERE version = 1"),
        ("a reason", "UPDATE user_versions SET reason = NULL, details = NULL, password = NULL, extra = NULL"),
        ("a version", "DELETE FROM user_versions WHERE version = 3"),
        (
            "a gap",
            "INSERT INTO user_versions SELECT slot, 9, at, action, actor, reason, status, roles, tokens_void_before, \
            details, password, extra FROM user_versions WHERE version = 3",
        ),
        ("a user", "DELETE FROM users"),
        ("a status without a version", "UPDATE users SET status = 'active'"),
        ("a role without a version", "UPDATE users SET roles = 'viewer'"),
        (
            "an earlier version",
            "UPDATE users SET version = 1, roles = 'viewer', status = 'active', tokens_void_before = 0",
        ),
        ("an id", "UPDATE users SET id = '00000000-0000-4000-8000-000000000000'"),
        ("a role that is none", "UPDATE users SET roles = 'root'"),
    ] {
        assert!(by_hand(&mut store, sql).is_err(), "{what} of slot {slot}");
    }
    assert!(store.check(|_, _| ()).unwrap().is_good());
}

#[test]
fn a_role_that_somebody_gave_themselves_by_hand_is_found_out() {
    for (what, edit) in [
        ("a user", "UPDATE users SET roles = 'admin'"),
        ("a version", "UPDATE user_versions SET roles = 'admin'"),
        (
            "both",
            "UPDATE user_versions SET status = 'active', roles = 'admin'; UPDATE users SET status = 'active', roles = 'admin'",
        ),
        ("voided tokens", "UPDATE user_versions SET tokens_void_before = 9; UPDATE users SET tokens_void_before = 9"),
        ("another's version", "UPDATE user_versions SET details = (SELECT details FROM user_versions WHERE slot = 0)"),
        (
            "another's password",
            "UPDATE user_versions SET password = (SELECT password FROM user_versions WHERE slot = 0)",
        ),
        ("another's key", "UPDATE users SET wrapped_key = (SELECT wrapped_key FROM users WHERE slot = 0)"),
    ] {
        let (mut store, _) = store("by_hand");
        add(&mut store, "alice@example.com", Role::Viewer).unwrap();
        add(&mut store, "mallory@example.com", Role::Viewer).unwrap();
        for trigger in ["user_versions_are", "users_say_their_version"] {
            by_hand(&mut store, &format!("DROP TRIGGER {trigger}")).unwrap();
        }
        for statement in edit.split("; ") {
            assert!(by_hand(&mut store, statement).unwrap() > 0, "{what}");
        }
        match find(&mut store, "mallory@example.com") {
            Err(problem) => assert!(matches!(problem, Error::Damaged(_)), "{what}: {problem:?}"),
            Ok(user) => assert_eq!((what, user.roles.to_string().as_str()), ("a version", "viewer")),
        }
        assert!(!store.check(|_, _| ()).unwrap().is_good(), "{what}");
    }
}

#[test]
fn the_schema_refuses_what_no_user_is() {
    let (mut store, _) = store("constraints");
    add(&mut store, "alice@example.com", Role::Viewer).unwrap();
    let row = "INSERT INTO users (slot, id, version, status, roles, tokens_void_before, created_at, changed_at, active_at, epoch, \
        wrapped_key, email_index) VALUES ";
    let good =
        "(7, '00000000-0000-4000-8000-000000000000', 1, 'active', 'viewer', 0, 5, 5, 5, 1, x'00', randomblob(32))";
    for (what, from, to) in [
        ("a role that is none", "'viewer'", "'root'"),
        ("roles in another order", "'viewer'", "'viewer,admin'"),
        ("a status that is none", "'active'", "'dead'"),
        ("a short id", "'00000000-0000-4000-8000-000000000000'", "'7'"),
        ("an id that is no UUID", "'00000000-0000-4000-8000-000000000000'", "'00000000-0000-4000-8000-00000000000X'"),
        ("a short index", "randomblob(32)", "randomblob(31)"),
        ("no key", "x'00'", "NULL"),
        ("erased with a key", "'active'", "'erased'"),
        ("changed before it was made", "5, 5, 5", "5, 4, 5"),
        ("a slot that is none", "(7", "(-1"),
        ("a text for a number", "1, 'active'", "'one', 'active'"),
    ] {
        let sql = format!("{row}{}", good.replacen(from, to, 1));
        assert_ne!(sql, format!("{row}{good}"), "{what}");
        assert!(by_hand(&mut store, &sql).is_err(), "{what}");
    }
    assert_eq!(by_hand(&mut store, &format!("{row}{good}")), Ok(1), "the rows above fail for what they say");
}

#[test]
fn an_index_is_behind_every_statement() {
    let (mut store, _) = store("plans");
    for at in 0..50 {
        add(&mut store, &format!("user{at}@example.com"), Role::Viewer).unwrap();
    }
    let all = [
        api_keys::STATEMENTS,
        check::STATEMENTS,
        consents::STATEMENTS,
        erase::STATEMENTS,
        failures::STATEMENTS,
        families::STATEMENTS,
        feed::STATEMENTS,
        open::STATEMENTS,
        revoked::STATEMENTS,
        rotate::STATEMENTS,
        second_factor::STATEMENTS,
        settings::STATEMENTS,
        sign_ins::STATEMENTS,
        users::STATEMENTS,
        users::HISTORY_STATEMENTS,
        users::LIST_STATEMENTS,
        users::SUBJECT_STATEMENTS,
    ];
    let mut looked_at = 0;
    for (name, sql) in all.concat() {
        if sql.starts_with("PRAGMA") || sql.contains("sqlite_master") || sql.contains("_sqlx_migrations") {
            continue;
        }
        let plan = store
            .read(async |session| {
                let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
                let rows = sqlx::query(explain).fetch_all(&mut *session.connection).await?;
                Ok(rows.iter().map(|row| row.get::<String, _>("detail")).collect::<Vec<_>>())
            })
            .unwrap();
        looked_at += 1;
        for step in &plan {
            // A page is at most 1,000 slots, and one is gone through as it stands; the erasures are a handful.
            let small = step.starts_with("SCAN s") || step.starts_with("SCAN erasures") || step == "SCAN CONSTANT ROW";
            assert!(!step.starts_with("SCAN") || small, "{name}: {step} of {plan:?}\n{sql}");
        }
    }
    assert!(looked_at > 25, "only {looked_at} statements were found");
}

#[test]
fn no_statement_is_outside_the_lists() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store");
    let mut pending = vec![sources, Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store.rs")];
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            pending.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let tests = path.ends_with("tests.rs") || path.ends_with("tests/keys.rs");
        assert!(tests || !text.contains("AssertSqlSafe"), "{}: a statement that is put together", path.display());
        for call in text.split("sqlx::query(").skip(1).filter(|_| !tests) {
            let argument = call.split([')', '.']).next().unwrap();
            let constant = argument.chars().all(|c| c.is_ascii_uppercase() || c == '_');
            let known = constant || ["\"COMMIT\"", "\"ROLLBACK\"", "begin", "page", "count"].contains(&argument);
            assert!(known, "{}: sqlx::query({argument})", path.display());
        }
    }
}

#[test]
fn a_copy_from_before_an_erasure_opens_for_all_but_the_erased() {
    let (mut store, directory) = store("erased_copy");
    let kept = add(&mut store, "kept@example.com", Role::Viewer).unwrap();
    let gone = add(&mut store, "gone@example.com", Role::Viewer).unwrap();
    let copy = directory.join("copy.db");
    std::fs::write(&copy, "").unwrap();
    store.backup(&copy).unwrap();

    let actor = actor();
    let erase = |store: &mut Store| {
        store.write(async |session| {
            let user = session.find(&Handle::Id(gone.id)).await?;
            session.erase(&user, &Change::new(Action::Erase, &actor, Some("asked"))).await
        })
    };
    erase(&mut store).unwrap();
    store.destroy_keys().unwrap();
    assert_eq!(erase(&mut store).unwrap_err(), Error::Erased, "once is enough");
    let user = find(&mut store, &gone.id.to_string()).unwrap();
    assert_eq!((user.status, user.details, user.version), (Status::Erased, None, 2));
    assert_eq!(find(&mut store, "gone@example.com").unwrap_err(), Error::Unknown);
    let history = store.read(async |session| {
        let user = session.find(&Handle::Id(gone.id)).await?;
        session.history(&user).await
    });
    let history = history.unwrap();
    assert_eq!(history[0].reason, None, "what was personal is gone");
    assert_eq!((history[0].actor.as_str(), history[1].reason.as_deref()), ("carol", Some("asked")), "the rest is not");
    assert_eq!(
        add(&mut store, "gone@example.com", Role::Viewer).unwrap().slot,
        2,
        "the address is free, the slot is not"
    );
    close(store);

    // The copy in the place of the store, beside today's key file.
    for suffix in ["-wal", "-shm"] {
        let _absent = std::fs::remove_file(directory.join(format!("store.db{suffix}")));
    }
    std::fs::copy(&copy, directory.join("store.db")).unwrap();
    let mut store = Store::open(location(&directory)).unwrap();
    assert_eq!(find(&mut store, "kept@example.com").unwrap().id, kept.id);
    let user = find(&mut store, "gone@example.com").unwrap();
    assert!(user.is_left_over && user.key.is_none() && user.details.is_none() && user.password.is_none());
    assert_eq!(user.status, Status::Erased);
    let health = store.check(|_, _| ()).unwrap();
    assert_eq!((health.left_over, health.unreadable, health.is_good()), (1, 0, false));
    let next = add(&mut store, "new@example.com", Role::Viewer).unwrap();
    assert_eq!(next.slot, 2, "the first that was not used, in either");
    assert_eq!(store.repair(&actor).unwrap(), 1);
    assert!(store.check(|_, _| ()).unwrap().is_good());
    assert_eq!(find(&mut store, "gone@example.com").unwrap_err(), Error::Unknown);
}

#[test]
fn an_erasure_that_was_cut_off_is_finished_when_the_store_is_opened() {
    let (mut store, directory) = store("erase_cut");
    let user = add(&mut store, "gone@example.com", Role::Viewer).unwrap();
    let before = std::fs::read(directory.join("store.keys")).unwrap();
    let actor = actor();
    // As if killed before the keys were destroyed.
    store.write(async |session| session.erase(&user, &Change::new(Action::Erase, &actor, None)).await).unwrap();
    close(store);
    assert_eq!(std::fs::read(directory.join("store.keys")).unwrap(), before);
    drop(Store::open(location(&directory)).unwrap());
    let after = super::Keyring::read(&directory.join("store.keys"), None).unwrap();
    assert!(after.newest().unwrap().wrapping(user.slot).is_none());
    assert!(after.newest().unwrap().wrapping(user.slot + 1).is_some());
}

#[test]
fn new_keys_open_everything_and_the_old_ones_are_gone() {
    let (mut store, directory) = store("rotated");
    for at in 0..20 {
        add(&mut store, &format!("user{at}@example.com"), Role::Viewer).unwrap();
    }
    let (copy, keys) = (directory.join("copy.db"), directory.join("keys"));
    std::fs::write(&copy, "").unwrap();
    store.backup(&copy).unwrap();
    std::fs::copy(directory.join("store.keys"), &keys).unwrap();
    // Another command has the store open meanwhile.
    let mut other = Store::open(location(&directory)).unwrap();
    store.rotate(None, |_, _| ()).unwrap();
    for store in [&mut store, &mut other] {
        assert_eq!(find(store, "user7@example.com").unwrap().details.unwrap().email, "user7@example.com");
        assert!(store.check(|_, _| ()).unwrap().is_good());
    }
    add(&mut other, "late@example.com", Role::Viewer).unwrap();
    assert_eq!(add(&mut other, "user3@example.com", Role::Viewer).unwrap_err(), Error::Taken);
    find(&mut store, "late@example.com").unwrap();
    let today = super::Keyring::read(&directory.join("store.keys"), None).unwrap();
    assert!(today.epoch(1).is_none() && today.epoch(2).is_some());

    let old = Location { store: copy.clone(), keys: directory.join("store.keys"), master: None };
    assert_eq!(Store::open(old).err(), Some(Error::Keys(KeysError::Rotated(directory.join("store.keys")))));
    let mut old = Store::open(Location { store: copy, keys, master: None }).unwrap();
    find(&mut old, "user7@example.com").unwrap();
}

#[test]
fn a_page_has_who_was_asked_for_and_counts_all() {
    let (mut store, _) = store("pages");
    for at in 0..25 {
        let role = [Role::Viewer, Role::Editor, Role::Admin][at % 3];
        add(&mut store, &format!("user{at}@example.com"), role).unwrap();
    }
    let mut page = |filter: Filter, limit, offset| {
        let listed = store.read(async |session| session.list(filter, limit, offset).await).unwrap();
        let emails: Vec<_> = listed.users.iter().map(|user| user.details.clone().unwrap().email).collect();
        (emails, listed.total)
    };
    assert_eq!(
        page(Filter::default(), 2, 0),
        (vec!["user0@example.com".to_owned(), "user1@example.com".to_owned()], 25)
    );
    assert_eq!(page(Filter::default(), 10, 20).0.len(), 5);
    assert_eq!(page(Filter::default(), 10, 30), (vec![], 25));
    let admins = Filter { role: Some(Role::Admin), ..Filter::default() };
    assert_eq!(page(admins, 2, 2), (vec!["user8@example.com".to_owned(), "user11@example.com".to_owned()], 8));
    let disabled = Filter { status: Some(Status::Disabled), ..Filter::default() };
    assert_eq!(page(disabled, 10, 0), (vec![], 0));
    let both = Filter { role: Some(Role::Viewer), status: Some(Status::Active) };
    assert_eq!(page(both, 100, 0).1, 9);
}

#[test]
fn consent_is_a_version_and_details_move_the_address() {
    let (mut store, _) = store("consent");
    add(&mut store, "alice@example.com", Role::Viewer).unwrap();
    add(&mut store, "bob@example.com", Role::Viewer).unwrap();
    let actor = actor();
    let user = store
        .write(async |session| {
            let user = session.find(&handle("alice@example.com")).await?;
            let change = Change::new(Action::GiveConsent, &actor, None);
            let user = session.consent(&user, ("newsletter", "2026-11", true), change).await?;
            let change = Change::new(Action::GiveConsent, &actor, None);
            session.consent(&user, ("newsletter", "2026-11", false), change).await
        })
        .unwrap();
    let consents = store.read(async |session| session.consents(&user).await).unwrap();
    assert_eq!(consents.iter().map(|c| (c.version, c.given)).collect::<Vec<_>>(), [(2, true), (3, false)]);
    assert!(by_hand(&mut store, "UPDATE consents SET given = 1").is_err());
    assert!(by_hand(&mut store, "DELETE FROM consents").is_err());

    let mut move_to = |address: &str| {
        store.write(async |session| {
            let user = session.find(&Handle::Id(user.id)).await?;
            let mut change = Change::new(Action::SetDetails, &actor, None);
            change.details = Some(Details { email: address.to_owned(), name: None, notes: None });
            session.change(&user, change).await
        })
    };
    assert_eq!(move_to("bob@example.com").unwrap_err(), Error::Taken);
    move_to("alice@example.org").unwrap();
    assert_eq!(find(&mut store, "alice@example.com").unwrap_err(), Error::Unknown);
    assert_eq!(find(&mut store, "alice@example.org").unwrap().version, 4);
}

#[test]
fn who_was_not_here_for_long_is_found() {
    let (mut store, _) = store("inactive");
    let old = add(&mut store, "old@example.com", Role::Viewer).unwrap();
    let new = add(&mut store, "new@example.com", Role::Viewer).unwrap();
    store
        .write(async |session| {
            session.now += 100;
            session.signed_in(&new).await
        })
        .unwrap();
    let (ids, count) = store.read(async |session| session.inactive(old.created_at + 50, 10).await).unwrap();
    assert_eq!((ids, count), (vec![old.id.to_string()], 1));
    assert_eq!(find(&mut store, "new@example.com").unwrap().last_login_at, Some(new.created_at + 100));
}

#[test]
fn addresses_are_those_that_people_have() {
    for (text, good) in [
        ("alice@example.com", true),
        (" alice@example.com ", true),
        ("o'brien+tag@mail.example.co.uk", true),
        ("用户@例子.公司", true),
        ("alice", false),
        ("alice@", false),
        ("@example.com", false),
        ("alice@localhost", false),
        ("a..b@example.com", false),
        (".a@example.com", false),
        ("alice@-example.com", false),
        ("alice@example..com", false),
        ("ali ce@example.com", false),
        ("alice@example.com\u{202e}", false),
        ("alice@exa\nmple.com", false),
        ("' OR 1=1 --@example.com", false),
        ("alice@example.com; DROP TABLE users", false),
    ] {
        assert_eq!(text.parse::<Email>().is_ok(), good, "{text:?}");
    }
    let long = format!("{}@example.com", "a".repeat(65));
    assert!(long.parse::<Email>().is_err());
    assert!(format!("a@{}com", "label.".repeat(50)).parse::<Email>().is_err());
}
