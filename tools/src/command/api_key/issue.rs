//! `portcullis api-key issue` and `rotate`.

use serde_json::{Value, json};

use super::{NEXT, after, checked_reason, for_programs};
use crate::actor::Actor;
use crate::api_key::{NewApiKey, parse_id};
use crate::cli::{ApiKeyIssueArgs, ApiKeyRotateArgs};
use crate::exit::{Exit, Failure};
use crate::store::{Error, Handle, KeptApiKey, Roles, Store, StoredApiKey};
use crate::terminal::Terminal;
use crate::time;

/// Makes a key and prints it.
///
/// # Errors
/// There is no such user, they cannot have it, or the store cannot be written.
pub fn run(args: &ApiKeyIssueArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let actor = Actor::current()?;
    let reason = checked_reason(args.reason.as_deref())?;
    let roles = Roles::new(args.role.iter().copied());
    let mut networks: Vec<String> = args.cidr.iter().map(ToString::to_string).collect();
    networks.sort_unstable();
    networks.dedup();
    let mut store = Store::open(args.store.location()?)?;
    let new = NewApiKey::generate()?;
    let kept = store.write(async |session| {
        let owner = session.find(&args.owner).await?;
        let expires_at = (!args.no_expiry).then(|| after(session.now, args.expires));
        let kept =
            KeptApiKey { id: &new.id, secret: new.digest(), roles: roles.as_ref(), networks: &networks, expires_at };
        session.issue_api_key(&owner, &kept, &actor, reason).await
    })?;
    print(&new, &kept, None, args.json, terminal)
}

/// Makes a key like another, which ends later.
///
/// # Errors
/// There is no such key, it has ended, or the store cannot be written.
pub fn rotate(args: &ApiKeyRotateArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let (id, actor) = (parse_id(&args.id)?, Actor::current()?);
    let reason = checked_reason(args.reason.as_deref())?;
    let mut store = Store::open(args.store.location()?)?;
    let new = NewApiKey::generate()?;
    let (kept, old) = store.write(async |session| {
        let old = session.find_api_key(id).await?;
        if !old.is_good(session.now) {
            return Err(Error::Refused(
                "the API key has ended already",
                "make a new one: portcullis api-key issue --owner USER",
            ));
        }
        let owner = session.find(&Handle::Id(old.owner)).await?;
        let lifetime = old.expires_at.map(|at| at.saturating_sub(old.created_at));
        let kept = KeptApiKey {
            id: &new.id,
            secret: new.digest(),
            roles: old.roles.as_ref(),
            networks: &old.networks,
            expires_at: lifetime.map(|lifetime| session.now.saturating_add(lifetime).min(u32::MAX.into())),
        };
        let kept = session.issue_api_key(&owner, &kept, &actor, reason).await?;
        let end = after(session.now, args.overlap);
        let old = session.end_api_key(&old, Some(end), &actor, reason).await?;
        Ok((kept, old))
    })?;
    print(&new, &kept, Some(&old), args.json, terminal)
}

/// The key on standard output, alone, and what there is to know of it on standard error.
fn print(
    new: &NewApiKey,
    kept: &StoredApiKey,
    old: Option<&StoredApiKey>,
    as_json: bool,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    let key = new.expose();
    if as_json {
        let mut object = for_programs(kept);
        if let Value::Object(members) = &mut object {
            members.insert("key".to_owned(), key.as_str().into());
            if let Some(old) = old {
                members.insert(
                    "replaces".to_owned(),
                    json!({"id": old.id, "expires_at": old.expires_at.and_then(time::rfc3339)}),
                );
            }
        }
        terminal.json(&object)?;
        return Ok(Exit::Good);
    }
    terminal.line(&*key)?;
    terminal.flush()?;
    let moment = |at: Option<i64>| at.and_then(time::rfc3339).map_or("it is revoked".to_owned(), |at| at);
    let roles = kept.roles.as_ref().map_or("all roles of its owner".to_owned(), ToString::to_string);
    let from = if kept.networks.is_empty() { String::new() } else { format!(", from {}", kept.networks.join(", ")) };
    terminal.note(format_args!(
        "API key {} of {}: {roles}{from}, until {}",
        kept.id,
        kept.owner,
        moment(kept.expires_at)
    ));
    if let Some(old) = old {
        terminal.note(format_args!("API key {} is good until {}", old.id, moment(old.expires_at)));
    }
    terminal.note(format_args!("it is not shown again; next: {NEXT}"));
    Ok(Exit::Good)
}
