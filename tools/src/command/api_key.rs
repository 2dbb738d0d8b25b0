//! `portcullis api-key`.

mod issue;
mod list;

use std::time::Duration;

use serde_json::{Value, json};

use crate::actor::Actor;
use crate::api_key::parse_id;
use crate::cli::{ApiKeyCommand, ApiKeyRevokeArgs};
use crate::command::user::Checked;
use crate::exit::{Exit, Failure};
use crate::store::{Store, StoredApiKey};
use crate::terminal::Terminal;
use crate::time;

/// Runs a command under `api-key`.
///
/// # Errors
/// Why it could not do its work.
pub fn run(command: &ApiKeyCommand, terminal: &mut Terminal) -> Result<Exit, Failure> {
    match command {
        ApiKeyCommand::Issue(args) => issue::run(args, terminal),
        ApiKeyCommand::List(args) => list::run(args, terminal),
        ApiKeyCommand::Revoke(args) => revoke(args, terminal),
        ApiKeyCommand::Rotate(args) => issue::rotate(args, terminal),
    }
}

fn revoke(args: &ApiKeyRevokeArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let (id, actor) = (parse_id(&args.id)?, Actor::current()?);
    let reason = checked_reason(args.reason.as_deref())?;
    let mut store = Store::open(args.store.location()?)?;
    let key = store.write(async |session| {
        let key = session.find_api_key(id).await?;
        session.end_api_key(&key, None, &actor, reason).await
    })?;
    if args.json {
        terminal.json(&for_programs(&key))?;
    } else {
        terminal.note(format_args!("API key {id} is revoked; next: {NEXT}"));
    }
    Ok(Exit::Good)
}

/// What makes the filter know.
const NEXT: &str = "portcullis feed build";

fn checked_reason(reason: Option<&str>) -> Result<Option<&str>, Failure> {
    let mut checked = Checked::default();
    let reason = checked.text("/reason", reason);
    checked.finish("the change")?;
    Ok(reason)
}

/// A moment so long after another.
fn after(moment: i64, duration: Duration) -> i64 {
    moment.saturating_add(i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)).min(u32::MAX.into())
}

/// A key for programs. Never its secret, nor what is kept of that.
pub fn for_programs(key: &StoredApiKey) -> Value {
    json!({
        "id": key.id,
        "owner": key.owner,
        "roles": key.roles.as_ref().map(crate::store::Roles::names),
        "cidrs": Some(&key.networks).filter(|networks| !networks.is_empty()),
        "created_at": time::rfc3339(key.created_at),
        "expires_at": key.expires_at.and_then(time::rfc3339),
        "revoked_at": key.revoked_at.and_then(time::rfc3339),
    })
}
