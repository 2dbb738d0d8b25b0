use std::time::Duration;

use portcullis_engine::token::Algorithm;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{Issuer, Methods, Subject};
use crate::exit::Exit;
use crate::input::Secret;
use crate::signing::SigningKey;

fn issuer(issuer: Option<&str>, audiences: &[&str]) -> Issuer {
    Issuer {
        key: SigningKey::Hmac(Secret::new(Zeroizing::new(vec![7; 32]))),
        algorithm: Algorithm::HS256,
        kid: None,
        issuer: issuer.map(str::to_owned),
        audiences: audiences.iter().map(|&audience| audience.to_owned()).collect(),
        lifetime: Duration::from_secs(1800),
    }
}

fn claims(issuer: &Issuer, roles: &[&str], methods: Methods) -> Value {
    let roles: Vec<String> = roles.iter().map(|&role| role.to_owned()).collect();
    let subject = Subject { id: "a-user", roles: &roles, auth_time: 1_749_990_000, methods };
    Value::Object(issuer.claims(&subject, 1_750_000_000, "an-id").unwrap())
}

#[test]
fn a_token_says_who_what_when_and_how() {
    let base = json!({"sub": "a-user", "iat": 1_750_000_000, "exp": 1_750_001_800, "jti": "an-id", "auth_time": 1_749_990_000});
    for (issuer, roles, methods, more) in [
        (issuer(None, &[]), &["admin"][..], Methods::Password, json!({"role": "admin", "amr": ["pwd"]})),
        (
            issuer(None, &[]),
            &["admin", "editor"],
            Methods::PasswordAndCode,
            json!({"role": ["admin", "editor"], "amr": ["pwd", "otp"]}),
        ),
        (
            issuer(Some("https://issuer.example.com"), &["portcullis-demo"]),
            &["viewer"],
            Methods::Password,
            json!({"role": "viewer", "amr": ["pwd"], "iss": "https://issuer.example.com", "aud": "portcullis-demo"}),
        ),
        (issuer(None, &["a", "b"]), &[], Methods::Password, json!({"amr": ["pwd"], "aud": ["a", "b"]})),
    ] {
        let mut expected = base.as_object().unwrap().clone();
        expected.extend(more.as_object().unwrap().clone());
        assert_eq!(claims(&issuer, roles, methods), Value::Object(expected), "{roles:?}");
    }
}

#[test]
fn every_token_has_an_id_of_its_own() {
    let issuer = issuer(None, &[]);
    let subject = Subject { id: "a-user", roles: &[], auth_time: 0, methods: Methods::Password };
    assert_ne!(issuer.issue(&subject, 0).unwrap(), issuer.issue(&subject, 0).unwrap());
}

#[test]
fn a_token_ends_after_it_begins_and_before_the_year_10000() {
    let mut issuer = issuer(None, &[]);
    let subject = Subject { id: "a-user", roles: &[], auth_time: 0, methods: Methods::Password };
    for (seconds, now) in [(0, 0), (1, 253_402_300_799), (u64::MAX, 0), (i64::MAX.unsigned_abs(), 1)] {
        issuer.lifetime = Duration::from_secs(seconds);
        assert_eq!(issuer.issue(&subject, now).unwrap_err().exit, Exit::Usage, "{seconds} from {now}");
    }
}

#[test]
fn methods_are_read_back() {
    for methods in [Methods::Password, Methods::PasswordAndCode] {
        assert_eq!(Methods::from_kept(methods.as_str()), Some(methods));
        assert_eq!(methods.as_str(), methods.names().join(" "));
    }
    assert_eq!(Methods::from_kept("otp"), None);
}
