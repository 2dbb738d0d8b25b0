//! Options of `portcullis audit`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use portcullis_engine::UnixTime;

use super::store::parse_age;
use super::token::SecretEncoding;
use crate::audit::block::Block;
use crate::time::{parse_duration, parse_moment};

mod text;

/// Commands under `audit`.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Find records.
    #[command(long_about = text::SEARCH_ABOUT, after_help = text::SEARCH_EXAMPLES)]
    Search(Box<SearchArgs>),
    /// Count records: who and what was refused most, and when.
    #[command(long_about = text::STATS_ABOUT, after_help = text::STATS_EXAMPLES)]
    Stats(Box<StatsArgs>),
    /// Say whether files are as they were written: every line, unchanged, in order.
    #[command(long_about = text::VERIFY_ABOUT, after_help = text::VERIFY_EXAMPLES)]
    Verify(AuditVerifyArgs),
    /// Keep how far every chain has come, for the next verification.
    #[command(long_about = text::CHECKPOINT_ABOUT, after_help = text::CHECKPOINT_EXAMPLES)]
    Checkpoint(CheckpointArgs),
    /// Remove old records, so that the rest can still be verified.
    #[command(long_about = text::PRUNE_ABOUT, after_help = text::PRUNE_EXAMPLES)]
    Prune(AuditPruneArgs),
    /// Hand records on in the form of another system.
    #[command(long_about = text::EXPORT_ABOUT, after_help = text::EXPORT_EXAMPLES)]
    Export(Box<AuditExportArgs>),
    /// Print the JSON Schema of a record.
    #[command(long_about = text::SCHEMA_ABOUT, after_help = text::SCHEMA_EXAMPLES)]
    Schema,
}

/// A moment, or how long ago one was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// So long ago.
    Ago(Duration),
    /// The moment.
    At(UnixTime),
}

impl When {
    /// The moment.
    #[must_use]
    pub fn moment(self, now: UnixTime) -> UnixTime {
        match self {
            Self::Ago(duration) => UnixTime::EPOCH.plus(now.since(UnixTime::EPOCH).saturating_sub(duration)),
            Self::At(moment) => moment,
        }
    }
}

/// Reads a moment, or a duration as how long ago it was.
pub(super) fn parse_when(text: &str) -> Result<When, String> {
    // Records have milliseconds, and their timestamps are what is pasted here.
    let moment = |text| {
        let seconds = parse_moment(text)?;
        Ok(UnixTime::parse_rfc3339(text).unwrap_or_else(|| UnixTime::from_seconds(seconds)))
    };
    parse_duration(text).map(When::Ago).or_else(|_: String| moment(text).map(When::At)).map_err(|_: String| {
        "expected how long ago, such as `90m` or `7d`, or a moment, such as `2026-11-24T09:30:00Z`".to_owned()
    })
}

/// Which records.
#[derive(Debug, Args)]
pub struct RecordFilter {
    /// Not before: a moment, or how long ago, such as `7d`.
    #[arg(long, value_name = "TIME", value_parser = parse_when)]
    pub since: Option<When>,
    /// Before: a moment, or how long ago.
    #[arg(long, value_name = "TIME", value_parser = parse_when)]
    pub until: Option<When>,
    /// Of this user: the token's `sub`, or as a record writes it. Can be repeated.
    #[arg(long, value_name = "ID")]
    pub user: Vec<String>,
    /// From this address or block of addresses. Can be repeated.
    #[arg(long, value_name = "ADDRESS")]
    pub ip: Vec<Block>,
    /// Decided like this. Can be repeated.
    #[arg(long, value_enum, value_name = "DECISION")]
    pub decision: Vec<DecisionWord>,
    /// For this reason. Can be repeated.
    #[arg(long, value_name = "CODE")]
    pub reason: Vec<String>,
    /// On this route. Can be repeated.
    #[arg(long, value_name = "NAME")]
    pub route: Vec<String>,
    /// Of this kind. Can be repeated.
    #[arg(long, value_enum, value_name = "EVENT")]
    pub event: Vec<EventWord>,
    /// Of the request with this id. Can be repeated.
    #[arg(long, value_name = "ID")]
    pub request_id: Vec<String>,
    /// The environment variable with the key of the policy's `audit.mask`: finds users and addresses that are hashed.
    #[arg(long, value_name = "NAME")]
    pub mask_key_env: Option<String>,
    /// What the text of that key stands for.
    #[arg(long, value_enum, default_value_t = SecretEncoding::Raw, value_name = "ENCODING", requires = "mask_key_env")]
    pub mask_key_encoding: SecretEncoding,
}

/// A decision, as records have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum DecisionWord {
    /// Let through.
    Allow,
    /// Refused.
    Deny,
    /// Let through only because the rule is on trial.
    DryRunDeny,
}

/// A kind of event, as records have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EventWord {
    /// Who somebody is.
    Authentication,
    /// What they may do.
    Authorization,
    /// What they sent.
    Validation,
    /// Which site they came from.
    Cors,
    /// Let through.
    Access,
    /// Changes made with this command.
    Admin,
}

/// Options of `audit search`.
#[derive(Debug, Args)]
pub struct SearchArgs {
    /// The files, plain or compressed by gzip or zstd, in order; `-` and none is standard input.
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Which records.
    #[command(flatten)]
    pub filter: RecordFilter,
    /// Print the lines as they stand in the files.
    #[arg(long)]
    pub json: bool,
    /// Print how many there are, and nothing else.
    #[arg(long, conflicts_with_all = ["json", "follow"])]
    pub count: bool,
    /// Wait for more, also in a file that takes this one's place.
    #[arg(long, short = 'F')]
    pub follow: bool,
}

/// Options of `audit stats`.
#[derive(Debug, Args)]
pub struct StatsArgs {
    /// The files, plain or compressed; `-` and none is standard input.
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Which records.
    #[command(flatten)]
    pub filter: RecordFilter,
    /// How many of each kind to list.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub top: u16,
    /// Write one page for a browser to this new file.
    #[arg(long, value_name = "OUT")]
    pub html: Option<PathBuf>,
    /// Print a JSON object.
    #[arg(long)]
    pub json: bool,
}

/// The key of the chain.
#[derive(Debug, Args)]
pub struct ChainKeyInput {
    /// The environment variable with the key of the policy's `audit.chain`.
    #[arg(long, value_name = "NAME")]
    pub key_env: String,
    /// What the text of the key stands for; the policy's `encoding` must be the same.
    #[arg(long, value_enum, default_value_t = SecretEncoding::Raw, value_name = "ENCODING")]
    pub key_encoding: SecretEncoding,
}

/// Options of `audit verify`.
#[derive(Debug, Args)]
pub struct AuditVerifyArgs {
    /// The files, oldest first; `-` is standard input.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// The key.
    #[command(flatten)]
    pub key: ChainKeyInput,
    /// What `audit checkpoint` wrote: chains go on from there, and must have come as far.
    #[arg(long, value_name = "STATE")]
    pub since: Option<PathBuf>,
    /// Take records without a seal: those from before there was a chain.
    #[arg(long)]
    pub allow_unsealed: bool,
    /// Print a JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Options of `audit checkpoint`.
#[derive(Debug, Args)]
pub struct CheckpointArgs {
    /// The files, oldest first; `-` is standard input.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// The key.
    #[command(flatten)]
    pub key: ChainKeyInput,
    /// Write the state to this file, in the place of an older one.
    #[arg(long, value_name = "STATE")]
    pub out: PathBuf,
    /// The state before: its chains are kept, and files may go on from it.
    #[arg(long, value_name = "STATE")]
    pub since: Option<PathBuf>,
    /// Take records without a seal: those from before there was a chain.
    #[arg(long)]
    pub allow_unsealed: bool,
}

/// Options of `audit prune`.
#[derive(Debug, Args)]
pub struct AuditPruneArgs {
    /// The files, oldest first. Each is rewritten in place.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Remove records that are older than this.
    #[arg(long, value_name = "TIME", value_parser = parse_age)]
    pub older_than: Duration,
    /// The environment variable with the key of the policy's `audit.chain`; files without a chain need none.
    #[arg(long, value_name = "NAME")]
    pub key_env: Option<String>,
    /// What the text of the key stands for.
    #[arg(long, value_enum, default_value_t = SecretEncoding::Raw, value_name = "ENCODING", requires = "key_env")]
    pub key_encoding: SecretEncoding,
    /// What `audit checkpoint` wrote, where the files go on from it.
    #[arg(long, value_name = "STATE", requires = "key_env")]
    pub since: Option<PathBuf>,
    /// Say what would be removed, and remove nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask.
    #[arg(long)]
    pub yes: bool,
    /// Print a JSON object.
    #[arg(long)]
    pub json: bool,
}

/// What to hand records on as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// Open Cybersecurity Schema Framework: API Activity and Authentication, one JSON object a line.
    Ocsf,
    /// Elastic Common Schema, one JSON object a line.
    Ecs,
    /// A table with a head.
    Csv,
}

/// Options of `audit export`.
#[derive(Debug, Args)]
pub struct AuditExportArgs {
    /// The files, plain or compressed; `-` and none is standard input.
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The form.
    #[arg(long, value_enum)]
    pub format: ExportFormat,
    /// Which records.
    #[command(flatten)]
    pub filter: RecordFilter,
    /// Write to this new file, readable by its owner alone, instead of standard output.
    #[arg(long, value_name = "OUT")]
    pub out: Option<PathBuf>,
}
