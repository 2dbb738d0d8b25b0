//! What the store has to tell the filter.

use std::collections::HashMap;

use portcullis_engine::feed::{Digest16, Draft, KeyEntry, RevokedEntry, SubjectEntry};

use crate::exit::Failure;
use crate::store::{Error, Role, Roles, Session, Status, Store, StoredApiKey, Subject};
use crate::terminal::Bar;

/// How many rows are read at once.
const CHUNK: i64 = 2_000;

/// For how long an API key that has expired is still named, so that its user is told so and not that nobody knows it.
const REMEMBERED: i64 = 30 * 24 * 60 * 60;

/// Everything that the store says, as of one moment. With `roles`, every user who may come in is named with their roles; else
/// those alone of whom there is something else to say.
///
/// # Errors
/// The store cannot be read, or is damaged.
pub fn collect(store: &mut Store, roles: bool, bar: &mut Bar) -> Result<Draft, Failure> {
    Ok(store.read(async |session| {
        let mut draft = Draft::default();
        let users = session.count().await?.unsigned_abs();
        let keys = session.count_api_keys().await?.unsigned_abs();
        bar.begin(users.saturating_add(keys).saturating_add(session.count_revoked().await?.unsigned_abs()));
        let mut done = 0_u64;
        let mut step = |rows: usize| {
            done = done.saturating_add(rows as u64);
            bar.at(done);
        };

        // By the owner, whose state each of them has part in.
        let mut keys: HashMap<u32, Vec<StoredApiKey>> = HashMap::new();
        let mut number = 0;
        while let (some, Some(last)) = session.api_keys_after(number, CHUNK).await? {
            number = last;
            step(some.len());
            for key in some.into_iter().filter(|key| is_named(key, session)) {
                keys.entry(key.slot).or_default().push(key);
            }
        }
        let mut slot = -1;
        loop {
            let some = session.subjects_after(slot, CHUNK).await?;
            let Some(last) = some.last() else { break };
            slot = i64::from(last.slot);
            step(some.len());
            for user in some {
                draft.subjects.extend(subject(&user, roles));
                let of_user = keys.remove(&user.slot).unwrap_or_default();
                draft.keys.extend(of_user.iter().filter_map(|key| api_key(key, &user)));
            }
        }
        let mut digest = Vec::new();
        loop {
            let some = session.revoked_after(&digest, CHUNK).await?;
            let Some(last) = some.last() else { break };
            digest = last.digest.to_vec();
            step(some.len());
            let good = some.iter().filter(|token| i64::from(token.expires_at) > session.now - super::lines::GRACE);
            draft
                .revoked
                .extend(good.map(|token| RevokedEntry { digest: Digest16(token.digest), expires: token.expires_at }));
        }
        Ok::<_, Error>(draft)
    })?)
}

fn is_named(key: &StoredApiKey, session: &Session<'_>) -> bool {
    !key.is_left_over && key.expires_at.is_none_or(|at| at > session.now.saturating_sub(REMEMBERED))
}

fn subject(user: &Subject, roles: bool) -> Option<SubjectEntry> {
    let disabled = user.status != Status::Active;
    let entry = SubjectEntry {
        digest: Digest16::subject(&user.id.to_string()),
        disabled,
        removed: false,
        tokens_before: u32::try_from(user.tokens_void_before).unwrap_or(u32::MAX),
        roles: (roles && !disabled).then(|| names(user.roles.iter())),
    };
    (entry.disabled || entry.tokens_before > 0 || entry.roles.is_some()).then_some(entry)
}

/// A key with what it may do now: never more than its owner.
fn api_key(key: &StoredApiKey, owner: &Subject) -> Option<KeyEntry> {
    if owner.status == Status::Erased {
        return None;
    }
    let within = |role: &Role| key.roles.as_ref().is_none_or(|roles: &Roles| roles.iter().any(|has| has == *role));
    let roles = names(owner.roles.iter().filter(within));
    Some(KeyEntry {
        digest: Digest16::key(&key.id),
        secret_sha256: key.secret,
        expires: key.expires_at.map_or(0, |at| u32::try_from(at).unwrap_or(u32::MAX).max(1)),
        owner: Some(owner.id.to_string()),
        roles: Some(roles).filter(|roles| !roles.is_empty()),
        networks: Some(key.networks.clone()).filter(|networks| !networks.is_empty()),
    })
}

fn names(roles: impl Iterator<Item = Role>) -> Vec<String> {
    roles.map(|role| role.name().to_owned()).collect()
}
