//! From a file to a [`Feed`]: verified and checked piece by piece, so that nobody waits for it.

use sha2::{Digest as _, Sha256};

use super::document::lines;
use super::layout::{DISABLED, REMOVED};
use super::layout::{HEAD_BYTES, KEY_BYTES, Layout, NO_OWNER, NO_SET, REVOKED_BYTES, SET_BYTES, SUBJECT_BYTES};
use super::{Digest16, Feed, FeedClaims, FeedError, MAX_DELTA_BYTES, MAX_FEED_BYTES};
use crate::ip::Cidr;
use crate::text::has_control;
use crate::token::KeySet;

/// A feed whose signature is good and whose content is being looked at.
#[derive(Debug)]
pub struct Loading {
    feed: Feed,
    stage: Stage,
    content_at: usize,
    /// Bytes that were hashed, or rows of a table that were checked.
    done: usize,
    hasher: Sha256,
    before: Option<Digest16>,
}

/// What is looked at, in this order: nothing of the content is believed before all of it was hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Hash,
    Head,
    Subjects,
    Revoked,
    Keys,
    RoleSets,
    NetworkSets,
    Heap,
    Done,
}

/// What a step came to.
#[derive(Debug)]
pub enum Progress {
    /// There is more to look at.
    More(Box<Loading>),
    /// It is good.
    Done(Box<Feed>),
}

/// Reads a file at one go.
///
/// # Errors
/// What is wrong with it.
pub fn read(file: Vec<u8>, keys: &KeySet) -> Result<Feed, FeedError> {
    let mut loading = Loading::begin(file, keys)?;
    loop {
        match loading.step(usize::MAX)? {
            Progress::More(more) => loading = *more,
            Progress::Done(feed) => return Ok(*feed),
        }
    }
}

impl Loading {
    /// Verifies the first line, and that there is as much content as it says.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn begin(file: Vec<u8>, keys: &KeySet) -> Result<Self, FeedError> {
        let over = |limit| FeedError::TooLarge { bytes: file.len(), limit };
        if file.len() > MAX_FEED_BYTES {
            return Err(over(MAX_FEED_BYTES));
        }
        let (claims, content_at) = FeedClaims::of_file(&file, keys)?;
        if claims.base.is_some() && file.len() > MAX_DELTA_BYTES {
            return Err(over(MAX_DELTA_BYTES));
        }
        let found = u64::try_from(file.len().saturating_sub(content_at)).unwrap_or(u64::MAX);
        if found != claims.size {
            return Err(FeedError::Size { signed: claims.size, found });
        }
        let feed = Feed { file, claims, layout: Layout::default() };
        Ok(Self { feed, stage: Stage::Hash, content_at, done: 0, hasher: Sha256::new(), before: None })
    }

    /// What was signed.
    #[must_use]
    pub const fn claims(&self) -> &FeedClaims {
        &self.feed.claims
    }

    /// Looks at about so many bytes more.
    ///
    /// # Errors
    /// What is wrong with them; then the file is good for nothing.
    pub fn step(mut self, bytes: usize) -> Result<Progress, FeedError> {
        let mut left = bytes.max(1);
        while left > 0 && self.stage != Stage::Done {
            let used = self.advance(left)?;
            left = left.saturating_sub(used.max(1));
        }
        if self.stage == Stage::Done {
            Ok(Progress::Done(Box::new(self.feed)))
        } else {
            Ok(Progress::More(Box::new(self)))
        }
    }

    /// Goes on with the stage at hand, and to the next one where that is done. Gives how many bytes it looked at.
    fn advance(&mut self, bytes: usize) -> Result<usize, FeedError> {
        let counts = self.feed.layout.counts;
        match self.stage {
            Stage::Hash => self.hash(bytes),
            Stage::Head => {
                self.feed.layout = Layout::read(&self.feed.file, self.content_at)?;
                self.enter(Stage::Subjects);
                Ok(HEAD_BYTES)
            }
            Stage::Subjects => {
                self.rows("subject", counts.subjects, SUBJECT_BYTES, bytes, Stage::Revoked, Self::subject)
            }
            Stage::Revoked => self.rows("revoked", counts.revoked, REVOKED_BYTES, bytes, Stage::Keys, Self::revoked),
            Stage::Keys => self.rows("key", counts.keys, KEY_BYTES, bytes, Stage::RoleSets, Self::key),
            Stage::RoleSets => {
                self.rows("role set", counts.role_sets, SET_BYTES, bytes, Stage::NetworkSets, Self::role_set)
            }
            Stage::NetworkSets => {
                self.rows("network set", counts.network_sets, SET_BYTES, bytes, Stage::Heap, Self::network_set)
            }
            Stage::Heap => self.heap(bytes),
            Stage::Done => Ok(0),
        }
    }

    fn enter(&mut self, stage: Stage) {
        (self.stage, self.done, self.before) = (stage, 0, None);
    }

    fn hash(&mut self, bytes: usize) -> Result<usize, FeedError> {
        let content = self.feed.file.get(self.content_at..).unwrap_or_default();
        let rest = content.get(self.done..).unwrap_or_default();
        let piece = rest.get(..bytes.min(rest.len())).unwrap_or_default();
        self.hasher.update(piece);
        let used = piece.len();
        self.done = self.done.saturating_add(used);
        if self.done >= content.len() {
            let hash: [u8; 32] = std::mem::take(&mut self.hasher).finalize().into();
            if hash != self.feed.claims.sha256 {
                return Err(FeedError::Digest);
            }
            self.enter(Stage::Head);
        }
        Ok(used)
    }

    /// Checks rows of a table; `check` is given the number of one, and gives its digest where the table is sorted.
    fn rows(
        &mut self,
        table: &'static str,
        count: usize,
        row_bytes: usize,
        bytes: usize,
        next: Stage,
        check: fn(&Self, usize) -> Result<Option<Digest16>, &'static str>,
    ) -> Result<usize, FeedError> {
        let most = (bytes / row_bytes).max(1);
        let end = count.min(self.done.saturating_add(most));
        let begun = self.done;
        while self.done < end {
            let row = self.done;
            let fault = |fault| FeedError::Row { table, row, fault };
            let digest = check(self, row).map_err(fault)?;
            if let Some((before, own)) = self.before.zip(digest)
                && own <= before
            {
                return Err(fault(if own == before { "the same again" } else { "out of order" }));
            }
            self.before = digest;
            self.done = self.done.saturating_add(1);
        }
        if self.done >= count {
            self.enter(next);
        }
        Ok(end.saturating_sub(begun).saturating_mul(row_bytes))
    }

    const fn is_delta(&self) -> bool {
        self.feed.claims.base.is_some()
    }

    fn subject(&self, row: usize) -> Result<Option<Digest16>, &'static str> {
        let row = self.feed.subject_at(row).ok_or("missing")?;
        if row.flags() & !(DISABLED | REMOVED) != 0 || row.padding() != 0 {
            return Err("flags that are not known");
        }
        if row.is_removed() && !self.is_delta() {
            return Err("only a delta removes");
        }
        self.names_role_set(row.role_set())?;
        Ok(Some(row.digest()))
    }

    fn revoked(&self, row: usize) -> Result<Option<Digest16>, &'static str> {
        let row = self.feed.revoked_at(row).ok_or("missing")?;
        if row.expires() == 0 && !self.is_delta() {
            return Err("only a delta takes a revocation back");
        }
        Ok(Some(row.digest()))
    }

    fn key(&self, row: usize) -> Result<Option<Digest16>, &'static str> {
        let row = self.feed.key_at(row).ok_or("missing")?;
        self.names_role_set(row.role_set())?;
        if row.network_set() != NO_SET && usize::from(row.network_set()) >= self.feed.counts().network_sets {
            return Err("a network set that is not there");
        }
        if row.owner_offset() == NO_OWNER {
            return if self.is_delta() { Ok(Some(row.digest())) } else { Err("only a delta removes") };
        }
        let owner = self.feed.text(row.owner_offset()).ok_or("an owner that is not there")?;
        if owner.is_empty() || has_control(owner) {
            return Err("an owner that is no subject");
        }
        Ok(Some(row.digest()))
    }

    fn names_role_set(&self, set: u16) -> Result<(), &'static str> {
        let there = set == NO_SET || usize::from(set) < self.feed.counts().role_sets;
        there.then_some(()).ok_or("a role set that is not there")
    }

    fn role_set(&self, row: usize) -> Result<Option<Digest16>, &'static str> {
        let text = self.feed.role_set_at(row).ok_or("no text")?;
        let sound = |role: &str| !has_control(role);
        lines(text).all(sound).then_some(None).ok_or("not names of roles")
    }

    fn network_set(&self, row: usize) -> Result<Option<Digest16>, &'static str> {
        let text = self.feed.network_set_at(row).ok_or("no text")?;
        lines(text).all(|network| Cidr::parse(network).is_ok()).then_some(None).ok_or("not networks")
    }

    /// The heap is texts one behind the other, and nothing else. `done` counts its bytes.
    fn heap(&mut self, bytes: usize) -> Result<usize, FeedError> {
        let heap = self.feed.layout.heap.of(&self.feed.file);
        let begun = self.done;
        while self.done < heap.len() && self.done.saturating_sub(begun) < bytes {
            let text = u32::try_from(self.done).ok().and_then(|offset| self.feed.text(offset));
            let text = text.ok_or(FeedError::Layout("the heap is not texts"))?;
            self.done = self.done.saturating_add(text.len()).saturating_add(2);
        }
        let used = self.done.saturating_sub(begun);
        if self.done >= heap.len() {
            self.enter(Stage::Done);
        }
        Ok(used)
    }
}
