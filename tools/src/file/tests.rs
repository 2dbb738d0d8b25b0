use std::fs;
use std::path::PathBuf;

use super::{Replacement, must_be_new, write_new};
use crate::exit::Exit;

fn directory(test: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("portcullis-{}-{test}", std::process::id()));
    let _absent = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

fn names(directory: &PathBuf) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_new_file_is_its_owners_alone_and_never_an_old_one() {
    let directory = directory("new");
    let path = directory.join("key.pem");
    must_be_new(&path, "keys").unwrap();
    write_new(&path, "first\n", "keys").unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    for failure in [write_new(&path, "second\n", "keys").unwrap_err(), must_be_new(&path, "keys").unwrap_err()] {
        assert_eq!(failure.exit, Exit::Io);
        assert!(failure.cause.ends_with("exists already"), "{}", failure.cause);
        assert!(failure.remedy.unwrap().starts_with("keys are never overwritten"));
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), "first\n");
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn a_file_is_replaced_whole_or_not_at_all() {
    let directory = directory("replaced");
    let path = directory.join("set.json");
    Replacement::begin(&path).unwrap().commit("one").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "one");

    let first = Replacement::begin(&path).unwrap();
    let failure = Replacement::begin(&path).err().unwrap();
    assert!(failure.cause.contains("being replaced by somebody else"), "{}", failure.cause);
    assert!(failure.remedy.unwrap().contains("set.json.new"));
    assert_eq!(fs::read_to_string(&path).unwrap(), "one", "readers see the old text");
    drop(first);
    assert_eq!((fs::read_to_string(&path).unwrap().as_str(), names(&directory)), ("one", vec!["set.json".to_owned()]));

    Replacement::begin(&path).unwrap().commit("two").unwrap();
    assert_eq!((fs::read_to_string(&path).unwrap().as_str(), names(&directory)), ("two", vec!["set.json".to_owned()]));
    let absent = Replacement::begin(&directory.join("no/such/set.json")).err().unwrap();
    assert_eq!(absent.exit, Exit::Io);
    fs::remove_dir_all(directory).unwrap();
}

#[cfg(unix)]
#[test]
fn mode_and_owner_of_a_file_and_a_link_to_it_stay() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
    let directory = directory("link");
    let (path, link) = (directory.join("set.json"), directory.join("link.json"));
    fs::write(&path, "one").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    symlink("set.json", &link).unwrap();
    Replacement::begin(&link).unwrap().commit("two").unwrap();
    assert!(link.symlink_metadata().unwrap().is_symlink());
    assert_eq!(fs::read_to_string(&path).unwrap(), "two");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    // Only an administrator can give files away, and so keep them whose they are.
    if chown(&path, Some(12345), Some(54321)).is_ok() {
        Replacement::begin(&link).unwrap().commit("three").unwrap();
        let now = fs::metadata(&path).unwrap();
        assert_eq!((now.uid(), now.gid(), now.permissions().mode() & 0o777), (12345, 54321, 0o640));
    }
    fs::remove_dir_all(directory).unwrap();
}
