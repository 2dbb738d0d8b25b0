use std::collections::HashSet;

use zeroize::Zeroizing;

use super::{Refusal, SignedIn, refresh, sign_in};
use crate::access::Methods;
use crate::actor::Actor;
use crate::input::{Credentials, Secret};
use crate::password::{self, Cost};
use crate::refresh::RefreshToken;
use crate::store::{
    Action, Change, Email, Error, Event, Failures, Handle, Lifetime, Location, NewUser, Role, Roles, SignIn, Status,
    Store, User,
};
use crate::time;

const CHEAP: Cost = Cost { memory: 32, iterations: 1, parallelism: 1 };
const PASSWORD: &str = "correct horse";
const DAY: i64 = 24 * 60 * 60;
const LIFETIME: Lifetime = Lifetime { whole: 30 * DAY, idle: 7 * DAY };

/// A store of a test's own, with these users.
fn store(test: &str, emails: &[&str]) -> Store {
    let directory = std::env::temp_dir().join(format!("portcullis-sign-in-{}-{test}", std::process::id()));
    let _absent = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory).unwrap();
    let location =
        Location { store: directory.join("portcullis.db"), keys: directory.join("portcullis.keys"), master: None };
    let mut store = Store::create(location, CHEAP).unwrap();
    for email in emails {
        add(&mut store, email, Some(&hash(CHEAP)));
    }
    store
}

fn hash(cost: Cost) -> String {
    password::hash(&secret(PASSWORD), cost).unwrap().to_string()
}

fn add(store: &mut Store, email: &str, password: Option<&str>) -> User {
    let email: Email = email.parse().unwrap();
    let roles = Roles::new([Role::Editor]).unwrap();
    let new =
        NewUser { id: None, email: &email, name: None, notes: None, roles: &roles, status: Status::Active, password };
    let actor = Actor::test("a test");
    store.write(async |session| session.add(&new, &Change::new(Action::Add, &actor, None)).await).unwrap()
}

fn secret(text: &str) -> Secret {
    Secret::new(Zeroizing::new(text.as_bytes().to_vec()))
}

fn attempt(store: &mut Store, email: &str, password: &str) -> (RefreshToken, Option<SignedIn>) {
    let token = RefreshToken::generate().unwrap();
    let credentials = Credentials { password: secret(password), code: None };
    let signed_in = sign_in(store, email, &credentials, &token, LIFETIME, &Actor::test("a test")).unwrap();
    (token, signed_in)
}

fn refreshed(store: &mut Store, token: &RefreshToken) -> Result<RefreshToken, Refusal> {
    let next = token.next().unwrap();
    refresh(store, token, &next, &Actor::test("a test")).unwrap().map(|_| next)
}

fn find(store: &mut Store, email: &str) -> User {
    let handle: Handle = email.parse().unwrap();
    store.read(async |session| session.find(&handle).await).unwrap()
}

#[test]
fn one_password_is_hashed_whatever_is_wrong() {
    let mut store = store("work", &["alice@example.com", "bob@example.com"]);
    add(&mut store, "carol@example.com", None);
    let bob = find(&mut store, "bob@example.com");
    let actor = Actor::test("a test");
    let disable = || Change { status: Some(Status::Disabled), ..Change::new(Action::Disable, &actor, None) };
    store.write(async |session| session.change(&bob, disable()).await).unwrap();
    password::work_done();
    for (email, password, why) in [
        ("alice@example.com", "wrong horse", "a wrong password"),
        ("nobody@example.com", PASSWORD, "an address that nobody has"),
        ("no address", PASSWORD, "no address"),
        ("bob@example.com", PASSWORD, "a disabled account"),
        ("carol@example.com", PASSWORD, "an account without a password"),
    ] {
        assert!(attempt(&mut store, email, password).1.is_none(), "{why}");
        assert_eq!(password::work_done(), ["argon2id m=32,t=1,p=1"], "{why}");
    }
    assert!(attempt(&mut store, "alice@example.com", PASSWORD).1.is_some());
    assert_eq!(password::work_done().len(), 1, "and where nothing is wrong");
}

#[test]
fn without_any_user_a_password_is_hashed_too() {
    let mut store = store("empty", &[]);
    password::work_done();
    assert!(attempt(&mut store, "nobody@example.com", PASSWORD).1.is_none());
    assert_eq!(password::work_done(), ["argon2id m=32,t=1,p=1"]);
}

#[test]
fn an_address_that_nobody_has_takes_as_long_as_one_of_some_user() {
    let mut store = store("population", &[]);
    let bcrypt = "$2b$04$XUnGrKqbIlJMQgtG5n4JIeRiPtJ7ra5Wb0EUGHQjvhBP2DvG1cTqm".to_owned();
    // How many addresses fall to a user is left to chance; that so many users of a kind all get next to none is not to be expected.
    for (kind, hash) in [hash(CHEAP), hash(Cost { memory: 64, ..CHEAP }), bcrypt].iter().enumerate() {
        for number in 0..10 {
            add(&mut store, &format!("user-{kind}-{number}@example.com"), Some(hash));
        }
    }
    let mut kinds = HashSet::new();
    for number in 0..60 {
        let email = format!("nobody-{number}@example.com");
        password::work_done();
        let mut done = || {
            assert!(attempt(&mut store, &email, PASSWORD).1.is_none());
            password::work_done()
        };
        let first = done();
        assert_eq!(first, done(), "always the same for an address");
        kinds.extend(first);
    }
    assert_eq!(kinds.len(), 3, "each kind of hash there is comes up: {kinds:?}");
}

#[test]
fn a_right_password_of_somebody_else_lets_nobody_in() {
    let mut store = store("decoy", &["alice@example.com"]);
    for number in 0..20 {
        assert!(attempt(&mut store, &format!("nobody-{number}@example.com"), PASSWORD).1.is_none());
    }
    let signed_in = attempt(&mut store, "alice@example.com", PASSWORD).1.unwrap();
    assert_eq!(signed_in.failures, Failures::default(), "and she has nothing to do with it");
}

#[test]
fn a_sign_in_ends_when_it_is_old_or_was_not_used() {
    let mut store = store("expiry", &["alice@example.com"]);
    let alice = find(&mut store, "alice@example.com");
    let now = time::now();
    for (started, used, good, why) in [
        (29 * DAY, DAY, true, "in use"),
        (30 * DAY + 1, DAY, false, "in use, too old"),
        (20 * DAY, 7 * DAY - 60, true, "not used for nearly a week"),
        (20 * DAY, 7 * DAY, false, "not used for a week"),
        (7 * DAY, 7 * DAY, false, "never used"),
    ] {
        let first = RefreshToken::generate().unwrap();
        let second = first.next().unwrap();
        let made = store.write(async |session| {
            let ids = (&first.family()[..], &first.digest()[..]);
            session.now = now - started;
            session.start_family(&alice, ids, Methods::Password, session.now, LIFETIME).await?;
            session.now = now - used;
            session.rotate(&first.family(), &first.digest(), &second.digest()).await
        });
        assert_eq!(made, Ok(true));
        assert_eq!(refreshed(&mut store, &second).err(), (!good).then_some(Refusal::Over), "{why}");
        let kept = store.read(async |session| session.family(&first.family()).await).unwrap();
        assert_eq!(kept.is_some(), good, "{why}: what is over is not kept");
    }
}

#[test]
fn a_user_has_fifty_sign_ins_and_the_next_ends_the_oldest() {
    let mut store = store("displaced", &["alice@example.com"]);
    let tokens: Vec<RefreshToken> = (0..53)
        .map(|number| {
            let token = RefreshToken::generate().unwrap();
            let alice = find(&mut store, "alice@example.com");
            let start = time::now() - 1000 + number;
            let started = store.write(async |session| {
                let ids = (&token.family()[..], &token.digest()[..]);
                session.start_family(&alice, ids, Methods::Password, start, LIFETIME).await
            });
            assert_eq!(started, Ok(()));
            token
        })
        .collect();
    let good: Vec<bool> = tokens.iter().map(|token| refreshed(&mut store, token).is_ok()).collect();
    assert_eq!(good, [vec![false; 3], vec![true; 50]].concat());
}

#[test]
fn a_hundred_sign_ins_of_two_years_are_kept() {
    let mut store = store("kept", &["alice@example.com"]);
    let slot = find(&mut store, "alice@example.com").slot;
    let now = time::now();
    let mut note = |at: i64| {
        let sign_in = SignIn { at, event: Event::SignIn, methods: Methods::Password, recovery: false, failures: 0 };
        let kept = store.write(async |session| {
            session.note(slot, &sign_in).await?;
            session.sign_ins(slot).await
        });
        kept.unwrap().iter().map(|sign_in| sign_in.at).collect::<Vec<_>>()
    };
    assert_eq!(note(now - 731 * DAY), [] as [i64; 0], "older than two years");
    for number in 0..105 {
        note(now - 1000 + number);
    }
    assert_eq!(note(now), (-994..-895).map(|number| now + number).chain([now]).collect::<Vec<_>>());
}

#[test]
fn whoever_waited_gets_in_and_begins_anew() {
    let mut store = store("waited", &["alice@example.com"]);
    let slot = find(&mut store, "alice@example.com").slot;
    let set = |store: &mut Store, count: u32, codes: u32, ago: i64| {
        let failures = Failures { count, codes, first_at: 0, last_at: time::now() - ago };
        store.write(async |session| session.set_failures(Some(slot), failures).await).unwrap();
    };
    for (count, codes, ago, good) in
        [(9, 0, 0, true), (30, 0, 0, false), (30, 0, 890, false), (30, 0, 900, true), (10, 10, 100 * DAY, false)]
    {
        set(&mut store, count, codes, ago);
        assert_eq!(attempt(&mut store, "alice@example.com", PASSWORD).1.is_some(), good, "{count} {codes} {ago}");
        let after = store.read(async |session| session.failures(Some(slot)).await).unwrap();
        assert_eq!(after.count, if good { 0 } else { count }, "a try that could not work is not counted");
    }
}

#[test]
fn nothing_of_an_erased_user_is_left() {
    let mut store = store("erased", &["alice@example.com"]);
    let (token, signed_in) = attempt(&mut store, "alice@example.com", PASSWORD);
    let alice = signed_in.unwrap().user;
    let actor = Actor::test("a test");
    let left = store.write(async |session| {
        let alice = session.change(&alice, Change::new(Action::EnrollTotp, &actor, None)).await?;
        session.set_second_factor(&alice, &[7; 20]).await?;
        session.confirm_second_factor(alice.slot, 5, &[[1; 32], [2; 32]]).await?;
        session.set_failures(Some(alice.slot), Failures { count: 1, codes: 0, first_at: 1, last_at: 1 }).await?;
        let counted = [
            session.families(alice.slot).await?.len(),
            session.sign_ins(alice.slot).await?.len(),
            session.recovery_codes(alice.slot).await?.len(),
        ];
        let erased = session.erase(&alice, &Change::new(Action::Erase, &actor, None)).await?;
        assert!(session.second_factor(&erased).await?.is_none());
        let left = [
            session.families(alice.slot).await?.len(),
            session.sign_ins(alice.slot).await?.len(),
            session.recovery_codes(alice.slot).await?.len(),
        ];
        assert_eq!(session.failures(Some(alice.slot)).await?, Failures::default());
        Ok::<_, Error>((counted, left))
    });
    assert_eq!(left, Ok(([1, 1, 2], [0, 0, 0])));
    assert_eq!(refreshed(&mut store, &token).err(), Some(Refusal::Over));
    assert!(attempt(&mut store, "alice@example.com", PASSWORD).1.is_none());
}
