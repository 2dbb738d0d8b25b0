//! Options of `portcullis store` and `portcullis init`, and where every command finds the store.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::PasswordInput;
use crate::exit::Failure;
use crate::password::Cost;
use crate::store::Location;
use crate::time::parse_duration;

/// Where the store is, for every command that uses it.
#[derive(Debug, Args)]
pub struct StoreInput {
    /// The store [default: PORTCULLIS_STORE, else portcullis.db]
    #[arg(long, value_name = "FILE")]
    pub store: Option<PathBuf>,
    /// The file with its keys [default: PORTCULLIS_KEY_FILE, else beside the store with the ending .keys]
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
}

impl StoreInput {
    /// Where the store and its keys are.
    ///
    /// # Errors
    /// The master key in the environment is too short.
    pub fn location(&self) -> Result<Location, Failure> {
        Ok(Location::find(self.store.as_deref(), self.key_file.as_deref())?)
    }
}

/// What hashing a password costs, for commands that set it.
#[derive(Debug, Args)]
pub struct CostInput {
    /// Memory in KiB.
    #[arg(long, value_name = "KIB")]
    pub memory: Option<u32>,
    /// Passes over the memory.
    #[arg(long, value_name = "N")]
    pub iterations: Option<u32>,
    /// Lanes that can be computed side by side.
    #[arg(long, value_name = "N")]
    pub parallelism: Option<u32>,
}

impl CostInput {
    /// The cost asked for, with `usual` for what was not.
    #[must_use]
    pub fn cost(&self, usual: Cost) -> Cost {
        Cost {
            memory: self.memory.unwrap_or(usual.memory),
            iterations: self.iterations.unwrap_or(usual.iterations),
            parallelism: self.parallelism.unwrap_or(usual.parallelism),
        }
    }

    /// Whether nothing was asked for.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.memory.is_none() && self.iterations.is_none() && self.parallelism.is_none()
    }
}

/// What `init` says at length.
pub const INIT_ABOUT: &str = "\
Make a store of accounts, its keys, a secret to sign tokens with, and a first administrator, in one step. Refuses where \
any of the files exists already.

The password is one line of standard input, the content of --file, the value of --env, or asked for, twice, on a terminal.

Three files come to be, for their owner alone: the store (--store), the keys that encrypt what is personal in it \
(--key-file), and the secret that signs tokens (--secret-file). With PORTCULLIS_MASTER_KEY set, the keys are encrypted \
under it. Keep the key file out of backups of the store: who has both can read everybody who was erased since.";

/// Examples of `init`.
pub const INIT_EXAMPLES: &str = "\
Examples:
  Ask for the administrator's password:
    portcullis init admin@example.com

  In a script, with the keys where backups of the store do not go:
    export PORTCULLIS_STORE=/var/lib/portcullis/portcullis.db
    export PORTCULLIS_KEY_FILE=/etc/portcullis/store.keys
    portcullis init admin@example.com \\
      --secret-file /etc/portcullis/secret.key --file password.txt";

/// Options of `init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// The e-mail address of the first administrator.
    #[arg(value_name = "EMAIL")]
    pub email: String,
    /// What they are called.
    #[arg(long, value_name = "TEXT")]
    pub name: Option<String>,
    /// The password.
    #[command(flatten)]
    pub password: PasswordInput,
    /// Write the secret that signs tokens to this new file.
    #[arg(long, value_name = "FILE", default_value = "secret.key")]
    pub secret_file: PathBuf,
    /// Make no secret: tokens are signed with one there is, or with a private key.
    #[arg(long, conflicts_with = "secret_file")]
    pub no_secret: bool,
    /// What hashing a password costs here.
    #[command(flatten)]
    pub cost: CostInput,
    /// Where the store will be.
    #[command(flatten)]
    pub store: StoreInput,
    /// Print a JSON object with the files and the administrator's id.
    #[arg(long)]
    pub json: bool,
}

/// Commands under `store`.
#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Say whether the store is whole, and finish what a backup that was restored missed.
    #[command(long_about = CHECK_ABOUT, after_help = CHECK_EXAMPLES)]
    Check(StoreCheckArgs),
    /// Copy the store, as it is at one moment, while it is in use.
    #[command(long_about = BACKUP_ABOUT, after_help = BACKUP_EXAMPLES)]
    Backup(BackupArgs),
    /// Make new keys, put the store under them, and destroy the old ones.
    #[command(long_about = ROTATE_ABOUT, after_help = ROTATE_EXAMPLES)]
    RotateKey(RotateKeyArgs),
    /// Print or set what hashing a password costs.
    #[command(long_about = COST_ABOUT, after_help = COST_EXAMPLES)]
    Cost(CostArgs),
}

const CHECK_ABOUT: &str = "\
Say whether the store is whole: exit code 0 if it is, 1 if it is not. Looks at the file, at every reference in it, at the \
history of every user, and whether everything opens with the keys.

In a copy from before an erasure, restored beside today's key file, the user is still named but can no longer be read. \
--repair erases what is left of them.";

const CHECK_EXAMPLES: &str = "\
Examples:
  portcullis store check

  After a backup was restored:
    portcullis store check --repair";

/// Options of `store check`.
#[derive(Debug, Args)]
pub struct StoreCheckArgs {
    /// Erase what is left of users who were erased after this copy of the store was made.
    #[arg(long)]
    pub repair: bool,
    /// Where the store is.
    #[command(flatten)]
    pub store: StoreInput,
    /// Print a JSON object.
    #[arg(long)]
    pub json: bool,
}

const BACKUP_ABOUT: &str = "\
Copy the store to a new file, as it is at one moment, while other commands use it. The keys are not in it: back up the key \
file by itself, and keep no copy of it for longer than erased people may be remembered.";

const BACKUP_EXAMPLES: &str = "\
Examples:
  portcullis store backup --out portcullis-2026-11-28.db";

/// Options of `store backup`.
#[derive(Debug, Args)]
pub struct BackupArgs {
    /// Write the copy to this new file, readable by its owner alone.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Where the store is.
    #[command(flatten)]
    pub store: StoreInput,
}

const ROTATE_ABOUT: &str = "\
Make new keys, put the store under them, and destroy the old ones. What is personal stays encrypted as it is: the keys of \
users are wrapped anew, and e-mail addresses indexed anew. Other commands can use the store meanwhile. One that was cut off \
goes on where it stopped when it is run again.

--new-master-env changes the master key that encrypts the key file: name the variable that holds the new one, with \
PORTCULLIS_MASTER_KEY still the old one, or unset if there was none. --no-master writes the key file without encryption.

A backup from before needs the key file from before: keep that apart until the backup is no longer wanted.";

const ROTATE_EXAMPLES: &str = "\
Examples:
  New keys, under the same master key if there is one:
    portcullis store rotate-key

  And another master key:
    export NEW_MASTER_KEY=\"$(portcullis secret generate)\"
    portcullis store rotate-key --new-master-env NEW_MASTER_KEY
    export PORTCULLIS_MASTER_KEY=\"$NEW_MASTER_KEY\"";

/// Options of `store rotate-key`.
#[derive(Debug, Args)]
pub struct RotateKeyArgs {
    /// Encrypt the key file under the master key in this environment variable from now on.
    #[arg(long, value_name = "NAME")]
    pub new_master_env: Option<String>,
    /// Do not encrypt the key file from now on.
    #[arg(long, conflicts_with = "new_master_env")]
    pub no_master: bool,
    /// Where the store is.
    #[command(flatten)]
    pub store: StoreInput,
}

const COST_ABOUT: &str = "\
Print what hashing a password costs, or set it for passwords from now on. A password that was hashed for less is hashed anew \
when its user signs in. `portcullis password hash --calibrate 250ms` finds what suits a machine.";

const COST_EXAMPLES: &str = "\
Examples:
  portcullis store cost
  portcullis store cost --iterations 4";

/// Options of `store cost`.
#[derive(Debug, Args)]
pub struct CostArgs {
    /// What to set.
    #[command(flatten)]
    pub cost: CostInput,
    /// Where the store is.
    #[command(flatten)]
    pub store: StoreInput,
    /// Print a JSON object.
    #[arg(long)]
    pub json: bool,
}

/// What `prune` takes for inactive: a duration of at least a day.
pub(super) fn parse_age(text: &str) -> Result<Duration, String> {
    let age = parse_duration(text)?;
    if age < Duration::from_secs(24 * 60 * 60) {
        return Err("expected at least a day, such as `730d`: a typing error here forgets people".to_owned());
    }
    Ok(age)
}
