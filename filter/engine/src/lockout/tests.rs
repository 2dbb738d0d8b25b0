#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;

fn lockout() -> Lockout {
    Lockout {
        max_failures: 3,
        window: Duration::from_secs(60),
        duration: Duration::from_secs(300),
        by_address: true,
        by_account: false,
        name: String::new(),
    }
}

fn with(window: u64, duration: u64) -> Lockout {
    Lockout { window: Duration::from_secs(window), duration: Duration::from_secs(duration), ..lockout() }
}

fn at(seconds: i64) -> UnixTime {
    UnixTime::from_seconds(1_750_000_000 + seconds)
}

fn counter(address: &str) -> Counter {
    lockout().counter(address.parse().ok(), None, &[1; 32])
}

/// A slot, and what is done to it.
struct Slot(Vec<u8>);

impl Slot {
    fn change(&mut self, counter: &Counter, change: Change, seconds: i64) -> Standing {
        let (next, standing) = lockout().change(&self.0, counter, change, at(seconds));
        self.0 = next.unwrap_or_else(|| self.0.clone());
        standing
    }

    fn standing(&self, counter: &Counter, seconds: i64) -> Standing {
        lockout().standing(&self.0, counter, at(seconds))
    }
}

#[test]
fn too_many_failures_lock_out_for_a_while() {
    let (mut slot, one, other) = (Slot(Vec::new()), counter("192.0.2.1"), counter("192.0.2.2"));
    assert_eq!(slot.standing(&one, 0), Standing::Open);
    assert_eq!(slot.change(&one, Change::Fail, 0), Standing::Open);
    assert_eq!(slot.change(&one, Change::Fail, 10), Standing::Open);
    assert_eq!(slot.change(&one, Change::Fail, 20), Standing::Locked(300));
    assert_eq!(slot.standing(&one, 119), Standing::Locked(201));
    assert_eq!(slot.standing(&other, 119), Standing::Open, "nobody else");
    assert_eq!(slot.change(&one, Change::Fail, 120), Standing::Locked(200), "no longer for trying on");
    assert_eq!(slot.standing(&one, 320), Standing::Open, "it ends");
    assert_eq!(slot.change(&one, Change::Fail, 320), Standing::Open, "and begins anew");
}

/// What happens to one caller, in milliseconds, under lockouts whose lock is shorter than the window, as long, and longer.
#[test]
fn a_lock_lasts_for_its_duration_whatever_the_window() {
    use Change::{Confirm, Fail, GiveBack, Reserve};
    use Standing::{Locked, Open};
    for (window, duration) in [(61, 4), (4, 4), (5, 4), (1, 4), (900, 1), (60, 60), (60, 300), (7 * 86_400, 900)] {
        let (lockout, one) = (with(window, duration), counter("192.0.2.1"));
        let length = i64::try_from(duration).unwrap() * 1000;
        let whole = u32::try_from(duration).unwrap();
        let steps: &[(i64, Option<Change>, Standing, &str)] = &[
            (700, Some(Fail), Open, "the first"),
            (800, Some(Fail), Open, "the second"),
            (900, Some(Fail), Locked(whole), "the last"),
            (901, None, Locked(whole), "rounded up"),
            (950, Some(Fail), Locked(whole), "one that another worker let in"),
            (950, Some(Reserve), Locked(whole), "no attempt either"),
            (length - 100, None, Locked(1), "a second to go"),
            (length - 99, None, Locked(1), "less than a second to go"),
            (length + 899, None, Locked(1), "a millisecond to go"),
            (length + 900, None, Open, "over"),
            (length + 900, Some(Fail), Open, "the first of the next"),
            (length + 950, Some(Reserve), Open, "an attempt"),
            (length + 950, Some(GiveBack), Open, "which is good"),
            (length + 960, Some(Fail), Open, "the second of the next"),
            (length + 970, Some(Reserve), Open, "another attempt"),
            (length + 980, Some(Confirm), Locked(whole), "the last of the next"),
            (2 * length + 979, None, Locked(1), "locked again, for as long"),
            (2 * length + 980, None, Open, "and over again"),
        ];
        let mut slot = Vec::new();
        for (after, change, expected, message) in steps {
            let now = UnixTime::from_millis(at(0).millis() + after);
            let standing = match change {
                None => lockout.standing(&slot, &one, now),
                Some(change) => {
                    let (next, standing) = lockout.change(&slot, &one, *change, now);
                    slot = next.unwrap_or(slot);
                    standing
                }
            };
            assert_eq!(standing, *expected, "{message}, {duration} s within {window} s");
        }
    }
}

#[test]
fn attempts_that_outlast_a_lock_still_count() {
    let (lockout, one) = (with(60, 4), counter("192.0.2.1"));
    let mut slot = Vec::new();
    for (second, change, expected, message) in [
        (0, Change::Reserve, Standing::Open, "a first attempt"),
        (0, Change::Reserve, Standing::Open, "a second"),
        (1, Change::Fail, Standing::Locked(1), "a guessed token: with those under way, all that there may be"),
        (1, Change::Fail, Standing::Locked(1), "on another worker"),
        (1, Change::Fail, Standing::Locked(4), "on a third"),
        (5, Change::Reserve, Standing::Open, "after the lock, one beside the two"),
        (5, Change::Reserve, Standing::Locked(1), "and no more"),
        (6, Change::Confirm, Standing::Locked(1), "one of them failed"),
        (7, Change::GiveBack, Standing::Open, "one did not"),
        (8, Change::Confirm, Standing::Open, "the last failed"),
        (64, Change::Fail, Standing::Locked(4), "all within a window from the first"),
        (68, Change::Fail, Standing::Open, "the first again"),
        (127, Change::Fail, Standing::Open, "the second"),
        (128, Change::Fail, Standing::Open, "the first of another window"),
    ] {
        let (next, standing) = lockout.change(&slot, &one, change, at(second));
        slot = next.unwrap_or(slot);
        assert_eq!(standing, expected, "{message}");
    }
}

/// A window begins with a failure: a sign-in that is long under way takes nothing of it.
#[test]
fn a_window_begins_with_the_first_failure() {
    let (mut slot, one) = (Slot(Vec::new()), counter("192.0.2.1"));
    slot.change(&one, Change::Reserve, 0);
    slot.change(&one, Change::Confirm, 50);
    slot.change(&one, Change::Fail, 100);
    assert_eq!(slot.change(&one, Change::Fail, 109), Standing::Locked(300));
}

#[test]
fn a_clock_that_is_set_back_locks_nobody_out_for_longer() {
    for (window, duration) in [(3600, 4), (60, 60), (60, 300)] {
        let (lockout, one) = (with(window, duration), counter("192.0.2.1"));
        let mut slot = Vec::new();
        for second in [0, 0, 50] {
            slot = lockout.change(&slot, &one, Change::Fail, at(second)).0.unwrap_or_default();
        }
        let whole = u32::try_from(duration).unwrap();
        for (second, expected, message) in [
            (50, Standing::Locked(whole), "now"),
            (40, Standing::Locked(whole + 10), "as far as clocks of workers may differ"),
            (19, Standing::Open, "further"),
            (-3600, Standing::Open, "an hour"),
        ] {
            assert_eq!(lockout.standing(&slot, &one, at(second)), expected, "{message}, for {duration} s");
        }
        let (next, standing) = lockout.change(&slot, &one, Change::Fail, at(19));
        assert_eq!(standing, Standing::Open, "counted anew");
        assert_eq!(lockout.standing(&next.unwrap_or_default(), &one, at(51)), Standing::Open, "when it comes round");
    }
}

#[test]
fn failures_are_forgotten_with_their_window() {
    let (mut slot, one) = (Slot(Vec::new()), counter("192.0.2.1"));
    slot.change(&one, Change::Fail, 0);
    slot.change(&one, Change::Fail, 1);
    assert_eq!(slot.change(&one, Change::Fail, 60), Standing::Open, "a new window");
    slot.change(&one, Change::Fail, 61);
    assert_eq!(slot.change(&one, Change::Fail, 62), Standing::Locked(300));
}

#[test]
fn attempts_under_way_count_until_they_are_settled() {
    let (mut slot, one) = (Slot(Vec::new()), counter("192.0.2.1"));
    for _ in 0..3 {
        slot.change(&one, Change::Reserve, 0);
    }
    assert_eq!(slot.change(&one, Change::Reserve, 0), Standing::Locked(1), "a fourth at once");
    assert_eq!(slot.standing(&one, 0), Standing::Locked(1));
    slot.change(&one, Change::GiveBack, 1);
    assert_eq!(slot.change(&one, Change::Reserve, 1), Standing::Open, "one went well");
    slot.change(&one, Change::Confirm, 2);
    slot.change(&one, Change::Confirm, 2);
    assert_eq!(slot.change(&one, Change::Confirm, 2), Standing::Locked(300));
    assert_eq!(slot.change(&one, Change::GiveBack, 400), Standing::Open, "long gone");
    let (mut slot, one) = (Slot(Vec::new()), counter("192.0.2.1"));
    slot.change(&one, Change::Reserve, 0);
    slot.change(&one, Change::GiveBack, 0);
    assert!(slot.0.is_empty(), "nothing is remembered of who did nothing wrong");
}

#[test]
fn a_slot_does_not_grow_and_forgets_no_lock_for_newcomers() {
    let (mut slot, one) = (Slot(Vec::new()), counter("192.0.2.1"));
    for _ in 0..3 {
        slot.change(&one, Change::Fail, 0);
    }
    for number in 0..1000_u32 {
        let newcomer = lockout().counter(Some(IpAddr::from(number.to_be_bytes())), None, &[1; 32]);
        slot.change(&newcomer, Change::Fail, 1);
        assert!(slot.0.len() <= COUNTERS * COUNTER_BYTES, "{} bytes", slot.0.len());
    }
    assert_eq!(slot.standing(&one, 2), Standing::Locked(298));
    const { assert!(LOCKOUT_SLOTS * COUNTERS * COUNTER_BYTES <= 2 * 1024 * 1024) };
    // A slot where everybody is locked out lets go of the one whose time is up first.
    let mut slot = Slot(Vec::new());
    let many: Vec<Counter> =
        (0..40_u32).map(|number| lockout().counter(Some(IpAddr::from(number.to_be_bytes())), None, &[1; 32])).collect();
    for (second, counter) in many.iter().enumerate() {
        for _ in 0..3 {
            slot.change(counter, Change::Fail, i64::try_from(second).expect("small"));
        }
    }
    assert!(slot.0.len() <= COUNTERS * COUNTER_BYTES);
    assert!(matches!(slot.standing(&many[39], 40), Standing::Locked(_)), "the last one");
    assert_eq!(slot.standing(&many[0], 40), Standing::Open, "the first one");
}

#[test]
fn nonsense_in_a_slot_locks_nobody_out_for_ever() {
    let one = counter("192.0.2.1");
    let locked = [&one.0[..], &[0xff; 20]].concat();
    assert_eq!(lockout().standing(&locked, &one, at(0)), Standing::Open, "a clock that was set back");
    assert_eq!(lockout().change(&locked, &one, Change::Fail, at(0)).1, Standing::Open, "and forgotten then");
    for slot in [&b"x"[..], &[0xff; 31], &[0xff; 4096]] {
        assert_eq!(lockout().standing(slot, &one, at(0)), Standing::Open);
        let (next, _) = lockout().change(slot, &one, Change::Fail, at(0));
        assert!(next.is_some_and(|next| next.len() <= COUNTERS * COUNTER_BYTES));
    }
}

#[test]
fn counters_tell_callers_apart_as_they_should() {
    let of = |address: &str, account: Option<&str>, by_account| {
        Lockout { by_account, ..lockout() }.counter(address.parse().ok(), account, &[1; 32])
    };
    let base = of("192.0.2.1", Some("ada"), true);
    for (other, same, message) in [
        (of("192.0.2.1", Some("ada"), true), true, "the same"),
        (of("::ffff:192.0.2.1", Some("ada"), true), true, "mapped"),
        (of("192.0.2.1", Some("bob"), true), false, "another account"),
        (of("192.0.2.2", Some("ada"), true), false, "another address"),
        (of("192.0.2.1", None, true), false, "no account"),
        (of("192.0.2.1", Some("ada"), false), false, "without accounts"),
    ] {
        assert_eq!(other == base, same, "{message}");
    }
    assert_eq!(of("2001:db8::1", None, false), of("2001:db8::ffff:1", None, false), "one subscriber");
    assert_ne!(of("2001:db8::1", None, false), of("2001:db8:0:1::1", None, false), "two");
    assert_ne!(lockout().counter(None, None, &[1; 32]), lockout().counter(None, None, &[2; 32]), "the key matters");
}
