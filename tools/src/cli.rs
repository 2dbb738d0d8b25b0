//! The command line: every command, its options and its help.

mod api_key;
mod audit;
mod feed;
mod incident;
mod key;
mod login;
mod password;
mod policy;
mod render;
mod revoke;
mod secret;
mod store;
mod token;
mod totp;
mod user;

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use clap_complete::Shell;

pub use api_key::{
    ApiKeyCommand, IssueArgs as ApiKeyIssueArgs, ListArgs as ApiKeyListArgs, RevokeArgs as ApiKeyRevokeArgs,
    RotateArgs as ApiKeyRotateArgs,
};
pub use audit::{
    AuditCommand, AuditExportArgs, AuditPruneArgs, AuditVerifyArgs, ChainKeyInput, CheckpointArgs, ExportFormat,
    RecordFilter, SearchArgs, StatsArgs, When,
};
pub use feed::{BuildArgs as FeedBuildArgs, FeedCommand, InspectArgs as FeedInspectArgs, VerifyArgs as FeedVerifyArgs};
pub use incident::{IncidentCommand, IncidentReportArgs};
pub use key::{GenerateArgs as KeyGenerateArgs, JwksArgs, KeyCommand, RotateArgs, ThumbprintArgs};
pub use login::{AccessTokenArgs, LoginArgs, LogoutArgs, RefreshArgs, RefreshTokenInput};
pub use password::{HashArgs, PasswordCommand, PasswordInput, StrengthArgs, VerifyArgs};
pub use policy::{
    CheckArgs, CheckFormat, DiffArgs, DiffFormat, ExplainArgs, MatrixArgs, PolicyCommand, TestArgs, parse_header,
};
pub use render::{RenderArgs, Target as RenderTarget};
pub use revoke::{Before as RevokeBefore, RevokeArgs as TokenRevokeArgs, UnrevokeArgs as TokenUnrevokeArgs};
pub use secret::{Encoding, GenerateArgs, SecretCommand};
pub use store::{BackupArgs, CostArgs, InitArgs, RotateKeyArgs, StoreCheckArgs, StoreCommand, StoreInput};
pub use token::{InspectArgs, IssueArgs, KeyInput, SecretEncoding, TokenCommand, VerifyArgs as TokenVerifyArgs};
pub use totp::{ConfirmArgs, EnrollArgs, ResetArgs, TotpCommand};
pub use user::{
    ConsentArgs, ConsentCommand, EraseArgs, ImportArgs, ImportFormat, ListedRole, ListedStatus, PruneArgs,
    SetDetailsArgs, SetPasswordArgs, SetRoleArgs, UserAddArgs, UserChangeArgs, UserCommand, UserExportArgs,
    UserListArgs, UserShowArgs,
};

#[cfg(test)]
mod tests;

const EXAMPLES: &str = "\
Examples:
  Check a policy before it is loaded:
    portcullis policy check policy.yaml

  Make a secret, sign a token with it, and look inside:
    export SECRET_KEY=\"$(portcullis secret generate)\"
    portcullis token issue --sub alice --role admin --secret-env SECRET_KEY \\
      | portcullis token inspect

  Complete commands in this shell from now on:
    portcullis completions bash \\
      > ~/.local/share/bash-completion/completions/portcullis

Exit codes:
  0  done, or the answer is yes
  1  the answer is no: password wrong, token invalid, request denied
  2  the command line makes no sense
  3  a policy or other input is not valid
  4  something could not be read or written

Data goes to standard output, everything else to standard error.
Passwords, secrets and tokens are read from files, standard input or environment
variables, never from arguments.";

/// Credentials, tokens and policies for the Portcullis filter.
#[derive(Debug, Parser)]
#[command(name = "portcullis", version, after_help = EXAMPLES, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Every command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make secrets for signing tokens.
    #[command(subcommand, arg_required_else_help = true, after_help = SECRET_EXAMPLES)]
    Secret(SecretCommand),
    /// Make private keys, publish their public halves, and rotate them.
    #[command(subcommand, arg_required_else_help = true, after_help = KEY_EXAMPLES)]
    Key(KeyCommand),
    /// Hash, verify and judge passwords.
    #[command(subcommand, arg_required_else_help = true, after_help = PASSWORD_EXAMPLES)]
    Password(PasswordCommand),
    /// Issue, look into and verify JSON Web Tokens.
    #[command(subcommand, arg_required_else_help = true, after_help = TOKEN_EXAMPLES)]
    Token(TokenCommand),
    /// Make a store of accounts, its keys and a first administrator.
    #[command(long_about = store::INIT_ABOUT, after_help = store::INIT_EXAMPLES)]
    Init(Box<InitArgs>),
    /// Keep accounts: who exists, what they may do, and everything that happened to them.
    #[command(subcommand, arg_required_else_help = true, after_help = USER_EXAMPLES)]
    User(Box<UserCommand>),
    /// Make API keys for users, end them, and replace them.
    #[command(subcommand, arg_required_else_help = true, after_help = api_key::EXAMPLES)]
    ApiKey(Box<ApiKeyCommand>),
    /// Write, verify and look into the feed that tells the filter whom to refuse at once.
    #[command(subcommand, arg_required_else_help = true, after_help = feed::EXAMPLES)]
    Feed(Box<FeedCommand>),
    /// Sign in with an e-mail address and a password, and get tokens.
    #[command(long_about = login::LOGIN_ABOUT, after_help = login::LOGIN_EXAMPLES)]
    Login(Box<LoginArgs>),
    /// End a sign-in, or all of a user's.
    #[command(long_about = login::LOGOUT_ABOUT, after_help = login::LOGOUT_EXAMPLES)]
    Logout(Box<LogoutArgs>),
    /// Look after the store of accounts.
    #[command(subcommand, arg_required_else_help = true, after_help = STORE_EXAMPLES)]
    Store(StoreCommand),
    /// Check, explain, test and compare policies.
    #[command(subcommand, arg_required_else_help = true, after_help = POLICY_EXAMPLES)]
    Policy(PolicyCommand),
    /// Read the audit records of the filter and of this command.
    #[command(subcommand, arg_required_else_help = true, after_help = AUDIT_EXAMPLES)]
    Audit(AuditCommand),
    /// Gather evidence.
    #[command(subcommand, arg_required_else_help = true, after_help = incident::INCIDENT_EXAMPLES)]
    Incident(IncidentCommand),
    /// Print a completion script for a shell.
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions(CompletionsArgs),
    /// Print the manual page, or write the pages of all commands.
    #[command(after_help = MAN_EXAMPLES)]
    Man(ManArgs),
}

const SECRET_EXAMPLES: &str = "\
Examples:
  export SECRET_KEY=\"$(portcullis secret generate)\"";

const KEY_EXAMPLES: &str = "\
Examples:
  portcullis key generate --out private.pem
  portcullis key jwks private.pem > jwks.json
  portcullis key rotate --jwks jwks.json --out next.pem";

const PASSWORD_EXAMPLES: &str = "\
Examples:
  portcullis password hash > password.hash
  portcullis password verify --hash-file password.hash";

const TOKEN_EXAMPLES: &str = "\
Examples:
  portcullis token issue --sub alice --secret-env SECRET_KEY > token.jwt
  portcullis token inspect --file token.jwt
  portcullis token verify --secret-env SECRET_KEY --file token.jwt";

const USER_EXAMPLES: &str = "\
Examples:
  portcullis user add alice@example.com --role editor
  portcullis user set-role alice@example.com admin --reason 'leads the team now'
  portcullis user history alice@example.com";

const STORE_EXAMPLES: &str = "\
Examples:
  portcullis store check
  portcullis store backup --out portcullis-2026-11-28.db
  portcullis store rotate-key";

const POLICY_EXAMPLES: &str = "\
Examples:
  portcullis policy check policy.yaml
  portcullis policy explain policy.yaml --path /search --token-file token.jwt
  portcullis policy test policy.yaml cases.yaml
  portcullis policy render policy.yaml --for envoy
  portcullis policy matrix policy.yaml
  portcullis policy diff old.yaml policy.yaml";

const AUDIT_EXAMPLES: &str = "\
Examples:
  portcullis audit search audit.log --user alice --decision deny --since 24h
  portcullis audit stats audit.log
  portcullis audit verify audit.log.1.gz audit.log --key-env AUDIT_KEY";

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  portcullis completions bash \\
    > ~/.local/share/bash-completion/completions/portcullis
  portcullis completions zsh > \"${fpath[1]}/_portcullis\"
  portcullis completions fish > ~/.config/fish/completions/portcullis.fish";

/// Options of `completions`.
#[derive(Debug, clap::Args)]
pub struct CompletionsArgs {
    /// The shell to complete for.
    pub shell: Shell,
}

const MAN_EXAMPLES: &str = "\
Examples:
  portcullis man | man -l -
  portcullis man --out ~/.local/share/man/man1";

/// Options of `man`.
#[derive(Debug, clap::Args)]
pub struct ManArgs {
    /// Write one page for every command into this directory, instead of printing the main one.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}
