//! `portcullis policy`.

mod check;
mod decided;
mod diff;
mod explain;
mod matrix;
mod render;
mod test;

use crate::cli::PolicyCommand;
use crate::exit::{Exit, Failure};
use crate::terminal::Terminal;

#[cfg(test)]
mod tests;

/// The JSON Schema of policies.
const SCHEMA: &str = include_str!("../policy.schema.json");

/// Runs a command under `policy`.
///
/// # Errors
/// Why it could not do its work.
pub fn run(command: &PolicyCommand, terminal: &mut Terminal) -> Result<Exit, Failure> {
    match command {
        PolicyCommand::Check(args) => check::run(args, terminal),
        PolicyCommand::Explain(args) => explain::run(args, terminal),
        PolicyCommand::Render(args) => render::run(args, terminal),
        PolicyCommand::Test(args) => test::run(args, terminal),
        PolicyCommand::Matrix(args) => matrix::run(args, terminal),
        PolicyCommand::Diff(args) => diff::run(args, terminal),
        PolicyCommand::Schema => {
            terminal.write(SCHEMA.as_bytes())?;
            Ok(Exit::Good)
        }
    }
}
