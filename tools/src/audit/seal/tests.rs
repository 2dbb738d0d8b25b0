use super::*;
use crate::audit::testing::SECRET;

fn keys() -> Keys {
    Keys::new(&Secret::new(SECRET.to_vec().into()), "KEY").unwrap()
}

fn reached(id: &str, seq: u64) -> Reached {
    Reached { chain: id.to_owned(), seq, mac: [7; 32], last: "2026-11-24T00:00:00.000Z".to_owned() }
}

#[test]
fn a_state_opens_as_it_was_sealed() {
    let state = State::new(vec![reached("b", 2), reached("a", 1)], UnixTime::EPOCH);
    let text = state.sealed(&keys()).unwrap();
    let opened = State::open(&text, &keys(), "it").unwrap();
    assert_eq!(opened.chains(), [reached("a", 1), reached("b", 2)]);
    assert_eq!(opened.find("b"), Some(&reached("b", 2)));
    assert_eq!(opened.find("c"), None);
}

#[test]
fn a_state_that_was_changed_does_not_open() {
    let text = State::new(vec![reached("a", 1)], UnixTime::EPOCH).sealed(&keys()).unwrap();
    let other = Keys::new(&Secret::new(vec![1; 32].into()), "KEY").unwrap();
    let cases = [
        (text.replace("\"seq\":1", "\"seq\":2"), "does not fit its seal", "changed"),
        (text.replace("\"seal\":\"", "\"seal\":\"A"), "does not fit its seal", "another seal"),
        (text.replace("seal", "deal"), "is no state", "no seal"),
        (String::new(), "is no state", "nothing"),
        ("{\"seal\":\"x".to_owned(), "is no state", "half a state"),
    ];
    for (text, says, what) in cases {
        let failure = State::open(&text, &keys(), "it").unwrap_err();
        assert!(failure.cause.contains(says), "{what}: {}", failure.cause);
    }
    assert!(State::open(&text, &other, "it").is_err(), "another key");
}

#[test]
fn a_short_key_is_none() {
    let failure = Keys::new(&Secret::new(vec![1; 31].into()), "AUDIT_KEY").err().unwrap();
    assert!(failure.cause.contains("`AUDIT_KEY` has fewer than 32 bytes"), "{}", failure.cause);
}

#[test]
fn a_line_for_pruned_ones_says_how_far_they_went() {
    let line = keys().pruned_line(&reached("AAAAAAAAAAAAAAAAAAAAAA", 9), UnixTime::EPOCH);
    let sealed = SealedLine::parse(line.as_bytes()).unwrap();
    assert!(sealed.is_checkpoint() && sealed.seq == 9);
    assert_eq!(pruned(&sealed), Some([7; 32]));
    assert!(sealed.follows(&keys().chain, &[7; 32]));
    assert_eq!(timestamp(line.as_bytes()), Some("1970-01-01T00:00:00.000Z"));
    for other in ["", "{\"timestamp\":\"2026", "{\"timestamp\":\"1970-01-01T00:00:00.000ZZ"] {
        assert_eq!(timestamp(other.as_bytes()), None, "{other}");
    }
}
