use crate::support::{directory, run};

#[test]
fn a_secret_is_256_random_bits() {
    let first = run(["secret", "generate"]).ok();
    assert_eq!(first.len(), 43, "{first}");
    assert!(first.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'), "{first}");
    assert_ne!(first, run(["secret", "generate"]).ok());
}

#[test]
fn encodings_and_sizes() {
    for (args, length) in [
        (&["--encoding", "hex"][..], 64),
        (&["--bits", "384"], 64),
        (&["--bits", "512"], 86),
        (&["--bits", "512", "--encoding", "hex"], 128),
    ] {
        let secret = run(["secret", "generate"].iter().chain(args)).ok();
        assert_eq!(secret.len(), length, "{args:?}: {secret}");
    }
    run(["secret", "generate", "--bits", "128"]).fails(2, "256, 384 or 512");
}

#[test]
fn json_holds_the_secret_only_when_it_goes_nowhere_else() {
    let printed = run(["secret", "generate", "--json"]).json();
    assert_eq!(printed["bits"], 256);
    assert_eq!(printed["encoding"], "base64url");
    assert_eq!(printed["secret"].as_str().unwrap().len(), 43);

    let path = directory("secret_json").join("secret.key");
    let printed = run(["secret", "generate", "--json", "--out", path.to_str().unwrap()]).json();
    assert_eq!(printed.get("secret"), None);
    assert_eq!(printed["file"], path.to_str().unwrap());
}

#[test]
fn a_file_is_its_owners_alone_and_never_overwritten() {
    let path = directory("secret_file").join("secret.key");
    let args = ["secret", "generate", "--out", path.to_str().unwrap()];
    let outcome = run(args);
    assert!(outcome.stderr.starts_with("note: wrote a 256-bit secret"), "{outcome:?}");
    assert_eq!(outcome.ok(), "", "the secret goes to the file alone");

    let secret = std::fs::read_to_string(&path).unwrap();
    assert_eq!(secret.len(), 44);
    assert!(secret.ends_with('\n'));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    run(args).fails(4, "exists already");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), secret);
    run(["secret", "generate", "--out", "no/such/directory/secret.key"]).fails(4, "cannot be written");
}
