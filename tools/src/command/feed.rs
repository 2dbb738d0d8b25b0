//! `portcullis feed`.

mod build;
mod inspect;
mod output;

use portcullis_engine::feed::Feed;
use serde_json::{Value, json};

use crate::cli::{FeedCommand, FeedVerifyArgs};
use crate::exit::{Exit, Failure};
use crate::feed::{public_keys, read_verified};
use crate::input;
use crate::terminal::Terminal;
use crate::time;

/// Runs a command under `feed`.
///
/// # Errors
/// Why it could not do its work.
pub fn run(command: &FeedCommand, terminal: &mut Terminal) -> Result<Exit, Failure> {
    match command {
        FeedCommand::Build(args) => build::run(args, terminal),
        FeedCommand::Verify(args) => verify(args, terminal),
        FeedCommand::Inspect(args) => inspect::run(args, terminal),
    }
}

fn verify(args: &FeedVerifyArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    input::once([Some(args.file.as_path()), Some(args.jwks.as_path())])?;
    let keys = public_keys(&args.jwks)?;
    let now = u64::try_from(args.at.unwrap_or_else(time::now)).unwrap_or_default();
    let judged = read_verified(&args.file, &keys)?.map_err(|error| error.to_string()).and_then(|feed| {
        let claims = feed.claims();
        if let Some(exp) = claims.exp.filter(|exp| *exp <= now) {
            return Err(format!("it expired {}", time::relative(seconds(exp), seconds(now))));
        }
        match args.newer_than {
            Some(held) if claims.version <= held => Err(format!("version {} is not above {held}", claims.version)),
            _ => Ok(feed),
        }
    });
    match judged {
        Ok(feed) => {
            if args.json {
                let mut object = described(&feed);
                if let Value::Object(members) = &mut object {
                    members.insert("valid".to_owned(), true.into());
                }
                terminal.json(&object)?;
            } else {
                terminal.line(summary(&feed))?;
            }
            Ok(Exit::Good)
        }
        Err(reason) => {
            if args.json {
                terminal.json(&json!({"valid": false, "reason": reason}))?;
            }
            terminal.say(format_args!("the feed is refused: {reason}"));
            Ok(Exit::No)
        }
    }
}

/// What a feed is and has, for programs.
fn described(feed: &Feed) -> Value {
    let (claims, counts) = (feed.claims(), feed.counts());
    json!({
        "kind": if claims.base.is_some() { "delta" } else { "full" },
        "version": claims.version,
        "base": claims.base,
        "issued_at": time::rfc3339(seconds(claims.iat)),
        "expires_at": claims.exp.and_then(|exp| time::rfc3339(seconds(exp))),
        "subjects": counts.subjects,
        "revoked": counts.revoked,
        "api_keys": counts.keys,
        "bytes": feed.file().len(),
    })
}

/// The same in one line.
fn summary(feed: &Feed) -> String {
    let (claims, counts) = (feed.claims(), feed.counts());
    let kind = claims.base.map_or("feed".to_owned(), |base| format!("delta on {base}, feed"));
    let of = |count: usize, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
    let (subjects, revoked) = (of(counts.subjects, "subject"), of(counts.revoked, "revoked token"));
    let keys = of(counts.keys, "API key");
    format!("{kind} version {}: {subjects}, {revoked}, {keys}, {} bytes", claims.version, feed.file().len())
}

fn seconds(at: u64) -> i64 {
    i64::try_from(at).unwrap_or(i64::MAX)
}
