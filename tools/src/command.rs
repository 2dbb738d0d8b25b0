//! What each command does.

mod api_key;
mod completions;
mod feed;
mod grant;
mod init;
mod key;
mod login;
mod logout;
mod man;
mod password;
mod policy;
mod secret;
mod store;
mod token;
mod user;

use crate::cli::Command;
use crate::exit::{Exit, Failure};
use crate::terminal::Terminal;

/// Runs a command.
///
/// # Errors
/// Why it could not do its work.
pub fn run(command: Command, terminal: &mut Terminal) -> Result<Exit, Failure> {
    match command {
        Command::Secret(command) => secret::run(&command, terminal),
        Command::Key(command) => key::run(&command, terminal),
        Command::Password(command) => password::run(&command, terminal),
        Command::Token(command) => token::run(command, terminal),
        Command::Init(args) => init::run(&args, terminal),
        Command::Login(args) => login::run(&args, terminal),
        Command::Logout(args) => logout::run(&args, terminal),
        Command::User(command) => user::run(&command, terminal),
        Command::ApiKey(command) => api_key::run(&command, terminal),
        Command::Feed(command) => feed::run(&command, terminal),
        Command::Store(command) => store::run(&command, terminal),
        Command::Policy(command) => policy::run(&command, terminal),
        Command::Completions(args) => completions::run(&args, terminal),
        Command::Man(args) => man::run(&args, terminal),
    }
}
