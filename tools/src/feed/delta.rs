//! What changed between a feed and the next.

use std::collections::HashSet;

use portcullis_engine::feed::{Digest16, Draft, Feed, KeyEntry, KeyRow, RevokedEntry, SubjectEntry, SubjectRow};

/// The state of everything that is otherwise in `new` than in `old`, or no longer in it. A revocation that has lapsed need not be
/// taken back: the token is dead.
#[must_use]
pub fn difference(old: &Feed, new: &Draft, now: u32) -> Draft {
    Draft { subjects: subjects(old, new), revoked: revoked(old, new, now), keys: keys(old, new) }
}

fn subjects(old: &Feed, new: &Draft) -> Vec<SubjectEntry> {
    let same = |entry: &SubjectEntry| old.subject(&entry.digest).is_some_and(|row| is_subject(&row, entry));
    let mut changed: Vec<_> = new.subjects.iter().filter(|entry| !same(entry)).cloned().collect();
    let named: HashSet<Digest16> = new.subjects.iter().map(|entry| entry.digest).collect();
    let gone = old.subjects().map(|row| row.digest()).filter(|digest| !named.contains(digest));
    changed.extend(gone.map(|digest| SubjectEntry {
        digest,
        disabled: false,
        removed: true,
        tokens_before: 0,
        roles: None,
    }));
    changed
}

fn is_subject(row: &SubjectRow<'_>, entry: &SubjectEntry) -> bool {
    row.is_disabled() == entry.disabled
        && row.is_removed() == entry.removed
        && row.tokens_before() == entry.tokens_before
        && is_list(row.roles(), entry.roles.as_deref())
}

fn revoked(old: &Feed, new: &Draft, now: u32) -> Vec<RevokedEntry> {
    let same = |entry: &&RevokedEntry| old.revoked(&entry.digest).is_some_and(|row| row.expires() == entry.expires);
    let mut changed: Vec<_> = new.revoked.iter().filter(|entry| !same(entry)).copied().collect();
    let named: HashSet<Digest16> = new.revoked.iter().map(|entry| entry.digest).collect();
    let gone = old.all_revoked().filter(|row| row.expires() > now && !named.contains(&row.digest()));
    changed.extend(gone.map(|row| RevokedEntry { digest: row.digest(), expires: 0 }));
    changed
}

fn keys(old: &Feed, new: &Draft) -> Vec<KeyEntry> {
    let same = |entry: &&KeyEntry| old.key(&entry.digest).is_some_and(|row| is_key(&row, entry));
    let mut changed: Vec<_> = new.keys.iter().filter(|entry| !same(entry)).cloned().collect();
    let named: HashSet<Digest16> = new.keys.iter().map(|entry| entry.digest).collect();
    let gone = old.keys().map(|row| row.digest()).filter(|digest| !named.contains(digest));
    changed.extend(gone.map(|digest| KeyEntry {
        digest,
        secret_sha256: [0; 32],
        expires: 0,
        owner: None,
        roles: None,
        networks: None,
    }));
    changed
}

fn is_key(row: &KeyRow<'_>, entry: &KeyEntry) -> bool {
    // Without roles and with none of them are the same for a key.
    let roles = entry.roles.as_deref().unwrap_or_default();
    row.secret_sha256() == entry.secret_sha256
        && row.expires() == entry.expires
        && row.owner() == entry.owner.as_deref()
        && row.roles().eq(roles.iter().map(String::as_str))
        && is_list(row.networks(), entry.networks.as_deref())
}

fn is_list<'f>(row: Option<impl Iterator<Item = &'f str>>, entry: Option<&[String]>) -> bool {
    match (row, entry) {
        (None, None) => true,
        (Some(row), Some(entry)) => row.eq(entry.iter().map(String::as_str)),
        _ => false,
    }
}
