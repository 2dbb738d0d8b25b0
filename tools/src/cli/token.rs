//! Options of `portcullis token`.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand, ValueEnum};
use portcullis_engine::config::{Node, NodeValue};
use portcullis_engine::token::Algorithm;

use super::login::{REFRESH_ABOUT, REFRESH_EXAMPLES, RefreshArgs};
use super::policy::parse_provider_file;
use super::revoke::{REVOKE_ABOUT, REVOKE_EXAMPLES, RevokeArgs, UNREVOKE_ABOUT, UNREVOKE_EXAMPLES, UnrevokeArgs};
use crate::time::{parse_duration, parse_moment};

/// Commands under `token`.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Sign a token and print it.
    #[command(long_about = ISSUE_ABOUT, after_help = ISSUE_EXAMPLES)]
    Issue(Box<IssueArgs>),
    /// Show what a token says, without verifying it.
    #[command(long_about = INSPECT_ABOUT, after_help = INSPECT_EXAMPLES)]
    Inspect(InspectArgs),
    /// Say whether a token is valid, as the filter would.
    #[command(long_about = VERIFY_ABOUT, after_help = VERIFY_EXAMPLES)]
    Verify(Box<VerifyArgs>),
    /// Take a refresh token, and print the next access token and refresh token.
    #[command(long_about = REFRESH_ABOUT, after_help = REFRESH_EXAMPLES)]
    Refresh(Box<RefreshArgs>),
    /// Make tokens void before they expire.
    #[command(long_about = REVOKE_ABOUT, after_help = REVOKE_EXAMPLES)]
    Revoke(Box<RevokeArgs>),
    /// Take the revocation of a single token back.
    #[command(long_about = UNREVOKE_ABOUT, after_help = UNREVOKE_EXAMPLES)]
    Unrevoke(Box<UnrevokeArgs>),
}

const ISSUE_ABOUT: &str = "\
Sign a JSON Web Token and print it: HS256 and 30 minutes unless told otherwise.

The token carries `sub`, `iat`, `exp` and a random `jti`; `iss`, `aud`, `role` and other claims when they are given. \
One --role becomes a string, several become an array. A secret must be at least as long as the hash: 32 bytes for \
HS256, 48 for HS384, 64 for HS512 (RFC 7518 section 3.2).

With a private key, the header's `kid` is the key's thumbprint (RFC 7638) unless told: the name that `portcullis key jwks` \
publishes it under.";

const ISSUE_EXAMPLES: &str = "\
Examples:
  A token for half an hour, signed with the secret in the environment:
    export SECRET_KEY=\"$(portcullis secret generate)\"
    portcullis token issue --sub alice --role admin --secret-env SECRET_KEY

  With issuer, audience and claims of one's own:
    portcullis token issue --sub alice --iss https://issuer.example.com \\
      --aud portcullis-demo --claim tenant='\"acme\"' \\
      --claim scope='\"docs:read docs:write\"' --secret-file secret.key

  With a private key (PKCS#8 PEM); algorithm and `kid` follow from the key:
    portcullis key generate --algorithm EdDSA --out ed25519.pem
    portcullis token issue --sub alice --key ed25519.pem --ttl 12h";

/// Options of `token issue`.
#[derive(Debug, Args)]
pub struct IssueArgs {
    /// Whom the token is about: the `sub` claim.
    #[arg(long, value_name = "ID")]
    pub sub: String,
    /// A role; one becomes a string, several an array. Can be repeated.
    #[arg(long, value_name = "ROLE")]
    pub role: Vec<String>,
    /// How long the token is good for, such as `30m`, `12h` or `7d`.
    #[arg(long, value_name = "TIME", default_value = "30m", value_parser = parse_duration)]
    pub ttl: Duration,
    /// An audience; one becomes a string, several an array. Can be repeated.
    #[arg(long, value_name = "AUDIENCE")]
    pub aud: Vec<String>,
    /// Who issues the token: the `iss` claim.
    #[arg(long, value_name = "ISSUER")]
    pub iss: Option<String>,
    /// Another claim, its value in JSON: `--claim tenant='"acme"'`, `--claim level=3`. Can be repeated.
    #[arg(long, value_name = "NAME=JSON", value_parser = parse_claim)]
    pub claim: Vec<(String, serde_json::Value)>,
    /// Leave out the random token id that `jti` otherwise carries.
    #[arg(long)]
    pub no_jti: bool,
    /// What to sign with.
    #[command(flatten)]
    pub key: KeyInput,
    /// What the text of the secret stands for; the policy's `encoding` must be the same.
    #[arg(long, value_enum, default_value_t = SecretEncoding::Raw, value_name = "ENCODING", conflicts_with = "key")]
    pub secret_encoding: SecretEncoding,
    /// The name of the key, for the token's header [default: none for a secret, else the key's thumbprint]
    // A thumbprint may start with a hyphen.
    #[arg(long, value_name = "KID", allow_hyphen_values = true)]
    pub kid: Option<String>,
    /// Leave out the thumbprint that `kid` otherwise carries.
    #[arg(long, conflicts_with = "kid")]
    pub no_kid: bool,
    /// The signature algorithm [default: HS256 for a secret, else what fits the key]
    #[arg(long, value_parser = algorithms())]
    pub algorithm: Option<Algorithm>,
    /// Issue as if it were this time: seconds since 1970, or RFC 3339.
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    pub at: Option<i64>,
    /// Print a JSON object with the token, its header and its claims.
    #[arg(long)]
    pub json: bool,
}

/// The key of `token issue`: exactly one of three.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct KeyInput {
    /// Sign with the private key in this file: PKCS#8 PEM of an RSA, P-256, P-384, P-521 or Ed25519 key.
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// Sign with the secret in this environment variable.
    #[arg(long, value_name = "NAME")]
    pub secret_env: Option<String>,
    /// Sign with the secret in this file; one line break at its end is not part of the secret.
    #[arg(long, value_name = "FILE")]
    pub secret_file: Option<PathBuf>,
}

/// How the text of a secret becomes the bytes to sign with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SecretEncoding {
    /// The bytes of the text itself.
    Raw,
    /// The bytes that the text is the unpadded base64url of.
    Base64url,
    /// The bytes that the text is the hexadecimal of.
    Hex,
}

/// The registered names of the algorithms the engine verifies; case matters in them (RFC 7515 section 4.1.1).
pub(super) fn algorithms() -> impl TypedValueParser<Value = Algorithm> {
    PossibleValuesParser::new(Algorithm::ALL.iter().map(|algorithm| algorithm.name()))
        .try_map(|name| Algorithm::from_name(&name).ok_or("no such algorithm"))
}

/// RFC 7519 section 4 leaves a repeated claim open; it is refused where the claims come together.
fn parse_claim(text: &str) -> Result<(String, serde_json::Value), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=JSON, such as `tenant=\"acme\"`")?;
    if name.is_empty() {
        return Err("expected a name before `=`".to_owned());
    }
    let not_json =
        |_: serde_json::Error| format!("the value is not JSON; write text in double quotes: --claim {name}='\"…\"'");
    if let Some(member) = repeated(&Node::from_json(value.as_bytes()).map_err(not_json)?) {
        return Err(format!("`{member}` is in one object twice; put several values in a JSON array"));
    }
    let value = serde_json::from_str(value).map_err(not_json)?;
    Ok((name.to_owned(), value))
}

/// A member that an object has twice: readers differ on which one counts, and the filter refuses a token with one.
fn repeated(node: &Node) -> Option<&str> {
    match &node.value {
        NodeValue::Map(members) => {
            let mut names = BTreeSet::new();
            let twice = members.iter().map(|(key, _)| key.name.as_str()).find(|name| !names.insert(*name));
            twice.or_else(|| members.iter().find_map(|(_, value)| repeated(value)))
        }
        NodeValue::Seq(items) => items.iter().find_map(repeated),
        _ => None,
    }
}

const INSPECT_ABOUT: &str = "\
Show what a token says: its header and its claims, with times in words.

NOTHING IS VERIFIED: anyone can write a token that says anything. Use `portcullis token verify` to know whether to \
believe it. The token is read from standard input or a file.";

const INSPECT_EXAMPLES: &str = "\
Examples:
  portcullis token issue --sub alice --secret-env SECRET_KEY \\
    | portcullis token inspect
  portcullis token inspect --file token.jwt --json";

/// Options of `token inspect`.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// Read the token from this file instead of standard input.
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Tell times as seen from this time: seconds since 1970, or RFC 3339.
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    pub at: Option<i64>,
    /// Print a JSON object.
    #[arg(long)]
    pub json: bool,
}

const VERIFY_ABOUT: &str = "\
Say whether a token is valid, with the filter's own code: the claims and exit code 0 if it is, the reason and exit \
code 1 if it is not. The token is read from standard input or a file.

With --policy, the policy says everything. With --jwks or a secret, the options do: a token without `exp` is refused, \
clocks may not differ at all, any algorithm that fits the key is allowed, and issuer and audience are only looked at \
when they are named here.";

const VERIFY_EXAMPLES: &str = "\
Examples:
  As the filter would under a policy:
    portcullis token verify --policy policy.yaml --file token.jwt

  Under a policy that fetches its keys:
    portcullis token verify --policy policy.yaml \\
      --provider-jwks keycloak=jwks.json --file token.jwt

  With public keys, for one audience, as of yesterday:
    portcullis token verify --jwks jwks.json --audience portcullis-demo \\
      --at 2026-11-23T12:00:00Z --file token.jwt

  With a shared secret:
    portcullis token issue --sub alice --secret-env SECRET_KEY \\
      | portcullis token verify --secret-env SECRET_KEY";

/// Options of `token verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// What to verify with.
    #[command(flatten)]
    pub trust: TrustInput,
    /// The keys of a provider of the policy with `remote_jwks`, from a file: nothing is fetched here. Can be repeated.
    #[arg(long, value_name = "NAME=FILE", value_parser = parse_provider_file)]
    pub provider_jwks: Vec<(String, PathBuf)>,
    /// What the text of the secret stands for.
    #[arg(
        long,
        value_enum,
        default_value_t = SecretEncoding::Raw,
        value_name = "ENCODING",
        conflicts_with_all = ["policy", "jwks"]
    )]
    pub secret_encoding: SecretEncoding,
    /// An algorithm to allow. Can be repeated [default: HS256 for a secret, else any that fits a key]
    #[arg(long, value_parser = algorithms(), conflicts_with = "policy")]
    pub algorithm: Vec<Algorithm>,
    /// An audience to accept; the token must be for one of them. Can be repeated.
    #[arg(long, value_name = "AUDIENCE", conflicts_with_all = ["policy", "signature_only"])]
    pub audience: Vec<String>,
    /// The issuer that the token must be from.
    #[arg(long, value_name = "ISSUER", conflicts_with_all = ["policy", "signature_only"])]
    pub issuer: Option<String>,
    /// How far clocks may differ, such as `30s`.
    #[arg(
        long,
        value_name = "TIME",
        default_value = "0s",
        value_parser = parse_duration,
        conflicts_with_all = ["policy", "signature_only"]
    )]
    pub clock_skew: Duration,
    /// How long a token may be.
    #[arg(
        long,
        value_name = "BYTES",
        default_value_t = 16_384,
        conflicts_with_all = ["policy", "signature_only"]
    )]
    pub max_token_bytes: usize,
    /// Accept a token without `exp`.
    #[arg(long, conflicts_with_all = ["policy", "signature_only"])]
    pub allow_missing_exp: bool,
    /// Accept secrets shorter than the hash; for old test vectors, never for tokens in use.
    #[arg(long, conflicts_with = "policy")]
    pub allow_short_keys: bool,
    /// Check nothing but the signature, whatever the payload is, and print the payload.
    #[arg(long, conflicts_with_all = ["policy", "at"])]
    pub signature_only: bool,
    /// Verify as if it were this time: seconds since 1970, or RFC 3339.
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    pub at: Option<i64>,
    /// Read the token from this file instead of standard input.
    #[arg(long, visible_alias = "token-file", value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Print a JSON object.
    #[arg(long)]
    pub json: bool,
}

/// What `token verify` trusts: exactly one of four.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct TrustInput {
    /// Verify under this policy, with the secrets it names taken from the environment.
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// Verify with the keys of this JSON Web Key Set.
    #[arg(long, value_name = "FILE")]
    pub jwks: Option<PathBuf>,
    /// Verify with the secret in this environment variable.
    #[arg(long, value_name = "NAME")]
    pub secret_env: Option<String>,
    /// Verify with the secret in this file; one line break at its end is not part of the secret.
    #[arg(long, value_name = "FILE")]
    pub secret_file: Option<PathBuf>,
}
