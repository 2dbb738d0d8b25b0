//! `portcullis token`.

mod inspect;
mod issue;

use crate::cli::TokenCommand;
use crate::exit::{Exit, Failure};
use crate::terminal::Terminal;

/// Runs a command under `token`.
///
/// # Errors
/// Why it could not do its work.
pub fn run(command: TokenCommand, terminal: &mut Terminal) -> Result<Exit, Failure> {
    match command {
        TokenCommand::Issue(args) => issue::run(&args, terminal),
        TokenCommand::Inspect(args) => inspect::run(&args, terminal),
    }
}
