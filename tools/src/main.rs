//! The portcullis command: credentials, tokens and policies, decided by the code the filter runs.

mod access;
mod actor;
mod api_key;
mod audit;
mod cli;
mod command;
mod diagnostic;
mod document;
mod exit;
mod feed;
mod file;
mod html;
mod input;
mod jwk;
mod network;
mod object;
mod password;
mod qr;
mod random;
mod records;
mod recovery;
mod refresh;
mod sign_in;
mod signing;
mod store;
mod terminal;
mod time;
mod totp;
mod yaml;

use std::process::ExitCode;

use clap::Parser;

use cli::Cli;
use exit::Exit;
use terminal::Terminal;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return show(&error),
    };
    let mut terminal = Terminal::standard();
    let outcome = command::run(cli.command, &mut terminal);
    let outcome = outcome.and_then(|exit| terminal.flush().map(|()| exit));
    outcome
        .unwrap_or_else(|failure| {
            terminal.fail(&failure);
            failure.exit
        })
        .into()
}

/// Help and version go to standard output, mistakes on the command line to standard error. That nobody reads it is
/// no error.
fn show(error: &clap::Error) -> ExitCode {
    match error.print() {
        Err(problem) if problem.kind() != std::io::ErrorKind::BrokenPipe => Exit::Io.into(),
        _ if error.use_stderr() => Exit::Usage.into(),
        _ => Exit::Good.into(),
    }
}
