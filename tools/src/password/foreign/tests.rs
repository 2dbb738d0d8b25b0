use zeroize::Zeroizing;

use crate::input::Secret;
use crate::password::{Cost, StoredHash, hash, verify_any};

const CURRENT: Cost = Cost { memory: 64, iterations: 2, parallelism: 1 };

fn secret(text: &str) -> Secret {
    Secret::new(Zeroizing::new(text.as_bytes().to_vec()))
}

/// Whether `password` matches `text`, and whether it should be hashed anew.
#[track_caller]
fn verify(password: &str, text: &str) -> (bool, bool) {
    let verified = verify_any(&secret(password), &StoredHash::parse(text).unwrap(), CURRENT).unwrap();
    (verified.matches, verified.needs_rehash)
}

#[test]
fn hashes_of_other_systems_verify_and_are_to_be_made_anew() {
    for (system, password, text) in [
        // From the test vectors of OpenBSD's and Openwall's bcrypt.
        ("bcrypt 2a", "U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
        ("bcrypt 2b", "U*U", "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
        ("bcrypt 2y", "U*U*U", "$2y$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a"),
        // RFC 6070 for SHA-1; the others from Python's hashlib.
        ("passlib, SHA-1", "password", "$pbkdf2$4096$c2FsdA$SwB5AbdlSJq.rUnZJvch0GWkKcE"),
        ("Django, SHA-1", "password", "pbkdf2_sha1$4096$salt$SwB5AbdlSJq+rUnZJvch0GWkKcE="),
        ("Django", "password", "pbkdf2_sha256$4096$salt$xeR41ZKIyEGqUw22hFxMjZYok6ABzk4RpJY4c6qYE0o="),
        ("Werkzeug", "password", WERKZEUG),
        ("PHC", "password", "$pbkdf2-sha256$i=4096,l=32$c2FsdA$xeR41ZKIyEGqUw22hFxMjZYok6ABzk4RpJY4c6qYE0o"),
        ("PHC without length", "password", "$pbkdf2-sha256$i=4096$c2FsdA$xeR41ZKIyEGqUw22hFxMjZYok6ABzk4RpJY4c6qYE0o"),
    ] {
        assert_eq!(verify(password, text), (true, true), "{system}");
        assert_eq!(verify(&format!("{password}x"), text), (false, false), "{system}, another password");
        assert_eq!(StoredHash::parse(text).unwrap().to_string(), text, "{system} is kept as it is");
    }
}

/// PBKDF2-HMAC-SHA-256 of `password`, `salt`, 4096.
const WERKZEUG: &str = "pbkdf2:sha256:4096$salt$c5e478d59288c841aa530db6845c4c8d962893a001ce4e11a4963873aa98134a";

#[test]
fn what_is_no_hash_is_refused_without_quoting_it() {
    for (text, says) in [
        ("", "it is neither"),
        ("hunter2", "it is neither"),
        ("$2b$12$tooshort", "not a hash of bcrypt"),
        ("$2b$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "its cost is not between"),
        ("pbkdf2_sha256$4096$salt", "not a hash of PBKDF2"),
        ("pbkdf2_md5$4096$salt$xeR41ZKIyEGqUw22hFxMjZYok6ABzk4RpJY4c6qYE0o=", "not a hash of PBKDF2"),
        ("pbkdf2_sha256$0$salt$xeR41ZKIyEGqUw22hFxMjZYok6ABzk4RpJY4c6qYE0o=", "its iterations"),
        ("pbkdf2_sha256$99999999999$salt$xeR41ZKIyEGqUw22hFxMjZYok6ABzk4RpJY4c6qYE0o=", "not a hash of PBKDF2"),
        ("pbkdf2_sha256$+4096$salt$xeR41ZKIyEGqUw22hFxMjZYok6ABzk4RpJY4c6qYE0o=", "not a hash of PBKDF2"),
        ("pbkdf2_sha256$4096$salt$c2hvcnQ=", "has not between"),
        ("pbkdf2:sha256:4096$salt$xyz", "not a hash of PBKDF2"),
        ("$argon2id$v=19$m=64", "its parameters are not"),
    ] {
        let problem = StoredHash::parse(text).unwrap_err();
        assert!(problem.contains(says), "{text}: {problem}");
        assert!(text.is_empty() || !problem.contains(text), "{problem}");
    }
}

#[test]
fn a_password_is_hashed_anew_when_the_cost_rose() {
    for (what, cost, expected) in [
        ("the same", CURRENT, false),
        ("more", Cost { iterations: 3, ..CURRENT }, false),
        ("fewer iterations", Cost { iterations: 1, ..CURRENT }, true),
        ("less memory", Cost { memory: 32, ..CURRENT }, true),
    ] {
        let text = hash(&secret("correct horse"), cost).unwrap().to_string();
        assert_eq!(verify("correct horse", &text), (true, expected), "{what}");
        assert_eq!(verify("wrong horse", &text), (false, false), "{what}, another password");
    }
    let argon2i = "$argon2i$m=256,t=2,p=1$c29tZXNhbHQ$/U3YPXYsSb3q9XxHvc0MLxur+GP960kN9j7emXX8zwY";
    assert_eq!(verify("password", argon2i), (true, true), "Argon2i, version 16");
}

#[test]
fn a_decoy_matches_nothing_and_costs_what_a_hash_does() {
    let StoredHash::Argon2(decoy) = StoredHash::decoy(CURRENT).unwrap() else { panic!("a decoy is Argon2") };
    let StoredHash::Argon2(real) =
        StoredHash::parse(&hash(&secret("correct horse"), CURRENT).unwrap().to_string()).unwrap()
    else {
        panic!("a hash is Argon2")
    };
    assert_eq!((decoy.algorithm, decoy.version, decoy.cost), (real.algorithm, real.version, real.cost));
    assert_eq!((decoy.salt.len(), decoy.tag.len()), (real.salt.len(), real.tag.len()));
    let again = StoredHash::decoy(CURRENT).unwrap();
    assert_ne!(again.to_string(), decoy.to_string());
    let verified = verify_any(&secret("correct horse"), &again, CURRENT).unwrap();
    assert!(!verified.matches && !verified.needs_rehash);
}
