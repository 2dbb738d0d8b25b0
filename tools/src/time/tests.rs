use std::time::Duration;

use super::{parse_duration, parse_moment, relative, rfc3339};

#[test]
fn durations_are_a_number_and_a_unit() {
    for (text, expected) in [
        ("250ms", Some(Duration::from_millis(250))),
        ("0s", Some(Duration::ZERO)),
        ("30s", Some(Duration::from_secs(30))),
        ("30m", Some(Duration::from_secs(1800))),
        ("24h", Some(Duration::from_secs(86_400))),
        ("730d", Some(Duration::from_secs(63_072_000))),
        ("", None),
        ("30", None),
        ("m", None),
        ("-30s", None),
        ("+30s", None),
        ("1.5h", None),
        ("30 s", None),
        ("30S", None),
        ("1w", None),
        ("1h30m", None),
        ("99999999999999999999s", None),
        ("18446744073709551615d", None),
        ("३0s", None),
    ] {
        assert_eq!(parse_duration(text).ok(), expected, "{text:?}");
    }
}

#[test]
fn moments_are_seconds_or_rfc3339() {
    for (text, expected) in [
        ("0", Some(0)),
        ("1750000000", Some(1_750_000_000)),
        ("2025-06-15T15:06:40Z", Some(1_750_000_000)),
        ("2025-06-15t15:06:40z", Some(1_750_000_000)),
        ("2025-06-15T17:06:40+02:00", Some(1_750_000_000)),
        ("2025-06-15T15:06:40.999Z", Some(1_750_000_000)),
        ("253402300799", Some(253_402_300_799)),
        ("253402300800", None),
        ("-1", None),
        ("1750000000.5", None),
        ("2025-06-15", None),
        ("2025-06-15T15:06:40", None),
        ("2025-02-30T00:00:00Z", None),
        ("1969-12-31T23:59:59Z", None),
        ("yesterday", None),
        ("", None),
    ] {
        assert_eq!(parse_moment(text).ok(), expected, "{text:?}");
    }
}

#[test]
fn moments_print_as_rfc3339() {
    assert_eq!(rfc3339(1_750_000_000).as_deref(), Some("2025-06-15T15:06:40Z"));
    assert_eq!(rfc3339(i64::MAX), None);
}

#[test]
fn distances_read_like_speech() {
    for (moment, expected) in [
        (1000, "now"),
        (1001, "in 1 second"),
        (1090, "in 90 seconds"),
        (1060, "in 1 minute"),
        (2800, "in 30 minutes"),
        (2799, "in 30 minutes"),
        (2770, "in 30 minutes"),
        (2769, "in 29 minutes"),
        (1000 + 3600, "in 1 hour"),
        (1000 + 5400, "in 90 minutes"),
        (1000 + 86_400 * 3, "in 3 days"),
        (0, "17 minutes ago"),
        (i64::MIN, "106751991167301 days ago"),
    ] {
        assert_eq!(relative(moment, 1000), expected, "{moment}");
    }
}
