#![expect(clippy::string_slice, reason = "the texts are of ASCII")]

use super::{SECRET_BYTES, STEP_SECONDS, Totp};
use crate::exit::Exit;

/// The secret of RFC 4226 appendix D and, for SHA-1, of RFC 6238 appendix B.
const SECRET: &[u8; SECRET_BYTES] = b"12345678901234567890";

#[test]
fn the_codes_of_rfc_4226_are_taken_at_their_counters() {
    let totp = Totp::new(SECRET).unwrap();
    let codes = ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"];
    for (counter, code) in (0_i64..).zip(codes) {
        let step = u64::try_from(counter).unwrap();
        assert_eq!(totp.step(code, counter * 30, None), Some(step), "counter {counter}");
        assert_eq!(totp.step(code, counter * 30 + 29, None), Some(step), "counter {counter}, its last second");
    }
}

/// Appendix B has eight digits, of which an app shows the last six.
#[test]
fn the_codes_of_rfc_6238_are_taken_at_their_times() {
    let totp = Totp::new(SECRET).unwrap();
    for (time, code) in [
        (59, "94287082"),
        (1_111_111_109, "07081804"),
        (1_111_111_111, "14050471"),
        (1_234_567_890, "89005924"),
        (2_000_000_000, "69279037"),
        (20_000_000_000, "65353130"),
    ] {
        let step = u64::try_from(time).unwrap() / STEP_SECONDS;
        assert_eq!(totp.step(&code[2..], time, None), Some(step), "{time}");
    }
}

#[test]
fn a_code_is_good_one_step_early_or_late_and_no_more() {
    let totp = Totp::new(SECRET).unwrap();
    // The code of step 5 begins at 150 seconds.
    for (time, good) in [(119, false), (120, true), (149, true), (150, true), (179, true), (209, true), (210, false)] {
        assert_eq!(totp.step("254676", time, None).is_some(), good, "at {time}");
    }
    assert_eq!(totp.step("755224", -1, None), None, "before 1970");
}

#[test]
fn a_code_works_once_and_none_before_it_works_after_it() {
    let totp = Totp::new(SECRET).unwrap();
    let used = totp.step("254676", 150, None);
    assert_eq!(used, Some(5));
    assert_eq!(totp.step("254676", 150, used), None, "the same again");
    assert_eq!(totp.step("254676", 179, used), None, "the same later");
    assert_eq!(totp.step("338314", 150, used), None, "the one before");
    assert_eq!(totp.step("287922", 150, used), Some(6), "the next one, of a clock that is fast");
}

#[test]
fn only_six_digits_are_a_code() {
    let totp = Totp::new(SECRET).unwrap();
    for code in ["", "25467", "2546760", "+54676", "25467a", " 254676", "２54676", "254676\n", "000000"] {
        assert_eq!(totp.step(code, 150, None), None, "{code:?}");
    }
}

#[test]
fn the_uri_says_what_an_app_needs() {
    let totp = Totp::labelled(SECRET, "alice@example.com", "Example & Co").unwrap();
    assert_eq!(
        *totp.uri().unwrap(),
        "otpauth://totp/Example%20%26%20Co:alice%40example.com\
         ?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Example%20%26%20Co"
    );
    assert_eq!(*totp.base32(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    let odd = Totp::labelled(SECRET, "\"a:b\"@example.com", "Portcullis").unwrap();
    assert!(odd.uri().unwrap().contains("/Portcullis:%22a_b%22%40example.com?"));
}

#[test]
fn what_cannot_be_a_second_factor_is_refused() {
    assert_eq!(Totp::new(&[7; 15]).err().unwrap().exit, Exit::Invalid, "120 bits");
    assert_eq!(Totp::labelled(SECRET, "alice", "a:b").err().unwrap().exit, Exit::Usage, "a colon");
    assert!(Totp::new(SECRET).unwrap().uri().is_err(), "no account");
}
