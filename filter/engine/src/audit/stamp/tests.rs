#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{Stamp, UnixTime};

#[test]
fn a_stamp_is_the_time_within_a_second_and_across_seconds() {
    let mut stamp = Stamp::default();
    for millis in [0, 0, 7, 999, 1000, 1042, 999, -1, -1000, 1_763_956_200_123, 1_763_956_200_004, i64::MAX, i64::MIN] {
        let now = UnixTime::from_millis(millis);
        assert_eq!(stamp.of(now), format!(r#"{{"timestamp":"{}""#, now.rfc3339()), "{millis} ms");
    }
}
