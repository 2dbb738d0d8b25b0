//! `portcullis store`.

use serde_json::json;

use crate::actor::Actor;
use crate::cli::{BackupArgs, CostArgs, RotateKeyArgs, StoreCheckArgs, StoreCommand};
use crate::exit::{Exit, Failure};
use crate::file;
use crate::password::{self, Cost};
use crate::store::{MASTER_VARIABLE, Store, master};
use crate::terminal::Terminal;

/// Runs a command under `store`.
///
/// # Errors
/// Why it could not do its work.
pub fn run(command: &StoreCommand, terminal: &mut Terminal) -> Result<Exit, Failure> {
    match command {
        StoreCommand::Check(args) => check(args, terminal),
        StoreCommand::Backup(args) => backup(args, terminal),
        StoreCommand::RotateKey(args) => rotate_key(args, terminal),
        StoreCommand::Cost(args) => cost(args, terminal),
    }
}

fn check(args: &StoreCheckArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let mut store = Store::open(args.store.location()?)?;
    let repaired = if args.repair { store.repair(&Actor::current()?)? } else { 0 };
    let mut bar = terminal.bar("looking at");
    let health = store.check(|total, done| bar.of(total, done))?;
    drop(bar);
    if args.json {
        terminal.json(&json!({
            "good": health.is_good(),
            "users": health.users,
            "file": health.file,
            "broken_references": health.references,
            "broken_histories": health.histories,
            "unreadable_users": health.unreadable,
            "left_over_users": health.left_over,
            "repaired_users": repaired,
        }))?;
    } else {
        if repaired > 0 {
            terminal.note(format_args!("erased what was left of {repaired} users"));
        }
        for line in &health.file {
            terminal.line(format_args!("the file: {line}"))?;
        }
        for (count, what) in [
            (health.references, "references to what is not there"),
            (health.histories, "users whose history has gaps"),
            (health.unreadable, "users of whom something does not open with their key"),
            (
                health.left_over,
                "users who were erased after this copy of the store was made; --repair erases them here",
            ),
        ] {
            if count > 0 {
                terminal.line(format_args!("{count} {what}"))?;
            }
        }
        terminal.flush()?;
        let verdict = if health.is_good() { "the store is whole" } else { "the store is not whole" };
        terminal.say(format_args!("{verdict}: {} users", health.users));
    }
    Ok(if health.is_good() { Exit::Good } else { Exit::No })
}

fn backup(args: &BackupArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let mut store = Store::open(args.store.location()?)?;
    // SQLite fills a file that is there and empty, with the permissions it has.
    file::write_new(&args.out, "", "backups")?;
    store.backup(&args.out).inspect_err(|_| {
        let _left_behind = std::fs::remove_file(&args.out);
    })?;
    terminal.note(format_args!("copied the store to `{}`; its keys are not in it", args.out.display()));
    Ok(Exit::Good)
}

fn rotate_key(args: &RotateKeyArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let location = args.store.location()?;
    let new = args.new_master_env.as_deref().map(master).transpose()?;
    let kept = location.master.clone();
    let master = match (&new, args.no_master) {
        (Some(new), _) => Some(new),
        (None, true) => None,
        (None, false) => kept.as_deref(),
    };
    let mut store = Store::open(location)?;
    let mut bar = terminal.bar("wrapping keys of");
    store.rotate(master, |total, done| bar.of(total, done))?;
    drop(bar);
    terminal.note("the store is under new keys, and the old ones are destroyed");
    if let Some(name) = &args.new_master_env {
        terminal.say(format_args!("next: set {MASTER_VARIABLE} to what {name} has, wherever this store is used"));
    }
    if args.no_master && kept.is_some() {
        terminal.say(format_args!("next: unset {MASTER_VARIABLE}, wherever this store is used"));
    }
    Ok(Exit::Good)
}

fn cost(args: &CostArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let mut store = Store::open(args.store.location()?)?;
    let mut cost = store.settings().cost;
    if !args.cost.is_empty() {
        cost = args.cost.cost(cost);
        password::check_cost(cost)?;
        warn_if_weak(cost, terminal);
        store.write(async |session| session.set_cost(cost).await)?;
    }
    let Cost { memory, iterations, parallelism } = cost;
    if args.json {
        terminal.json(&json!({"memory_kib": memory, "iterations": iterations, "parallelism": parallelism}))?;
    } else {
        terminal.line(format_args!("--memory {memory} --iterations {iterations} --parallelism {parallelism}"))?;
    }
    Ok(Exit::Good)
}

/// Says so of a cost that is less than anything still recommended.
pub fn warn_if_weak(cost: Cost, terminal: &mut Terminal) {
    if cost.is_weak() {
        terminal.warn(format_args!(
            "{} KiB and {} iterations are cheaper to guess against than anything still recommended; \
             `--memory {} --iterations {}` is the least",
            cost.memory,
            cost.iterations,
            Cost::FLOOR.memory,
            Cost::FLOOR.iterations
        ));
    }
}
