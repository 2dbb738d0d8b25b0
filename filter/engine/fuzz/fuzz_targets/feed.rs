//! Identity feeds: whole files (`r`), content of a full feed (`f`) and of a delta (`d`) that is rightly signed, and the states that
//! workers share: of the feed (`s`) and of the lockout (`l`).

#![no_main]

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_compact::{KeyPair, Seed};
use libfuzzer_sys::fuzz_target;
use portcullis_engine::feed::{
    Digest16, Feed, FeedClaims, FeedState, Feeds, IdentityFeed, Loading, Polled, Progress, Which, read, signing_header,
};
use portcullis_engine::token::{Algorithm, Proven};
use portcullis_engine::{Change, Counter, Facts, Lockout, Policy, Standing, UnixTime, Worker, borrow_headers};
use portcullis_fuzz::{NOW, load};
use serde_json::json;

struct Bench {
    pair: KeyPair,
    policy: Policy,
}

thread_local! {
    static BENCH: Bench = {
        let pair = KeyPair::from_seed(Seed::new([7; 32]));
        let key = json!({"kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(*pair.pk)});
        let policy = load(&json!({
            "version": "v1",
            "identity_feed": {
                "cluster": "feed", "authority": "feed.test", "path": "/feed", "delta_path": "/delta", "key": key.to_string(),
            },
            "api_keys": {"header": "x-api-key"},
            "lockout": {"max_failures": 3},
            "routes": [{"name": "all", "match": {"path": "/{*path}"}, "access": "authenticated"}],
        }));
        Bench { pair, policy }
    };
}

fuzz_target!(|data: &[u8]| {
    let Some((mode, rest)) = data.split_first() else { return };
    BENCH.with(|bench| match mode {
        b'f' => signed(bench, rest, None),
        b'd' => signed(bench, rest, Some(1)),
        b's' => state(source(bench), rest),
        b'l' => lockout(bench, rest),
        _ => assert!(read(rest.to_vec(), source(bench).keys()).is_err(), "nobody signed it"),
    });
});

fn source(bench: &Bench) -> &IdentityFeed {
    bench.policy.identity_feed().expect("it has a feed")
}

fn file(bench: &Bench, content: &[u8], version: u64, base: Option<u64>) -> Vec<u8> {
    let claims = FeedClaims::of(content, version, base, 5, None).to_json();
    let header = signing_header(Algorithm::EdDSA, None);
    let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = URL_SAFE_NO_PAD.encode(*bench.pair.sk.sign(input.as_bytes(), None));
    [input.as_bytes(), b".", signature.as_bytes(), b"\n", content].concat()
}

fn signed(bench: &Bench, content: &[u8], base: Option<u64>) {
    let file = file(bench, content, 2, base);
    let whole = read(file.clone(), source(bench).keys());
    let by_pieces = pieces(file, bench, 1 + content.len() % 31);
    assert_eq!(whole.as_ref().err(), by_pieces.as_ref().err(), "pieces make no difference");
    let Ok(feed) = whole else { return };
    look_up(&feed);
    assert_eq!(Feeds::judge(None, feed.claims()).is_ok(), base.is_none(), "a delta needs something to lie over");
    let at = UnixTime::from_seconds(NOW);
    let mut worker = Worker::new(&bench.policy, Proven::NOTHING);
    assert_eq!(worker.take_feed(&bench.policy, feed, at).is_ok(), base.is_none());
    let headers = [(":method", "GET"), (":path", "/a"), (":authority", "a.test"), ("x-api-key", "pk_abcdefghij12_A")];
    let headers: Vec<_> = headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect();
    let verdict = bench.policy.decide(&borrow_headers(&headers).expect("names are ASCII"), &Here, &mut worker, &mut ());
    assert_eq!(verdict.decision.as_str(), "deny", "no secret is that short");
}

fn pieces(file: Vec<u8>, bench: &Bench, piece: usize) -> Result<Feed, portcullis_engine::feed::FeedError> {
    let mut loading = Loading::begin(file, source(bench).keys())?;
    loop {
        match loading.step(piece)? {
            Progress::More(more) => loading = *more,
            Progress::Done(feed) => return Ok(*feed),
        }
    }
}

/// Every row that is there is found, and what it names is there.
fn look_up(feed: &Feed) {
    for row in feed.subjects() {
        assert!(feed.subject(&row.digest()).is_some());
        let _ = row.roles().map(Iterator::count);
    }
    for row in feed.all_revoked() {
        assert!(feed.revoked(&row.digest()).is_some());
    }
    for row in feed.keys() {
        assert!(feed.key(&row.digest()).is_some());
        assert_eq!(row.owner().is_none(), row.is_removed());
        let _ = (row.roles().count(), row.networks().map(Iterator::count));
    }
    for digest in [Digest16([0; 16]), Digest16([0x80; 16]), Digest16([0xff; 16])] {
        let _ = (feed.subject(&digest).is_some(), feed.revoked(&digest).is_some(), feed.key(&digest).is_some());
    }
}

fn state(source: &IdentityFeed, bytes: &[u8]) {
    let state = FeedState::decode(bytes);
    for now in [i64::MIN, -1, 0, NOW * 1000, i64::MAX].map(UnixTime::from_millis) {
        let _ = source.is_due(&state, now);
        let begun = source.begun(&state, now);
        let none = source.read(Which::Full, 500, Vec::new(), &begun, None).expect_err("no feed");
        let failed = source.failed(&begun, source.wanted(&begun), &none, now);
        for next in [begun.clone(), source.unchanged(&begun, now), failed, source.abandoned(&begun, now)] {
            assert_eq!(FeedState::decode(&next.encode()), next);
        }
    }
    let unasked = source.read(Which::Delta, 304, Vec::new(), &FeedState::NEVER, None);
    assert!(!matches!(unasked, Ok(Polled::Unchanged | Polled::Newer(_))), "nobody asked");
}

fn lockout(bench: &Bench, slot: &[u8]) {
    let lockout = bench.policy.lockout().expect("it has one");
    let (now, counter) = (UnixTime::from_seconds(NOW), counter(bench));
    let standing = lockout.standing(slot, &counter, now);
    for change in [Change::Fail, Change::Reserve, Change::Confirm, Change::GiveBack] {
        let (next, after) = lockout.change(slot, &counter, change, now);
        let next = next.unwrap_or_else(|| slot.to_vec());
        assert!(next.len() <= slot.len().max(1024), "it does not grow");
        assert!(change != Change::Reserve || (after == Standing::Open) == (standing == Standing::Open));
        // Whatever lay there: three failures more lock out, and a day later that is over.
        let worse = (0..3).fold(next, |slot, _| lockout.change(&slot, &counter, Change::Fail, now).0.unwrap_or(slot));
        assert!(matches!(lockout.standing(&worse, &counter, now), Standing::Locked(_)));
    }
}

/// The counter of a caller that fails.
fn counter(bench: &Bench) -> Counter {
    let headers = [(":method", "GET"), (":path", "/a"), (":authority", "a.test"), ("x-api-key", "nonsense")];
    let headers: Vec<_> = headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect();
    let mut worker = Worker::new(&bench.policy, Proven::NOTHING);
    let verdict = bench.policy.decide(&borrow_headers(&headers).expect("names are ASCII"), &Here, &mut worker, &mut ());
    verdict.attempt.expect("a guess").counter
}

/// Nowhere, at the time of everything.
struct Here;

impl portcullis_engine::token::HostCrypto for Here {}

impl Facts for Here {
    fn now(&self) -> UnixTime {
        UnixTime::from_seconds(NOW)
    }

    fn client(&self) -> Option<std::net::IpAddr> {
        "192.0.2.1".parse().ok()
    }

    fn standing(&self, _: &Lockout, _: &Counter, _: bool) -> Standing {
        Standing::Open
    }
}
