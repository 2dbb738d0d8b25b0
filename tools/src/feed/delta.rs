//! What changed between a feed and the next.

use portcullis_engine::feed::{Digest16, Draft, Feed, KeyEntry, KeyRow, RevokedEntry, SubjectEntry, SubjectRow};

/// The state of everything that is otherwise in `new` than in `old`, or no longer in it. A revocation that has lapsed need not be
/// taken back: the token is dead. `new` is sorted for it, as it is when it is written.
#[must_use]
pub fn difference(old: &Feed, new: &mut Draft, now: u32) -> Draft {
    new.subjects.sort_unstable_by_key(|entry| entry.digest);
    new.revoked.sort_unstable_by_key(|entry| entry.digest);
    new.keys.sort_unstable_by_key(|entry| entry.digest);
    let removed = |digest| SubjectEntry { digest, disabled: false, removed: true, tokens_before: 0, roles: None };
    let lapsed = |digest| RevokedEntry { digest, expires: 0 };
    let ended =
        |digest| KeyEntry { digest, secret_sha256: [0; 32], expires: 0, owner: None, roles: None, networks: None };
    Draft {
        subjects: changed(
            old.subjects().map(|row| (row.digest(), row)),
            new.subjects.iter().map(|entry| (entry.digest, entry)),
            is_subject,
            |digest, _| Some(removed(digest)),
        ),
        revoked: changed(
            old.all_revoked().map(|row| (row.digest(), row)),
            new.revoked.iter().map(|entry| (entry.digest, entry)),
            |row, entry| row.expires() == entry.expires,
            |digest, row| (row.expires() > now).then(|| lapsed(digest)),
        ),
        keys: changed(
            old.keys().map(|row| (row.digest(), row)),
            new.keys.iter().map(|entry| (entry.digest, entry)),
            is_key,
            |digest, _| Some(ended(digest)),
        ),
    }
}

/// Goes through both, in the order of the digests: entries that have no like among the rows, and for rows that have no entry what
/// `gone` makes of them.
fn changed<'e, R, E: Clone + 'e>(
    old: impl Iterator<Item = (Digest16, R)>,
    new: impl Iterator<Item = (Digest16, &'e E)>,
    same: impl Fn(&R, &E) -> bool,
    gone: impl Fn(Digest16, &R) -> Option<E>,
) -> Vec<E> {
    let mut old = old.peekable();
    let mut changed = Vec::new();
    for (digest, entry) in new {
        while let Some((before, row)) = old.next_if(|(before, _)| *before < digest) {
            changed.extend(gone(before, &row));
        }
        match old.next_if(|(before, _)| *before == digest) {
            Some((_, row)) if same(&row, entry) => {}
            _ => changed.push(entry.clone()),
        }
    }
    changed.extend(old.filter_map(|(digest, row)| gone(digest, &row)));
    changed
}

fn is_subject(row: &SubjectRow<'_>, entry: &SubjectEntry) -> bool {
    row.is_disabled() == entry.disabled
        && row.is_removed() == entry.removed
        && row.tokens_before() == entry.tokens_before
        && is_list(row.roles(), entry.roles.as_deref())
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
