//! The configurations that ship with the project, read by what they are for.

use std::process::Command;

use crate::harness::paths;
use crate::harness::token::SECRET;
use crate::harness::tool::portcullis;

#[test]
fn envoy_takes_its_configuration() {
    // So that the module it names is there, whatever is looked at first.
    paths::module();
    let checked = Command::new(paths::envoy())
        .current_dir(paths::root())
        .args([
            "--mode",
            "validate",
            "--disable-hot-restart",
            "--log-level",
            "warning",
            "--config-path",
            "envoy/envoy.yaml",
        ])
        .env("SECRET_KEY", SECRET)
        .output()
        .unwrap();
    assert!(
        checked.status.success(),
        "envoy/envoy.yaml: {}{}",
        String::from_utf8_lossy(&checked.stdout),
        String::from_utf8_lossy(&checked.stderr)
    );
}

#[test]
fn the_policy_shipped_with_it_has_no_fault() {
    let policy = paths::root().join("envoy/policy.yaml");
    let said = portcullis(&["policy", "check", policy.to_str().unwrap()], "", &[("SECRET_KEY", SECRET)]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
}
