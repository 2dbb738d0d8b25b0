use super::Failures;

fn after(failures: u32, codes: u32) -> Failures {
    let mut counted = Failures::default();
    for failure in 0..failures {
        counted = counted.and_one_more(failure < codes, 1000);
    }
    counted
}

#[test]
fn after_ten_failures_the_wait_doubles_up_to_a_quarter_of_an_hour() {
    for (failures, wait) in [
        (0, 0),
        (1, 0),
        (9, 0),
        (10, 1),
        (11, 2),
        (12, 4),
        (13, 8),
        (19, 512),
        (20, 900),
        (21, 900),
        (74, 900),
        (75, 900),
        (5000, 900),
    ] {
        let counted = after(failures, 0);
        assert_eq!(counted.shut(1000), wait > 0, "{failures} failures, at once");
        if wait > 0 {
            assert!(counted.shut(1000 + wait - 1), "{failures} failures, within {wait} seconds");
        }
        assert!(!counted.shut(1000 + wait), "{failures} failures, after {wait} seconds");
    }
}

#[test]
fn ten_wrong_codes_with_the_right_password_last_until_an_administrator_comes() {
    assert!(!after(9, 9).shut(100_000));
    assert!(after(10, 10).shut(100_000));
    assert!(after(10, 10).needs_administrator());
    assert!(!after(500, 9).needs_administrator(), "whoever does not know the password shuts nobody out for good");
}

#[test]
fn a_clock_that_was_set_back_shuts_nobody_out_for_longer() {
    let counted = after(30, 0);
    assert!(counted.shut(200), "by less than the wait");
    assert!(!counted.shut(99), "by more than the wait");
}

#[test]
fn the_first_and_the_last_failure_are_known() {
    let counted = Failures::default().and_one_more(false, 5).and_one_more(true, 7).and_one_more(false, 9);
    assert_eq!(counted, Failures { count: 3, codes: 1, first_at: 5, last_at: 9 });
}
