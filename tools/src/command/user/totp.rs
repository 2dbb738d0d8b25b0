//! `portcullis user totp`.

mod confirm;
mod enroll;
mod reset;

use crate::cli::TotpCommand;
use crate::exit::{Exit, Failure};
use crate::terminal::Terminal;

/// Runs a command under `user totp`.
///
/// # Errors
/// Why it could not do its work.
pub fn run(command: &TotpCommand, terminal: &mut Terminal) -> Result<Exit, Failure> {
    match command {
        TotpCommand::Enroll(args) => enroll::run(args, terminal),
        TotpCommand::Confirm(args) => confirm::run(args, terminal),
        TotpCommand::Reset(args) => reset::run(args, terminal),
    }
}
