#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use std::cell::RefCell;

use super::*;

const HOSTED: [Algorithm; 6] =
    [Algorithm::RS256, Algorithm::RS384, Algorithm::RS512, Algorithm::ES256, Algorithm::ES384, Algorithm::ES512];

/// A host that answers in one way, and remembers what it was asked.
struct Host {
    answer: fn(usize) -> Option<bool>,
    asked: RefCell<Vec<(&'static str, Vec<u8>)>>,
}

impl Host {
    fn new(answer: fn(usize) -> Option<bool>) -> Self {
        Self { answer, asked: RefCell::new(Vec::new()) }
    }
}

impl HostCrypto for Host {
    fn verify_signature(&self, check: &SignatureCheck<'_>) -> Option<bool> {
        let count = self.asked.borrow().len();
        self.asked.borrow_mut().push((check.hash, check.signature.to_vec()));
        (self.answer)(count)
    }
}

fn known() -> (KeySet, Value) {
    let known: Value = serde_json::from_str(SELF_TEST).unwrap();
    (KeySet::from_jwks(known["jwks"].to_string().as_bytes(), false).unwrap(), known["tokens"].clone())
}

#[test]
fn the_tokens_of_the_self_test_are_good() {
    let (keys, tokens) = known();
    for algorithm in HOSTED {
        let token = tokens[algorithm.name()].as_str().unwrap();
        assert!(super::super::verify_signature_only(token, &keys).is_ok(), "{algorithm}");
    }
    assert!(!SELF_TEST.contains("\"d\""), "no private key");
}

#[test]
fn a_host_is_believed_only_after_both_answers_were_right() {
    let proven = |answer| Proven::by(&Host::new(answer), Algorithm::ALL);
    let all = proven(|count| Some(count % 2 == 0));
    for algorithm in Algorithm::ALL {
        assert_eq!(all.contains(*algorithm), HOSTED.contains(algorithm), "{algorithm}");
    }
    for (message, answer) in [
        ("says yes to everything", (|_| Some(true)) as fn(usize) -> Option<bool>),
        ("says no to everything", |_| Some(false)),
        ("says nothing", |_| None),
        ("says the opposite", |count| Some(count % 2 == 1)),
        ("is gone after the first", |count| (count % 2 == 0).then_some(true)),
    ] {
        assert_eq!(proven(answer), Proven::NOTHING, "{message}");
    }
    assert_eq!(Proven::by(&Host::new(|_| panic!("asked")), &[]), Proven::NOTHING, "not asked for what is not allowed");
}

#[test]
fn the_host_verifies_what_it_was_proven_for_and_nothing_else() {
    let (keys, tokens) = known();
    let host = Host::new(|_| Some(true));
    let crypto = Crypto::new(&host, Proven::NOTHING.with(Algorithm::ES256));
    for (algorithm, asked) in [(Algorithm::ES256, 1), (Algorithm::RS256, 1), (Algorithm::ES384, 1)] {
        let jws = CompactJws::parse(tokens[algorithm.name()].as_str().unwrap()).unwrap();
        let key = keys.candidates(jws.header.kid.as_deref(), algorithm, None).next().unwrap();
        assert!(key.verify(algorithm, jws.signing_input, &jws.signature, crypto), "{algorithm}");
        assert_eq!(host.asked.borrow().len(), asked, "{algorithm}");
    }
    let (hash, signature) = host.asked.borrow()[0].clone();
    assert_eq!((hash, signature[0]), ("sha256", 0x30), "a DER sequence");
    let key = keys.candidates(Some("ES256"), Algorithm::ES256, None).next().unwrap();
    for (signature, message) in [
        (vec![0; 64], "zeros"),
        (vec![1; 63], "a byte too few"),
        (vec![1; 65], "a byte too many"),
        (vec![0xff; 64], "beyond the order"),
        (signature, "DER where r and s belong"),
    ] {
        assert!(!key.verify(Algorithm::ES256, b"x", &signature, crypto), "{message}");
        assert_eq!(host.asked.borrow().len(), 1, "{message}: the host need not be asked");
    }
}

#[test]
fn where_the_host_fails_the_engine_verifies() {
    let (keys, tokens) = known();
    let host = Host::new(|_| None);
    let crypto = Crypto::new(&host, HOSTED.into_iter().fold(Proven::NOTHING, Proven::with));
    for algorithm in HOSTED {
        let jws = CompactJws::parse(tokens[algorithm.name()].as_str().unwrap()).unwrap();
        let key = keys.candidates(jws.header.kid.as_deref(), algorithm, None).next().unwrap();
        assert!(key.verify(algorithm, jws.signing_input, &jws.signature, crypto), "{algorithm}");
        assert!(!key.verify(algorithm, b"other", &jws.signature, crypto), "{algorithm}, another message");
    }
    assert_eq!(host.asked.borrow().len(), 12);
}
