//! `portcullis policy check`.

use portcullis_engine::config::PolicyError;
use portcullis_engine::{Policy, RouteView, Survey};
use serde_json::json;

use crate::cli::{CheckArgs, CheckFormat};
use crate::diagnostic::{self, Severity};
use crate::document::Document;
use crate::exit::{Exit, Failure};
use crate::terminal::Terminal;

/// Checks a policy and prints what is wrong with it.
///
/// # Errors
/// It cannot be read.
pub fn run(args: &CheckArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let document = Document::read(&args.file)?;
    let (policy, errors) = match document.compile() {
        Ok(policy) => (Some(policy), Vec::new()),
        Err(errors) => (None, errors),
    };
    let (warnings, advice) = policy.as_ref().map(|policy| (policy.warnings(), policy.advice())).unwrap_or_default();
    let shadowed = policy.iter().flat_map(|policy| shadowed(policy, &document));
    let warnings = warnings.iter().chain(advice).map(|warning| document.placed(warning));
    let mut warnings: Vec<PolicyError> = warnings.chain(shadowed).collect();
    warnings.sort_by_key(|warning| warning.line);
    let findings = || {
        let errors = errors.iter().map(|error| (Severity::Error, error));
        errors.chain(warnings.iter().map(|warning| (Severity::Warning, warning)))
    };
    match if args.json { CheckFormat::Json } else { args.format } {
        CheckFormat::Json => terminal.json(&json!({
            "file": document.name,
            "valid": policy.is_some(),
            "digest": policy.as_ref().map(Policy::digest),
            "routes": policy.as_ref().map(|policy| policy.route_names().count()),
            "errors": errors.iter().map(diagnostic::json).collect::<Vec<_>>(),
            "warnings": warnings.iter().map(diagnostic::json).collect::<Vec<_>>(),
        }))?,
        CheckFormat::Github => {
            for (severity, finding) in findings() {
                terminal.line(diagnostic::github(&document, severity, finding))?;
            }
        }
        CheckFormat::Human => {
            for (severity, finding) in findings() {
                terminal.line(diagnostic::human(&document, severity, finding, terminal.out_palette))?;
            }
            terminal.line(summary(&document, policy.as_ref(), &errors, &warnings, terminal))?;
        }
    }
    let good = policy.is_some() && (warnings.is_empty() || !args.deny_warnings);
    Ok(if good { Exit::Good } else { Exit::Invalid })
}

/// Routes that never decide anything, since others take all that they would.
fn shadowed(policy: &Policy, document: &Document) -> Vec<PolicyError> {
    let survey = Survey::new(policy);
    let warning = |(index, view): (usize, RouteView<'_>)| {
        let others: Vec<String> = survey.shadowed_by(view)?.iter().map(|other| format!("`{other}`")).collect();
        Some(PolicyError {
            path: format!("routes[{index}]"),
            line: document.route_line(index),
            message: format!(
                "never decides anything: more specific routes, such as {}, take all its requests",
                others.join(" and ")
            ),
            remedy: "remove it, or those that were meant to leave it something".to_owned(),
        })
    };
    policy.routes().enumerate().filter_map(warning).collect()
}

fn summary(
    document: &Document,
    policy: Option<&Policy>,
    errors: &[PolicyError],
    warnings: &[PolicyError],
    terminal: &Terminal,
) -> String {
    let palette = terminal.out_palette;
    let verdict = match policy {
        None => format!("{}, {}", palette.red("not valid"), count(errors.len(), "error")),
        Some(policy) => format!("{}, {}", palette.green("valid"), count(policy.route_names().count(), "route")),
    };
    let more = if warnings.is_empty() { String::new() } else { format!(", {}", count(warnings.len(), "warning")) };
    format!("{}: {verdict}{more}", document.name)
}

fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
