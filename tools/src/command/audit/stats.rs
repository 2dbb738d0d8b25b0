//! `portcullis audit stats`.

use serde_json::{Value, json};

use super::query;
use crate::audit::query::Query;
use crate::audit::record::Record;
use crate::audit::scan::{Flow, scan};
use crate::audit::seen::{NO_RECORDS_REMEDY, Seen};
use crate::audit::source::{Source, object};
use crate::audit::stats::{Tally, page, sparkline};
use crate::cli::StatsArgs;
use crate::exit::{Exit, Failure};
use crate::file;
use crate::terminal::{Terminal, visible};
use crate::time;

/// How wide the sparkline is at most.
const COLUMNS: usize = 60;

/// Counts what fits.
///
/// # Errors
/// A file cannot be read, or the page not be written.
pub fn run(args: &StatsArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    if let Some(path) = &args.html {
        file::must_be_new(path, "reports")?;
    }
    let sources = Source::find_all(&args.files)?;
    let tally = count(&query(&args.filter)?, &sources, terminal)?;
    let top = usize::from(args.top);
    if let Some(path) = &args.html {
        let names: Vec<String> = sources.iter().map(Source::name).collect();
        file::write_new(path, &page::page(&tally, &names, top), "reports")?;
        terminal.note(format_args!("wrote the report to `{}`", path.display()));
    }
    if args.json {
        terminal.json(&json(&tally, top))?;
    } else if args.html.is_none() {
        print(&tally, top, terminal)?;
    }
    Ok(Exit::Good)
}

/// Counts the records of files.
///
/// # Errors
/// One cannot be read.
pub fn count(query: &Query, sources: &[Source], terminal: &mut Terminal) -> Result<Tally, Failure> {
    let (mut tally, seen) = (Tally::default(), Seen::default());
    let work = |block: &[u8]| {
        seen.look(block);
        let mut part = Tally::default();
        query.candidates(block, |line| {
            let record = object(line).and_then(Record::parse);
            if let Some(record) = record.filter(|record| !record.is_checkpoint() && query.fits(record)) {
                part.add(&record);
            }
        });
        part
    };
    scan(sources, terminal.bar("counting MiB"), work, |part| {
        tally.merge(part);
        Ok(Flow::GoOn)
    })?;
    // A proxy's own log has no record before its first request, which is no mistake.
    if seen.is_something_else() {
        terminal.note(format_args!("no line is an audit record: {NO_RECORDS_REMEDY}"));
    }
    Ok(tally)
}

fn print(tally: &Tally, top: usize, terminal: &mut Terminal) -> Result<(), Failure> {
    let palette = terminal.out_palette;
    if let (Some(first), Some(last)) = (&tally.first, &tally.last) {
        terminal.line(format_args!("{first} to {last}"))?;
    }
    let decisions: Vec<String> =
        tally.decisions.iter().map(|(decision, count)| format!("{count} {decision}")).collect();
    terminal.line(format_args!("{} requests: {}", tally.requests, decisions.join(", ")))?;
    let (width, columns) = tally.timeline.columns(COLUMNS);
    if tally.refused() > 0 {
        let line = sparkline(columns.iter().map(|(_, bucket)| bucket.refused));
        let each = time::in_words(u64::try_from(width).unwrap_or_default());
        terminal.line(format_args!("refused, by {each}: {}", palette.red(&line)))?;
    }
    for (_, title, counter) in tally.lists() {
        let rows = counter.top(top);
        if rows.is_empty() {
            continue;
        }
        terminal.line("")?;
        terminal.line(palette.bold(title))?;
        let wide = rows.first().map_or(0, |row| row.1.to_string().len());
        for (value, count) in &rows {
            terminal.line(format_args!("  {count:>wide$}  {}", visible(value)))?;
        }
        let more = counter.distinct().saturating_sub(rows.len());
        if more > 0 {
            terminal.line(format_args!("  and {more} more"))?;
        }
        if counter.short_by > 0 {
            terminal.note(format_args!("{title}: counts may be too low by {}", counter.short_by));
        }
    }
    Ok(())
}

/// The figures for programs.
pub fn json(tally: &Tally, top: usize) -> Value {
    let refused: serde_json::Map<String, Value> = tally
        .lists()
        .into_iter()
        .map(|(name, _, counter)| {
            let rows: Vec<Value> =
                counter.top(top).into_iter().map(|(value, count)| json!({"value": value, "count": count})).collect();
            (name.to_owned(), json!({"distinct": counter.distinct(), "short_by": counter.short_by, "top": rows}))
        })
        .collect();
    let (width, columns) = tally.timeline.columns(COLUMNS);
    let columns: Vec<Value> = columns
        .iter()
        .map(|(at, bucket)| json!({"at": time::rfc3339(*at), "requests": bucket.all, "refused": bucket.refused}))
        .collect();
    json!({
        "first": tally.first,
        "last": tally.last,
        "requests": tally.requests,
        "decisions": tally.decisions,
        "refused": refused,
        "timeline": {"seconds": width, "columns": columns},
    })
}
