//! `portcullis user export`: everything that is held about a user.

use std::io::{BufWriter, Write};
use std::path::Path;

use serde_json::{Value, json};

use super::{consent, for_programs, history, open, sign_ins};
use crate::cli::UserExportArgs;
use crate::exit::{Exit, Failure};
use crate::file;
use crate::store::{Error, Session, Status, User};
use crate::terminal::Terminal;

/// How many users are read at once.
const CHUNK: i64 = 500;

/// Exports one user, or all.
///
/// # Errors
/// There is no such user, or it cannot be written.
pub fn run(args: &UserExportArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let mut store = open(&args.store)?;
    match (&args.user, &args.out) {
        (Some(handle), out) => {
            let value = store.read(async |session| {
                let user = session.find(handle).await?;
                everything(session, &user).await
            })?;
            match out {
                None => terminal.json(&value)?,
                Some(path) => {
                    let text = serde_json::to_string_pretty(&value).map_err(|error| Failure::io(error.to_string()))?;
                    file::write_new(path, &format!("{text}\n"), EXPORTS)?;
                    terminal.note(format_args!("wrote what is held about the user to `{}`", path.display()));
                }
            }
        }
        (None, out) => {
            let mut bar = terminal.bar("exporting");
            let mut sink = Sink::new(out.as_deref(), terminal)?;
            // Everybody as of one moment, however long it takes: others go on writing meanwhile.
            let count = store.read(async |session| {
                bar.begin(session.count().await?.unsigned_abs());
                let (mut slot, mut done) = (-1, 0_u64);
                loop {
                    let users = session.after(slot, CHUNK).await?;
                    let Some(last) = users.last() else { return Ok(done) };
                    slot = i64::from(last.slot);
                    for user in &users {
                        sink.line(&everything(session, user).await?)?;
                    }
                    done = done.saturating_add(users.len() as u64);
                    bar.at(done);
                }
            })?;
            sink.finish()?;
            drop(bar);
            if let Some(path) = out {
                terminal.note(format_args!("wrote what is held about {count} users to `{}`", path.display()));
            }
        }
    }
    Ok(Exit::Good)
}

/// What is never overwritten, in the words of a message.
const EXPORTS: &str = "exports";

/// Everything that is held about a user. The hash of the password is not among it, but whether there is one is.
async fn everything(session: &mut Session<'_>, user: &User) -> Result<Value, Error> {
    let versions = session.history(user).await?;
    let consents = session.consents(user).await?;
    let changes = std::iter::once(None).chain(versions.iter().map(Some)).zip(&versions);
    let versions: Vec<_> = changes.map(|(before, version)| history::for_programs(before, version)).collect();
    let consents: Vec<_> = consents.iter().map(consent::for_programs).collect();
    let api_keys: Vec<_> =
        session.api_keys_of(user.slot).await?.iter().map(crate::command::api_key::for_programs).collect();
    let sign_ins = sign_ins::read(session, user).await?.for_programs();
    let password = user.password.as_deref().and_then(|hash| crate::password::StoredHash::parse(hash).ok());
    Ok(json!({
        "user": for_programs(user),
        "erased": user.status == Status::Erased,
        "password": password.map(|hash| hash.describe()),
        "history": versions,
        "consents": consents,
        "access": sign_ins,
        "api_keys": api_keys,
    }))
}

/// Where the lines go.
enum Sink<'t> {
    Out(&'t mut Terminal),
    File(BufWriter<std::fs::File>, &'t Path),
}

impl<'t> Sink<'t> {
    fn new(out: Option<&'t Path>, terminal: &'t mut Terminal) -> Result<Self, Failure> {
        Ok(match out {
            None => Self::Out(terminal),
            Some(path) => Self::File(BufWriter::new(file::create_new(path, EXPORTS)?), path),
        })
    }

    fn line(&mut self, value: &Value) -> Result<(), Failure> {
        match self {
            Self::Out(terminal) => terminal.line(value),
            Self::File(file, path) => writeln!(file, "{value}").map_err(|error| file::cannot_write(path, &error)),
        }
    }

    fn finish(self) -> Result<(), Failure> {
        match self {
            Self::Out(_) => Ok(()),
            Self::File(mut file, path) => {
                let written = file.flush().and_then(|()| file.get_ref().sync_all());
                written.map_err(|error| file::cannot_write(path, &error))
            }
        }
    }
}
