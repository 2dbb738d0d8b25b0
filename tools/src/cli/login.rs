//! Options of `portcullis login`, `portcullis logout` and `portcullis token refresh`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use portcullis_engine::token::Algorithm;

use super::token::{SecretEncoding, algorithms};
use super::{PasswordInput, StoreInput};
use crate::input::CodeSource;
use crate::store::Handle;
use crate::time::parse_duration;

/// What `login --help` begins with.
pub const LOGIN_ABOUT: &str = "\
Sign in with an e-mail address, a password and, where a second factor is set up, a code, and print an access token and, on \
the next line, a refresh token.

The password is one line of standard input, the code the line after it; both are asked for when standard input is a \
terminal, the code of everybody: leave it empty where no second factor is set up. A recovery code does as well, once.

The access token is good for 30 minutes and says who (`sub`), what they may do (`role`), when (`auth_time`) and how (`amr`) \
they signed in. It is signed as the options say; without, with the secret in the environment variable SECRET_KEY, else in the \
file secret.key here, which `portcullis init` makes. The refresh token gets the next one from `portcullis token refresh`, for 30 days and as long as no 7 days \
pass without it.

Exit code 1 and one answer say that the address, the password or the code is wrong, that the account is disabled, or that there \
were too many failures: after the tenth in a row it takes a second, after each one more twice as long, up to 15 minutes. After \
ten wrong codes with the right password an administrator has to set another password, or reset the second factor.";

/// What `login --help` ends with.
pub const LOGIN_EXAMPLES: &str = "\
Examples:
  Ask for password and code:
    portcullis login alice@example.com

  In a script, with the answer of a token endpoint (RFC 6749 section 5.1):
    portcullis login alice@example.com --file password.txt --json

  Password and code from standard input:
    printf '%s\\n%s\\n' \"$PASSWORD\" \"$CODE\" | portcullis login alice@example.com";

/// Options of `login`.
#[derive(Debug, Args)]
pub struct LoginArgs {
    /// The e-mail address; asked for when it is left out.
    pub email: Option<String>,
    /// The password.
    #[command(flatten)]
    pub password: PasswordInput,
    /// The code.
    #[command(flatten)]
    pub code: CodeInput,
    /// What access tokens say and are signed with.
    #[command(flatten)]
    pub tokens: AccessTokenArgs,
    /// How long the sign-in can be refreshed, such as `12h` or `30d`.
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = parse_lifetime)]
    pub refresh_ttl: Duration,
    /// How long it may go without being refreshed.
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = parse_lifetime)]
    pub refresh_idle: Duration,
    /// Where the store is.
    #[command(flatten)]
    pub store: StoreInput,
    /// Print a JSON object, as an OAuth token endpoint does.
    #[arg(long)]
    pub json: bool,
}

/// Where the code of a second factor comes from.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub struct CodeInput {
    /// Read the code of the second factor from this file.
    #[arg(long, value_name = "FILE")]
    pub otp_file: Option<PathBuf>,
    /// Read the code of the second factor from this environment variable.
    #[arg(long, value_name = "NAME")]
    pub otp_env: Option<String>,
}

impl CodeInput {
    /// The source these options name.
    #[must_use]
    pub fn source(&self) -> CodeSource<'_> {
        match (&self.otp_file, &self.otp_env) {
            (Some(path), _) => CodeSource::File(path),
            (None, Some(name)) => CodeSource::Variable(name),
            (None, None) => CodeSource::WithPassword,
        }
    }
}

/// What access tokens for people say and are signed with.
#[derive(Debug, Args)]
pub struct AccessTokenArgs {
    /// Sign with the private key in this file: PKCS#8 PEM of an RSA, P-256, P-384, P-521 or Ed25519 key.
    #[arg(long, value_name = "FILE", group = "signing")]
    pub key: Option<PathBuf>,
    /// Sign with the secret in this environment variable.
    #[arg(long, value_name = "NAME", group = "signing")]
    pub secret_env: Option<String>,
    /// Sign with the secret in this file; one line break at its end is not part of the secret.
    #[arg(long, value_name = "FILE", group = "signing")]
    pub secret_file: Option<PathBuf>,
    /// What the text of the secret stands for; the policy's `encoding` must be the same.
    #[arg(long, value_enum, default_value_t = SecretEncoding::Raw, value_name = "ENCODING", conflicts_with = "key")]
    pub secret_encoding: SecretEncoding,
    /// The name of the key, for the token's header [default: none for a secret, else the key's thumbprint]
    #[arg(long, value_name = "KID", allow_hyphen_values = true)]
    pub kid: Option<String>,
    /// The signature algorithm [default: HS256 for a secret, else what fits the key]
    #[arg(long, value_parser = algorithms())]
    pub algorithm: Option<Algorithm>,
    /// Who issues the access token: the `iss` claim.
    #[arg(long, value_name = "ISSUER")]
    pub iss: Option<String>,
    /// An audience of the access token; one becomes a string, several an array. Can be repeated.
    #[arg(long, value_name = "AUDIENCE")]
    pub aud: Vec<String>,
    /// How long an access token is good for, such as `15m`.
    #[arg(long, value_name = "TIME", default_value = "30m", value_parser = parse_duration)]
    pub ttl: Duration,
}

/// What `token refresh --help` begins with.
pub const REFRESH_ABOUT: &str = "\
Take a refresh token and print the next access token and, on the next line, the refresh token that takes its place. It is read \
from standard input, a file or an environment variable.

A refresh token works once. One that is used a second time, by whomever, ends its sign-in with all its tokens, and exit code 1 \
says so: one of the two who have it should not. The access token has the roles as of now, and `auth_time` and `amr` of the \
sign-in. A disabled user gets none.";

/// What `token refresh --help` ends with.
pub const REFRESH_EXAMPLES: &str = "\
Examples:
  portcullis token refresh --file refresh.token
  portcullis token refresh --env REFRESH_TOKEN --json";

/// Options of `token refresh`.
#[derive(Debug, Args)]
pub struct RefreshArgs {
    /// The refresh token.
    #[command(flatten)]
    pub token: RefreshTokenInput,
    /// What access tokens say and are signed with.
    #[command(flatten)]
    pub tokens: AccessTokenArgs,
    /// Where the store is.
    #[command(flatten)]
    pub store: StoreInput,
    /// Print a JSON object, as an OAuth token endpoint does.
    #[arg(long)]
    pub json: bool,
}

/// Where a refresh token comes from.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub struct RefreshTokenInput {
    /// Read the refresh token from this file instead of standard input.
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Read the refresh token from this environment variable.
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
}

/// What `logout --help` begins with.
pub const LOGOUT_ABOUT: &str = "\
End a sign-in: no refresh token of it works any more. Any of its refresh tokens will do, read from standard input, a file or an \
environment variable; that it had ended already is no error (RFC 7009).

--all ends every sign-in of the same user, and says in the store that access tokens issued so far are void: the filter refuses \
them as soon as it has a feed that says so, and otherwise when they expire. --user does that for somebody else.";

/// What `logout --help` ends with.
pub const LOGOUT_EXAMPLES: &str = "\
Examples:
  portcullis logout --file refresh.token
  portcullis logout --file refresh.token --all

  A laptop was lost:
    portcullis logout --user alice@example.com --reason 'lost laptop'";

/// Options of `logout`.
#[derive(Debug, Args)]
pub struct LogoutArgs {
    /// The refresh token.
    #[command(flatten)]
    pub token: RefreshTokenInput,
    /// End every sign-in of the same user.
    #[arg(long, conflicts_with = "user")]
    pub all: bool,
    /// End every sign-in of this user, named by e-mail address or id, without a token.
    #[arg(long, value_name = "USER", conflicts_with_all = ["file", "env"])]
    pub user: Option<Handle>,
    /// Why, for the history.
    // clap waives `requires` where an option that is there excludes the required one.
    #[arg(long, value_name = "TEXT", requires = "user", conflicts_with_all = ["file", "env", "all"])]
    pub reason: Option<String>,
    /// Where the store is.
    #[command(flatten)]
    pub store: StoreInput,
    /// Print a JSON object.
    #[arg(long)]
    pub json: bool,
}

/// How long a sign-in lasts: at least a second, at most a year.
fn parse_lifetime(text: &str) -> Result<Duration, String> {
    const MAX: Duration = Duration::from_secs(366 * 24 * 60 * 60);
    let duration = parse_duration(text)?;
    if (Duration::from_secs(1)..=MAX).contains(&duration) {
        Ok(duration)
    } else {
        Err("expected at least `1s` and at most `366d`".to_owned())
    }
}
