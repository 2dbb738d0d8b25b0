//! `portcullis incident`.

use std::fs::DirBuilder;
use std::io::Write;
use std::path::Path;

use portcullis_engine::audit::{MASKED, scrub};
use serde_json::Value;

use super::audit::{keys_of, mask_key, state, verify_json};
use super::user;
use crate::actor::Actor;
use crate::audit::incident::{Evidence, summary, zip};
use crate::audit::query::{Criteria, Query};
use crate::audit::record::Record;
use crate::audit::scan::{Flow, scan};
use crate::audit::source::{Source, object};
use crate::audit::verify::Verifier;
use crate::cli::{IncidentCommand, IncidentReportArgs, When};
use crate::exit::{Exit, Failure};
use crate::file;
use crate::store::{Handle, STORE_VARIABLE};
use crate::terminal::{Terminal, counted};
use crate::time;

/// Runs a command under `incident`.
///
/// # Errors
/// Why it could not do its work.
pub fn run(command: &IncidentCommand, terminal: &mut Terminal) -> Result<Exit, Failure> {
    report(command.report(), terminal)
}

fn report(args: &IncidentReportArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    file::must_be_new(&args.out, "reports")?;
    let now = time::now_precise();
    let moment = |when: &Option<When>| when.map(|when| when.moment(now).rfc3339());
    let sources = Source::find_all(&args.audit)?;
    if let Some(source) = sources.iter().find(|source| !source.is_regular()) {
        return Err(Failure::usage(format!("{} can be read only once", source.name()))
            .remedy("name files: they are read for the user, for what was done to the account, and verified"));
    }
    let mut evidence = Evidence {
        user: args.user.clone(),
        since: moment(&args.since),
        until: moment(&args.until),
        made: time::now_precise().rfc3339(),
        made_by: Actor::current()?.name().to_owned(),
        files: sources.iter().map(Source::name).collect(),
        ..Evidence::default()
    };
    let mut names = vec![args.user.clone()];
    if args.store.store.is_some() || std::env::var_os(STORE_VARIABLE).is_some_and(|path| !path.is_empty()) {
        let handle: Handle = args.user.parse().map_err(|problem: &str| {
            Failure::usage(format!("`{}` is no user of a store: {problem}", args.user))
                .remedy("name the user as the store does, or leave the store out")
        })?;
        let account = user::evidence(&args.store, &handle)?;
        names.extend(["id", "email"].iter().filter_map(|name| account.get(*name)?.as_str()).map(str::to_owned));
        evidence.store = Some(account);
    }
    names.sort_unstable();
    names.dedup();
    let mask_key = args.mask_key_env.as_deref().map(|name| mask_key(name, args.mask_key_encoding)).transpose()?;
    // Who is named by an e-mail address has only its beginning in records, and may share that with others.
    let masked: Vec<String> = names.iter().map(|name| scrub(name).0).filter(|name| name != MASKED).collect();
    evidence.also = names.iter().chain(&masked).filter(|name| **name != args.user).cloned().collect();
    evidence.also.extend(mask_key.iter().flat_map(|key| names.iter().map(|name| key.hash("user_id", name))));
    evidence.also.sort_unstable();
    evidence.also.dedup();

    let (since, until) = (evidence.since.clone(), evidence.until.clone());
    let criteria = Criteria { since, until, mask_key: mask_key.as_ref(), ..Criteria::default() };
    let of_user = Query::new(&Criteria { users: &names, ..criteria.clone() });
    gather(&of_user, &sources, terminal, |line, record| evidence.add(line, record))?;
    let about_user = Query::new(&Criteria { targets: &names, ..criteria });
    gather(&about_user, &sources, terminal, |line, _| evidence.add_admin(line))?;
    evidence.sort();
    evidence.verify = verified(args, &sources, terminal)?;

    write(&args.out, &evidence)?;
    terminal.note(format_args!(
        "wrote `{}`: {}, {} of them refused, from {} in {}",
        args.out.display(),
        counted(evidence.all.requests, "request", "requests"),
        evidence.all.refused,
        counted(evidence.addresses.len() as u64, "address", "addresses"),
        counted(evidence.sessions.len() as u64, "session", "sessions"),
    ));
    if evidence.left_out > 0 {
        terminal.warn(format_args!("{} records are counted and left out of the timeline", evidence.left_out));
    }
    match evidence.verify.as_ref().and_then(|verify| verify.get("good")) {
        Some(Value::Bool(true)) => terminal.note("the files are as they were written"),
        Some(_) => terminal.warn("the files are not as they were written: the report says where"),
        None => terminal.note("the files were not verified: name the key of the chain with --key-env"),
    }
    Ok(Exit::Good)
}

/// Hands on every record that fits.
fn gather(
    query: &Query,
    sources: &[Source],
    terminal: &Terminal,
    mut each: impl FnMut(&[u8], &Record<'_>),
) -> Result<(), Failure> {
    let fitting = |line: &[u8]| {
        let object = object(line)?;
        let record = Record::parse(object)?;
        (!record.is_checkpoint() && query.fits(&record)).then(|| object.to_vec())
    };
    let work = |block: &[u8]| {
        let mut lines = Vec::new();
        query.candidates(block, |line| lines.extend(fitting(line)));
        lines
    };
    scan(sources, terminal.bar("gathering MiB"), work, |lines| {
        for line in lines {
            if let Some(record) = Record::parse(&line) {
                each(&line, &record);
            }
        }
        Ok(Flow::GoOn)
    })
}

fn verified(args: &IncidentReportArgs, sources: &[Source], terminal: &Terminal) -> Result<Option<Value>, Failure> {
    let Some(name) = &args.key_env else { return Ok(None) };
    let keys = keys_of(name, args.key_encoding)?;
    let since = args.verify_since.as_deref().map(|path| state(path, &keys)).transpose()?;
    let names: Vec<String> = sources.iter().map(Source::name).collect();
    let report = Verifier::new(keys.chain, since, true).run(sources, terminal.bar("verifying MiB"))?;
    Ok(Some(verify_json(&report, &names)))
}

/// Writes a directory, or a file of the kind that its ending says.
fn write(out: &Path, evidence: &Evidence) -> Result<(), Failure> {
    let json = serde_json::to_string_pretty(evidence).map_err(|error| Failure::io(error.to_string()))?;
    let ending = out.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    if ending.eq_ignore_ascii_case("json") {
        return file::write_new(out, &(json + "\n"), "reports");
    }
    let timeline: String = evidence.timeline.iter().map(|record| format!("{record}\n")).collect();
    let (page, markdown) = (summary::page(evidence), summary::markdown(evidence));
    let files = [
        ("summary.html", page.as_str()),
        ("summary.md", markdown.as_str()),
        ("report.json", json.as_str()),
        ("timeline.jsonl", timeline.as_str()),
    ];
    if ending.eq_ignore_ascii_case("zip") {
        let archive = zip::archive(&files.map(|(name, text)| (name, text.as_bytes())))?;
        let mut file = file::create_new(out, "reports")?;
        let written = file.write_all(&archive).and_then(|()| file.sync_all());
        return written.map_err(|error| file::cannot_write(out, &error));
    }
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(out).map_err(|error| file::cannot_write(out, &error))?;
    files.iter().try_for_each(|(name, text)| file::write_new(&out.join(name), text, "reports"))
}
