//! A store for a test, driven through the binary.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::{Outcome, command, directory, file, finish};

/// A password long enough.
pub const PASSWORD: &str = "correct horse battery";

/// A store of its own, with cheap hashes: a test waits for no other.
pub struct Accounts {
    pub directory: PathBuf,
}

impl Accounts {
    /// A store with `admin@example.com` in it.
    pub fn new(test: &str) -> Self {
        let accounts = Self { directory: directory(test) };
        let cheap = ["--memory", "64", "--iterations", "1", "--parallelism", "1"];
        let secret = accounts.path("secret.key");
        let init = ["init", "admin@example.com", "--secret-file", secret.to_str().unwrap()];
        accounts.run_with(init.iter().chain(&cheap), PASSWORD).ok();
        accounts
    }

    /// A file of this test's.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Writes a file of this test's.
    pub fn file(&self, name: &str, content: &str) -> PathBuf {
        file(&self.directory, name, content)
    }

    /// A command that uses this store.
    pub fn command<S: AsRef<std::ffi::OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = command(args);
        command
            .env("PORTCULLIS_STORE", self.path("store.db"))
            .env("PORTCULLIS_KEY_FILE", self.path("store.keys"))
            .env("PORTCULLIS_ACTOR", "carol")
            .env_remove("PORTCULLIS_MASTER_KEY");
        command
    }

    /// Runs a command with this on standard input.
    pub fn run_with<S: AsRef<std::ffi::OsStr>>(
        &self,
        args: impl IntoIterator<Item = S>,
        stdin: impl AsRef<[u8]>,
    ) -> Outcome {
        finish(self.command(args), stdin.as_ref())
    }

    /// Runs a command.
    pub fn run(&self, line: &str) -> Outcome {
        self.run_with(line.split_whitespace(), "")
    }

    /// Adds a user with [`PASSWORD`]; their id.
    #[track_caller]
    pub fn add(&self, email: &str, role: &str) -> String {
        self.run_with(["user", "add", email, "--role", role], PASSWORD).ok()
    }

    /// A user's history.
    #[track_caller]
    pub fn history(&self, user: &str) -> Vec<Value> {
        self.run(&format!("user history {user} --json")).json()["versions"].as_array().unwrap().clone()
    }

    /// Every byte that is kept of the store, its journal and its index of it.
    pub fn bytes(&self) -> Vec<u8> {
        let names = ["store.db", "store.db-wal", "store.db-shm", "store.db-journal"];
        names.iter().filter_map(|name| std::fs::read(self.path(name)).ok()).flatten().collect()
    }

    /// Puts a copy in the place of the store.
    pub fn restore(&self, copy: &Path) {
        for suffix in ["-wal", "-shm"] {
            let _absent = std::fs::remove_file(self.path(&format!("store.db{suffix}")));
        }
        std::fs::copy(copy, self.path("store.db")).unwrap();
    }
}

/// Whether bytes are somewhere in others.
pub fn contains(haystack: &[u8], needle: &str) -> bool {
    haystack.windows(needle.len()).any(|window| window.eq_ignore_ascii_case(needle.as_bytes()))
}
