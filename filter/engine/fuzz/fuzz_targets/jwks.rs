//! Answers of an issuer: key sets (`k`), discovery documents (`d`), and the state that workers share (`s`).

#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis_engine::token::{Algorithm, KeySet, verify_signature_only};
use portcullis_engine::{Answer, FetchState, Policy, Stage, UnixTime, Worker};
use portcullis_fuzz::{NOW, Signed, policy};

thread_local! {
    static BENCH: (Signed, Policy) = {
        let signed = Signed::load();
        let policy = policy(&signed);
        (signed, policy)
    };
}

fuzz_target!(|data: &[u8]| {
    let Some((mode, rest)) = data.split_first() else { return };
    BENCH.with(|(signed, policy)| match mode {
        b'd' => discovery(policy, rest),
        b's' => state(policy, rest),
        _ => keys(policy, signed, rest),
    });
});

fn keys(policy: &Policy, signed: &Signed, body: &[u8]) {
    let remote = &policy.remote_jwks()[0];
    let stage = Stage::Keys("/certs".into());
    assert!(remote.read(&stage, 503, body).is_err(), "only 200 brings keys");
    let private = KeySet::from_jwks(body, false);
    let answer = remote.read(&stage, 200, body);
    let mut worker = Worker::new(policy, portcullis_engine::token::Proven::NOTHING);
    let learned = worker.learn(policy, 0, &FetchState::NEVER, body);
    assert_eq!(answer.is_ok(), learned.is_ok(), "what is read is learned");
    assert_eq!(worker.has_keys(0), learned.is_ok());
    let Ok(answer) = answer else { return };
    let Answer::Keys { keys: set, .. } = answer else { panic!("{answer:?}") };
    assert!((1..=100).contains(&set.keys().len()));
    for key in set.keys() {
        assert!(!Algorithm::ALL.iter().any(|algorithm| algorithm.is_symmetric() && key.fits(*algorithm)));
        assert!(Algorithm::ALL.iter().any(|algorithm| key.fits(*algorithm)), "a key is good for something");
    }
    if let Ok(private) = private {
        assert!(!private.keys().iter().any(portcullis_engine::token::Key::secret_is_too_short));
    }
    // Keys are an issuer's word; whatever they are, a token can be held against them.
    for token in &signed.tokens[..3] {
        drop(verify_signature_only(token, &set));
    }
}

fn discovery(policy: &Policy, body: &[u8]) {
    let Ok(answer) = policy.remote_jwks()[0].read(&Stage::Discovery, 200, body) else { return };
    let Answer::Next(Stage::Keys(path)) = answer else { panic!("{answer:?}") };
    assert!(path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#'), "{path}");
}

fn state(policy: &Policy, bytes: &[u8]) {
    let remote = &policy.remote_jwks()[0];
    let state = FetchState::decode(bytes);
    assert!(state == FetchState::NEVER || state.encode() == bytes);
    let times = [i64::MIN, -1, 0, NOW * 1000, i64::MAX].map(UnixTime::from_millis);
    for now in times {
        let _ = remote.patience(&state, now);
        for unknown_kid in [false, true] {
            let _ = remote.is_due(&state, unknown_kid, now);
        }
        let begun = remote.begun(&state, now);
        for next in [begun, remote.succeeded(&begun, now), remote.failed(&begun, now), remote.abandoned(&begun, now)] {
            assert_eq!(FetchState::decode(&next.encode()), next);
            let _ = remote.good_until(&next);
        }
    }
    let healed = remote.succeeded(&state, UnixTime::from_seconds(NOW));
    assert!(healed.generation() > 0 && !remote.is_due(&healed, false, UnixTime::from_seconds(NOW)));
}
