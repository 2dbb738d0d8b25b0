//! `portcullis policy explain`: a request decided by the engine, and everything that can be told of it.

use portcullis_engine::{
    Decision, HeaderEdit, LocalReply, NearMiss, Objection, RequestAction, UnixTime, Verdict, borrow_headers,
};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::decided::{Given, Line, Steps, request_head};
use crate::cli::{ExplainArgs, parse_header};
use crate::document::{self, Document};
use crate::exit::{Exit, Failure};
use crate::input;
use crate::terminal::{Terminal, visible};
use crate::time;

#[cfg(test)]
mod tests;

/// Decides a request and explains the decision.
///
/// # Errors
/// The policy or the token cannot be read, or the policy is not valid.
pub fn run(args: &ExplainArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    input::once([
        Some(args.file.as_path()),
        args.token_file.as_deref(),
        args.header_file.as_deref(),
        args.body_file.as_deref(),
    ])?;
    let headers = headers(args)?;
    let body = args.body_file.as_deref().map(input::read).transpose()?;
    let policy = Document::read(&args.file)?.policy(terminal)?;
    let now = args.at.map_or_else(time::now_precise, UnixTime::from_seconds);
    let mut steps = Steps::default();
    let mut worker = document::worker(&policy, &args.provider_jwks, terminal)?;
    document::take_feeds(&policy, &mut worker, &args.feed, now)?;
    document::note_missing_feed(&policy, &worker, terminal);
    let (headers, given) = (
        borrow_headers(&headers).unwrap_or_default(),
        Given { now, client: args.ip, has_body: body.as_ref().map(|body| !body.is_empty()) },
    );
    let mut verdict = policy.decide(&headers, &given, &mut worker, &mut steps);
    match &body {
        Some(body) => verdict.trace_body(body, &mut steps),
        None if verdict.body.is_some() => terminal.note("the body is not judged here; give it with --body-file FILE"),
        None => {}
    }
    let objections = policy.objections(&headers, &given, &mut worker);
    let explained = Explained::new(verdict, steps, objections, policy.near_misses(&headers), &args.response_header);
    if args.json {
        terminal.json(&explained.for_programs())?;
    } else {
        explained.print(terminal)?;
    }
    let denied = matches!(explained.verdict.decision, Decision::Deny(_));
    Ok(if denied { Exit::No } else { Exit::Good })
}

fn headers(args: &ExplainArgs) -> Result<Vec<Line>, Failure> {
    let mut headers = Vec::new();
    if let Some(path) = &args.token_file {
        let token = input::token(Some(path))?;
        headers.push(("authorization".to_owned(), format!("Bearer {}", *token).into_bytes()));
    }
    headers.extend(args.header.iter().map(|(name, value)| (name.clone(), value.clone().into_bytes())));
    if let Some(path) = &args.header_file {
        // A value may be any bytes: that is what some requests are made of.
        for (index, line) in input::read(path)?.split(|byte| *byte == b'\n').enumerate() {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.trim_ascii().is_empty() {
                continue;
            }
            let (name, value) = line.split_at(line.iter().position(|byte| *byte == b':').unwrap_or(line.len()));
            let (name, _) = parse_header(&format!("{}:", String::from_utf8_lossy(name))).map_err(|problem| {
                Failure::invalid(format!("line {} of {}: {problem}", index + 1, input::describe(path)))
            })?;
            let value = value.strip_prefix(b":").ok_or_else(|| {
                Failure::invalid(format!("line {} of {}: expected `name: value`", index + 1, input::describe(path)))
            })?;
            headers.push((name, value.trim_ascii().to_vec()));
        }
    }
    Ok(request_head(&args.method, &args.path, args.host.as_deref(), headers))
}

/// What a header will be, without what must not be shown: a query may hold a token, and cookies are credentials.
pub(super) fn shown_value(name: &str, value: &str) -> String {
    match (name, value.split_once('?')) {
        (":path", Some((path, _))) => format!("{path}?…"),
        ("cookie", _) => "…".to_owned(),
        _ => value.to_owned(),
    }
}

fn describe(edit: &HeaderEdit) -> String {
    visible(&match edit {
        HeaderEdit::Set(name, value) | HeaderEdit::Add(name, value) => {
            format!("set     {name}: {}", shown_value(name, value))
        }
        HeaderEdit::Append(name, value) => format!("add     {name}: {value}"),
        HeaderEdit::Remove(name) => format!("remove  {name}"),
    })
}

/// A verdict with everything that follows from it worked out.
struct Explained<'p> {
    verdict: Verdict,
    steps: Steps,
    /// Every rule that speaks against the request, the decisive one first.
    objections: Vec<Objection>,
    near_misses: Vec<NearMiss<'p>>,
    status: Option<u16>,
    /// What becomes of the response of an upstream that sends the headers given.
    response: Vec<HeaderEdit>,
    record: Option<String>,
}

impl<'p> Explained<'p> {
    fn new(
        mut verdict: Verdict,
        steps: Steps,
        objections: Vec<Objection>,
        near_misses: Vec<NearMiss<'p>>,
        upstream: &[(String, String)],
    ) -> Self {
        let upstream: Vec<_> =
            upstream.iter().map(|(name, value)| (name.clone(), value.clone().into_bytes())).collect();
        let status = match &verdict.action {
            RequestAction::Continue(_) => None,
            RequestAction::Reply(reply) => Some(reply.status),
        };
        let record = verdict.audit.take().map(|record| record.line(status));
        let response = verdict.response.edits(&borrow_headers(&upstream).unwrap_or_default()).iter().cloned().collect();
        Self { response, verdict, steps, objections, near_misses, status, record }
    }

    fn print(&self, terminal: &mut Terminal) -> Result<(), Failure> {
        let palette = terminal.out_palette;
        let decision = self.verdict.decision;
        let word = match decision {
            Decision::Allow(_) => palette.green(decision.as_str()),
            Decision::Deny(_) => palette.red(decision.as_str()),
            Decision::DryRunDeny(_) => palette.yellow(decision.as_str()),
        };
        let mut fact =
            |name: &str, value: &str| terminal.line(format_args!("{} {value}", palette.bold(&format!("{name:<8}"))));
        fact("decision", &format!("{word} ({})", decision.reason()))?;
        if let Some(status) = self.status {
            fact("status", &status.to_string())?;
        }
        for (name, value) in [("route", self.verdict.route.as_deref()), ("role", self.verdict.role.as_deref())] {
            if let Some(value) = value {
                fact(name, &visible(value))?;
            }
        }
        section("steps", self.steps.lines(palette), terminal)?;
        // The decisive one stands among the steps.
        let others = self.objections.iter().skip(1).map(|Objection { step, reason, detail }| {
            let because = if detail.ends_with(&reason.to_string()) { String::new() } else { format!(": {reason}") };
            format!("{} {:<14} {}{because}", palette.red("stop"), step.to_string(), visible(detail))
        });
        section("further rules against it", others, terminal)?;
        match &self.verdict.action {
            RequestAction::Continue(edits) => {
                section("headers to the upstream", edits.iter().map(describe), terminal)?;
                section("headers of the response", self.response.iter().map(describe), terminal)?;
            }
            RequestAction::Reply(reply) => {
                let lines = reply.headers().map(|(name, value)| visible(&format!("{name}: {value}")));
                section("headers of the reply", lines, terminal)?;
            }
        }
        section("audit record", self.record.iter().map(|record| visible(record)), terminal)
    }

    fn for_programs(&self) -> Explanation<'_> {
        let (upstream, response) = match &self.verdict.action {
            RequestAction::Continue(edits) => (Edits::of(edits.iter()), Edits::of(self.response.iter())),
            RequestAction::Reply(reply) => (Edits::default(), Edits { set: reply_headers(reply), ..Edits::default() }),
        };
        Explanation {
            decision: self.verdict.decision.as_str(),
            reason: self.verdict.decision.reason(),
            status: self.status,
            route: self.verdict.route.as_deref(),
            role: self.verdict.role.as_deref(),
            steps: self.steps.for_programs(),
            objections: self.objections.iter().map(objection).collect(),
            near_misses: self.near_misses.iter().map(near_miss).collect(),
            upstream_headers: upstream.set,
            removed_headers: upstream.removed,
            response_headers: response.set,
            removed_response_headers: response.removed,
            audit: self.record.clone().and_then(|record| RawValue::from_string(record).ok()),
        }
    }
}

fn section(title: &str, lines: impl Iterator<Item = String>, terminal: &mut Terminal) -> Result<(), Failure> {
    let mut lines = lines.peekable();
    if lines.peek().is_some() {
        terminal.line(format_args!("\n{}", terminal.out_palette.bold(title)))?;
    }
    lines.try_for_each(|line| terminal.line(format_args!("  {line}")))
}

/// The explanation as a JSON object, in the order of the way of the request.
#[derive(Serialize)]
struct Explanation<'a> {
    decision: &'static str,
    reason: &'static str,
    status: Option<u16>,
    route: Option<&'a str>,
    role: Option<&'a str>,
    steps: Vec<Value>,
    objections: Vec<Value>,
    near_misses: Vec<Value>,
    upstream_headers: Map<String, Value>,
    removed_headers: Vec<String>,
    response_headers: Map<String, Value>,
    removed_response_headers: Vec<String>,
    audit: Option<Box<RawValue>>,
}

fn objection(Objection { step, reason, detail }: &Objection) -> Value {
    json!({"step": step.to_string(), "reason": reason.code(), "detail": detail})
}

fn near_miss(NearMiss { route, but_for }: &NearMiss<'_>) -> Value {
    json!({"route": route, "but_for": but_for.to_string()})
}

fn reply_headers(reply: &LocalReply) -> Map<String, Value> {
    reply.headers().map(|(name, value)| (name.to_string(), value.to_string().into())).collect()
}

/// Edits by kind, for programs.
#[derive(Default)]
struct Edits {
    set: Map<String, Value>,
    removed: Vec<String>,
}

impl Edits {
    fn of<'e>(edits: impl Iterator<Item = &'e HeaderEdit>) -> Self {
        let mut sorted = Self::default();
        for edit in edits {
            match edit {
                HeaderEdit::Set(name, value) | HeaderEdit::Add(name, value) => {
                    sorted.set.insert(name.to_string(), shown_value(name, value).into());
                }
                HeaderEdit::Append(name, value) => sorted.append(name, shown_value(name, value)),
                HeaderEdit::Remove(name) => sorted.removed.push(name.to_string()),
            }
        }
        sorted
    }

    /// One more line of a header: cookies have a line each. What takes the place of other lines is not gone.
    fn append(&mut self, name: &str, value: String) {
        self.removed.retain(|removed| removed != name);
        match self.set.get_mut(name) {
            None => drop(self.set.insert(name.to_owned(), value.into())),
            Some(Value::Array(lines)) => lines.push(value.into()),
            Some(first) => *first = json!([first.take(), value]),
        }
    }
}
