//! `portcullis audit search`.

use super::{follow, query};
use crate::audit::query::Query;
use crate::audit::record::Record;
use crate::audit::scan::{Flow, scan};
use crate::audit::seen::{NO_RECORDS_REMEDY, Seen};
use crate::audit::source::{Source, object};
use crate::audit::table;
use crate::cli::SearchArgs;
use crate::exit::{Exit, Failure};
use crate::terminal::Terminal;

/// Prints every record that fits.
///
/// # Errors
/// A file cannot be read.
pub fn run(args: &SearchArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let query = query(&args.filter)?;
    let mut found: u64 = 0;
    if args.follow {
        follow::run(&args.files, |line| {
            if let Some(object) = fitting(&query, line) {
                found = found.saturating_add(1);
                print(object, args.json, terminal)?;
                terminal.flush()?;
            }
            Ok(if terminal.is_closed() { Flow::Stop } else { Flow::GoOn })
        })?;
        return Ok(exit(found));
    }
    let sources = Source::find_all(&args.files)?;
    let bar = terminal.bar("searching MiB");
    let (count_only, seen) = (args.count, Seen::default());
    // The lines that fit, one behind the other; where they are only counted, just how many.
    let work = |block: &[u8]| {
        seen.look(block);
        let (mut count, mut lines) = (0_u64, Vec::new());
        query.candidates(block, |line| {
            if let Some(object) = fitting(&query, line) {
                count = count.saturating_add(1);
                if !count_only {
                    lines.extend_from_slice(object);
                    lines.push(b'\n');
                }
            }
        });
        (count, lines)
    };
    scan(&sources, bar, work, |(count, lines)| {
        found = found.saturating_add(count);
        if args.json {
            terminal.write(&lines)?;
        } else {
            for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                print(line, false, terminal)?;
            }
        }
        Ok(if terminal.is_closed() { Flow::Stop } else { Flow::GoOn })
    })?;
    if seen.is_something_else() {
        terminal.flush()?;
        terminal.note(format_args!("no line is an audit record: {NO_RECORDS_REMEDY}"));
    }
    if args.count {
        terminal.line(found)?;
    }
    Ok(exit(found))
}

const fn exit(found: u64) -> Exit {
    if found > 0 { Exit::Good } else { Exit::No }
}

/// The record on a line, if it is one that fits.
fn fitting<'l>(query: &Query, line: &'l [u8]) -> Option<&'l [u8]> {
    let object = object(line)?;
    Record::parse(object).filter(|record| !record.is_checkpoint() && query.fits(record)).map(|_| object)
}

fn print(object: &[u8], json: bool, terminal: &mut Terminal) -> Result<(), Failure> {
    if json {
        terminal.write(object)?;
        return terminal.write(b"\n");
    }
    match Record::parse(object) {
        Some(record) => terminal.line(table::row(&record, terminal.out_palette, terminal.out_width)),
        None => Ok(()),
    }
}
