//! The identity feed: who is disabled, what is revoked, which API keys there are. One signed file, from outside.
//!
//! A file is one line, a compact JWS over the size and the digest of what follows, and then the content: tables sorted by
//! digest. Those bytes are the tables that requests are looked up in; nothing is built from them but what [`Loading`]
//! has checked. `docs/identity-feed.md` is the format for those who write such files.

mod claims;
mod document;
mod draft;
mod layout;
mod loading;
mod overlay;
mod source;

use sha2::{Digest as _, Sha256};

pub use claims::{FeedClaims, signing_header};
pub use document::{Feed, KeyRow, RevokedRow, SubjectRow};
pub use draft::{Draft, DraftError, KeyEntry, RevokedEntry, SubjectEntry};
pub use layout::Counts;
pub use loading::{Loading, Progress, read};
pub use overlay::{Feeds, Superseded};
pub use source::{FeedState, IdentityFeed, OnStale, PollError, Polled, Which};

/// The `typ` of the JWS. A layout that readers of this one cannot read gets another.
pub const TYP: &str = "portcullis-feed+jws";

/// How long a file may be.
pub const MAX_FEED_BYTES: usize = 32 * 1024 * 1024;

/// How long a delta may be: it is fetched again each time something changes.
pub const MAX_DELTA_BYTES: usize = 4 * 1024 * 1024;

/// How long the first line may be.
pub const MAX_LINE_BYTES: usize = 4096;

/// 128 bits of the SHA-256 of a name: enough that nobody finds two names of one digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest16(pub [u8; 16]);

impl Digest16 {
    fn of(kind: &str, name: &str) -> Self {
        let hash = Sha256::new().chain_update(kind).chain_update(name).finalize();
        Self(hash.first_chunk().copied().unwrap_or_default())
    }

    /// Of a subject, a token's `sub`.
    #[must_use]
    pub fn subject(subject: &str) -> Self {
        Self::of("sub:", subject)
    }

    /// Of a token, its `jti`.
    #[must_use]
    pub fn token(jti: &str) -> Self {
        Self::of("jti:", jti)
    }

    /// Of an API key, its id.
    #[must_use]
    pub fn key(id: &str) -> Self {
        Self::of("key:", id)
    }
}

/// Why a file is no feed, or none to take. It is then refused whole.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum FeedError {
    /// Longer than a feed may be.
    #[error("{bytes} bytes, {limit} allowed")]
    TooLarge {
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        limit: usize,
    },
    /// The first line is not a JWS of a feed.
    #[error("first line: {0}")]
    Line(&'static str),
    /// No key of the policy made the signature.
    #[error("signature: {0}")]
    Signature(crate::token::TokenError),
    /// There is more or less content than was signed: cut off, most likely.
    #[error("{found} bytes of content, {signed} were signed")]
    Size {
        /// How much was signed.
        signed: u64,
        /// How much there is.
        found: u64,
    },
    /// Other content than was signed.
    #[error("the content is not what was signed")]
    Digest,
    /// Signed content that is not laid out as it should be.
    #[error("content: {0}")]
    Layout(&'static str),
    /// Signed content with an entry that is not as it should be.
    #[error("content: {table} {row}: {fault}")]
    Row {
        /// Which table.
        table: &'static str,
        /// Which row of it, from 0.
        row: usize,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// Older than what is in force.
    #[error("version {found}, and {held} is in force: versions do not go back")]
    Older {
        /// The file's version.
        found: u64,
        /// The version in force.
        held: u64,
    },
    /// A delta that says nothing of what changed since the full feed at hand.
    #[error("a delta on version {base}, and the full feed at hand is {}", .full.map_or("none".to_owned(), |version| version.to_string()))]
    Gap {
        /// The lowest full version that it applies to.
        base: u64,
        /// The version at hand.
        full: Option<u64>,
    },
    /// A delta where a full feed belongs, or the other way round.
    #[error("{0}")]
    Kind(&'static str),
}

#[cfg(test)]
mod tests;
