//! Options of `portcullis api-key`.

use std::time::Duration;

use clap::{Args, Subcommand};

use super::StoreInput;
use crate::network::Network;
use crate::store::{Handle, Role};
use crate::time::parse_duration;

/// Commands under `api-key`.
#[derive(Debug, Subcommand)]
pub enum ApiKeyCommand {
    /// Make an API key for a user, and print it once.
    #[command(long_about = ISSUE_ABOUT, after_help = ISSUE_EXAMPLES)]
    Issue(IssueArgs),
    /// List API keys, by the page.
    #[command(long_about = LIST_ABOUT, after_help = LIST_EXAMPLES)]
    List(ListArgs),
    /// End an API key, at once and for good.
    #[command(long_about = REVOKE_ABOUT, after_help = REVOKE_EXAMPLES)]
    Revoke(RevokeArgs),
    /// Make a key in the place of another, which ends a while later.
    #[command(long_about = ROTATE_ABOUT, after_help = ROTATE_EXAMPLES)]
    Rotate(RotateArgs),
}

/// Examples of `api-key`.
pub const EXAMPLES: &str = "\
Examples:
  portcullis api-key issue --owner alice@example.com --expires 90d > api.key
  portcullis api-key list --owner alice@example.com
  portcullis api-key rotate abcdefghij01 > next.key";

const ISSUE_ABOUT: &str = "\
Make an API key for a user, and print it: once, for nothing keeps it. The store has a digest of its secret, and the filter takes \
the key as soon as a feed has it (`portcullis feed build`).

A key may do what its owner may, at the time of each feed; --role holds it to some of that. --cidr holds it to addresses. It \
ends with its owner: a key of a user who is disabled is refused, and one of a user who was erased is gone.";

const ISSUE_EXAMPLES: &str = "\
Examples:
  For 90 days, with all roles that Alice has:
    portcullis api-key issue --owner alice@example.com > api.key

  For a machine in the office that only reads:
    portcullis api-key issue --owner alice@example.com --role viewer \\
      --cidr 192.0.2.0/24 --expires 365d > api.key";

/// Options of `api-key issue`.
#[derive(Debug, Args)]
pub struct IssueArgs {
    /// Whose key it is: e-mail address or id.
    #[arg(long, value_name = "USER")]
    pub owner: Handle,
    /// A role of the owner's that the key is to have. Can be repeated [default: all they have, whenever that changes]
    #[arg(long, value_name = "ROLE")]
    pub role: Vec<Role>,
    /// How long the key is good for.
    #[arg(long, value_name = "TIME", default_value = "90d", value_parser = parse_lifetime)]
    pub expires: Duration,
    /// Let it be good until it is revoked.
    #[arg(long, conflicts_with = "expires")]
    pub no_expiry: bool,
    /// A block of addresses it may be used from. Can be repeated [default: any]
    #[arg(long, value_name = "CIDR")]
    pub cidr: Vec<Network>,
    /// Why, for the history of the owner.
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Where the store is.
    #[command(flatten)]
    pub store: StoreInput,
    /// Print a JSON object with the key and what it may do.
    #[arg(long)]
    pub json: bool,
}

const LIST_ABOUT: &str = "\
List API keys in the order they were issued, by the page: in a pipe one a line, with tabs between id, status, owner, roles, \
addresses, when it was issued and when it ends. Never the key itself, which nothing keeps.";

const LIST_EXAMPLES: &str = "\
Examples:
  portcullis api-key list
  portcullis api-key list --owner alice@example.com --json";

/// Options of `api-key list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only those of this user: e-mail address or id.
    #[arg(long, value_name = "USER")]
    pub owner: Option<Handle>,
    /// Which page, from 1.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub page: u32,
    /// How many keys a page has.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub per_page: u32,
    /// Where the store is.
    #[command(flatten)]
    pub store: StoreInput,
    /// Print a JSON object.
    #[arg(long)]
    pub json: bool,
}

const REVOKE_ABOUT: &str = "\
End an API key, at once and for good. The filter refuses it as soon as it has the next feed (`portcullis feed build`).";

const REVOKE_EXAMPLES: &str = "\
Examples:
  portcullis api-key revoke abcdefghij01 --reason 'found in a public repository'";

/// Options of `api-key revoke`.
#[derive(Debug, Args)]
pub struct RevokeArgs {
    /// The key's id: the 12 characters after `pk_`.
    #[arg(value_name = "ID")]
    pub id: String,
    /// Why, for the history of the owner.
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Where the store is.
    #[command(flatten)]
    pub store: StoreInput,
    /// Print a JSON object.
    #[arg(long)]
    pub json: bool,
}

const ROTATE_ABOUT: &str = "\
Make a key in the place of another, with the same owner, roles, addresses and lifetime, and print it, once. The other one ends after \
--overlap, so that there is time to put the new one where it is used.";

const ROTATE_EXAMPLES: &str = "\
Examples:
  portcullis api-key rotate abcdefghij01 > next.key
  portcullis api-key rotate abcdefghij01 --overlap 7d --json";

/// Options of `api-key rotate`.
#[derive(Debug, Args)]
pub struct RotateArgs {
    /// The id of the key to replace: the 12 characters after `pk_`.
    #[arg(value_name = "ID")]
    pub id: String,
    /// How long the old key is still good.
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = parse_overlap)]
    pub overlap: Duration,
    /// Why, for the history of the owner.
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Where the store is.
    #[command(flatten)]
    pub store: StoreInput,
    /// Print a JSON object with the key and what it may do.
    #[arg(long)]
    pub json: bool,
}

/// No moment that is reckoned from here is past what a feed can say.
const MAX_LIFETIME: Duration = Duration::from_secs(3_660 * 24 * 60 * 60);

fn parse_lifetime(text: &str) -> Result<Duration, String> {
    let lifetime = parse_duration(text)?;
    if (Duration::from_secs(60)..=MAX_LIFETIME).contains(&lifetime) {
        Ok(lifetime)
    } else {
        Err("expected at least `1m` and at most `3660d`; --no-expiry lets a key be good until it is revoked".to_owned())
    }
}

fn parse_overlap(text: &str) -> Result<Duration, String> {
    let overlap = parse_duration(text)?;
    if overlap <= MAX_LIFETIME { Ok(overlap) } else { Err("expected at most `3660d`".to_owned()) }
}
