//! Options of `portcullis user`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use super::store::parse_age;
use super::totp::{TOTP_EXAMPLES, TotpCommand};
use super::{PasswordInput, StoreInput};
use crate::store::Handle;

mod text;

/// Commands under `user`.
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Add a user.
    #[command(long_about = text::ADD_ABOUT, after_help = text::ADD_EXAMPLES)]
    Add(UserAddArgs),
    /// List users, by the page.
    #[command(long_about = text::LIST_ABOUT, after_help = text::LIST_EXAMPLES)]
    List(UserListArgs),
    /// Show a user as they are now.
    #[command(after_help = text::SHOW_EXAMPLES)]
    Show(UserShowArgs),
    /// Give a user other roles.
    #[command(long_about = text::SET_ROLE_ABOUT, after_help = text::SET_ROLE_EXAMPLES)]
    SetRole(SetRoleArgs),
    /// Give a user another password, and end their sessions.
    #[command(long_about = text::SET_PASSWORD_ABOUT, after_help = text::SET_PASSWORD_EXAMPLES)]
    SetPassword(SetPasswordArgs),
    /// Correct a user's e-mail address, name or notes.
    #[command(after_help = text::SET_DETAILS_EXAMPLES)]
    SetDetails(SetDetailsArgs),
    /// Keep a user from signing in, and end their sessions.
    #[command(long_about = text::DISABLE_ABOUT, after_help = text::DISABLE_EXAMPLES)]
    Disable(UserChangeArgs),
    /// Let a disabled user sign in again.
    #[command(after_help = text::ENABLE_EXAMPLES)]
    Enable(UserChangeArgs),
    /// Tell what happened to a user: who, when, what, why.
    #[command(long_about = text::HISTORY_ABOUT, after_help = text::HISTORY_EXAMPLES)]
    History(UserShowArgs),
    /// Print everything that is held about a user, or about all of them, as JSON.
    #[command(long_about = text::EXPORT_ABOUT, after_help = text::EXPORT_EXAMPLES)]
    Export(UserExportArgs),
    /// Forget a user, for good.
    #[command(long_about = text::ERASE_ABOUT, after_help = text::ERASE_EXAMPLES)]
    Erase(EraseArgs),
    /// Forget users who have not signed in for a long time.
    #[command(long_about = text::PRUNE_ABOUT, after_help = text::PRUNE_EXAMPLES)]
    Prune(PruneArgs),
    /// Record what a user agreed to, and took back.
    #[command(subcommand, arg_required_else_help = true, after_help = text::CONSENT_EXAMPLES)]
    Consent(ConsentCommand),
    /// Set up, confirm and reset a second factor.
    #[command(subcommand, arg_required_else_help = true, after_help = TOTP_EXAMPLES)]
    Totp(TotpCommand),
    /// Take over users of another system, with the hashes of their passwords.
    #[command(long_about = text::IMPORT_ABOUT, after_help = text::IMPORT_EXAMPLES)]
    Import(ImportArgs),
}

/// Options of `user add`.
#[derive(Debug, Args)]
pub struct UserAddArgs {
    /// The e-mail address.
    #[arg(value_name = "EMAIL")]
    pub email: String,
    /// A role: admin, editor or viewer. Can be repeated.
    #[arg(long, value_name = "ROLE", required = true)]
    pub role: Vec<String>,
    /// What they are called.
    #[arg(long, value_name = "TEXT")]
    pub name: Option<String>,
    /// What there is to note about them.
    #[arg(long, value_name = "TEXT")]
    pub notes: Option<String>,
    /// The password.
    #[command(flatten)]
    pub password: PasswordInput,
    /// Why, for the history.
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Where the store is.
    #[command(flatten)]
    pub store: StoreInput,
    /// Print a JSON object.
    #[arg(long)]
    pub json: bool,
}

/// A status to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ListedStatus {
    /// Those who can sign in.
    Active,
    /// Those who cannot.
    Disabled,
    /// Those who were forgotten.
    Erased,
}

/// A role to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ListedRole {
    /// Those who have the role admin.
    Admin,
    /// Those who have the role editor.
    Editor,
    /// Those who have the role viewer.
    Viewer,
}

/// Options of `user list`.
#[derive(Debug, Args)]
pub struct UserListArgs {
    /// Which page, from 1.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub page: u32,
    /// How many users a page has.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub per_page: u32,
    /// Only those of this status.
    #[arg(long, value_enum)]
    pub status: Option<ListedStatus>,
    /// Only those who have this role.
    #[arg(long, value_enum)]
    pub role: Option<ListedRole>,
    /// Only those whose e-mail address, name or notes contain this text. Reads all users: addresses are encrypted.
    #[arg(long, value_name = "TEXT")]
    pub search: Option<String>,
    /// Where the store is.
    #[command(flatten)]
    pub store: StoreInput,
    /// Print a JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Options of `user show` and `user history`.
#[derive(Debug, Args)]
pub struct UserShowArgs {
    /// The e-mail address or the id.
    #[arg(value_name = "USER")]
    pub user: Handle,
    /// Where the store is.
    #[command(flatten)]
    pub store: StoreInput,
    /// Print a JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Options of `user disable`, `user enable` and the like.
#[derive(Debug, Args)]
pub struct UserChangeArgs {
    /// The e-mail address or the id.
    #[arg(value_name = "USER")]
    pub user: Handle,
    /// Why, for the history.
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Where the store is.
    #[command(flatten)]
    pub store: StoreInput,
    /// Print a JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Options of `user set-role`.
#[derive(Debug, Args)]
pub struct SetRoleArgs {
    /// Whose.
    #[command(flatten)]
    pub change: UserChangeArgs,
    /// A role: admin, editor or viewer. Those they had and are not named are gone.
    #[arg(value_name = "ROLE", required = true, num_args = 1..)]
    pub role: Vec<String>,
}

/// Options of `user set-password`.
#[derive(Debug, Args)]
pub struct SetPasswordArgs {
    /// The password.
    #[command(flatten)]
    pub password: PasswordInput,
    /// Whose.
    #[command(flatten)]
    pub change: UserChangeArgs,
}

/// Options of `user set-details`.
#[derive(Debug, Args)]
#[group(id = "details", required = true, multiple = true, args = ["email", "name", "notes"])]
pub struct SetDetailsArgs {
    /// Another e-mail address.
    #[arg(long, value_name = "EMAIL")]
    pub email: Option<String>,
    /// Another name; empty takes it away.
    #[arg(long, value_name = "TEXT")]
    pub name: Option<String>,
    /// Other notes; empty takes them away.
    #[arg(long, value_name = "TEXT")]
    pub notes: Option<String>,
    /// Whose.
    #[command(flatten)]
    pub change: UserChangeArgs,
}

/// Options of `user export`.
#[derive(Debug, Args)]
pub struct UserExportArgs {
    /// The e-mail address or the id.
    #[arg(value_name = "USER", required_unless_present = "all", conflicts_with = "all")]
    pub user: Option<Handle>,
    /// All users, one JSON object a line.
    #[arg(long)]
    pub all: bool,
    /// Write to this new file, readable by its owner alone, instead of standard output.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Where the store is.
    #[command(flatten)]
    pub store: StoreInput,
}

/// Options of `user erase`.
#[derive(Debug, Args)]
pub struct EraseArgs {
    /// Do not ask.
    #[arg(long)]
    pub yes: bool,
    /// Whom.
    #[command(flatten)]
    pub change: UserChangeArgs,
}

/// Options of `user prune`.
#[derive(Debug, Args)]
pub struct PruneArgs {
    /// How long ago they were last here, at least, such as `730d`.
    #[arg(long, value_name = "TIME", value_parser = parse_age)]
    pub inactive: Duration,
    /// Only say who would be forgotten.
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask.
    #[arg(long)]
    pub yes: bool,
    /// Why, for the history.
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Where the store is.
    #[command(flatten)]
    pub store: StoreInput,
    /// Print a JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Commands under `user consent`.
#[derive(Debug, Subcommand)]
pub enum ConsentCommand {
    /// Record that a user agreed to a text.
    #[command(after_help = text::CONSENT_EXAMPLES)]
    Give(ConsentArgs),
    /// Record that a user took that back.
    #[command(after_help = text::CONSENT_EXAMPLES)]
    Withdraw(ConsentArgs),
    /// Tell what a user agreed to.
    #[command(after_help = text::CONSENT_EXAMPLES)]
    List(UserShowArgs),
}

/// Options of `user consent give` and `withdraw`.
#[derive(Debug, Args)]
pub struct ConsentArgs {
    /// What for, such as `newsletter`.
    #[arg(long, value_name = "NAME")]
    pub purpose: String,
    /// Which version of the text they saw.
    #[arg(long, value_name = "VERSION")]
    pub text_version: String,
    /// Who.
    #[command(flatten)]
    pub change: UserChangeArgs,
}

/// Options of `user import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// The users: CSV with a header, or one JSON object a line.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// What the file is [default: by its ending, .csv or .jsonl]
    #[arg(long, value_enum)]
    pub format: Option<ImportFormat>,
    /// Leave out users whose e-mail address or id is in the store already: for going on after an import was cut off.
    #[arg(long)]
    pub skip_existing: bool,
    /// Only say what is wrong with the file.
    #[arg(long)]
    pub dry_run: bool,
    /// Why, for the history.
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Where the store is.
    #[command(flatten)]
    pub store: StoreInput,
    /// Print a JSON object.
    #[arg(long)]
    pub json: bool,
}

/// What an import reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ImportFormat {
    /// Comma-separated values (RFC 4180), the first line naming the columns.
    Csv,
    /// One JSON object a line.
    Jsonl,
}
