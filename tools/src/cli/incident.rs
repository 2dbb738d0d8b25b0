//! Options of `portcullis incident`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::StoreInput;
use super::audit::{When, parse_when};
use super::token::SecretEncoding;

/// Commands under `incident`.
#[derive(Debug, Subcommand)]
pub enum IncidentCommand {
    /// Gather the evidence about a user in one place.
    #[command(long_about = REPORT_ABOUT, after_help = REPORT_EXAMPLES)]
    Report(Box<IncidentReportArgs>),
}

impl IncidentCommand {
    /// The report that is asked for.
    #[must_use]
    pub const fn report(&self) -> &IncidentReportArgs {
        match self {
            Self::Report(args) => args,
        }
    }
}

/// Examples of `incident`.
pub const INCIDENT_EXAMPLES: &str = "\
Examples:
  portcullis incident report --user 0f8fad5b --since 7d \\
    --audit audit.log --out incident";

const REPORT_ABOUT: &str = "\
Gather the evidence about a user: a timeline, the addresses and routes, the sessions (by the digest of the token's id), what was \
refused and why, what administrators did to the account, and whether the files verify. With --store also the account's history.

--out names a new directory, or a new file that ends in .zip or .json. A directory and a zip have summary.html and summary.md to \
read, report.json for programs, and timeline.jsonl with the records as they stand in the files. All of it is for its owner alone: \
it is about a person.";

const REPORT_EXAMPLES: &str = "\
Examples:
  portcullis incident report --user 0f8fad5b-d9cb-469f-a165-70867728950e \\
    --since 7d --audit audit.log.1.gz audit.log \\
    --key-env AUDIT_KEY --out incident.zip

  With the history of the account, and an e-mail address in the place of the id:
    portcullis incident report --user alice@example.com --since 48h \\
      --audit audit.log admin.log --store portcullis.db --out incident";

/// Options of `incident report`.
#[derive(Debug, Args)]
pub struct IncidentReportArgs {
    /// The user: the token's `sub`, or with --store the e-mail address too.
    #[arg(long, value_name = "ID")]
    pub user: String,
    /// Not before: a moment, or how long ago.
    #[arg(long, value_name = "TIME", value_parser = parse_when)]
    pub since: Option<When>,
    /// Before: a moment, or how long ago.
    #[arg(long, value_name = "TIME", value_parser = parse_when)]
    pub until: Option<When>,
    /// The audit files of the filter and of this command, oldest first.
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    pub audit: Vec<PathBuf>,
    /// The environment variable with the key of the chain: the files are verified.
    #[arg(long, value_name = "NAME")]
    pub key_env: Option<String>,
    /// What the text of the key stands for.
    #[arg(long, value_enum, default_value_t = SecretEncoding::Raw, value_name = "ENCODING", requires = "key_env")]
    pub key_encoding: SecretEncoding,
    /// What `audit checkpoint` wrote when the files began.
    #[arg(long, value_name = "STATE", requires = "key_env")]
    pub verify_since: Option<PathBuf>,
    /// The environment variable with the key of the policy's `audit.mask`.
    #[arg(long, value_name = "NAME")]
    pub mask_key_env: Option<String>,
    /// What the text of that key stands for.
    #[arg(long, value_enum, default_value_t = SecretEncoding::Raw, value_name = "ENCODING", requires = "mask_key_env")]
    pub mask_key_encoding: SecretEncoding,
    /// Where the store is; its history is left out where none is named here or in PORTCULLIS_STORE.
    #[command(flatten)]
    pub store: StoreInput,
    /// The directory, .zip or .json to make.
    #[arg(long, value_name = "OUT")]
    pub out: PathBuf,
}
