//! Second factors.

use std::collections::HashSet;

use serde_json::json;

use crate::accounts::{Accounts, PASSWORD};
use crate::sign_in::Tokens;

const ALICE: &str = "alice@example.com";

#[test]
fn a_second_factor_is_asked_for_once_it_is_confirmed() {
    let accounts = Accounts::with("totp_confirm", ALICE, "editor");
    let enrolled = accounts.ask(["user", "totp", "enroll", ALICE]);
    assert!(enrolled.stderr.contains("not shown again"), "{enrolled:?}");
    let uri = enrolled.ok();
    assert!(uri.starts_with("otpauth://totp/Portcullis:alice%40example.com?secret="), "{uri}");
    assert_eq!(uri.lines().count(), 1, "a QR code is for a terminal: {uri}");
    let app = totp_rs::Totp::from_url(&uri).unwrap();
    assert_eq!(app.secret().as_bytes().len() * 8, 160, "RFC 4226 section 4");

    let tokens = accounts.tokens(ALICE, PASSWORD);
    assert_eq!(tokens.claims()["amr"], json!(["pwd"]), "not before it is confirmed");
    accounts.ask_with(["user", "totp", "confirm", ALICE], "000000\n").fails(1, "the code is wrong");
    accounts.ask_with(["user", "totp", "confirm", ALICE], "\n").fails(2, "no code given");

    let (app, codes) = accounts.second_factor(ALICE);
    assert_eq!(codes.iter().collect::<HashSet<_>>().len(), 10, "{codes:?}");
    assert_eq!(accounts.login(ALICE, PASSWORD).code, 1, "no code");
    let tokens = accounts.tokens(ALICE, &format!("{PASSWORD}\n{}", app.code(30)));
    assert_eq!(tokens.claims()["amr"], json!(["pwd", "otp"]));
    let refreshed = Tokens(accounts.refresh(tokens.refresh()).json());
    assert_eq!(refreshed.claims()["amr"], json!(["pwd", "otp"]), "of the sign-in");

    accounts.ask(["user", "totp", "enroll", ALICE]).fails(1, "has a second factor already");
    accounts.ask_with(["user", "totp", "confirm", ALICE], app.code(0)).fails(1, "confirmed already");
    accounts.ask(["user", "totp", "enroll", "nobody@example.com"]).fails(1, "no such user");
    accounts.ask(["user", "totp", "enroll", "admin@example.com", "--issuer", "a:b"]).fails(2, "colon");
}

#[test]
fn a_code_works_once() {
    let accounts = Accounts::with("totp_once", ALICE, "editor");
    let (app, codes) = accounts.second_factor(ALICE);
    let confirmed = app.code(0);
    assert_eq!(accounts.login(ALICE, &format!("{PASSWORD}\n{confirmed}")).code, 1, "the one it was confirmed with");
    let lines = format!("{PASSWORD}\n{}", app.code(30));
    accounts.login(ALICE, &lines).ok();
    assert_eq!(accounts.login(ALICE, &lines).code, 1, "the same again");
    for code in &codes[..2] {
        let typed = format!("{PASSWORD}\n{}", code.to_uppercase().replace('-', " "));
        assert_eq!(accounts.tokens(ALICE, &typed).claims()["amr"], json!(["pwd", "otp"]), "{typed}");
        assert_eq!(accounts.login(ALICE, &typed).code, 1, "a recovery code again");
    }
    let wrong = format!("a wrong password\n{}", codes[2]);
    assert_eq!(accounts.login(ALICE, &wrong).code, 1);
    accounts.login(ALICE, &format!("{PASSWORD}\n{}", codes[2])).ok();
}

#[test]
fn running_out_of_recovery_codes_is_told() {
    let accounts = Accounts::with("totp_codes_left", ALICE, "editor");
    let (_, codes) = accounts.second_factor(ALICE);
    for (code, left) in codes.iter().zip((0..10).rev()) {
        let outcome = accounts.login(ALICE, &format!("{PASSWORD}\n{code}"));
        assert!(outcome.stderr.contains(&format!("recovery code, and {left} are left")), "{outcome:?}");
        assert_eq!(outcome.stderr.contains("warning: "), left <= 3, "{outcome:?}");
        outcome.ok();
    }
    for code in &codes {
        assert_eq!(accounts.login(ALICE, &format!("{PASSWORD}\n{code}")).code, 1, "used up");
    }
}

#[test]
fn codes_cannot_be_guessed_by_whoever_has_the_password() {
    let accounts = Accounts::with("totp_guess", ALICE, "editor");
    let (app, codes) = accounts.second_factor(ALICE);
    let wrong = format!("{PASSWORD}\n{}", app.wrong());
    for _ in 0..10 {
        assert_eq!(accounts.login(ALICE, &wrong).code, 1);
    }
    let right = format!("{PASSWORD}\n{}", codes[0]);
    assert_eq!(accounts.login(ALICE, &right).code, 1, "after ten");
    accounts.ask_with(["user", "set-password", ALICE], PASSWORD).ok();
    let outcome = accounts.login(ALICE, &right);
    assert_eq!(outcome.code, 0, "an administrator has set another password: {outcome:?}");
}

#[test]
fn an_administrator_takes_a_second_factor_away() {
    let accounts = Accounts::with("totp_reset", ALICE, "editor");
    accounts.ask(["user", "totp", "reset", ALICE]).fails(2, "--reason");
    accounts.ask(["user", "totp", "reset", ALICE, "--reason", "x"]).fails(1, "no second factor");
    let (_, codes) = accounts.second_factor(ALICE);
    accounts.ask(["user", "totp", "reset", ALICE, "--reason", "lost phone"]).ok();
    assert_eq!(accounts.tokens(ALICE, PASSWORD).claims()["amr"], json!(["pwd"]));
    assert_eq!(accounts.actions(ALICE), ["add", "enroll_totp", "confirm_totp", "reset_totp"]);
    let history = accounts.ask(["user", "history", ALICE, "--json"]).json();
    assert_eq!(history["versions"][3]["reason"], "lost phone", "{history}");

    let (app, _) = accounts.second_factor(ALICE);
    assert_eq!(accounts.login(ALICE, &format!("{PASSWORD}\n{}", codes[0])).code, 1, "a code from before");
    accounts.login(ALICE, &format!("{PASSWORD}\n{}", app.code(30))).ok();
}

#[test]
fn nothing_that_lets_in_is_readable_in_the_store() {
    let accounts = Accounts::with("totp_at_rest", ALICE, "editor");
    let enrolled = accounts.ask(["user", "totp", "enroll", ALICE, "--json"]).json();
    let secret = enrolled["secret"].as_str().unwrap().to_owned();
    let app = totp_rs::Totp::from_url(enrolled["uri"].as_str().unwrap()).unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let confirm = ["user", "totp", "confirm", ALICE, "--json"];
    let codes = accounts.ask_with(confirm, app.generate(now).to_string()).json();
    let code = codes["recovery_codes"][0].as_str().unwrap().to_owned();
    let tokens = accounts.tokens(ALICE, &format!("{PASSWORD}\n{}", codes["recovery_codes"][1].as_str().unwrap()));
    let refresh = tokens.refresh().to_owned();
    let planted: Vec<Vec<u8>> = vec![
        secret.clone().into_bytes(),
        app.secret().as_bytes().to_vec(),
        code.clone().into_bytes(),
        code.replace('-', "").into_bytes(),
        refresh.clone().into_bytes(),
        refresh.as_bytes()[3..35].to_vec(),
        unhex(&refresh[3..35]),
        unhex(&refresh[36..100]),
        tokens.access().as_bytes().to_vec(),
        PASSWORD.as_bytes().to_vec(),
    ];
    let mut looked = 0;
    for entry in std::fs::read_dir(&accounts.directory).unwrap() {
        let content = std::fs::read(entry.unwrap().path()).unwrap();
        looked += content.len();
        for (index, value) in planted.iter().enumerate() {
            assert!(!content.windows(value.len()).any(|window| window == value.as_slice()), "planted value {index}");
        }
    }
    assert!(looked > 10_000, "the store was looked at");
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|index| u8::from_str_radix(&text[index..index + 2], 16).unwrap()).collect()
}
