//! `portcullis user import`: users of another system, with the hashes of their passwords.

mod read;

use std::collections::HashSet;

use serde_json::json;

use super::{Checked, open};
use crate::actor::Actor;
use crate::cli::ImportArgs;
use crate::exit::{Exit, Failure};
use crate::store::{Action, Change, Error, Handle, NewUser, Store};
use crate::terminal::{Bar, Terminal, visible};
use read::{Incoming, Reader};

#[cfg(test)]
mod tests;

/// How many users are added at once: all of them, or none.
const BATCH: usize = 10_000;

/// How many mistakes are told one by one.
const TOLD: usize = 100;

/// Reads the whole file, says everything that is wrong with it, and only then adds its users.
///
/// # Errors
/// The file cannot be read or is not valid, or the store cannot be written.
pub fn run(args: &ImportArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let actor = Actor::current()?;
    let mut checked = Checked::default();
    let reason = checked.text("/reason", args.reason.as_deref());
    checked.finish("the import")?;
    let format = read::format(args)?;
    let mut store = open(&args.store)?;

    let mut bar = terminal.bar("checking");
    bar.begin(read::size(&args.file)?);
    let mut survey = Survey::default();
    let mut reader = Reader::open(&args.file, format)?;
    loop {
        let (batch, end) = batch(&mut reader)?;
        survey.look_at(&batch, args.skip_existing, &mut store)?;
        bar.at(reader.bytes());
        if end {
            break;
        }
    }
    drop(bar);
    if !survey.mistakes.is_empty() {
        return Err(survey.failure(terminal));
    }
    if args.dry_run {
        return report(args, 0, survey.existing, Some(survey.good), terminal);
    }

    let mut bar = terminal.bar("adding");
    bar.begin(survey.good);
    let change = Change::new(Action::Import, &actor, reason);
    let mut added = 0_u64;
    let mut reader = Reader::open(&args.file, format)?;
    loop {
        let (batch, end) = batch(&mut reader)?;
        added = added.saturating_add(add(&batch, args.skip_existing, &change, &mut store, &mut bar, added).map_err(
            |failure| {
                let remedy =
                    format!("{added} users were added before it: correct the cause, and go on with --skip-existing");
                Failure { remedy: Some(remedy), ..failure }
            },
        )?);
        if end {
            break;
        }
    }
    drop(bar);
    report(args, added, survey.existing, None, terminal)
}

fn report(
    args: &ImportArgs,
    added: u64,
    existing: u64,
    would_be: Option<u64>,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    if args.json {
        terminal.json(&json!({"added": added, "would_be_added": would_be, "skipped": existing}))?;
        return Ok(Exit::Good);
    }
    let skipped = if existing > 0 { format!(", {existing} were there already") } else { String::new() };
    match would_be {
        Some(good) => terminal.note(format_args!("nothing is wrong: {good} users would be added{skipped}")),
        None => terminal.note(format_args!("added {added} users{skipped}")),
    }
    Ok(Exit::Good)
}

/// The next users of a file, and whether they are the last.
fn batch(reader: &mut Reader) -> Result<(Vec<Incoming>, bool), Failure> {
    let mut batch = Vec::with_capacity(BATCH);
    while batch.len() < BATCH {
        match reader.next()? {
            Some(user) => batch.push(user),
            None => return Ok((batch, true)),
        }
    }
    Ok((batch, false))
}

/// What was found in a file.
#[derive(Default)]
struct Survey {
    good: u64,
    existing: u64,
    mistakes: Vec<(u64, String)>,
    more: u64,
    emails: HashSet<[u8; 32]>,
    ids: HashSet<uuid::Uuid>,
}

impl Survey {
    /// Holds users against each other and against the store.
    fn look_at(&mut self, batch: &[Incoming], skip_existing: bool, store: &mut Store) -> Result<(), Failure> {
        let existing = store.read(async |session| {
            let mut existing = Vec::with_capacity(batch.len());
            for user in batch {
                let Ok(user) = &user.user else {
                    existing.push(None);
                    continue;
                };
                let by_id = match user.id {
                    Some(id) => session.look_up(&Handle::Id(id)).await?.is_some(),
                    None => false,
                };
                let taken = session.is_taken(&user.email).await?;
                existing.push(match (taken, by_id) {
                    (true, _) => Some("/email: another user has this e-mail address"),
                    (false, true) => Some("/id: another user has this id"),
                    _ => None,
                });
            }
            Ok(existing)
        })?;
        for (user, existing) in batch.iter().zip(existing) {
            match (&user.user, existing) {
                (Err(problem), _) => self.mistake(user.line, problem.clone()),
                (Ok(new), existing) => {
                    let email = hmac_sha256::Hash::hash(new.email.normalised().as_bytes());
                    let twice = !self.emails.insert(email);
                    if twice {
                        self.mistake(user.line, "/email: is in the file twice".to_owned());
                    } else if new.id.is_some_and(|id| !self.ids.insert(id)) {
                        self.mistake(user.line, "/id: is in the file twice".to_owned());
                    } else {
                        match existing {
                            None => self.good = self.good.saturating_add(1),
                            Some(_) if skip_existing => self.existing = self.existing.saturating_add(1),
                            Some(problem) => self.mistake(user.line, problem.to_owned()),
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn mistake(&mut self, line: u64, text: String) {
        if self.mistakes.len() < TOLD {
            self.mistakes.push((line, text));
        } else {
            self.more = self.more.saturating_add(1);
        }
    }

    fn failure(&self, terminal: &mut Terminal) -> Failure {
        let count = self.more.saturating_add(self.mistakes.len() as u64);
        let lines: Vec<_> =
            self.mistakes.iter().map(|(line, text)| format!("\n  line {line}: {}", visible(text))).collect();
        if self.more > 0 {
            terminal.note(format_args!("only the first {TOLD} mistakes are told"));
        }
        Failure::invalid(format!("{count} lines of the file are not valid:{}", lines.concat()))
            .remedy("nothing was added: correct them; --skip-existing leaves out users who are there already")
    }
}

/// Adds users, all or none. Returns how many.
fn add(
    batch: &[Incoming],
    skip_existing: bool,
    change: &Change<'_>,
    store: &mut Store,
    bar: &mut Bar,
    before: u64,
) -> Result<u64, Failure> {
    let mut line = 0;
    let added = store.write(async |session| {
        let mut added = 0_u64;
        for incoming in batch {
            line = incoming.line;
            let Ok(user) = &incoming.user else { continue };
            let new = NewUser {
                id: user.id,
                email: &user.email,
                name: user.name.as_deref(),
                notes: user.notes.as_deref(),
                roles: &user.roles,
                status: user.status,
                password: user.password.as_deref().map(String::as_str),
            };
            match session.add(&new, change).await {
                Err(Error::Taken) if skip_existing => {}
                other => {
                    other?;
                    added = added.saturating_add(1);
                }
            }
            bar.at(before.saturating_add(added));
        }
        Ok(added)
    });
    added.map_err(|error| {
        let failure = Failure::from(error);
        Failure { cause: format!("line {line}: {}", failure.cause), ..failure }
    })
}
