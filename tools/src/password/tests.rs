use std::convert::Infallible;
use std::time::Duration;

use zeroize::Zeroizing;

use super::calibrate::Calibrated;
use super::{Cost, Phc, calibrate, check_cost, check_length, hash, hash_with_salt, verify};
use crate::exit::Exit;
use crate::input::Secret;

const CHEAP: Cost = Cost { memory: 32, iterations: 1, parallelism: 4 };

fn secret(text: &str) -> Secret {
    Secret::new(Zeroizing::new(text.as_bytes().to_vec()))
}

#[test]
fn a_hash_verifies_its_own_password_and_no_other() {
    let phc = hash(&secret("correct horse"), CHEAP).unwrap();
    let parsed = Phc::parse(&phc.to_string()).unwrap();
    assert_eq!(verify(&secret("correct horse"), &parsed), Ok(true));
    assert_eq!(verify(&secret("correct horsf"), &parsed), Ok(false));
    assert_eq!(verify(&secret(""), &parsed), Ok(false));
}

#[test]
fn every_hash_has_its_own_salt() {
    let first = hash(&secret("correct horse"), CHEAP).unwrap();
    let second = hash(&secret("correct horse"), CHEAP).unwrap();
    assert_ne!(first.to_string(), second.to_string());
}

/// phc-winner-argon2 `src/test.c`, argon2id, version 19, t=2, m=2^8, p=2.
#[test]
fn the_tag_is_the_one_the_reference_computes() {
    let cost = Cost { memory: 256, iterations: 2, parallelism: 2 };
    let phc = hash_with_salt(&secret("password"), cost, b"somesalt").unwrap();
    assert_eq!(phc.to_string(), "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc");
}

#[test]
fn a_missing_version_is_version_16() {
    let text = "$argon2i$m=256,t=2,p=1$c29tZXNhbHQ$/U3YPXYsSb3q9XxHvc0MLxur+GP960kN9j7emXX8zwY";
    assert_eq!(verify(&secret("password"), &Phc::parse(text).unwrap()), Ok(true));
    let text = text.replace("$m=", "$v=16$m=");
    assert_eq!(verify(&secret("password"), &Phc::parse(&text).unwrap()), Ok(true), "v=16");
    let text = text.replace("v=16", "v=19");
    assert_eq!(verify(&secret("password"), &Phc::parse(&text).unwrap()), Ok(false), "v=19");
}

#[test]
fn malformed_hashes_are_refused() {
    let good = "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc";
    assert!(Phc::parse(good).is_ok());
    for (text, problem) in [
        (String::new(), "does not start"),
        (good.replacen('$', "", 1), "does not start"),
        (good.replace("argon2id", "argon2x"), "algorithm"),
        (good.replace("argon2id", "2b"), "algorithm"),
        (good.replace("v=19", "v=42"), "version"),
        (good.replace("v=19", "v=019"), "version"),
        (good.replace("m=256,", ""), "`m=`"),
        (good.replace("m=256", "m="), "`m=`"),
        (good.replace("m=256", "m=+256"), "`m=`"),
        (good.replace("m=256", "m=0256"), "`m=`"),
        (good.replace("m=256", "m=4294967296"), "`m=`"),
        (good.replace("m=256", "m=4294967295"), "excessive"),
        (good.replace("m=256", "m=4194305"), "excessive"),
        (good.replace("t=2", "t=4294967295"), "excessive"),
        (good.replace("m=256", "m=0"), "outside"),
        (good.replace("t=2", "t=0"), "outside"),
        (good.replace("p=2", "p=0"), "outside"),
        (good.replace("p=2", "p=33"), "outside"),
        (good.replace("m=256,t=2", "t=2,m=256"), "`m=`"),
        (good.replace(",p=2", ""), "`p=`"),
        (good.replace("p=2", "p=2,data=Dw8P"), "besides"),
        (good.replace("c29tZXNhbHQ", "c29tZXNhbHQ="), "salt is not unpadded"),
        (good.replace("c29tZXNhbHQ", "c29tZXNhbH-"), "salt is not unpadded"),
        (good.replace("c29tZXNhbHQ", "c29tZXNhbHR"), "salt is not unpadded"),
        (good.replace("c29tZXNhbHQ", "c29tZQ"), "salt has fewer"),
        (good.replace("bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc", ""), "tag has fewer"),
        (good.replace("$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc", ""), "ends before the tag"),
        (format!("{good}$"), "follows the tag"),
        (format!("{good}\n"), "tag is not unpadded"),
    ] {
        let error = Phc::parse(&text).unwrap_err();
        assert!(error.contains(problem), "{text}: {error}");
    }
}

#[test]
fn eight_characters_are_enough_and_seven_are_not() {
    for (password, ok) in [
        ("1234567", false),
        ("12345678", true),
        ("ünïcödé", false),
        ("ünïcödé!", true),
        ("🔑🔑🔑🔑", false),
        ("        ", true),
        ("", false),
    ] {
        assert_eq!(check_length(&secret(password)).is_ok(), ok, "{password:?}");
    }
    assert!(check_length(&secret(&"x".repeat(100_000))).is_ok(), "there is no maximum");
    let not_text = Secret::new(Zeroizing::new(vec![0xff; 20]));
    assert_eq!(check_length(&not_text).unwrap_err().exit, Exit::Invalid);
}

#[test]
fn costs_are_checked_before_anything_is_hashed() {
    assert!(check_cost(Cost::RECOMMENDED).is_ok());
    assert!(check_cost(Cost::FLOOR).is_ok());
    for (memory, iterations, parallelism) in
        [(8, 0, 1), (8, 1, 0), (7, 1, 1), (31, 1, 4), (4_194_305, 1, 1), (4_194_304, 17, 1), (8, u32::MAX, 1)]
    {
        let failure = check_cost(Cost { memory, iterations, parallelism }).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage, "m={memory} t={iterations} p={parallelism}");
    }
    assert!(!Cost::RECOMMENDED.is_weak());
    assert!(!Cost::FLOOR.is_weak());
    assert!(CHEAP.is_weak());
}

/// A machine that fills this many KiB in a millisecond.
fn settle(kib_per_milli: u64, target: u64, memory_fixed: bool) -> Calibrated {
    let measure = |cost: Cost| Ok::<_, Infallible>(Duration::from_millis(cost.work() / kib_per_milli));
    calibrate(Cost::RECOMMENDED, memory_fixed, Duration::from_millis(target), measure).unwrap()
}

#[test]
fn calibration_takes_what_the_time_allows_and_no_less_than_the_floor() {
    for (speed, target, fixed, memory, iterations, message) in [
        (1000, 250, false, 65_536, 3, "65 ms a pass: three fit"),
        (1000, 1000, false, 65_536, 15, "and fifteen in a second"),
        (4000, 250, false, 65_536, 15, "a faster machine takes more passes"),
        (400, 250, false, 32_768, 3, "a slower one takes less memory"),
        (10, 250, false, 19_456, 2, "and never less than the floor"),
        (10, 250, true, 65_536, 2, "memory that was asked for stays"),
        (1_000_000, 1, false, 65_536, 15, "passes too fast to time are still counted"),
        (1_000_000, 1_000_000, false, 65_536, 1024, "and never more than is verified again"),
    ] {
        let Calibrated { cost, took } = settle(speed, target, fixed);
        assert_eq!((cost.memory, cost.iterations), (memory, iterations), "{message}");
        assert_eq!(took.as_millis() as u64, cost.work() / speed, "{message}");
    }
}
