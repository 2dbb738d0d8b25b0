//! `portcullis audit checkpoint`.

use super::{keys, state, verify};
use crate::audit::seal::State;
use crate::audit::source::Source;
use crate::audit::verify::Verifier;
use crate::cli::CheckpointArgs;
use crate::exit::{Exit, Failure};
use crate::file::Replacement;
use crate::terminal::{Terminal, counted};
use crate::time;

/// Keeps how far every chain has come.
///
/// # Errors
/// A file cannot be read, or the state not written.
pub fn run(args: &CheckpointArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let keys = keys(&args.key)?;
    let since = args.since.as_deref().map(|path| state(path, &keys)).transpose()?;
    // Before anything is read: that nobody else is at it, and that it can be written.
    let replacement = Replacement::begin(&args.out)?;
    let mut chains = since.as_ref().map(|state| state.chains().to_vec()).unwrap_or_default();
    let sources = Source::find_all(&args.files)?;
    let names: Vec<String> = sources.iter().map(Source::name).collect();
    let verifier = Verifier::new(keys.chain.clone(), since, args.allow_unsealed);
    let report = verifier.run(&sources, terminal.bar("verifying MiB"))?;
    if !report.is_good() {
        verify::print(&report, &names, terminal)?;
        terminal.say("nothing was written: what does not verify is nothing to go on from");
        return Ok(Exit::No);
    }
    chains.retain(|old| report.chains.iter().all(|new| new.chain != old.chain));
    chains.extend(report.chains);
    let count = counted(chains.len() as u64, "chain", "chains");
    replacement.commit(&State::new(chains, time::now_precise()).sealed(&keys)?)?;
    terminal.note(format_args!("wrote the state of {count} to `{}`", args.out.display()));
    Ok(Exit::Good)
}
