//! `portcullis man`.

use std::fs;
use std::path::Path;

use clap::{Command, CommandFactory};
use clap_mangen::Man;

use crate::cli::{Cli, ManArgs};
use crate::exit::{Exit, Failure};
use crate::terminal::Terminal;

/// Prints the main manual page, or writes one page a command.
///
/// # Errors
/// A page cannot be written.
pub fn run(args: &ManArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let mut root = Cli::command();
    root.build();
    match &args.out {
        None => terminal.write(&render(&root)?)?,
        Some(directory) => {
            fs::create_dir_all(directory).map_err(|error| cannot_write(directory, &error))?;
            let count = write_pages(&root, directory)?;
            terminal.note(format_args!("wrote {count} pages to `{}`", directory.display()));
        }
    }
    Ok(Exit::Good)
}

fn render(command: &Command) -> Result<Vec<u8>, Failure> {
    let mut page = Vec::new();
    Man::new(command.clone()).render(&mut page).map_err(|error| Failure::io(error.to_string()))?;
    Ok(page)
}

/// `portcullis.1`, `portcullis-token.1`, `portcullis-token-issue.1`, …
fn write_pages(command: &Command, directory: &Path) -> Result<usize, Failure> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    let path = directory.join(format!("{name}.1"));
    fs::write(&path, render(command)?).map_err(|error| cannot_write(&path, &error))?;
    let subcommands = command.get_subcommands().filter(|command| command.get_name() != "help");
    subcommands.map(|command| write_pages(command, directory)).try_fold(1, |sum, count| Ok(sum + count?))
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Failure {
    Failure::io(format!("`{}` cannot be written: {error}", path.display()))
}
