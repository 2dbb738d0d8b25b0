//! `portcullis user history`.

use serde_json::{Value, json};

use super::{moment, name, open, sign_ins};
use crate::cli::UserShowArgs;
use crate::exit::{Exit, Failure};
use crate::store::Version;
use crate::terminal::{Terminal, visible};

/// Tells what happened to a user, oldest first.
///
/// # Errors
/// There is none.
pub fn run(args: &UserShowArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let mut store = open(&args.store)?;
    let (user, versions, sign_ins) = store.read(async |session| {
        let user = session.find(&args.user).await?;
        let versions = session.history(&user).await?;
        let sign_ins = sign_ins::read(session, &user).await?;
        Ok((user, versions, sign_ins))
    })?;
    let changes = std::iter::once(None).chain(versions.iter().map(Some)).zip(&versions);
    if args.json {
        let versions: Vec<_> = changes.map(|(before, version)| for_programs(before, version)).collect();
        terminal.json(&json!({"id": user.id, "versions": versions, "access": sign_ins.for_programs()}))?;
        return Ok(Exit::Good);
    }
    terminal.note(name(&user));
    for (before, version) in changes {
        let head = format!("{:>3}  {}  {}", version.number, moment(version.at).unwrap_or_default(), version.action);
        let head = terminal.out_palette.bold(&head);
        let reason = version.reason.as_ref().map(|reason| format!(": {}", visible(reason))).unwrap_or_default();
        terminal.line(format_args!("{head} by {}{reason}", visible(&version.actor)))?;
        for change in changed(before, version) {
            terminal.line(format_args!("     {change}"))?;
        }
    }
    sign_ins.print(terminal)?;
    Ok(Exit::Good)
}

/// A version for programs, with what it changed.
pub(super) fn for_programs(before: Option<&Version>, version: &Version) -> Value {
    let details = version.details.as_ref();
    json!({
        "version": version.number,
        "at": moment(version.at),
        "actor": version.actor,
        "action": version.action,
        "reason": version.reason,
        "changed": changed(before, version),
        "status": version.status.name(),
        "roles": version.roles.names(),
        "tokens_void_before": Some(version.tokens_void_before).filter(|at| *at > 0).and_then(moment),
        "email": details.map(|details| &details.email),
        "name": details.and_then(|details| details.name.as_ref()),
        "notes": details.and_then(|details| details.notes.as_ref()),
        "extra": version.extra,
    })
}

/// What a version changed, in words.
fn changed(before: Option<&Version>, version: &Version) -> Vec<String> {
    let mut changes = Vec::new();
    let mut differ = |what: &str, old: Option<&str>, new: Option<&str>| match (old, new) {
        (None, Some(new)) => changes.push(format!("{what}: {}", visible(new))),
        (Some(old), None) => changes.push(format!("{what}: no longer {}", visible(old))),
        (Some(old), Some(new)) if old != new => changes.push(format!("{what}: {} -> {}", visible(old), visible(new))),
        _ => {}
    };
    let details = |version: Option<&Version>| version.and_then(|version| version.details.clone());
    // Of an erased user, nothing is known of either.
    let (old, new) = (details(before), details(Some(version)));
    differ("e-mail", old.as_ref().map(|d| d.email.as_str()), new.as_ref().map(|d| d.email.as_str()));
    differ("name", old.as_ref().and_then(|d| d.name.as_deref()), new.as_ref().and_then(|d| d.name.as_deref()));
    differ("notes", old.as_ref().and_then(|d| d.notes.as_deref()), new.as_ref().and_then(|d| d.notes.as_deref()));
    let roles = |version: &Version| version.roles.names().join(", ");
    differ("roles", before.map(roles).as_deref(), Some(&roles(version)));
    differ("status", before.map(|before| before.status.name()), Some(version.status.name()));
    if version.password_changed {
        changes.push("password: set".to_owned());
    }
    let void = version.tokens_void_before;
    if void > before.map_or(0, |before| before.tokens_void_before) {
        changes.push(format!("tokens void before {}", moment(void).unwrap_or_default()));
    }
    if let Some(Value::Object(extra)) = &version.extra {
        changes.extend(extra.iter().map(|(key, value)| match value {
            Value::String(text) => format!("{key}: {}", visible(text)),
            other => format!("{key}: {other}"),
        }));
    }
    changes
}
