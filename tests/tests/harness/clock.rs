//! A wall clock that stands still, for tokens signed long ago whose keys are gone.

use std::path::Path;
use std::process::Command;

/// Answers the wall clock's readers with one moment and leaves the steady clock, which
/// Envoy's timers run on, alone. It must not allocate: Envoy's allocator reads the clock.
const SOURCE: &str = include_str!("stopped_clock.c");

/// `seconds` since 1970 as RFC 3339 has it, in UTC.
pub fn rfc3339(seconds: i64) -> String {
    let (days, time) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Howard Hinnant's `civil_from_days`: years that begin in March, in eras of 400.
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Has the program `command` starts read `seconds` since 1970 from the wall clock.
pub fn stop(command: &mut Command, folder: &Path, seconds: i64) {
    let source = folder.join("stopped_clock.c");
    let library = folder.join("stopped_clock.so");
    std::fs::write(&source, SOURCE).unwrap();
    let compiled = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(&source).output();
    let compiled = compiled.expect("no C compiler: install one, `cc`, to run the tests on a stopped clock");
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    let preload = if cfg!(target_os = "macos") { "DYLD_INSERT_LIBRARIES" } else { "LD_PRELOAD" };
    command.env(preload, library).env("STOPPED_CLOCK", seconds.to_string()).env("TZ", "UTC");
}
