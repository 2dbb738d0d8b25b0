//! Where in the content each table is, and how rows are found.

use std::cmp::Ordering;

use super::{Digest16, FeedError};

pub(super) const MAGIC: &[u8; 8] = b"PCFEED1\n";

/// The magic and six counts.
pub(super) const HEAD_BYTES: usize = 8 + 6 * 4;

pub(super) const SUBJECT_BYTES: usize = 24;
pub(super) const REVOKED_BYTES: usize = 20;
pub(super) const KEY_BYTES: usize = 60;
pub(super) const SET_BYTES: usize = 4;

/// A role or network set that is none.
pub(super) const NO_SET: u16 = u16::MAX;

/// An owner that is none: the key is gone.
pub(super) const NO_OWNER: u32 = u32::MAX;

/// Subject flags.
pub(super) const DISABLED: u8 = 1;
pub(super) const REMOVED: u8 = 2;

/// How many rows each table has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Subjects of whom something is said.
    pub subjects: usize,
    /// Revoked tokens.
    pub revoked: usize,
    /// API keys.
    pub keys: usize,
    /// Different lists of roles.
    pub role_sets: usize,
    /// Different lists of networks.
    pub network_sets: usize,
    /// Bytes of text.
    pub heap: usize,
}

/// Where a table is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Extent {
    start: usize,
    end: usize,
}

impl Extent {
    pub(super) fn of(self, bytes: &[u8]) -> &[u8] {
        bytes.get(self.start..self.end).unwrap_or_default()
    }
}

/// Where everything is, counted from the beginning of the file.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Layout {
    pub(super) counts: Counts,
    pub(super) subjects: Extent,
    pub(super) revoked: Extent,
    pub(super) keys: Extent,
    pub(super) role_sets: Extent,
    pub(super) network_sets: Extent,
    pub(super) heap: Extent,
}

impl Layout {
    /// Reads the head of the content, which begins at `start`. The tables fill it exactly.
    pub(super) fn read(file: &[u8], start: usize) -> Result<Self, FeedError> {
        let content = file.get(start..).unwrap_or_default();
        let (magic, rest) = content.split_first_chunk::<8>().ok_or(FeedError::Layout("too short"))?;
        if magic != MAGIC {
            return Err(FeedError::Layout("another layout"));
        }
        let mut counts = rest.as_chunks::<4>().0.iter().map(|count| u32::from_le_bytes(*count));
        let mut count = || counts.next().and_then(|count| usize::try_from(count).ok());
        let mut next = || count().ok_or(FeedError::Layout("too short"));
        let counts = Counts {
            subjects: next()?,
            revoked: next()?,
            keys: next()?,
            role_sets: next()?,
            network_sets: next()?,
            heap: next()?,
        };
        let mut at = start.saturating_add(HEAD_BYTES);
        let mut table = |rows: usize, bytes: usize| {
            let extent = Extent { start: at, end: at.saturating_add(rows.saturating_mul(bytes)) };
            at = extent.end;
            extent
        };
        let layout = Self {
            counts,
            subjects: table(counts.subjects, SUBJECT_BYTES),
            revoked: table(counts.revoked, REVOKED_BYTES),
            keys: table(counts.keys, KEY_BYTES),
            role_sets: table(counts.role_sets, SET_BYTES),
            network_sets: table(counts.network_sets, SET_BYTES),
            heap: table(counts.heap, 1),
        };
        if at != file.len() {
            return Err(FeedError::Layout("the tables do not fill it"));
        }
        if counts.role_sets > usize::from(NO_SET) || counts.network_sets > usize::from(NO_SET) {
            return Err(FeedError::Layout("more sets than rows can name"));
        }
        Ok(layout)
    }
}

/// How often a row is guessed before the rest is halved. Digests are spread evenly, so that guesses come near fast.
const MAX_GUESSES: usize = 12;

/// The row of a digest, in a table sorted by digest.
pub(super) fn find<'t, const ROW: usize>(table: &'t [u8], wanted: &Digest16) -> Option<&'t [u8; ROW]> {
    find_row(table, ROW, wanted)?.first_chunk()
}

fn find_row<'t>(table: &'t [u8], row_bytes: usize, wanted: &Digest16) -> Option<&'t [u8]> {
    let place = place(&wanted.0);
    let (mut low, mut high) = (0, table.len() / row_bytes.max(1));
    let (mut least, mut most) = (0, u64::MAX);
    let mut guesses = 0;
    while low < high {
        let within = if guesses < MAX_GUESSES { guess(place, least, most, high - low) } else { (high - low) / 2 };
        guesses += 1;
        let middle = low.saturating_add(within);
        let row = table.get(middle.saturating_mul(row_bytes)..)?;
        let own = row.first_chunk::<16>()?;
        match own.cmp(&wanted.0) {
            Ordering::Equal => return Some(row),
            Ordering::Less => (low, least) = (middle.saturating_add(1), self::place(own)),
            Ordering::Greater => (high, most) = (middle, self::place(own)),
        }
    }
    None
}

fn place(digest: &[u8; 16]) -> u64 {
    digest.first_chunk().map_or(0, |head| u64::from_be_bytes(*head))
}

/// About where among `rows` rows between two places a third one is.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a guess: it is not negative, and kept below the number of rows"
)]
fn guess(place: u64, least: u64, most: u64, rows: usize) -> usize {
    let share = place.saturating_sub(least) as f64 / most.saturating_sub(least).max(1) as f64;
    ((share * rows as f64) as usize).min(rows.saturating_sub(1))
}

/// A text of the heap: its length, then itself.
pub(super) fn text(heap: &[u8], offset: u32) -> Option<&str> {
    let (length, rest) = heap.get(usize::try_from(offset).ok()?..)?.split_first_chunk::<2>()?;
    std::str::from_utf8(rest.get(..usize::from(u16::from_le_bytes(*length)))?).ok()
}
