//! `portcullis user erase` and `user prune`: the same, asked for by somebody or by the calendar.

use serde_json::json;

use super::{Checked, for_programs, moment, name, open};
use crate::actor::Actor;
use crate::cli::{EraseArgs, PruneArgs};
use crate::exit::{Exit, Failure};
use crate::input;
use crate::store::{Action, Change, Error, Handle, Store};
use crate::terminal::Terminal;
use crate::time;

/// How many users one transaction erases: others get to write between.
const BATCH: i64 = 500;

/// Forgets a user.
///
/// # Errors
/// There is none, they were erased already, or nobody could be asked.
pub fn run(args: &EraseArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let change = &args.change;
    let actor = Actor::current()?;
    let mut checked = Checked::default();
    let reason = checked.text("/reason", change.reason.as_deref());
    checked.finish("the change")?;
    let mut store = open(&change.store)?;
    let user = store.read(async |session| session.find(&change.user).await)?;
    let question = format!("forget {} for good? Nothing brings back what is personal about them", name(&user));
    if user.details.is_some() && !input::confirm(&question, args.yes)? {
        terminal.note("nothing was changed");
        return Ok(Exit::No);
    }
    let user = store.write(async |session| {
        let user = session.find(&change.user).await?;
        session.erase(&user, &Change::new(Action::Erase, &actor, reason)).await
    })?;
    store.destroy_keys()?;
    if change.json {
        terminal.json(&for_programs(&user))?;
    } else {
        terminal.note(format_args!("{} is forgotten; version {}", user.id, user.version));
    }
    Ok(Exit::Good)
}

/// Forgets users who have not signed in for a long time.
///
/// # Errors
/// Nobody could be asked, or the store cannot be written.
pub fn prune(args: &PruneArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let actor = Actor::current()?;
    let mut checked = Checked::default();
    let reason = checked.text("/reason", args.reason.as_deref());
    checked.finish("the change")?;
    let age = i64::try_from(args.inactive.as_secs()).unwrap_or(i64::MAX);
    let before = time::now().saturating_sub(age);
    let since = moment(before).unwrap_or_else(|| "the beginning".to_owned());
    let mut store = open(&args.store)?;
    let (ids, count) = store.read(async |session| {
        // One who signs in while this runs is looked at again before they would be erased.
        let limit = if args.dry_run { i64::MAX } else { 0 };
        session.inactive(before, limit).await
    })?;
    if args.dry_run {
        if args.json {
            terminal.json(&json!({"before": since, "users": ids, "erased": 0}))?;
        } else {
            for id in &ids {
                terminal.line(id)?;
            }
            terminal.note(format_args!("{count} would be forgotten: not here since {since}"));
        }
        return Ok(Exit::Good);
    }
    let question = format!("forget {count} users, not here since {since}, for good?");
    if count > 0 && !input::confirm(&question, args.yes)? {
        terminal.note("nothing was changed");
        return Ok(Exit::No);
    }
    let change = Change::new(Action::Prune, &actor, reason);
    let erased = prune_all(&mut store, before, count, &change, terminal)?;
    if args.json {
        terminal.json(&json!({"before": since, "users": erased, "erased": erased.len()}))?;
    } else {
        terminal.note(format_args!("{} forgotten: not here since {since}", erased.len()));
    }
    Ok(Exit::Good)
}

/// Erases by the batch, and destroys the keys of all of them at the end: each time the key file is written whole. If this is cut
/// off, the next command that opens the store does that.
fn prune_all(
    store: &mut Store,
    before: i64,
    count: i64,
    change: &Change<'_>,
    terminal: &Terminal,
) -> Result<Vec<String>, Failure> {
    let mut bar = terminal.bar("forgetting");
    bar.begin(count.unsigned_abs());
    let mut erased = Vec::new();
    loop {
        let batch = store.write(async |session| {
            let (ids, _) = session.inactive(before, BATCH).await?;
            for id in &ids {
                let handle = id.parse::<Handle>().map_err(|_| Error::Damaged("an id in it is no UUID"))?;
                let user = session.find(&handle).await?;
                session.erase(&user, change).await?;
            }
            Ok(ids)
        })?;
        if batch.is_empty() {
            break;
        }
        erased.extend(batch);
        bar.at(erased.len() as u64);
    }
    store.destroy_keys()?;
    Ok(erased)
}
