//! `portcullis audit verify`.

use serde_json::{Value, json};

use super::{keys, state};
use crate::audit::source::Source;
use crate::audit::verify::{Report, Verifier};
use crate::cli::AuditVerifyArgs;
use crate::exit::{Exit, Failure};
use crate::terminal::{Terminal, counted, visible};

/// Says whether files are as they were written.
///
/// # Errors
/// One cannot be read, or there is no key.
pub fn run(args: &AuditVerifyArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let keys = keys(&args.key)?;
    let since = args.since.as_deref().map(|path| state(path, &keys)).transpose()?;
    let sources = Source::find_all(&args.files)?;
    let names: Vec<String> = sources.iter().map(Source::name).collect();
    let report = Verifier::new(keys.chain, since, args.allow_unsealed).run(&sources, terminal.bar("verifying MiB"))?;
    if args.json {
        terminal.json(&json(&report, &names))?;
    } else {
        print(&report, &names, terminal)?;
    }
    Ok(if report.is_good() { Exit::Good } else { Exit::No })
}

/// The report for people: the findings, and how much was looked at.
pub(super) fn print(report: &Report, names: &[String], terminal: &mut Terminal) -> Result<(), Failure> {
    for finding in report.findings.list() {
        terminal.line(visible(&finding.in_words(names)))?;
    }
    terminal.flush()?;
    let kept = u64::try_from(report.findings.list().len()).unwrap_or(u64::MAX);
    if report.findings.count > kept {
        terminal.note(format_args!("{} more findings are not shown", report.findings.count - kept));
    }
    if report.unchecked > 0 {
        terminal.note(format_args!("{} checkpoints tell of lines that are not in these files", report.unchecked));
    }
    if report.summaries > 0 {
        terminal.note(format_args!("{} summaries of bursts carry no seal", report.summaries));
    }
    if report.unsealed > 0 {
        terminal.note(format_args!("{} records carry no seal", report.unsealed));
    }
    let verdict = match (report.is_good(), report.findings.count) {
        (true, _) => terminal.err_palette.green("good:"),
        (false, 0) => terminal.err_palette.red("nothing is sealed:"),
        (false, count) => terminal.err_palette.red(&format!("{}:", counted(count, "finding", "findings"))),
    };
    terminal.say(format_args!(
        "{verdict} {} of {} and {} are as they were written",
        counted(report.sealed, "line", "lines"),
        counted(report.chains.len() as u64, "chain", "chains"),
        counted(report.checkpoints, "checkpoint", "checkpoints"),
    ));
    if report.sealed == 0 && report.findings.count > 0 {
        terminal.say("help: no line at all fits: is it the key that the policy names, and its encoding?");
    }
    Ok(())
}

/// The report for programs.
pub fn json(report: &Report, names: &[String]) -> Value {
    let findings: Vec<Value> = report.findings.list().iter().map(|finding| finding.json(names)).collect();
    let chains: Vec<Value> =
        report.chains.iter().map(|chain| json!({"chain": chain.chain, "seq": chain.seq, "last": chain.last})).collect();
    json!({
        "good": report.is_good(),
        "files": names,
        "lines": report.sealed,
        "checkpoints": report.checkpoints,
        "checkpoints_unchecked": report.unchecked,
        "summaries": report.summaries,
        "unsealed": report.unsealed,
        "finding_count": report.findings.count,
        "findings": findings,
        "chains": chains,
    })
}
