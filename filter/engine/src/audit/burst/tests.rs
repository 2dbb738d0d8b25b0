#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;
use crate::decision::DenyReason;
use crate::testing::now;

fn rules(max: u32) -> BurstRules {
    BurstRules { max, interval: Duration::from_secs(10) }
}

fn group(address: u32) -> Group {
    Group { decision: Decision::Deny(DenyReason::RoleDenied), route: None, ip: Some(IpAddr::V4(address.into())) }
}

fn at(seconds: u64) -> UnixTime {
    now().plus(Duration::from_secs(seconds))
}

#[test]
fn those_beyond_the_limit_are_counted() {
    let mut bursts = Bursts::new(rules(2));
    let turns: Vec<Turn> = (0..5).map(|second| bursts.denied(&group(1), AuditAction::Read, at(second))).collect();
    assert_eq!(turns, [Turn::Line(None), Turn::Line(None), Turn::Counted, Turn::Counted, Turn::Counted]);
    assert_eq!(bursts.denied(&group(2), AuditAction::Read, at(5)), Turn::Line(None), "another group");
    assert_eq!(bursts.over(Some(at(9))), [], "the interval is not over");
    let counted = Counted { count: 3, since: at(2), action: AuditAction::Read };
    assert_eq!(bursts.over(Some(at(10))), [(group(1), counted)]);
    assert_eq!(bursts.denied(&group(1), AuditAction::Read, at(11)), Turn::Line(None), "a new interval");
    assert_eq!(bursts.over(None), [], "nothing was counted");
}

#[test]
fn the_next_denial_after_an_interval_tells_of_it() {
    let mut bursts = Bursts::new(rules(1));
    for (second, action) in [(0, AuditAction::Read), (1, AuditAction::Write), (2, AuditAction::Read)] {
        bursts.denied(&group(1), action, at(second));
    }
    let counted = Counted { count: 2, since: at(1), action: AuditAction::Other };
    assert_eq!(bursts.denied(&group(1), AuditAction::Read, at(10)), Turn::Line(Some(counted)));
    assert_eq!(bursts.denied(&group(1), AuditAction::Read, at(11)), Turn::Counted);
    assert_eq!(bursts.over(None).len(), 1, "at the end, whatever the time");
}

#[test]
fn records_that_end_late_are_of_the_interval_at_hand() {
    let mut bursts = Bursts::new(rules(1));
    assert_eq!(bursts.denied(&group(1), AuditAction::Read, at(100)), Turn::Line(None));
    assert_eq!(bursts.denied(&group(1), AuditAction::Read, at(5)), Turn::Counted);
}

#[test]
fn a_clock_that_is_set_back_ends_an_interval() {
    let mut bursts = Bursts::new(rules(1));
    for _ in 0..3 {
        bursts.denied(&group(1), AuditAction::Read, at(100));
    }
    assert_eq!(bursts.over(Some(at(100))), [], "at hand");
    let counted = Counted { count: 2, since: at(100), action: AuditAction::Read };
    assert_eq!(bursts.over(Some(at(50))), [(group(1), counted)]);
    assert_eq!(bursts.denied(&group(1), AuditAction::Read, at(51)), Turn::Line(None), "a new interval");
}

#[test]
fn beyond_as_many_groups_as_there_may_be_each_has_its_line() {
    let mut bursts = Bursts::new(rules(1));
    for address in 0..5000 {
        assert_eq!(bursts.denied(&group(address), AuditAction::Read, at(0)), Turn::Line(None));
    }
    assert_eq!(bursts.windows.len(), MAX_GROUPS);
    assert_eq!(
        bursts.denied(&group(4999), AuditAction::Read, at(0)),
        Turn::Line(None),
        "not counted, and not left out"
    );
    assert_eq!(bursts.denied(&group(0), AuditAction::Read, at(0)), Turn::Counted);
    assert_eq!(bursts.over(Some(at(10))).len(), 1);
    assert_eq!(bursts.windows.len(), 0, "there is room again");
}

#[cfg(not(target_arch = "wasm32"))]
mod properties {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn lines_and_counts_add_up(
            max in 1_u32..5,
            denials in prop::collection::vec((0_u32..4, 0_u64..30, any::<bool>()), 0..200),
        ) {
            let mut bursts = Bursts::new(rules(max));
            let (mut lines, mut counted) = (0, 0);
            for (address, second, tick) in &denials {
                match bursts.denied(&group(*address), AuditAction::Read, at(*second)) {
                    Turn::Line(before) => {
                        lines += 1;
                        counted += before.map_or(0, |counted| counted.count);
                    }
                    Turn::Counted => {}
                }
                if *tick {
                    counted += bursts.over(Some(at(*second))).iter().map(|(_, counted)| counted.count).sum::<u64>();
                }
            }
            counted += bursts.over(None).iter().map(|(_, counted)| counted.count).sum::<u64>();
            prop_assert_eq!(lines + counted, denials.len() as u64);
        }
    }
}
