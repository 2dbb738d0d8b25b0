//! `portcullis policy test`: a table of requests and expected answers, decided by the engine.

mod cases;
mod compare;
mod fields;
mod junit;

use std::path::Path;
use std::time::{Duration, Instant};

use portcullis_engine::config::PolicyError;
use portcullis_engine::{DenyReason, Policy, Verdict, Worker, borrow_headers};
use serde::Serialize;
use serde_json::Value;

use self::cases::Case;
use self::compare::{Difference, Seen};
use super::decided::{Given, Steps};
use crate::cli::TestArgs;
use crate::diagnostic::{self, Severity};
use crate::document::{self, Document};
use crate::exit::{Exit, Failure};
use crate::input;
use crate::terminal::{Palette, Terminal, visible};
use crate::time;

/// How long a person waits without a word.
const PATIENCE: Duration = Duration::from_secs(1);

/// Runs the cases and prints what came of them.
///
/// # Errors
/// A file cannot be read or written, or is not valid.
pub fn run(args: &TestArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    input::once([Some(args.file.as_path()), Some(args.cases.as_path())])?;
    spare_inputs(args)?;
    let started = Instant::now();
    let policy_document = Document::read(&args.file)?;
    let document = Document::read(&args.cases)?;
    let policy = policy_document.policy(terminal)?;
    let all = cases(&document, &policy, terminal)?;
    let total = all.len();
    let chosen: Vec<Case> =
        all.into_iter().filter(|case| args.filter.as_ref().is_none_or(|text| case.name.contains(text))).collect();
    if let (Some(text), true) = (&args.filter, chosen.is_empty()) {
        return Err(Failure::usage(format!("no case of {} has `{}` in its name", document.name, visible(text)))
            .remedy("leave --filter out to run them all"));
    }
    let mut worker = document::quiet_worker(&policy, &args.provider_jwks)?;
    document::take_feeds(&policy, &mut worker, &args.feed, time::now_precise())?;
    let ran = decide_all(chosen, &policy, &mut worker, terminal);
    let results = Results {
        policy: &policy_document.name,
        digest: policy.digest(),
        file: &document.name,
        left_out: total.saturating_sub(ran.len()),
        time: started.elapsed(),
        ran,
    };
    if results.ran.iter().any(|ran| !ran.passed() && ran.seen.reason == DenyReason::KeysUnavailable.code()) {
        document::note_missing_keys(&policy, &worker, terminal);
    }
    if results.ran.iter().any(|ran| !ran.passed() && ran.seen.reason == DenyReason::FeedUnavailable.code()) {
        document::note_missing_feed(&policy, &worker, terminal);
    }
    if let Some(path) = &args.junit {
        std::fs::write(path, results.junit())
            .map_err(|error| Failure::io(format!("`{}` cannot be written: {error}", path.display())))?;
    }
    if args.json {
        terminal.json(&results.for_programs())?;
    } else {
        results.print(terminal)?;
    }
    Ok(if results.failed() == 0 { Exit::Good } else { Exit::No })
}

/// Refuses to write the report over what is read.
fn spare_inputs(args: &TestArgs) -> Result<(), Failure> {
    let Some(out) = args.junit.as_deref().and_then(|out| out.canonicalize().ok()) else { return Ok(()) };
    let keys = args.provider_jwks.iter().map(|(_, path)| path.as_path());
    let feeds = args.feed.iter().map(std::path::PathBuf::as_path);
    let mut read = [args.file.as_path(), args.cases.as_path()].into_iter().chain(keys).chain(feeds);
    if read.any(|path: &Path| path.canonicalize().is_ok_and(|path| path == out)) {
        return Err(Failure::usage("the report would take the place of a file that is read")
            .remedy("name another file in --junit OUT"));
    }
    Ok(())
}

fn cases(document: &Document, policy: &Policy, terminal: &mut Terminal) -> Result<Vec<Case>, Failure> {
    let read = match &document.node {
        Ok(node) => cases::read(node, policy),
        Err(error) => Err(vec![PolicyError {
            path: String::new(),
            line: error.line,
            message: error.message.clone(),
            remedy: "correct the text; nothing else was checked".to_owned(),
        }]),
    };
    read.map_err(|findings| {
        for finding in &findings {
            terminal.say(diagnostic::human(document, Severity::Error, finding, terminal.err_palette));
        }
        Failure::invalid(format!("{} is not a valid file of cases", document.name))
            .remedy("correct what is listed above; `portcullis policy test --help` has an example")
    })
}

fn decide_all(cases: Vec<Case>, policy: &Policy, worker: &mut Worker, terminal: &mut Terminal) -> Vec<Ran> {
    let (total, now) = (cases.len(), time::now_precise());
    let mut told = Instant::now();
    let mut all = Vec::with_capacity(total);
    for case in cases {
        if told.elapsed() >= PATIENCE {
            told = Instant::now();
            terminal.progress(format_args!("{} of {total} cases", all.len()));
        }
        let started = Instant::now();
        let (now, has_body) = (case.now.unwrap_or(now), Some(!case.body.is_empty()));
        let facts = Given { now, client: case.client, has_body };
        // Whatever the time of a case, the feed was the newest then.
        worker.confirm_feed(policy, now);
        let (mut headers, mut steps) = (case.headers.clone(), Steps::default());
        let mut verdict = decide(&case, &mut headers, &facts, policy, worker, &mut steps);
        verdict.trace_body(&case.body, &mut steps);
        let seen = Seen::new(&verdict, headers);
        let differences = compare::differences(&case.expect, &seen);
        all.push(Ran { case, seen, steps, differences, time: started.elapsed() });
    }
    all
}

fn decide(
    case: &Case,
    headers: &mut Vec<(String, Vec<u8>)>,
    facts: &Given,
    policy: &Policy,
    worker: &mut Worker,
    steps: &mut Steps,
) -> Verdict {
    let assumed = case
        .identity
        .as_ref()
        .and_then(|identity| policy.dangerously_decide_without_proof(identity, headers, facts, worker, steps));
    // Without an identity, or with one of no provider, nobody is assumed.
    assumed.unwrap_or_else(|| policy.decide(&borrow_headers(headers).unwrap_or_default(), facts, worker, steps))
}

/// A case, and what came of it.
struct Ran {
    case: Case,
    seen: Seen,
    steps: Steps,
    differences: Vec<Difference>,
    time: Duration,
}

impl Ran {
    const fn passed(&self) -> bool {
        self.differences.is_empty()
    }

    /// Both sides where they differ, and the steps.
    fn details(&self, palette: Palette) -> Vec<String> {
        let width = self.differences.iter().map(|difference| difference.field.chars().count()).max().unwrap_or(0);
        let side = |title: &str, value: fn(&Difference) -> String| {
            let lines = self.differences.iter().map(move |difference| {
                format!("  {:<width$}  {}", visible(&difference.field), visible(&value(difference)))
            });
            std::iter::once(palette.bold(title)).chain(lines).collect::<Vec<_>>()
        };
        let mut lines = side("expected", Difference::expected);
        lines.extend(side("got", Difference::got));
        lines.push(palette.bold("steps"));
        lines.extend(self.steps.lines(palette).map(|step| format!("  {step}")));
        lines
    }
}

/// What came of a run.
struct Results<'a> {
    policy: &'a str,
    digest: &'a str,
    file: &'a str,
    left_out: usize,
    time: Duration,
    ran: Vec<Ran>,
}

impl Results<'_> {
    fn failed(&self) -> usize {
        self.ran.iter().filter(|ran| !ran.passed()).count()
    }

    fn passed(&self) -> usize {
        self.ran.len().saturating_sub(self.failed())
    }

    fn print(&self, terminal: &mut Terminal) -> Result<(), Failure> {
        let palette = terminal.out_palette;
        for ran in self.ran.iter().filter(|ran| !ran.passed()) {
            let line = ran.case.line.map(|line| format!(":{line}")).unwrap_or_default();
            let (label, name) = (palette.red("fail"), palette.bold(&visible(&ran.case.name)));
            terminal.line(format_args!("{label} {name} ({}{line})", self.file))?;
            for line in ran.details(palette) {
                terminal.line(format_args!("  {line}"))?;
            }
            terminal.line("")?;
        }
        let failed = format!("{} failed", self.failed());
        let failed = if self.failed() == 0 { failed } else { palette.red(&failed) };
        let passed = palette.green(&format!("{} passed", self.passed()));
        let left_out = if self.left_out == 0 { String::new() } else { format!(", {} left out", self.left_out) };
        terminal.line(format_args!("{}: {passed}, {failed}{left_out}, {:.2} s", self.file, self.time.as_secs_f64()))
    }

    fn for_programs(&self) -> Printed<'_> {
        let case = |ran: &Ran| PrintedCase {
            name: ran.case.name.clone(),
            line: ran.case.line,
            passed: ran.passed(),
            decision: ran.seen.decision,
            reason: ran.seen.reason,
            status: ran.seen.status,
            route: ran.seen.route.clone(),
            role: ran.seen.role.clone(),
            differences: ran.differences.iter().map(Difference::for_programs).collect(),
            steps: ran.steps.for_programs(),
        };
        Printed {
            policy: self.policy,
            digest: self.digest,
            file: self.file,
            passed: self.passed(),
            failed: self.failed(),
            left_out: self.left_out,
            seconds: self.time.as_secs_f64(),
            cases: self.ran.iter().map(case).collect(),
        }
    }

    fn junit(&self) -> String {
        let case = |ran: &Ran| {
            let fields = ran.differences.iter().map(|difference| {
                format!("{}: expected {}, got {}", difference.field, difference.expected(), difference.got())
            });
            let failure = || junit::Failure {
                message: visible(&fields.collect::<Vec<_>>().join("; ")),
                text: ran.details(Palette::PLAIN).join("\n"),
            };
            let failure = (!ran.passed()).then(failure);
            junit::TestCase { name: ran.case.name.clone(), line: ran.case.line, time: ran.time, failure }
        };
        let cases: Vec<_> = self.ran.iter().map(case).collect();
        junit::report(self.policy, self.file, self.time, &cases)
    }
}

/// The results as a JSON object.
#[derive(Serialize)]
struct Printed<'a> {
    policy: &'a str,
    digest: &'a str,
    file: &'a str,
    passed: usize,
    failed: usize,
    left_out: usize,
    seconds: f64,
    cases: Vec<PrintedCase>,
}

#[derive(Serialize)]
struct PrintedCase {
    name: String,
    line: Option<u32>,
    passed: bool,
    decision: &'static str,
    reason: &'static str,
    status: Option<u16>,
    route: Option<String>,
    role: Option<String>,
    differences: Vec<Value>,
    steps: Vec<Value>,
}
