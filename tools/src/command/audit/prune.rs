//! `portcullis audit prune`.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use portcullis_engine::UnixTime;
use serde_json::json;

use super::{keys_of, state, verify};
use crate::audit::prune::Pruning;
use crate::audit::seal::Keys;
use crate::audit::source::{Packing, Source};
use crate::audit::verify::{Verifier, each_line};
use crate::cli::AuditPruneArgs;
use crate::exit::{Exit, Failure};
use crate::file::Replacement;
use crate::input;
use crate::terminal::Terminal;
use crate::time;

/// How much is written at a time.
const WRITE_BYTES: usize = 256 * 1024;

/// Removes old records from files.
///
/// # Errors
/// A file cannot be read or written, or there is no key where one is needed.
pub fn run(args: &AuditPruneArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let keys = args.key_env.as_deref().map(|name| keys_of(name, args.key_encoding)).transpose()?;
    let sources = Source::find_all(&args.files)?;
    if let Some(source) = sources.iter().find(|source| source.packing != Some(Packing::Plain)) {
        return Err(Failure::usage(format!("{} is no plain file", source.name()))
            .remedy("unpack it first; or remove it whole once all of it is old enough"));
    }
    if let Some(keys) = &keys
        && !verifies(args, keys, &sources, terminal)?
    {
        return Ok(Exit::No);
    }
    let age = i64::try_from(args.older_than.as_secs()).unwrap_or(i64::MAX);
    let cutoff = UnixTime::from_seconds(time::now().saturating_sub(age)).rfc3339();
    let mut plans = Vec::new();
    for source in &sources {
        let mut plan = Pruning::new(&cutoff);
        go_through(source, &mut plan, |_| Ok(()))?;
        if plan.sealed && keys.is_none() {
            return Err(Failure::usage(format!("{} has lines of a chain", source.name()))
                .remedy("name the key with --key-env, so that the rest can still be verified"));
        }
        plans.push(plan);
    }
    let removed = plans.iter().map(|plan| plan.removed).fold(0, u64::saturating_add);
    let question = format!("Remove {removed} lines from before {cutoff}, for good?");
    let doing = removed > 0 && !args.dry_run;
    if doing && !input::confirm(&question, args.yes)? {
        terminal.note("nothing was removed");
        return Ok(Exit::No);
    }
    if doing {
        for (source, plan) in sources.iter().zip(&plans).filter(|(_, plan)| plan.removed > 0) {
            rewrite(source, plan, keys.as_ref(), &cutoff)?;
        }
    }
    if args.json {
        let files = sources.iter().zip(&plans).map(|(source, plan)| {
            json!({"file": source.name(), "removed": plan.removed, "left": plan.left, "chains": plan.gone().len()})
        });
        terminal.json(&json!({"before": cutoff, "done": doing, "files": files.collect::<Vec<_>>()}))?;
    } else {
        let word = if args.dry_run { "would remove" } else { "removed" };
        for (source, plan) in sources.iter().zip(&plans) {
            let (removed, left) = (plan.removed, plan.left);
            terminal.note(format_args!("{word} {removed} lines from `{}`; {left} are left", source.name()));
        }
    }
    Ok(Exit::Good)
}

/// Whether all of it is as it was written: what is left must not vouch for what was not.
fn verifies(args: &AuditPruneArgs, keys: &Keys, sources: &[Source], terminal: &mut Terminal) -> Result<bool, Failure> {
    let since = args.since.as_deref().map(|path| state(path, keys)).transpose()?;
    let report = Verifier::new(keys.chain.clone(), since, true).run(sources, terminal.bar("verifying MiB"))?;
    if report.findings.count > 0 {
        let names: Vec<String> = sources.iter().map(Source::name).collect();
        verify::print(&report, &names, terminal)?;
        terminal.say("nothing was removed: what does not verify is evidence");
        return Ok(false);
    }
    Ok(true)
}

fn go_through(
    source: &Source,
    plan: &mut Pruning,
    mut keep: impl FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let read = Arc::new(AtomicU64::new(0));
    each_line(std::slice::from_ref(source), &read, |_, text| if plan.keeps(text) { keep(text) } else { Ok(()) })
}

fn rewrite(source: &Source, plan: &Pruning, keys: Option<&Keys>, cutoff: &str) -> Result<(), Failure> {
    // This command's own log is written under this lock: nobody adds to it until the new file is in its place.
    let file = source.open_at(0)?;
    file.lock().map_err(|error| source.unreadable(&error))?;
    let mut replacement = Replacement::begin(source.path())?;
    let now = time::now_precise();
    let mut block = Vec::new();
    for (keys, reached) in keys.into_iter().flat_map(|keys| plan.gone().into_iter().map(move |gone| (keys, gone))) {
        block.extend_from_slice(keys.pruned_line(reached, now).as_bytes());
        block.push(b'\n');
    }
    let mut again = Pruning::new(cutoff);
    go_through(source, &mut again, |text| {
        block.extend_from_slice(text);
        block.push(b'\n');
        if block.len() >= WRITE_BYTES {
            replacement.write(&block)?;
            block.clear();
        }
        Ok(())
    })?;
    replacement.write(&block)?;
    let size = std::fs::metadata(source.path()).map(|about| about.len()).ok();
    if size != source.size {
        return Err(Failure::io(format!("`{}` was written to meanwhile", source.name()))
            .remedy("prune files that nobody writes any more: rotated ones; this one is as it was"));
    }
    replacement.commit("")
}
