//! People of a store who sign in: their tokens, and their authenticator apps.

use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;
use totp_rs::Totp;

use crate::accounts::Accounts;
use crate::support::{Outcome, finish, run_with};

impl Accounts {
    /// A store with a user more, of this role.
    pub fn with(test: &str, email: &str, role: &str) -> Self {
        let accounts = Self::new(test);
        accounts.add(email, role);
        accounts
    }

    /// A command that uses this store, in the test's directory.
    pub fn here<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = self.command(args);
        command.current_dir(&self.directory);
        command
    }

    /// Runs one with this on standard input.
    pub fn ask_with<'a>(&self, args: impl IntoIterator<Item = &'a str>, stdin: impl AsRef<[u8]>) -> Outcome {
        finish(self.here(args), stdin.as_ref())
    }

    /// Runs one.
    pub fn ask<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Outcome {
        self.ask_with(args, "")
    }

    /// A try to sign in with these lines of standard input.
    pub fn login(&self, email: &str, lines: &str) -> Outcome {
        self.ask_with(["login", email, "--json"], lines)
    }

    /// The tokens of a sign-in.
    #[track_caller]
    pub fn tokens(&self, email: &str, lines: &str) -> Tokens {
        Tokens(self.login(email, lines).json())
    }

    /// A try to refresh.
    pub fn refresh(&self, token: &str) -> Outcome {
        self.ask_with(["token", "refresh", "--json"], token)
    }

    /// What the history of a user says happened, oldest first.
    #[track_caller]
    pub fn actions(&self, user: &str) -> Vec<String> {
        self.history(user).iter().map(|version| version["action"].as_str().unwrap().to_owned()).collect()
    }

    /// Sets a second factor up: the app, and the recovery codes.
    #[track_caller]
    pub fn second_factor(&self, user: &str) -> (App, Vec<String>) {
        let enrolled = self.ask(["user", "totp", "enroll", user, "--json"]).json();
        let app = App(Totp::from_url(enrolled["uri"].as_str().unwrap()).unwrap());
        let confirmed = self.ask_with(["user", "totp", "confirm", user, "--json"], app.code(0)).json();
        let codes = confirmed["recovery_codes"].as_array().unwrap();
        (app, codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect())
    }
}

/// An authenticator app.
pub struct App(Totp);

impl App {
    /// The code it shows, or will show so many seconds from now. One of 30 seconds ahead is good from now on for at least
    /// half a minute, and later than one of now.
    pub fn code(&self, ahead: u64) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        self.0.generate(now + ahead).to_string()
    }

    /// A code that is none of those that are good now or soon.
    pub fn wrong(&self) -> String {
        let good: Vec<String> = (0..6).map(|step| self.code(step * 30)).collect();
        let codes = (0..1_000_000).map(|code| format!("{code:06}"));
        let before = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() - 30;
        let before = self.0.generate(before).to_string();
        codes.into_iter().find(|code| !good.contains(code) && *code != before).unwrap()
    }
}

/// What a sign-in or a refresh printed.
#[derive(Debug)]
pub struct Tokens(pub Value);

impl Tokens {
    #[track_caller]
    pub fn access(&self) -> &str {
        self.0["access_token"].as_str().unwrap()
    }

    #[track_caller]
    pub fn refresh(&self) -> &str {
        self.0["refresh_token"].as_str().unwrap()
    }

    /// The claims, after the engine has verified them.
    #[track_caller]
    pub fn claims(&self) -> Value {
        let verify = ["token", "verify", "--secret-env", "SECRET_KEY", "--json"];
        let verified = run_with(verify, self.access()).json();
        verified["claims"].clone()
    }
}
