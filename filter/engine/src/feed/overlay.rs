//! A full feed, and the delta that lies over it: what is asked.

use std::rc::Rc;

use super::document::{KeyRow, SubjectRow};
use super::{Digest16, Feed, FeedClaims, FeedError, Which};
use crate::time::UnixTime;

/// What is in force. A delta has the last word on whatever it names; nothing is merged.
#[derive(Clone, Debug)]
pub struct Feeds {
    full: Rc<Feed>,
    delta: Option<Rc<Feed>>,
}

/// A feed that is no newer than the one in force, and no older: nothing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Superseded;

impl Feeds {
    /// Of a full feed alone.
    ///
    /// # Errors
    /// [`FeedError::Gap`] where it is a delta.
    pub fn of(full: Feed) -> Result<Self, FeedError> {
        match full.claims().base {
            None => Ok(Self { full: Rc::new(full), delta: None }),
            Some(base) => Err(FeedError::Gap { base, full: None }),
        }
    }

    /// What is in force once `next` is, too: all of it, or nothing.
    ///
    /// # Errors
    /// Why it does not follow on what is in force.
    pub fn followed_by(&self, next: Feed) -> Result<Self, FeedError> {
        Self::judge(Some(self), next.claims())?.map_err(|_| older(self.version(), next.version()))?;
        let next = Rc::new(next);
        if next.claims().base.is_some() {
            return Ok(Self { full: Rc::clone(&self.full), delta: Some(next) });
        }
        let newer = |delta: &&Rc<Feed>| {
            delta.version() > next.version() && delta.claims().base.is_some_and(|base| base <= next.version())
        };
        Ok(Self { delta: self.delta.as_ref().filter(newer).cloned(), full: next })
    }

    /// What a feed of these claims would be to what is in force: something newer, or the same again.
    ///
    /// # Errors
    /// It is older, or does not follow on it.
    pub fn judge(held: Option<&Self>, claims: &FeedClaims) -> Result<Result<(), Superseded>, FeedError> {
        let Some(held) = held else {
            return claims.base.map_or(Ok(Ok(())), |base| Err(FeedError::Gap { base, full: None }));
        };
        let found = claims.version;
        match claims.base {
            Some(base) if base > held.full.version() => Err(FeedError::Gap { base, full: Some(held.full.version()) }),
            Some(_) if found < held.version() => Err(older(held.version(), found)),
            Some(_) if found == held.version() => Ok(Err(Superseded)),
            None if found < held.full.version() => Err(older(held.full.version(), found)),
            None if found == held.full.version() => Ok(Err(Superseded)),
            _ => Ok(Ok(())),
        }
    }

    /// The version in force.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.delta.as_ref().map_or(0, |delta| delta.version()).max(self.full.version())
    }

    /// The version of the full feed.
    #[must_use]
    pub fn full_version(&self) -> u64 {
        self.full.version()
    }

    /// The version of the delta; 0 where there is none.
    #[must_use]
    pub fn delta_version(&self) -> u64 {
        self.delta.as_ref().map_or(0, |delta| delta.version())
    }

    /// A file as it came; `None` where there is no delta.
    #[must_use]
    pub fn file(&self, which: Which) -> Option<&[u8]> {
        match which {
            Which::Full => Some(self.full.file()),
            Which::Delta => self.delta.as_ref().map(|delta| delta.file()),
        }
    }

    /// Until when it may be believed, by its own word.
    #[must_use]
    pub fn expires(&self) -> Option<UnixTime> {
        self.delta.as_ref().unwrap_or(&self.full).claims().expires()
    }

    /// What is known of a subject.
    pub(crate) fn subject(&self, digest: &Digest16) -> Option<SubjectRow<'_>> {
        match self.delta.as_ref().and_then(|delta| delta.subject(digest)) {
            Some(row) => Some(row).filter(|row| !row.is_removed()),
            None => self.full.subject(digest),
        }
    }

    /// Whether a token is revoked.
    pub(crate) fn is_revoked(&self, digest: &Digest16) -> bool {
        match self.delta.as_ref().and_then(|delta| delta.revoked(digest)) {
            Some(row) => row.expires() != 0,
            None => self.full.revoked(digest).is_some(),
        }
    }

    /// What is known of an API key.
    pub(crate) fn key(&self, digest: &Digest16) -> Option<KeyRow<'_>> {
        match self.delta.as_ref().and_then(|delta| delta.key(digest)) {
            Some(row) => Some(row).filter(|row| !row.is_removed()),
            None => self.full.key(digest),
        }
    }
}

const fn older(held: u64, found: u64) -> FeedError {
    FeedError::Older { found, held }
}
