use std::path::PathBuf;

use uuid::Uuid;
use zeroize::Zeroizing;

use super::{Keyring, Master};
use crate::input::Secret;
use crate::store::error::KeysError;
use crate::store::tests::directory;

fn master(text: &str) -> Master {
    Master::new(&Secret::new(Zeroizing::new(text.as_bytes().to_vec()))).unwrap()
}

fn made(test: &str, master: Option<&Master>) -> (Keyring, PathBuf) {
    let path = directory(test).join("store.keys");
    let mut keys = Keyring::generate(Uuid::now_v7()).unwrap();
    keys.create(&path, master).unwrap();
    (keys, path)
}

#[test]
fn keys_are_read_as_they_were_written() {
    for (test, master) in [("keys_plain", None), ("keys_sealed", Some(master(&"m".repeat(32))))] {
        let (mut keys, path) = made(test, master.as_ref());
        keys.puncture([3]);
        keys.add_epoch().unwrap();
        keys.replace(&path, master.as_ref()).unwrap();
        let read = Keyring::read(&path, master.as_ref()).unwrap();
        assert_eq!(read.store, keys.store, "{test}");
        for (written, read) in keys.newest_first().zip(read.newest_first()) {
            assert_eq!(written.number, read.number, "{test}");
            assert_eq!(written.index("a@example.com"), read.index("a@example.com"), "{test}");
            assert_eq!(written.wrapping(3), read.wrapping(3), "{test}");
            assert_eq!(written.wrapping(4), read.wrapping(4), "{test}");
        }
        let first = read.epoch(1).unwrap();
        assert!(first.wrapping(3).is_none() && first.wrapping(2).is_some(), "{test}");
        assert_ne!(first.index("a@example.com"), read.epoch(2).unwrap().index("a@example.com"), "{test}");
    }
}

#[test]
fn a_sealed_file_has_no_key_in_it() {
    let master = master(&"m".repeat(40));
    let (keys, path) = made("keys_hidden", Some(&master));
    let text = std::fs::read_to_string(&path).unwrap();
    let (_, plain) = made("keys_shown", None);
    let plain = std::fs::read_to_string(plain).unwrap();
    assert!(plain.contains("\"tree\"") && !text.contains("\"tree\""), "{text}");
    drop(keys);
}

#[test]
fn the_wrong_keys_are_told_apart() {
    let (right, wrong) = (master(&"r".repeat(32)), master(&"w".repeat(32)));
    let (_, sealed) = made("keys_wrong_sealed", Some(&right));
    let (_, plain) = made("keys_wrong_plain", None);
    let malformed = directory("keys_wrong_malformed").join("store.keys");
    std::fs::write(&malformed, "{}").unwrap();
    for (what, path, master, expected) in [
        ("no master key", &sealed, None, KeysError::Sealed(sealed.clone())),
        ("another master key", &sealed, Some(&wrong), KeysError::WrongMaster(sealed.clone())),
        ("a master key for a file that has none", &plain, Some(&right), KeysError::NotSealed(plain.clone())),
        ("no key file", &malformed, None, KeysError::Malformed(malformed.clone())),
    ] {
        assert_eq!(Keyring::read(path, master).err(), Some(expected), "{what}");
    }
    let short = Master::new(&Secret::new(Zeroizing::new(vec![b'x'; 31])));
    assert_eq!(short.err(), Some(KeysError::ShortMaster));
}

#[test]
fn what_a_killed_command_left_beside_the_file_is_in_nobodys_way() {
    let (keys, path) = made("keys_left", None);
    std::fs::write(path.with_extension("keys.new"), "half of").unwrap();
    keys.replace(&path, None).unwrap();
    assert!(!path.with_extension("keys.new").exists());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
