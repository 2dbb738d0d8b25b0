//! `portcullis completions`.

use clap::CommandFactory;

use crate::cli::{Cli, CompletionsArgs};
use crate::exit::{Exit, Failure};
use crate::terminal::Terminal;

/// Prints a completion script.
///
/// # Errors
/// Standard output cannot be written.
pub fn run(args: &CompletionsArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "portcullis", &mut script);
    terminal.write(&script)?;
    Ok(Exit::Good)
}
