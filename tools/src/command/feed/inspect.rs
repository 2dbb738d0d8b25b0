//! `portcullis feed inspect`: what a feed says, whoever wrote it.

use portcullis_engine::feed::{Digest16, Feed};
use serde_json::{Value, json};

use super::{described, seconds, summary};
use crate::api_key::parse_id;
use crate::cli::FeedInspectArgs;
use crate::exit::{Exit, Failure};
use crate::feed::read_unverified;
use crate::input;
use crate::terminal::{Terminal, visible};
use crate::time;

/// Prints what a feed is, or what it says of what was asked.
///
/// # Errors
/// It cannot be read, or is no feed.
pub fn run(args: &FeedInspectArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let (feed, header) = read_unverified(&input::read(&args.file)?).map_err(|problem| {
        Failure::invalid(format!("{} is no feed: {problem}", input::describe(&args.file)))
            .remedy("name a file that `portcullis feed build` wrote")
    })?;
    let question = &args.question;
    let answer = match (&question.subject, &question.jti, &question.key_id) {
        (Some(subject), _, _) => Some(of_subject(&feed, subject)),
        (None, Some(jti), _) => Some(of_token(&feed, jti)),
        (None, None, Some(id)) => Some(of_key(&feed, parse_id(id)?)),
        (None, None, None) => None,
    };
    terminal.warn("nothing was verified: anyone can write a feed that says this");
    let Some(answer) = answer else {
        overview(&feed, &header, args.json, terminal)?;
        return Ok(Exit::Good);
    };
    let is_named = answer.is_some();
    if args.json {
        terminal.json(&json!({"verified": false, "version": feed.version(), "named": is_named, "says": answer}))?;
    } else {
        let Some(Value::Object(members)) = &answer else {
            terminal.line("it says nothing of that")?;
            return Ok(Exit::No);
        };
        for (name, value) in members {
            let text = match value {
                Value::String(text) => visible(text),
                other => visible(&other.to_string()),
            };
            terminal.line(format_args!("{name:<14} {text}"))?;
        }
    }
    Ok(if is_named { Exit::Good } else { Exit::No })
}

fn overview(feed: &Feed, header: &Value, as_json: bool, terminal: &mut Terminal) -> Result<(), Failure> {
    if as_json {
        let mut object = described(feed);
        if let Value::Object(members) = &mut object {
            members.insert("verified".to_owned(), false.into());
            members.insert("header".to_owned(), header.clone());
        }
        return terminal.json(&object);
    }
    terminal.line(summary(feed))?;
    let claims = feed.claims();
    let (issued, now) = (seconds(claims.iat), time::now());
    let written = |at: i64| format!("{}, {}", time::rfc3339(at).unwrap_or_default(), time::relative(at, now));
    terminal.line(format_args!("issued   {}", written(issued)))?;
    if let Some(exp) = claims.exp.map(seconds) {
        terminal.line(format_args!("expires  {}", written(exp)))?;
    }
    let text = |name: &str| header.get(name).and_then(Value::as_str).map_or("none".to_owned(), visible);
    terminal.line(format_args!("signed   {} by key {}, not verified", text("alg"), text("kid")))
}

fn of_subject(feed: &Feed, subject: &str) -> Option<Value> {
    let row = feed.subject(&Digest16::subject(subject))?;
    if row.is_removed() {
        return Some(json!({"removed": true}));
    }
    let roles: Option<Vec<&str>> = row.roles().map(Iterator::collect);
    Some(json!({"disabled": row.is_disabled(), "tokens_before": moment(row.tokens_before()), "roles": roles}))
}

fn of_token(feed: &Feed, jti: &str) -> Option<Value> {
    let expires = feed.revoked(&Digest16::token(jti))?.expires();
    Some(json!({"revoked": expires > 0, "expires": moment(expires)}))
}

/// Never the digest of the secret.
fn of_key(feed: &Feed, id: &str) -> Option<Value> {
    let row = feed.key(&Digest16::key(id))?;
    if row.is_removed() {
        return Some(json!({"removed": true}));
    }
    let roles: Vec<&str> = row.roles().collect();
    let networks: Option<Vec<&str>> = row.networks().map(Iterator::collect);
    Some(json!({"owner": row.owner(), "roles": roles, "expires": moment(row.expires()), "cidrs": networks}))
}

/// 0 says none.
fn moment(at: u32) -> Option<String> {
    Some(at).filter(|at| *at > 0).and_then(|at| time::rfc3339(at.into()))
}
