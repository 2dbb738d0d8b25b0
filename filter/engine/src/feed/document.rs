//! A verified feed, looked up in where it lies.

use std::fmt;
use std::net::IpAddr;

use super::layout::{self, DISABLED, KEY_BYTES, Layout, NO_OWNER, NO_SET, REMOVED, REVOKED_BYTES, SUBJECT_BYTES};
use super::{Counts, Digest16, FeedClaims};
use crate::ip::Cidr;

/// A feed that was verified and checked whole. Only [`Loading`](super::Loading) makes one.
pub struct Feed {
    pub(super) file: Vec<u8>,
    pub(super) claims: FeedClaims,
    pub(super) layout: Layout,
}

/// What a feed says of a subject.
#[derive(Clone, Copy)]
pub struct SubjectRow<'f> {
    feed: &'f Feed,
    row: &'f [u8; SUBJECT_BYTES],
}

/// What a feed says of a token.
#[derive(Clone, Copy)]
pub struct RevokedRow<'f>(&'f [u8; REVOKED_BYTES]);

/// What a feed says of an API key.
#[derive(Clone, Copy)]
pub struct KeyRow<'f> {
    feed: &'f Feed,
    row: &'f [u8; KEY_BYTES],
}

impl Feed {
    /// What was signed.
    #[must_use]
    pub const fn claims(&self) -> &FeedClaims {
        &self.claims
    }

    /// The version.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.claims.version
    }

    /// How many rows there are.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.layout.counts
    }

    /// The file, as it came.
    #[must_use]
    pub fn file(&self) -> &[u8] {
        &self.file
    }

    /// What is said of a subject.
    #[must_use]
    pub fn subject(&self, digest: &Digest16) -> Option<SubjectRow<'_>> {
        layout::find(self.layout.subjects.of(&self.file), digest).map(|row| SubjectRow { feed: self, row })
    }

    /// What is said of a token.
    #[must_use]
    pub fn revoked(&self, digest: &Digest16) -> Option<RevokedRow<'_>> {
        layout::find(self.layout.revoked.of(&self.file), digest).map(RevokedRow)
    }

    /// What is said of an API key.
    #[must_use]
    pub fn key(&self, digest: &Digest16) -> Option<KeyRow<'_>> {
        layout::find(self.layout.keys.of(&self.file), digest).map(|row| KeyRow { feed: self, row })
    }

    /// Every subject of whom something is said, in the order of the digests.
    pub fn subjects(&self) -> impl Iterator<Item = SubjectRow<'_>> {
        let rows = self.layout.subjects.of(&self.file).as_chunks().0;
        rows.iter().map(|row| SubjectRow { feed: self, row })
    }

    /// Every revoked token, in the order of the digests.
    pub fn all_revoked(&self) -> impl Iterator<Item = RevokedRow<'_>> {
        self.layout.revoked.of(&self.file).as_chunks().0.iter().map(RevokedRow)
    }

    /// Every API key, in the order of the digests.
    pub fn keys(&self) -> impl Iterator<Item = KeyRow<'_>> {
        let rows = self.layout.keys.of(&self.file).as_chunks().0;
        rows.iter().map(|row| KeyRow { feed: self, row })
    }

    pub(super) fn subject_at(&self, row: usize) -> Option<SubjectRow<'_>> {
        let row = self.layout.subjects.of(&self.file).as_chunks().0.get(row)?;
        Some(SubjectRow { feed: self, row })
    }

    pub(super) fn revoked_at(&self, row: usize) -> Option<RevokedRow<'_>> {
        self.layout.revoked.of(&self.file).as_chunks().0.get(row).map(RevokedRow)
    }

    pub(super) fn key_at(&self, row: usize) -> Option<KeyRow<'_>> {
        let row = self.layout.keys.of(&self.file).as_chunks().0.get(row)?;
        Some(KeyRow { feed: self, row })
    }

    pub(super) fn role_set_at(&self, row: usize) -> Option<&str> {
        self.set_text(self.layout.role_sets, row)
    }

    pub(super) fn network_set_at(&self, row: usize) -> Option<&str> {
        self.set_text(self.layout.network_sets, row)
    }

    fn set_text(&self, table: layout::Extent, row: usize) -> Option<&str> {
        let offset = table.of(&self.file).as_chunks::<4>().0.get(row)?;
        self.text(u32::from_le_bytes(*offset))
    }

    pub(super) fn text(&self, offset: u32) -> Option<&str> {
        layout::text(self.layout.heap.of(&self.file), offset)
    }

    fn roles(&self, set: u16) -> Option<impl Iterator<Item = &str>> {
        self.set(self.layout.role_sets, set)
    }

    fn set(&self, table: layout::Extent, set: u16) -> Option<impl Iterator<Item = &str>> {
        if set == NO_SET {
            return None;
        }
        self.set_text(table, usize::from(set)).map(lines)
    }
}

/// The items of a set. No text is no items.
pub(super) fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').filter(|item| !item.is_empty())
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed")
            .field("claims", &self.claims)
            .field("counts", &self.layout.counts)
            .finish_non_exhaustive()
    }
}

const fn u16_at<const N: usize>(row: &[u8; N], at: usize) -> u16 {
    match row.split_at(at).1.first_chunk() {
        Some(bytes) => u16::from_le_bytes(*bytes),
        None => 0,
    }
}

const fn u32_at<const N: usize>(row: &[u8; N], at: usize) -> u32 {
    match row.split_at(at).1.first_chunk() {
        Some(bytes) => u32::from_le_bytes(*bytes),
        None => 0,
    }
}

fn digest_of<const N: usize>(row: &[u8; N]) -> Digest16 {
    Digest16(row.first_chunk().copied().unwrap_or_default())
}

impl<'f> SubjectRow<'f> {
    /// Whose.
    #[must_use]
    pub fn digest(&self) -> Digest16 {
        digest_of(self.row)
    }

    /// Tokens made before this second are void; 0 voids none.
    #[must_use]
    pub const fn tokens_before(&self) -> u32 {
        u32_at(self.row, 16)
    }

    /// Whether the account is switched off.
    #[must_use]
    pub const fn is_disabled(&self) -> bool {
        self.flags() & DISABLED != 0
    }

    /// Of a delta: as if it were never named.
    #[must_use]
    pub const fn is_removed(&self) -> bool {
        self.flags() & REMOVED != 0
    }

    /// Its roles; `None` where nothing is said of them.
    pub fn roles(&self) -> Option<impl Iterator<Item = &'f str> + use<'f>> {
        self.feed.roles(self.role_set())
    }

    pub(super) const fn role_set(&self) -> u16 {
        u16_at(self.row, 20)
    }

    pub(super) const fn flags(&self) -> u8 {
        let [flags, _] = u16_at(self.row, 22).to_le_bytes();
        flags
    }

    pub(super) const fn padding(&self) -> u8 {
        let [_, padding] = u16_at(self.row, 22).to_le_bytes();
        padding
    }
}

impl RevokedRow<'_> {
    /// Whose.
    #[must_use]
    pub fn digest(&self) -> Digest16 {
        digest_of(self.0)
    }

    /// The second from which on the token is dead anyway; of a delta 0: it is no longer revoked.
    #[must_use]
    pub const fn expires(&self) -> u32 {
        u32_at(self.0, 16)
    }
}

impl<'f> KeyRow<'f> {
    /// Whose.
    #[must_use]
    pub fn digest(&self) -> Digest16 {
        digest_of(self.row)
    }

    /// The SHA-256 of the secret part.
    #[must_use]
    pub fn secret_sha256(&self) -> [u8; 32] {
        self.row.split_at(16).1.first_chunk().copied().unwrap_or_default()
    }

    /// The second from which on the key is no good; 0 is never.
    #[must_use]
    pub const fn expires(&self) -> u32 {
        u32_at(self.row, 48)
    }

    /// The subject it belongs to; `None` where a delta removes it.
    #[must_use]
    pub fn owner(&self) -> Option<&'f str> {
        let offset = self.owner_offset();
        if offset == NO_OWNER { None } else { self.feed.text(offset) }
    }

    /// Of a delta: the key is gone.
    #[must_use]
    pub const fn is_removed(&self) -> bool {
        self.owner_offset() == NO_OWNER
    }

    /// Its roles.
    pub fn roles(&self) -> impl Iterator<Item = &'f str> + use<'f> {
        self.feed.roles(self.role_set()).into_iter().flatten()
    }

    /// The networks it may be used from; `None` where from any.
    pub fn networks(&self) -> Option<impl Iterator<Item = &'f str> + use<'f>> {
        self.feed.set(self.feed.layout.network_sets, self.network_set())
    }

    pub(crate) fn admits(&self, client: impl FnOnce() -> Option<IpAddr>) -> bool {
        if self.network_set() == NO_SET {
            return true;
        }
        let Some((client, mut networks)) = client().zip(self.networks()) else { return false };
        networks.any(|network| Cidr::parse(network).is_ok_and(|network| network.contains(client)))
    }

    pub(super) const fn owner_offset(&self) -> u32 {
        u32_at(self.row, 52)
    }

    pub(super) const fn role_set(&self) -> u16 {
        u16_at(self.row, 56)
    }

    pub(super) const fn network_set(&self) -> u16 {
        u16_at(self.row, 58)
    }
}
