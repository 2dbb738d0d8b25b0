//! What each command does.

mod api_key;
mod audit;
mod completions;
mod feed;
mod grant;
mod incident;
mod init;
mod key;
mod login;
mod logout;
mod man;
mod password;
mod policy;
mod recorded;
mod secret;
mod store;
mod token;
mod user;

use crate::audit::admin::Log;
use crate::cli::Command;
use crate::exit::{Exit, Failure};
use crate::terminal::Terminal;

/// Runs a command, and records it where that is asked for and it changes something.
///
/// # Errors
/// Why it could not do its work, or that it cannot be recorded.
pub fn run(command: Command, terminal: &mut Terminal) -> Result<Exit, Failure> {
    // Whom it was about, where only doing it tells.
    let mut whom = None;
    let Some(act) = recorded::act(&command) else { return carry_out(command, terminal, &mut whom) };
    let Some(log) = Log::open()? else { return carry_out(command, terminal, &mut whom) };
    let outcome = carry_out(command, terminal, &mut whom);
    let act = match whom.filter(|_| act.target.is_none()) {
        Some(whom) => act.on(&whom),
        None => act,
    };
    match (log.record(&act, matches!(outcome, Ok(Exit::Good))), outcome) {
        (Ok(()), outcome) => outcome,
        (Err(unwritten), Ok(_)) => Err(unwritten),
        (Err(unwritten), Err(failure)) => {
            terminal.warn(unwritten.cause);
            Err(failure)
        }
    }
}

fn carry_out(command: Command, terminal: &mut Terminal, whom: &mut Option<String>) -> Result<Exit, Failure> {
    match command {
        Command::Secret(command) => secret::run(&command, terminal),
        Command::Key(command) => key::run(&command, terminal),
        Command::Password(command) => password::run(&command, terminal),
        Command::Token(command) => token::run(command, terminal, whom),
        Command::Init(args) => init::run(&args, terminal),
        Command::Login(args) => login::run(&args, terminal, whom),
        Command::Logout(args) => logout::run(&args, terminal, whom),
        Command::User(command) => user::run(&command, terminal),
        Command::ApiKey(command) => api_key::run(&command, terminal),
        Command::Feed(command) => feed::run(&command, terminal),
        Command::Store(command) => store::run(&command, terminal),
        Command::Policy(command) => policy::run(&command, terminal),
        Command::Incident(command) => incident::run(&command, terminal),
        Command::Audit(command) => audit::run(&command, terminal),
        Command::Completions(args) => completions::run(&args, terminal),
        Command::Man(args) => man::run(&args, terminal),
    }
}
