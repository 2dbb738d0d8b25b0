//! Options of `portcullis feed`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use portcullis_engine::token::Algorithm;

use super::StoreInput;
use super::token::algorithms;
use crate::time::{parse_duration, parse_moment};

/// Commands under `feed`.
#[derive(Debug, Subcommand)]
pub enum FeedCommand {
    /// Write and sign what the filter is to know: who is disabled, what is revoked, which API keys there are.
    #[command(long_about = BUILD_ABOUT, after_help = BUILD_EXAMPLES)]
    Build(Box<BuildArgs>),
    /// Say whether a feed is good, as the filter would.
    #[command(long_about = VERIFY_ABOUT, after_help = VERIFY_EXAMPLES)]
    Verify(VerifyArgs),
    /// Show what a feed says, without verifying it.
    #[command(long_about = INSPECT_ABOUT, after_help = INSPECT_EXAMPLES)]
    Inspect(InspectArgs),
}

/// Examples of `feed`.
pub const EXAMPLES: &str = "\
Examples:
  portcullis feed build --key feed.pem --out identity.feed
  portcullis feed verify identity.feed --jwks feed-jwks.json
  portcullis feed inspect identity.feed \\
    --subject 019ac3f4-7d1c-7b55-9c8e-0d6f7a1b2c3d";

const BUILD_ABOUT: &str = "\
Write one signed file with what the filter is to know beyond what tokens say, and replace the one there is at once. Serve it from \
any web server; the policy's `identity_feed` says where the filter finds it, and the public half of the key verifies it.

It has what the store says, and what files say, for accounts that are kept elsewhere: --subjects (subject, disabled, tokens_before, \
roles), --revoked (jti, expires) and --api-keys (id, secret_sha256, owner, roles, expires, cidrs), as CSV with a header (.csv) or as \
JSON lines (.jsonl). The store is read where --store or PORTCULLIS_STORE names one, or no file is given. Nobody is named twice.

Versions never go back: each is above the one in --out, the one in --base and all that the store has given out. Where nothing \
changed, the file stays as it is, and proxies need not fetch it again; --force writes it all the same.

--delta-out writes what changed since --base, a full feed that the proxies may have, for the policy's `delta_path`. It takes the place \
of every delta before it. Where it would be longer than 4 MiB, it sends proxies to the full feed instead.";

const BUILD_EXAMPLES: &str = "\
Examples:
  From the store, for an hour: build another before that
    portcullis key generate --algorithm EdDSA --out feed.pem
    portcullis feed build --key feed.pem --out identity.feed --ttl 1h

  Accounts of another system:
    portcullis feed build --key feed.pem --out identity.feed \\
      --subjects users.csv --revoked revoked.jsonl

  And what changed since last night's:
    portcullis feed build --key feed.pem --out identity.feed \\
      --base night.feed --delta-out identity.delta";

/// Options of `feed build`.
#[derive(Debug, Args)]
pub struct BuildArgs {
    /// Sign with the private key in this file: PKCS#8 PEM, as `portcullis key generate` makes it.
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
    /// Write the feed to this file, and replace what is there at once.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Subjects of accounts that are kept elsewhere, as CSV or JSON lines.
    #[arg(long, value_name = "FILE")]
    pub subjects: Option<PathBuf>,
    /// Revoked tokens, as CSV or JSON lines.
    #[arg(long, value_name = "FILE")]
    pub revoked: Option<PathBuf>,
    /// API keys, as CSV or JSON lines.
    #[arg(long, value_name = "FILE")]
    pub api_keys: Option<PathBuf>,
    /// Leave out the roles of the store's users, where no policy takes roles from the feed.
    #[arg(long)]
    pub no_roles: bool,
    /// How long the feed may be believed [default: until the policy's `stale_after` says otherwise]
    #[arg(long, value_name = "TIME", value_parser = parse_ttl)]
    pub ttl: Option<Duration>,
    /// Write what changed since --base to this file.
    #[arg(long, value_name = "FILE", requires = "base")]
    pub delta_out: Option<PathBuf>,
    /// The full feed that the delta is to apply to, and to all that are newer.
    #[arg(long, value_name = "FILE", requires = "delta_out")]
    pub base: Option<PathBuf>,
    /// Public keys that --base may be signed with, beside the one that signs now.
    #[arg(long, value_name = "FILE", requires = "base")]
    pub jwks: Option<PathBuf>,
    /// The name of the key, for the header of the signature [default: the key's thumbprint]
    // A thumbprint may start with a hyphen.
    #[arg(long, value_name = "KID", allow_hyphen_values = true)]
    pub kid: Option<String>,
    /// The signature algorithm [default: what fits the key]
    #[arg(long, value_parser = algorithms())]
    pub algorithm: Option<Algorithm>,
    /// Write a new version even where nothing changed.
    #[arg(long)]
    pub force: bool,
    /// Where the store is.
    #[command(flatten)]
    pub store: StoreInput,
    /// Print a JSON object.
    #[arg(long)]
    pub json: bool,
}

const VERIFY_ABOUT: &str = "\
Say whether a feed is good, with the filter's own code: exit code 0 and what is in it if it is, 1 and the reason if it is not. Looks at \
the signature, the digest, every entry and the time.";

const VERIFY_EXAMPLES: &str = "\
Examples:
  portcullis key jwks feed.pem > feed-jwks.json
  portcullis feed verify identity.feed --jwks feed-jwks.json

  And whether it follows on the one that is in force:
    portcullis feed verify identity.feed --jwks feed-jwks.json \\
      --newer-than 1764000000000";

/// Options of `feed verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The feed, full or delta.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The public keys that may have signed it.
    #[arg(long, value_name = "FILE")]
    pub jwks: PathBuf,
    /// Refuse one that is not above this version.
    #[arg(long, value_name = "VERSION")]
    pub newer_than: Option<u64>,
    /// Verify as if it were this time: seconds since 1970, or RFC 3339.
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    pub at: Option<i64>,
    /// Print a JSON object.
    #[arg(long)]
    pub json: bool,
}

const INSPECT_ABOUT: &str = "\
Show what a feed says: its version, its times, and how much is in it; or what it says of a subject, a token or an API key. Of these it \
has digests alone, so that it can be asked but not listed. Exit code 1 where it says nothing of what was asked.

NOTHING IS VERIFIED: anyone can write a feed that says anything. Use `portcullis feed verify` to know whether to believe it.";

const INSPECT_EXAMPLES: &str = "\
Examples:
  portcullis feed inspect identity.feed
  portcullis feed inspect identity.feed --subject alice
  portcullis feed inspect identity.delta \\
    --jti 4f5dbb2c-6d0b-4a52-9a0e-3c1f3f6f8a11 --json";

/// Options of `feed inspect`.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// The feed, full or delta.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// What to ask it.
    #[command(flatten)]
    pub question: Question,
    /// Print a JSON object.
    #[arg(long)]
    pub json: bool,
}

/// What to ask a feed: at most one.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub struct Question {
    /// What it says of this subject: the `sub` of tokens.
    #[arg(long, value_name = "SUB")]
    pub subject: Option<String>,
    /// Whether the token of this id is revoked: its `jti`.
    #[arg(long, value_name = "ID", allow_hyphen_values = true)]
    pub jti: Option<String>,
    /// What it says of the API key of this id: the 12 characters after `pk_`.
    #[arg(long, value_name = "ID")]
    pub key_id: Option<String>,
}

/// How long a feed may be believed: long enough that another can be built.
fn parse_ttl(text: &str) -> Result<Duration, String> {
    const MAX: Duration = Duration::from_secs(366 * 24 * 60 * 60);
    let ttl = parse_duration(text)?;
    if (Duration::from_secs(10)..=MAX).contains(&ttl) {
        Ok(ttl)
    } else {
        Err("expected at least `10s` and at most `366d`".to_owned())
    }
}
