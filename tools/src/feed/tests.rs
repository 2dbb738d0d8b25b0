use std::sync::LazyLock;

use portcullis_engine::feed::{
    Digest16, Draft, Feed, FeedClaims, FeedError, KeyEntry, RevokedEntry, SubjectEntry, read,
};
use portcullis_engine::token::Algorithm;
use proptest::prelude::*;

use super::{Signer, difference, own_keys, read_unverified};
use crate::signing::SigningKey;

const NOW: u32 = 1_800_000_000;

fn signer(algorithm: Algorithm) -> Signer {
    Signer { key: SigningKey::generate(algorithm, 2048).unwrap(), algorithm, kid: Some("key-1".to_owned()) }
}

/// Making one takes longer than signing with it.
static SIGNER: LazyLock<Signer> = LazyLock::new(|| signer(Algorithm::EdDSA));

fn file(draft: Draft, version: u64, base: Option<u64>) -> Vec<u8> {
    let content = draft.encode().unwrap();
    SIGNER.seal(&FeedClaims::of(&content, version, base, NOW.into(), None), &content).unwrap()
}

fn feed(draft: Draft, version: u64, base: Option<u64>) -> Feed {
    read(file(draft, version, base), &own_keys(&SIGNER).unwrap()).unwrap()
}

fn subject(name: &str, disabled: bool, tokens_before: u32, roles: Option<&[&str]>) -> SubjectEntry {
    let roles = roles.map(|roles| roles.iter().map(|role| (*role).to_owned()).collect());
    SubjectEntry { digest: Digest16::subject(name), disabled, removed: false, tokens_before, roles }
}

fn key(name: &str, expires: u32, roles: Option<Vec<String>>, networks: Option<Vec<String>>) -> KeyEntry {
    let owner = Some(format!("owner of {name}"));
    KeyEntry { digest: Digest16::key(name), secret_sha256: [5; 32], expires, owner, roles, networks }
}

fn everything() -> Draft {
    Draft {
        subjects: vec![subject("alice", true, 0, None), subject("bob", false, 7, Some(&["admin", "viewer"]))],
        revoked: vec![RevokedEntry { digest: Digest16::token("t1"), expires: NOW + 60 }],
        keys: vec![key("abcdefghij01", 0, Some(vec!["viewer".to_owned()]), Some(vec!["10.0.0.0/8".to_owned()]))],
    }
}

#[test]
fn what_is_written_is_what_the_engine_reads() {
    for algorithm in [Algorithm::EdDSA, Algorithm::ES256, Algorithm::ES384, Algorithm::ES512, Algorithm::PS256] {
        let signer = signer(algorithm);
        let content = everything().encode().unwrap();
        let claims = FeedClaims::of(&content, 7, None, NOW.into(), Some(u64::from(NOW) + 60));
        let file = signer.seal(&claims, &content).unwrap();
        let feed = read(file.clone(), &own_keys(&signer).unwrap()).unwrap();
        assert_eq!((feed.claims(), feed.file()), (&claims, &*file), "{algorithm}");
        let alice = feed.subject(&Digest16::subject("alice")).unwrap();
        assert!(alice.is_disabled() && alice.roles().is_none(), "{algorithm}");
        let bob = feed.subject(&Digest16::subject("bob")).unwrap();
        assert_eq!(bob.roles().unwrap().collect::<Vec<_>>(), ["admin", "viewer"], "{algorithm}");
        assert_eq!(feed.revoked(&Digest16::token("t1")).unwrap().expires(), NOW + 60, "{algorithm}");
        assert!(feed.revoked(&Digest16::token("t2")).is_none(), "{algorithm}");
        let key = feed.key(&Digest16::key("abcdefghij01")).unwrap();
        assert_eq!((key.owner(), key.secret_sha256()), (Some("owner of abcdefghij01"), [5; 32]), "{algorithm}");
    }
}

#[test]
fn a_file_that_was_touched_is_refused() {
    let good = file(everything(), 7, None);
    let keys = own_keys(&SIGNER).unwrap();
    // Every byte of a short one, in the line as in the content.
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        assert!(read(bad, &keys).is_err(), "byte {at} of {}", good.len());
    }
    for end in 0..good.len() {
        assert!(read(good[..end].to_vec(), &keys).is_err(), "cut off at {end}");
    }
    let other = own_keys(&signer(Algorithm::EdDSA)).unwrap();
    assert!(matches!(read(good.clone(), &other), Err(FeedError::Signature(_))), "another key");
    let (unverified, header) = read_unverified(&good).unwrap();
    assert_eq!((unverified.version(), &header["kid"]), (7, &"key-1".into()));
}

#[test]
fn what_nobody_vouches_for_is_read_as_strictly() {
    let good = file(everything(), 7, None);
    let line = good.iter().position(|byte| *byte == b'\n').unwrap();
    let mut unsigned = good.clone();
    unsigned.splice(line - 20..line, *b"AAAAAAAAAAAAAAAAAAAA");
    assert_eq!(read_unverified(&unsigned).unwrap().0.version(), 7, "the signature is not looked at");
    let mut content = good.clone();
    *content.last_mut().unwrap() ^= 1;
    for (what, bad) in [
        ("nothing", Vec::new()),
        ("no line", vec![b'a'; 100]),
        ("two parts", b"e30.e30\n".to_vec()),
        ("another type", b"eyJ0eXAiOiJKV1QifQ.e30.c2ln\n".to_vec()),
        ("other content", content),
        ("no content", good[..=line].to_vec()),
    ] {
        assert!(read_unverified(&bad).is_err(), "{what}");
    }
}

#[test]
fn a_delta_says_what_changed_and_nothing_else() {
    let old = feed(everything(), 7, None);
    let unchanged = difference(&old, &mut everything(), NOW);
    assert!(unchanged.subjects.is_empty() && unchanged.revoked.is_empty() && unchanged.keys.is_empty());

    let mut new = everything();
    new.subjects[0].disabled = false;
    new.subjects.push(subject("carol", true, 0, None));
    new.revoked.clear();
    new.keys[0].expires = NOW;
    let changed = difference(&old, &mut new, NOW);
    let mut expected = [subject("alice", false, 0, None), subject("carol", true, 0, None)];
    expected.sort_unstable_by_key(|entry| entry.digest);
    assert_eq!(changed.subjects, expected);
    assert_eq!(changed.revoked, [RevokedEntry { digest: Digest16::token("t1"), expires: 0 }]);
    assert_eq!(changed.keys, new.keys);
    assert!(difference(&old, &mut new, NOW + 60).revoked.is_empty(), "a token that is dead need not be taken back");

    let gone = difference(&old, &mut Draft::default(), NOW);
    assert!(gone.subjects.len() == 2 && gone.subjects.iter().all(|entry| entry.removed));
    assert!(gone.keys.len() == 1 && gone.keys.iter().all(|entry| entry.owner.is_none()));
    assert_eq!(feed(gone, 8, Some(7)).claims().base, Some(7), "and the engine reads it");
}

/// What a feed, or a delta and the feed below it, say of everything that a draft of [`drafts`] may name.
fn answers(delta: Option<&Feed>, full: &Feed) -> Vec<String> {
    let mut answers = Vec::new();
    for at in 0..UNIVERSE {
        let name = at.to_string();
        let row = |feed: &Feed| {
            feed.subject(&Digest16::subject(&name)).map(|row| {
                let roles = row.roles().map(|roles| roles.collect::<Vec<_>>().join("+"));
                (row.is_removed(), format!("{} {} {roles:?}", row.is_disabled(), row.tokens_before()))
            })
        };
        let said = delta.and_then(row).or_else(|| row(full)).filter(|(removed, _)| !removed).map(|(_, said)| said);
        answers.push(format!("subject {name} {said:?}"));
        let row = |feed: &Feed| feed.revoked(&Digest16::token(&name)).map(|row| row.expires());
        let said = delta.and_then(row).or_else(|| row(full)).filter(|expires| *expires > 0);
        answers.push(format!("token {name} {said:?}"));
        let row = |feed: &Feed| {
            feed.key(&Digest16::key(&name)).map(|row| {
                let networks = row.networks().map(|networks| networks.collect::<Vec<_>>().join("+"));
                let roles = row.roles().collect::<Vec<_>>().join("+");
                (row.is_removed(), format!("{:?} {} {roles} {networks:?}", row.owner(), row.expires()))
            })
        };
        let said = delta.and_then(row).or_else(|| row(full)).filter(|(removed, _)| !removed).map(|(_, said)| said);
        answers.push(format!("key {name} {said:?}"));
    }
    answers
}

const UNIVERSE: usize = 6;
const ROLE_SETS: [&[&str]; 3] = [&[], &["admin"], &["admin", "viewer"]];

prop_compose! {
    fn drafts()(
        subjects in prop::collection::vec(prop::option::of((any::<bool>(), 0_u32..3, prop::option::of(0_usize..3))), UNIVERSE),
        revoked in prop::collection::vec(prop::option::of(NOW + 1..NOW + 4), UNIVERSE),
        keys in prop::collection::vec(prop::option::of((0_u32..3, prop::option::of(0_usize..3), any::<bool>())), UNIVERSE),
    ) -> Draft {
        let owned = |set: usize| ROLE_SETS[set].iter().map(|role| (*role).to_owned()).collect::<Vec<_>>();
        let mut draft = Draft::default();
        for (at, said) in subjects.into_iter().enumerate() {
            draft.subjects.extend(said.map(|(disabled, before, set)| SubjectEntry {
                roles: set.map(owned),
                ..subject(&at.to_string(), disabled, before, None)
            }));
        }
        for (at, said) in revoked.into_iter().enumerate() {
            draft.revoked.extend(said.map(|expires| RevokedEntry { digest: Digest16::token(&at.to_string()), expires }));
        }
        for (at, said) in keys.into_iter().enumerate() {
            draft.keys.extend(said.map(|(expires, set, anywhere)| {
                let networks = (!anywhere).then(|| vec!["10.0.0.0/8".to_owned()]);
                key(&at.to_string(), expires, set.map(owned), networks)
            }));
        }
        draft
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_delta_over_the_old_feed_is_the_new_one(old in drafts(), mut new in drafts()) {
        let (old, changed) = {
            let old = feed(old, 1, None);
            let changed = difference(&old, &mut new, NOW);
            (old, changed)
        };
        let named = changed.subjects.len() + changed.revoked.len() + changed.keys.len();
        let delta = feed(changed, 2, Some(1));
        let new = feed(new, 2, None);
        prop_assert_eq!(answers(Some(&delta), &old), answers(None, &new));
        // Whatever it names, it changes: nothing is said twice.
        let (before, after) = (answers(None, &old), answers(None, &new));
        let differ = before.iter().zip(&after).filter(|(before, after)| before != after).count();
        prop_assert_eq!(named, differ);
    }
}
