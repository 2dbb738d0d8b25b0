//! A wall clock that stands still, for tokens signed long ago whose keys are gone.

use std::path::Path;
use std::process::Command;

/// Answers the wall clock's readers with one moment and leaves the steady clock, which
/// Envoy's timers run on, alone. It must not allocate: Envoy's allocator reads the clock.
const SOURCE: &str = include_str!("stopped_clock.c");

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
