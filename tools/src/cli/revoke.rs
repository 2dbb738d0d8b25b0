//! Options of `portcullis token revoke` and `unrevoke`.

use std::path::PathBuf;

use clap::Args;

use super::StoreInput;
use crate::store::Handle;
use crate::time::parse_moment;

/// What `token revoke` says at length.
pub const REVOKE_ABOUT: &str = "\
Make tokens void before they expire: one, by the token itself or by its id, or all that a user was issued before a moment. The filter \
refuses them as soon as it has the next feed (`portcullis feed build`).

Of a single token the store keeps a digest of its id, and that until it would have expired. With --user, sign-ins from before that \
moment end too; --before now ends all of them, as `portcullis logout --user` does.";

/// Examples of `token revoke`.
pub const REVOKE_EXAMPLES: &str = "\
Examples:
  One token, read from a file:
    portcullis token revoke --token-file token.jwt

  One that a record names:
    portcullis token revoke --jti 4f5dbb2c-6d0b-4a52-9a0e-3c1f3f6f8a11 \\
      --expires 2026-11-28T13:00:00Z

  All that Alice was issued until now, or until a key was stolen:
    portcullis token revoke --user alice@example.com
    portcullis token revoke --user alice@example.com \\
      --before 2026-11-28T12:00:00Z --reason 'ticket 4713'";

/// Options of `token revoke`.
#[derive(Debug, Args)]
pub struct RevokeArgs {
    /// Which tokens.
    #[command(flatten)]
    pub which: RevokedInput,
    /// When the token expires by itself: seconds since 1970, or RFC 3339 [default: what the token says]
    #[arg(long, value_name = "TIME", value_parser = parse_moment, conflicts_with = "user")]
    pub expires: Option<i64>,
    /// Of the user's tokens, those issued before this: `now`, seconds since 1970, or RFC 3339.
    #[arg(
        long,
        value_name = "TIME",
        default_value = "now",
        value_parser = parse_before,
        conflicts_with_all = ["jti", "token_file"]
    )]
    pub before: Before,
    /// Why, for the history of the user.
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["jti", "token_file"])]
    pub reason: Option<String>,
    /// Where the store is.
    #[command(flatten)]
    pub store: StoreInput,
    /// Print a JSON object.
    #[arg(long)]
    pub json: bool,
}

/// What to revoke: exactly one of three.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct RevokedInput {
    /// The token in this file, or on standard input where it is `-`.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// The token of this id: its `jti`.
    #[arg(long, value_name = "ID", allow_hyphen_values = true, requires = "expires")]
    pub jti: Option<String>,
    /// All tokens of this user, named by e-mail address or id.
    #[arg(long, value_name = "USER")]
    pub user: Option<Handle>,
}

/// A moment that tokens are from before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// When the command runs.
    Now,
    /// In seconds since 1970.
    At(i64),
}

fn parse_before(text: &str) -> Result<Before, String> {
    match text {
        "now" => Ok(Before::Now),
        _ => parse_moment(text).map(Before::At).map_err(|problem| format!("{problem}, or `now`")),
    }
}

/// What `token unrevoke` says at length.
pub const UNREVOKE_ABOUT: &str = "\
Take the revocation of a single token back: it is good again until it expires, as soon as the filter has the next feed. What `token revoke \
--user` did is not taken back; their user signs in again.";

/// Examples of `token unrevoke`.
pub const UNREVOKE_EXAMPLES: &str = "\
Examples:
  portcullis token unrevoke --token-file token.jwt
  portcullis token unrevoke --jti 4f5dbb2c-6d0b-4a52-9a0e-3c1f3f6f8a11";

/// Options of `token unrevoke`.
#[derive(Debug, Args)]
pub struct UnrevokeArgs {
    /// Which token.
    #[command(flatten)]
    pub which: UnrevokedInput,
    /// Where the store is.
    #[command(flatten)]
    pub store: StoreInput,
    /// Print a JSON object.
    #[arg(long)]
    pub json: bool,
}

/// What is no longer to be revoked: exactly one of two.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct UnrevokedInput {
    /// The token in this file, or on standard input where it is `-`.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// The token of this id: its `jti`.
    #[arg(long, value_name = "ID", allow_hyphen_values = true)]
    pub jti: Option<String>,
}
