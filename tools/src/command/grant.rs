//! The tokens that a sign-in and a refresh print, and what both say instead.

use std::path::Path;

use serde_json::json;
use zeroize::Zeroizing;

use super::token::decode_secret;
use crate::access::{self, Issuer, Methods, Subject};
use crate::cli::{AccessTokenArgs, RefreshTokenInput};
use crate::exit::{Exit, Failure};
use crate::input::{self, Secret};
use crate::refresh::RefreshToken;
use crate::signing::SigningKey;
use crate::store::User;
use crate::terminal::Terminal;
use crate::time;

/// Where the secret is when no option says so: as the example policies have it, and as `portcullis init` writes it.
const SECRET_VARIABLE: &str = "SECRET_KEY";
const SECRET_FILE: &str = "secret.key";

/// Who got in, how and when.
pub struct Grant<'a> {
    /// The user, with their roles as of now.
    pub user: &'a User,
    /// How they signed in.
    pub methods: Methods,
    /// When they signed in.
    pub auth_time: i64,
    /// When the access token is issued.
    pub at: i64,
    /// The refresh token to give out.
    pub refresh: &'a RefreshToken,
}

/// Reads a refresh token: the last line of the input, so that what `login` printed will do. `None` where that is none.
///
/// # Errors
/// The input cannot be read.
pub fn refresh_token(input: &RefreshTokenInput) -> Result<Option<RefreshToken>, Failure> {
    let text = match &input.env {
        Some(name) => Zeroizing::new(String::from_utf8_lossy(input::secret_variable(name)?.expose()).into_owned()),
        None => input::token(input.file.as_deref())?,
    };
    Ok(text.trim_end().lines().next_back().map(str::trim).and_then(RefreshToken::parse))
}

/// Who issues access tokens: as the options say. Everything about it is checked, so that nothing is used up for a token
/// that cannot be signed.
///
/// # Errors
/// The key cannot be read, or cannot sign so.
pub fn issuer(args: &AccessTokenArgs) -> Result<Issuer, Failure> {
    let key = match (&args.key, &args.secret_env, &args.secret_file) {
        (Some(path), _, _) => SigningKey::from_pem(&input::key_text(path)?, &input::describe(path))?,
        (None, Some(name), _) => SigningKey::Hmac(decode_secret(input::secret_variable(name)?, args.secret_encoding)?),
        (None, None, Some(path)) => SigningKey::Hmac(decode_secret(input::secret_file(path)?, args.secret_encoding)?),
        (None, None, None) => SigningKey::Hmac(decode_secret(usual_secret()?, args.secret_encoding)?),
    };
    let algorithm = key.algorithm(args.algorithm)?;
    let kid = args.kid.clone().or_else(|| key.public().map(|key| key.thumbprint()));
    access::expiry(time::now(), args.ttl)?;
    Ok(Issuer { key, algorithm, kid, issuer: args.iss.clone(), audiences: args.aud.clone(), lifetime: args.ttl })
}

/// The secret that policies name, else the one that `init` made here.
fn usual_secret() -> Result<Secret, Failure> {
    if std::env::var_os(SECRET_VARIABLE).is_some_and(|value| !value.is_empty()) {
        return input::secret_variable(SECRET_VARIABLE);
    }
    let file = Path::new(SECRET_FILE);
    if file.exists() {
        return input::secret_file(file);
    }
    Err(Failure::usage("no key to sign with").remedy(format!(
        "use --key, --secret-env or --secret-file; without, it is the secret in {SECRET_VARIABLE} or in `{SECRET_FILE}` here"
    )))
}

/// Prints both tokens: one a line, or as RFC 6749 section 5.1 has them.
///
/// # Errors
/// The key could not sign, or standard output cannot be written.
pub fn print(grant: &Grant<'_>, issuer: &Issuer, json: bool, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let (id, roles) = (grant.user.id.to_string(), grant.user.roles.names().into_iter().map(str::to_owned));
    let roles: Vec<String> = roles.collect();
    let subject = Subject { id: &id, roles: &roles, auth_time: grant.auth_time, methods: grant.methods };
    let access = issuer.issue(&subject, grant.at)?;
    // A second in which tokens were made void has to pass first: what is issued in the next must not be from the future.
    time::wait_until(grant.at);
    let refresh = grant.refresh.expose();
    if json {
        terminal.json(&json!({
            "access_token": *access,
            "token_type": "Bearer",
            "expires_in": issuer.lifetime.as_secs(),
            "refresh_token": *refresh,
        }))?;
    } else {
        terminal.line(&*access)?;
        terminal.line(&*refresh)?;
    }
    Ok(Exit::Good)
}

/// Says no: why on standard error, and for programs `invalid_grant` (RFC 6749 section 5.2).
///
/// # Errors
/// Standard output cannot be written.
pub fn refuse(cause: &str, remedy: &str, json: bool, terminal: &mut Terminal) -> Result<Exit, Failure> {
    if json {
        terminal.json(&json!({"error": "invalid_grant", "error_description": cause}))?;
    }
    Err(Failure { exit: Exit::No, cause: cause.to_owned(), remedy: Some(remedy.to_owned()) })
}
