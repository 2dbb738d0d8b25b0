//! Options of `portcullis password`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use crate::input::PasswordSource;
use crate::password::Cost;
use crate::time::parse_duration;

/// Commands under `password`.
#[derive(Debug, Subcommand)]
pub enum PasswordCommand {
    /// Hash a password with Argon2id.
    #[command(long_about = HASH_ABOUT, after_help = HASH_EXAMPLES)]
    Hash(HashArgs),
    /// Say whether a password is the one that was hashed.
    #[command(long_about = VERIFY_ABOUT, after_help = VERIFY_EXAMPLES)]
    Verify(VerifyArgs),
    /// Estimate how hard a password is to guess; advice only.
    #[command(long_about = STRENGTH_ABOUT, after_help = STRENGTH_EXAMPLES)]
    Strength(StrengthArgs),
}

/// Where the password comes from, for every command that takes one.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub struct PasswordInput {
    /// Read the password from this file; one line break at its end is not part of the password.
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Read the password from this environment variable.
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
}

impl PasswordInput {
    /// The source these options name; `confirm` is whether a prompt asks twice.
    #[must_use]
    pub fn source(&self, confirm: bool) -> PasswordSource<'_> {
        match (&self.file, &self.env) {
            (Some(path), _) => PasswordSource::File(path),
            (None, Some(name)) => PasswordSource::Variable(name),
            (None, None) => PasswordSource::Interactive { confirm },
        }
    }
}

const HASH_ABOUT: &str = "\
Hash a password with Argon2id and print the PHC string to store.

The password is one line of standard input, or is asked for, twice, when standard input is a terminal. It needs at \
least 8 characters; there is no maximum and no rule about which characters.

The cost is the one that pwdlib's recommended hasher and argon2-cffi use: 64 MiB, 3 iterations, 4 lanes, 16 bytes of \
salt and 32 of tag. `--calibrate` measures this machine instead, on one core: run it where passwords will be verified.";

const HASH_EXAMPLES: &str = "\
Examples:
  Ask for a password and print its hash:
    portcullis password hash

  In a script, from a file:
    portcullis password hash --file password.txt > password.hash

  As many iterations as this machine does in a quarter of a second:
    portcullis password hash --calibrate 250ms --file password.txt";

/// Options of `password hash`.
#[derive(Debug, Args)]
pub struct HashArgs {
    /// The password.
    #[command(flatten)]
    pub input: PasswordInput,
    /// Memory in KiB.
    #[arg(long, value_name = "KIB")]
    pub memory: Option<u32>,
    /// Passes over the memory.
    #[arg(long, value_name = "N")]
    pub iterations: Option<u32>,
    /// Lanes that can be computed side by side.
    #[arg(long, value_name = "N")]
    pub parallelism: Option<u32>,
    /// Take the most iterations that stay within this time here, such as `250ms`; less memory if even two do not fit.
    #[arg(long, value_name = "TIME", value_parser = parse_duration, conflicts_with = "iterations")]
    pub calibrate: Option<Duration>,
    /// Print a JSON object.
    #[arg(long)]
    pub json: bool,
}

impl HashArgs {
    /// The cost asked for, with the recommended value for what was not.
    #[must_use]
    pub fn cost(&self) -> Cost {
        Cost {
            memory: self.memory.unwrap_or(Cost::RECOMMENDED.memory),
            iterations: self.iterations.unwrap_or(Cost::RECOMMENDED.iterations),
            parallelism: self.parallelism.unwrap_or(Cost::RECOMMENDED.parallelism),
        }
    }
}

const VERIFY_ABOUT: &str = "\
Say whether a password is the one that was hashed: exit code 0 if it is, 1 if it is not, 3 if the hash is malformed. \
The password is one line of standard input, or is asked for when standard input is a terminal.

Takes Argon2id, Argon2i and Argon2d hashes of versions 16 and 19, whoever made them, and those of bcrypt and PBKDF2 that \
`portcullis user import` takes. A hash that asks for more than \
4 GiB of memory, or for 64 GiB to be filled in all its iterations, is refused like a malformed one: it may have been \
made to keep this machine busy.";

const VERIFY_EXAMPLES: &str = "\
Examples:
  Ask for the password:
    portcullis password verify --hash-file password.hash

  In a script, from files:
    portcullis password verify --hash-file password.hash \\
      --file password.txt && echo welcome";

/// Options of `password verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The password.
    #[command(flatten)]
    pub input: PasswordInput,
    /// The hash, as a PHC string; quote it, for it contains `$`.
    #[arg(long, value_name = "PHC", required_unless_present = "hash_file", conflicts_with = "hash_file")]
    pub hash: Option<String>,
    /// Read the hash from this file.
    #[arg(long, value_name = "FILE")]
    pub hash_file: Option<PathBuf>,
    /// Print a JSON object.
    #[arg(long)]
    pub json: bool,
}

const STRENGTH_ABOUT: &str = "\
Estimate how hard a password is to guess, with zxcvbn; advice only: the exit code is 0 whatever it finds. The password \
is one line of standard input, or is asked for when standard input is a terminal.

Only the first 100 characters are looked at. The password itself is never printed.";

const STRENGTH_EXAMPLES: &str = "\
Examples:
  Ask for a password:
    portcullis password strength

  In a script, knowing what an attacker would try first:
    portcullis password strength --context alice --context example.com \\
      --file password.txt --json";

/// Options of `password strength`.
#[derive(Debug, Args)]
pub struct StrengthArgs {
    /// The password.
    #[command(flatten)]
    pub input: PasswordInput,
    /// A word an attacker would try early: a user name, an e-mail address, the name of the site. Can be repeated.
    #[arg(long, value_name = "WORD")]
    pub context: Vec<String>,
    /// Print a JSON object.
    #[arg(long)]
    pub json: bool,
}
