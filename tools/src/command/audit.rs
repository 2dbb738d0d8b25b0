//! `portcullis audit`.

mod checkpoint;
mod export;
mod follow;
mod prune;
mod search;
mod stats;
mod verify;

use clap::ValueEnum;
use portcullis_engine::audit::MaskKey;

use super::token::decode_secret;
use crate::audit::SCHEMA;
use crate::audit::query::{Criteria, Query};
use crate::audit::seal::{Keys, State};
use crate::cli::{AuditCommand, ChainKeyInput, RecordFilter, SecretEncoding, When};
use crate::exit::{Exit, Failure};
use crate::input;
use crate::terminal::Terminal;
use crate::time;

pub use verify::json as verify_json;

/// Runs a command under `audit`.
///
/// # Errors
/// Why it could not do its work.
pub fn run(command: &AuditCommand, terminal: &mut Terminal) -> Result<Exit, Failure> {
    match command {
        AuditCommand::Search(args) => search::run(args, terminal),
        AuditCommand::Stats(args) => stats::run(args, terminal),
        AuditCommand::Verify(args) => verify::run(args, terminal),
        AuditCommand::Checkpoint(args) => checkpoint::run(args, terminal),
        AuditCommand::Prune(args) => prune::run(args, terminal),
        AuditCommand::Export(args) => export::run(args, terminal),
        AuditCommand::Schema => {
            terminal.write(SCHEMA.as_bytes())?;
            Ok(Exit::Good)
        }
    }
}

/// The query that options ask for.
pub fn query(filter: &RecordFilter) -> Result<Query, Failure> {
    let now = time::now_precise();
    let moment = |when: &Option<When>| when.map(|when| when.moment(now).rfc3339());
    let mask_key = filter.mask_key_env.as_deref().map(|name| mask_key(name, filter.mask_key_encoding)).transpose()?;
    let (decisions, events) = (words(&filter.decision), words(&filter.event));
    Ok(Query::new(&Criteria {
        since: moment(&filter.since),
        until: moment(&filter.until),
        users: &filter.user,
        addresses: &filter.ip,
        decisions: &decisions,
        reasons: &filter.reason,
        routes: &filter.route,
        events: &events,
        request_ids: &filter.request_id,
        targets: &[],
        mask_key: mask_key.as_ref(),
    }))
}

/// The key that users and addresses are hashed with, out of the environment.
pub fn mask_key(name: &str, encoding: SecretEncoding) -> Result<MaskKey, Failure> {
    let secret = decode_secret(input::secret_variable(name)?, encoding)?;
    Ok(MaskKey::new(&portcullis_engine::Secret::new(secret.expose().to_vec())))
}

fn words(values: &[impl ValueEnum]) -> Vec<String> {
    values.iter().filter_map(ValueEnum::to_possible_value).map(|value| value.get_name().to_owned()).collect()
}

/// The keys of the chain, out of the environment.
pub fn keys(input: &ChainKeyInput) -> Result<Keys, Failure> {
    keys_of(&input.key_env, input.key_encoding)
}

/// The keys of the chain, out of this variable.
pub fn keys_of(name: &str, encoding: SecretEncoding) -> Result<Keys, Failure> {
    Keys::new(&decode_secret(input::secret_variable(name)?, encoding)?, name)
}

/// The state in a file.
pub fn state(path: &std::path::Path, keys: &Keys) -> Result<State, Failure> {
    State::open(&input::read_text(path)?, keys, &input::describe(path))
}
