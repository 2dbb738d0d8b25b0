//! Options of `portcullis user totp`.

use clap::{Args, Subcommand};

use super::StoreInput;
use super::login::CodeInput;
use crate::store::Handle;

/// What `user totp --help` ends with.
pub const TOTP_EXAMPLES: &str = "\
Examples:
  portcullis user totp enroll alice@example.com
  portcullis user totp confirm alice@example.com
  portcullis user totp reset alice@example.com --reason 'lost phone'";

/// Commands under `user totp`.
#[derive(Debug, Subcommand)]
pub enum TotpCommand {
    /// Make a secret for an authenticator app, to be confirmed.
    #[command(long_about = ENROLL_ABOUT, after_help = ENROLL_EXAMPLES)]
    Enroll(EnrollArgs),
    /// Show that the app has the secret, and get recovery codes.
    #[command(long_about = CONFIRM_ABOUT, after_help = CONFIRM_EXAMPLES)]
    Confirm(ConfirmArgs),
    /// Take the second factor away.
    #[command(long_about = RESET_ABOUT, after_help = RESET_EXAMPLES)]
    Reset(ResetArgs),
}

const ENROLL_ABOUT: &str = "\
Make a secret for an authenticator app (RFC 6238) and print it as an otpauth:// URI; on a terminal also as a QR code and as \
text to type. Codes are asked for once it is confirmed; until then, another `enroll` makes another secret.

The secret is shown once. Whoever has it can make the codes.";

const ENROLL_EXAMPLES: &str = "\
Examples:
  portcullis user totp enroll alice@example.com
  portcullis user totp enroll alice@example.com --issuer 'Example' --json";

/// Options of `user totp enroll`.
#[derive(Debug, Args)]
pub struct EnrollArgs {
    /// The user, by e-mail address or id.
    pub user: Handle,
    /// What the app calls the service.
    #[arg(long, value_name = "NAME", default_value = crate::totp::ISSUER)]
    pub issuer: String,
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

const CONFIRM_ABOUT: &str = "\
Show, with a code, that the app has the secret. From then on, signing in takes a code. Prints ten recovery codes, each of which \
does for a code once; they are shown this once and kept as digests.

The code is one line of standard input, or is asked for when standard input is a terminal.";

const CONFIRM_EXAMPLES: &str = "\
Examples:
  portcullis user totp confirm alice@example.com
  echo 123456 | portcullis user totp confirm alice@example.com --json";

/// Options of `user totp confirm`.
#[derive(Debug, Args)]
pub struct ConfirmArgs {
    /// The user, by e-mail address or id.
    pub user: Handle,
    /// The code.
    #[command(flatten)]
    pub code: CodeInput,
    /// Where the store is.
    #[command(flatten)]
    pub store: StoreInput,
    /// Print a JSON object.
    #[arg(long)]
    pub json: bool,
}

const RESET_ABOUT: &str = "\
Take the second factor away, and its recovery codes: for somebody who has lost both. All their sign-ins end, and failures to \
sign in are forgotten. Be sure who asks: this is what a thief of the password would ask for.";

const RESET_EXAMPLES: &str = "\
Examples:
  portcullis user totp reset alice@example.com \\
    --reason 'lost phone, seen in person'";

/// Options of `user totp reset`.
#[derive(Debug, Args)]
pub struct ResetArgs {
    /// The user, by e-mail address or id.
    pub user: Handle,
    /// Why, for the history.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// Where the store is.
    #[command(flatten)]
    pub store: StoreInput,
    /// Print a JSON object.
    #[arg(long)]
    pub json: bool,
}
