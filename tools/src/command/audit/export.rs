//! `portcullis audit export`.

use std::io::Write;

use super::query;
use crate::audit::export::{COLUMNS, ecs, ocsf, row};
use crate::audit::record::Record;
use crate::audit::scan::{Flow, scan};
use crate::audit::seen::{NO_RECORDS_REMEDY, Seen};
use crate::audit::source::{Source, object};
use crate::cli::{AuditExportArgs, ExportFormat};
use crate::exit::{Exit, Failure};
use crate::file;
use crate::terminal::Terminal;

/// Writes every record that fits in another form.
///
/// # Errors
/// A file cannot be read or written.
pub fn run(args: &AuditExportArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let query = query(&args.filter)?;
    let sources = Source::find_all(&args.files)?;
    let mut out = args.out.as_deref().map(|path| file::create_new(path, "exports")).transpose()?;
    let mut found: u64 = 0;
    let (format, seen) = (args.format, Seen::default());
    let work = |block: &[u8]| {
        seen.look(block);
        let (mut count, mut text) = (0_u64, Vec::new());
        query.candidates(block, |line| {
            let record = object(line).and_then(Record::parse);
            if let Some(record) = record.filter(|record| !record.is_checkpoint() && query.fits(record)) {
                count = count.saturating_add(1);
                write(&record, format, &mut text);
            }
        });
        (count, text)
    };
    let mut take = |text: &[u8], terminal: &mut Terminal| match (&mut out, &args.out) {
        (Some(file), Some(path)) => file.write_all(text).map_err(|error| file::cannot_write(path, &error)),
        _ => terminal.write(text),
    };
    if format == ExportFormat::Csv {
        take(&csv_line(&COLUMNS), terminal)?;
    }
    scan(&sources, terminal.bar("exporting MiB"), work, |(count, text)| {
        found = found.saturating_add(count);
        take(&text, terminal)?;
        Ok(if terminal.is_closed() { Flow::Stop } else { Flow::GoOn })
    })?;
    if seen.is_something_else() {
        terminal.flush()?;
        terminal.note(format_args!("no line is an audit record: {NO_RECORDS_REMEDY}"));
    }
    if let Some(path) = &args.out {
        terminal.note(format_args!("wrote {found} records to `{}`", path.display()));
    }
    Ok(Exit::Good)
}

fn write(record: &Record<'_>, format: ExportFormat, text: &mut Vec<u8>) {
    let value = match format {
        ExportFormat::Ocsf => ocsf(record),
        ExportFormat::Ecs => ecs(record),
        ExportFormat::Csv => return text.extend(csv_line(&row(record))),
    };
    text.extend(value.to_string().into_bytes());
    text.push(b'\n');
}

/// A line of the table. Writing to memory does not fail.
fn csv_line(cells: &[impl AsRef<[u8]>]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let _infallible = writer.write_record(cells);
    writer.into_inner().unwrap_or_default()
}
