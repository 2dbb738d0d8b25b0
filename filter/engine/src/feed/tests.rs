#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use sha2::{Digest as _, Sha256};

use super::*;
use crate::testing::{NOW, feed_file, feed_keys, feed_line, signed_feed};
use crate::time::UnixTime;
use crate::token::KeySet;

fn subject(name: &str) -> SubjectEntry {
    SubjectEntry { digest: Digest16::subject(name), disabled: true, removed: false, tokens_before: 0, roles: None }
}

fn revoked(jti: &str, expires: u32) -> RevokedEntry {
    RevokedEntry { digest: Digest16::token(jti), expires }
}

fn key(id: &str, owner: Option<&str>) -> KeyEntry {
    KeyEntry {
        digest: Digest16::key(id),
        secret_sha256: Sha256::digest("secret").into(),
        expires: 0,
        owner: owner.map(str::to_owned),
        roles: Some(vec!["viewer".into(), "editor".into()]),
        networks: Some(vec!["10.0.0.0/8".into(), "::1".into()]),
    }
}

fn draft() -> Draft {
    Draft {
        subjects: vec![
            subject("mallory"),
            SubjectEntry { disabled: false, tokens_before: 77, roles: Some(vec!["admin".into()]), ..subject("ada") },
            SubjectEntry { disabled: false, roles: Some(Vec::new()), ..subject("bob") },
        ],
        revoked: vec![revoked("t1", 9), revoked("t2", u32::MAX)],
        keys: vec![key("k1", Some("ada")), KeyEntry { roles: None, networks: None, ..key("k2", Some("ada")) }],
    }
}

fn load(file: &[u8]) -> Result<Feed, FeedError> {
    read(file.to_vec(), &feed_keys())
}

#[track_caller]
fn good(version: u64, base: Option<u64>, draft: Draft) -> Feed {
    load(&signed_feed(version, base, draft)).expect("a good feed")
}

#[test]
fn what_is_written_is_read() {
    let feed = good(3, None, draft());
    assert_eq!((feed.version(), feed.claims().base, feed.counts().keys), (3, None, 2));
    let ada = feed.subject(&Digest16::subject("ada")).expect("ada");
    assert_eq!((ada.is_disabled(), ada.tokens_before()), (false, 77));
    assert_eq!(ada.roles().map(Iterator::collect), Some(vec!["admin"]));
    let bob = feed.subject(&Digest16::subject("bob")).expect("bob");
    assert_eq!(bob.roles().map(Iterator::collect::<Vec<_>>), Some(vec![]), "said to have none");
    let mallory = feed.subject(&Digest16::subject("mallory")).expect("mallory");
    assert!(mallory.is_disabled() && mallory.roles().is_none(), "nothing said of roles");
    assert!(feed.subject(&Digest16::subject("eve")).is_none());
    assert_eq!(feed.revoked(&Digest16::token("t1")).map(|row| row.expires()), Some(9));
    assert!(feed.revoked(&Digest16::token("t3")).is_none());
    let k1 = feed.key(&Digest16::key("k1")).expect("k1");
    assert_eq!((k1.owner(), k1.expires()), (Some("ada"), 0));
    assert_eq!(k1.roles().collect::<Vec<_>>(), ["viewer", "editor"]);
    assert_eq!(k1.secret_sha256(), <[u8; 32]>::from(Sha256::digest("secret")));
    for (address, expected) in [("10.1.2.3", true), ("::1", true), ("11.0.0.1", false), ("nowhere", false)] {
        assert_eq!(k1.admits(|| address.parse().ok()), expected, "{address}");
    }
    let k2 = feed.key(&Digest16::key("k2")).expect("k2");
    assert!(k2.admits(|| None), "from anywhere");
    assert_eq!(k2.roles().count(), 0);
    assert_eq!(feed.subjects().count() + feed.all_revoked().count() + feed.keys().count(), 7);
}

#[test]
fn every_row_of_many_is_found_and_nothing_else() {
    let names: Vec<String> = (0..5000).map(|number| format!("token-{number}")).collect();
    let draft = Draft { revoked: names.iter().map(|name| revoked(name, 1)).collect(), ..Draft::default() };
    let feed = good(1, None, draft);
    for name in &names {
        assert!(feed.revoked(&Digest16::token(name)).is_some(), "{name}");
    }
    for number in 0..5000 {
        assert!(feed.revoked(&Digest16::token(&format!("other-{number}"))).is_none(), "{number}");
    }
    for digest in [Digest16([0; 16]), Digest16([0xff; 16])] {
        assert!(feed.revoked(&digest).is_none(), "{digest:?}");
    }
}

/// Digests that are not spread evenly, as no hash would make them, take longer and are found all the same.
#[test]
fn rows_that_crowd_together_are_found() {
    let crowd = |low: u8| {
        let mut digest = [0x80; 16];
        digest[15] = low;
        Digest16(digest)
    };
    let mut revoked: Vec<RevokedEntry> = (0..200).map(|low| RevokedEntry { digest: crowd(low), expires: 1 }).collect();
    revoked.push(RevokedEntry { digest: Digest16([0; 16]), expires: 1 });
    revoked.push(RevokedEntry { digest: Digest16([0xff; 16]), expires: 1 });
    let feed = good(1, None, Draft { revoked: revoked.clone(), ..Draft::default() });
    for row in revoked {
        assert!(feed.revoked(&row.digest).is_some(), "{:?}", row.digest);
    }
    assert!(feed.revoked(&crowd(200)).is_none());
}

#[test]
fn a_feed_is_loaded_in_pieces_of_any_size() {
    let file = signed_feed(1, None, draft());
    for piece in [1, 7, 24, 100, 10_000] {
        let mut loading = Loading::begin(file.clone(), &feed_keys()).expect("a good first line");
        let mut steps = 1;
        let feed = loop {
            match loading.step(piece).expect("a good piece") {
                Progress::More(more) => loading = *more,
                Progress::Done(feed) => break feed,
            }
            steps += 1;
        };
        assert_eq!(feed.counts().subjects, 3, "{piece}");
        assert!(steps >= 2 * (file.len() - 400) / piece / 4, "{steps} steps of {piece}");
    }
}

#[test]
fn the_first_line_must_be_a_signed_one_of_a_feed() {
    let content = draft().encode().expect("content");
    let claims = FeedClaims::of(&content, 1, None, 5, None).to_json();
    let line = |header: &str, payload: &str| feed_line(header, payload, 7);
    let header = signing_header(crate::token::Algorithm::EdDSA, Some("feed"));
    let with = |member: &str| claims.replacen('{', &format!("{{{member},"), 1);
    let other_key = feed_line(&header, &claims, 8);
    for (line, expected, message) in [
        (line(&header, &claims), None, "as it should be"),
        (line(r#"{"alg":"EdDSA"}"#, &claims), Some("`typ`"), "no typ"),
        (line(r#"{"alg":"EdDSA","typ":"JWT"}"#, &claims), Some("`typ`"), "a token's typ"),
        (line(r#"{"alg":"none","typ":"portcullis-feed+jws"}"#, &claims), Some("compact JWS"), "alg none"),
        (line(r#"{"alg":"HS256","typ":"portcullis-feed+jws"}"#, &claims), Some("no key"), "a shared secret"),
        (other_key, Some("wrong signature"), "another key"),
        (line(&header, &with(r#""more":1"#)), Some("does not know"), "an unknown member"),
        (line(&header, &with(r#""version":1"#)), Some("repeated"), "a repeated member"),
        (line(&header, &claims.replace(r#""version":1"#, r#""version":0"#)), Some("start at 1"), "version 0"),
        (line(&header, &claims.replace(r#""version":1"#, r#""version":"1""#)), Some("whole number"), "text"),
        (line(&header, &claims.replace(r#""version":1"#, r#""version":1.5"#)), Some("whole number"), "a fraction"),
        (line(&header, &with(r#""base":2"#)), Some("no later"), "a base beyond the version"),
        (line(&header, "[]"), Some("not a JSON object"), "a list"),
        (line(&header, "{}"), Some("lacks"), "nothing"),
        ("no dots".to_owned(), Some("compact JWS"), "no JWS"),
        ("a".repeat(5000), Some("4096"), "no end"),
    ] {
        let error = load(&feed_file(&line, &content)).err().map(|error| error.to_string());
        match (expected, &error) {
            (None, None) => {}
            (Some(expected), Some(error)) => assert!(error.contains(expected), "{message}: {error}"),
            _ => panic!("{message}: {error:?}"),
        }
    }
}

#[test]
fn content_that_is_not_what_was_signed_is_refused() {
    let file = signed_feed(1, None, draft());
    let cut = &file[..file.len() - 1];
    assert!(matches!(load(cut), Err(FeedError::Size { .. })), "cut off");
    assert!(matches!(load(&[&file[..], b"x"].concat()), Err(FeedError::Size { .. })), "something behind it");
    let mut other = file.clone();
    *other.last_mut().expect("content") ^= 1;
    assert_eq!(load(&other).err(), Some(FeedError::Digest));
    assert!(matches!(load(b""), Err(FeedError::Line(_))), "nothing");
    assert!(matches!(read(file, &KeySet::default()), Err(FeedError::Signature(_))), "no keys");
    let huge = vec![b'a'; MAX_FEED_BYTES + 1];
    assert!(matches!(load(&huge), Err(FeedError::TooLarge { .. })));
    let draft = Draft { revoked: (0..250_000).map(|number| revoked(&number.to_string(), 1)).collect(), ..draft() };
    assert!(matches!(load(&signed_feed(2, Some(1), draft)), Err(FeedError::TooLarge { .. })), "a delta beyond 4 MiB");
}

/// Signed by the right key, and wrong all the same.
#[test]
fn content_is_checked_row_by_row() {
    let content = draft().encode().expect("content");
    let (subjects, revoked) = (32, 32 + 3 * 24);
    let (keys, role_sets) = (revoked + 2 * 20, revoked + 2 * 20 + 2 * 60);
    type Change = Box<dyn Fn(&mut Vec<u8>)>;
    let set = |at: usize, byte: u8| -> Change { Box::new(move |content| content[at] = byte) };
    let copy = |from: usize, to: usize| -> Change { Box::new(move |content| content.copy_within(from..from + 16, to)) };
    let swap = |left: usize, right: usize| -> Change {
        Box::new(move |content| (0..16).for_each(|at| content.swap(left + at, right + at)))
    };
    let rows: Vec<(Change, &str, &str)> = vec![
        (set(0, b'X'), "another layout", "magic"),
        (set(8, 4), "do not fill it", "a subject too many"),
        (set(8, 2), "do not fill it", "a subject too few"),
        (Box::new(|content| content.truncate(20)), "too short", "no counts"),
        (Box::new(|content| content[8..12].copy_from_slice(&[0xff; 4])), "do not fill it", "counts beyond memory"),
        (copy(subjects, subjects + 24), "subject 1: the same again", "a subject twice"),
        (swap(subjects, subjects + 24), "subject 1: out of order", "subjects out of order"),
        (copy(revoked, revoked + 20), "revoked 1: the same again", "a token twice"),
        (swap(keys, keys + 60), "key 1: out of order", "keys out of order"),
        (set(subjects + 22, 4), "flags", "a flag that is not known"),
        (set(subjects + 23, 1), "flags", "padding"),
        (set(subjects + 22, 2), "only a delta removes", "a removal"),
        (set(subjects + 21, 9), "role set that is not there", "a role set of a subject"),
        (Box::new(move |content| content[revoked + 16..revoked + 20].fill(0)), "only a delta", "a revocation back"),
        (Box::new(move |content| content[keys + 52..keys + 56].fill(0xff)), "only a delta", "a key that goes"),
        (set(keys + 55, 1), "owner that is not there", "an owner beyond the heap"),
        (set(keys + 57, 9), "role set that is not there", "a role set of a key"),
        (set(keys + 59, 9), "network set that is not there", "a network set"),
        (set(role_sets + 3, 1), "role set 0: no text", "a role set beyond the heap"),
        (Box::new(|content| *content.last_mut().expect("heap") = b'x'), "not networks", "what is no network"),
    ];
    for (change, expected, message) in rows {
        let mut content = content.clone();
        change(&mut content);
        let claims = FeedClaims::of(&content, 1, None, 5, None).to_json();
        let line = feed_line(&signing_header(crate::token::Algorithm::EdDSA, None), &claims, 7);
        let error = load(&feed_file(&line, &content)).expect_err(message).to_string();
        assert!(error.contains(expected), "{message}: {error}");
    }
}

#[test]
fn drafts_that_no_feed_can_hold_are_refused() {
    let with = |change: fn(&mut Draft)| {
        let mut draft = draft();
        change(&mut draft);
        draft.encode().expect_err("a bad draft").to_string()
    };
    for (error, expected) in [
        (with(|draft| draft.subjects.push(subject("ada"))), "two entries for one subject"),
        (with(|draft| draft.revoked.push(revoked("t1", 2))), "two entries for one token"),
        (with(|draft| draft.keys.push(key("k1", None))), "two entries for one API key"),
        (with(|draft| draft.subjects[0].roles = Some(vec!["a\nb".into()])), "control characters"),
        (with(|draft| draft.keys[0].owner = Some(String::new())), "is empty"),
        (with(|draft| draft.keys[0].networks = Some(vec!["10.0.0.1/8".into()])), "not a network"),
        (with(|draft| draft.subjects[0].roles = Some(vec!["r".repeat(70_000)])), "too long"),
    ] {
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_delta_has_the_last_word_until_the_next_full_feed() {
    let feeds = Feeds::of(good(10, None, draft())).expect("full");
    let delta = Draft {
        subjects: vec![SubjectEntry { removed: true, disabled: false, ..subject("mallory") }, subject("eve")],
        revoked: vec![revoked("t1", 0), revoked("t9", 5)],
        keys: vec![key("k1", None)],
    };
    let over = feeds.followed_by(good(12, Some(9), delta)).expect("a delta");
    assert_eq!((over.version(), over.full_version(), over.delta_version()), (12, 10, 12));
    assert!(over.subject(&Digest16::subject("mallory")).is_none(), "as if never named");
    assert!(over.subject(&Digest16::subject("eve")).is_some_and(|row| row.is_disabled()), "new");
    assert!(over.subject(&Digest16::subject("ada")).is_some(), "from the full feed");
    assert!(!over.is_revoked(&Digest16::token("t1")) && over.is_revoked(&Digest16::token("t2")));
    assert!(over.is_revoked(&Digest16::token("t9")));
    assert!(over.key(&Digest16::key("k1")).is_none() && over.key(&Digest16::key("k2")).is_some());
    let next = over.followed_by(good(13, Some(10), Draft::default())).expect("another delta");
    assert!(next.is_revoked(&Digest16::token("t1")), "deltas replace each other");
    let whole = over.followed_by(good(12, None, Draft::default())).expect("a full feed");
    assert_eq!((whole.full_version(), whole.delta_version()), (12, 0), "it says what the delta said");
    let middle = over.followed_by(good(11, None, draft())).expect("a full feed older than the delta");
    assert_eq!((middle.version(), middle.delta_version()), (12, 12), "versions do not go back");
}

#[test]
fn what_does_not_follow_is_refused() {
    let full = |version| good(version, None, Draft::default());
    let delta = |version, base| good(version, Some(base), Draft::default());
    assert!(matches!(Feeds::of(delta(2, 1)), Err(FeedError::Gap { full: None, .. })), "nothing to lie over");
    let feeds = Feeds::of(full(10)).and_then(|feeds| feeds.followed_by(delta(15, 10))).expect("feeds");
    for (next, expected, message) in [
        (full(9), Some("version 9"), "an older full feed"),
        (full(10), Some("version 10"), "the same full feed"),
        (full(11), None, "a newer full feed"),
        (delta(14, 10), Some("version 14"), "an older delta"),
        (delta(15, 10), Some("version 15"), "the same delta"),
        (delta(16, 11), Some("a delta on version 11"), "a gap"),
        (delta(16, 1), None, "a newer delta"),
    ] {
        let error = feeds.followed_by(next).err().map(|error| error.to_string());
        assert_eq!(error.is_some(), expected.is_some(), "{message}: {error:?}");
        assert!(error.is_none_or(|error| error.contains(expected.unwrap_or_default())), "{message}");
    }
}

#[test]
fn a_state_survives_being_kept() {
    let policy = crate::testing::policy(&crate::testing::with_feed(serde_json::json!({})));
    let feed = policy.identity_feed().expect("a feed");
    let feeds = Feeds::of(good(10, None, Draft::default())).expect("feeds");
    let now = UnixTime::from_seconds(NOW);
    let state = feed.applied(&FeedState::NEVER, Which::Full, &feeds, Some("\"10\""), now);
    assert_eq!(FeedState::decode(&state.encode()), state);
    assert_eq!(
        (state.version(Which::Full), state.etag(Which::Full), state.etag(Which::Delta)),
        (10, Some("\"10\""), None)
    );
    for bytes in [&b""[..], b"nonsense", &state.encode()[1..]] {
        assert_eq!(FeedState::decode(bytes), FeedState::NEVER, "{bytes:?}");
    }
}

#[test]
fn what_other_keys_left_is_taken_over_where_these_signed_it() {
    let with = |keys: serde_json::Value| {
        let changes = serde_json::json!({"key": keys.to_string()});
        crate::testing::policy(&crate::testing::with_feed(changes)).identity_feed().cloned().expect("a feed")
    };
    let (own, other) = (
        crate::testing::feed_jwk(),
        serde_json::json!({"kty": "OKP", "crv": "Ed25519", "x": "_FHNjmIYoaONpH7QAjDwWAgW7RO6MwOsXeuRFUiQgCU"}),
    );
    let [alone, both, others] = [own.clone(), serde_json::json!({"keys": [other.clone(), own]}), other].map(with);
    assert!(alone.place() == both.place() && alone.id() != both.id());
    let feeds = Feeds::of(good(10, None, draft())).expect("full");
    let feeds = feeds.followed_by(good(12, Some(9), Draft::default())).expect("a delta");
    assert!(both.signed(&feeds) && !others.signed(&feeds));

    let now = UnixTime::from_seconds(NOW);
    let before = alone.applied(&FeedState::NEVER, Which::Delta, &feeds, Some("\"12\""), now);
    let busy = both.begun(&FeedState::NEVER, now);
    let taken = IdentityFeed::taken_over(&busy, &before, &feeds).expect("a state");
    assert_eq!((taken.version(Which::Full), taken.version(Which::Delta)), (10, 12), "what it may not fall behind");
    assert_eq!((taken.checked_at(), taken.etag(Which::Delta)), (now, Some("\"12\"")));
    assert!(!both.is_due(&taken, now), "a fetch under way stays under way");
    assert_eq!(IdentityFeed::taken_over(&taken, &before, &feeds), None, "once");
    let newer = Feeds::of(good(11, None, draft())).expect("full");
    assert_eq!(IdentityFeed::taken_over(&busy, &before, &newer), None, "another's state");
}

#[cfg(not(target_arch = "wasm32"))]
mod properties {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever happens to a file on its way: it is refused, and nothing panics.
        #[test]
        fn a_changed_file_is_never_a_feed(at in any::<prop::sample::Index>(), byte in 1_u8.., cut in 0_usize..3) {
            let mut file = signed_feed(1, None, draft());
            let at = at.index(file.len());
            file[at] ^= byte;
            file.truncate(file.len() - cut);
            prop_assert!(load(&file).is_err());
        }

        /// Content of anything, rightly signed: refused or readable throughout, and nothing panics.
        #[test]
        fn signed_nonsense_does_no_harm(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
            base in prop::option::of(1_u64..2),
        ) {
            let mut content = draft().encode().expect("content");
            for (at, byte) in changes {
                let at = at.index(content.len());
                content[at] = byte;
            }
            let claims = FeedClaims::of(&content, 1, base, 5, None).to_json();
            let line = feed_line(&signing_header(crate::token::Algorithm::EdDSA, None), &claims, 7);
            if let Ok(feed) = load(&feed_file(&line, &content)) {
                for row in feed.keys() {
                    prop_assert_eq!(row.owner().is_none(), row.is_removed());
                    prop_assert!(feed.key(&row.digest()).is_some());
                    row.admits(|| "10.0.0.1".parse().ok());
                    prop_assert!(row.roles().count() < 100);
                }
                for row in feed.subjects() {
                    prop_assert!(feed.subject(&row.digest()).is_some());
                    prop_assert!(row.roles().is_none_or(|roles| roles.count() < 100));
                }
            }
        }
    }
}
