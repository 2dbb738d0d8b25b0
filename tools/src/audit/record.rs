//! A record as it stands on a line, with the fields this command looks at.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, Error, Visitor};
use serde::{Deserialize, Serialize};

#[cfg(test)]
mod tests;

/// A text of a record, borrowed from the line where nothing in it is escaped.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Text<'a>(Cow<'a, str>);

impl Text<'_> {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // What `serde(borrow)` does for a plain `Cow`, and not for one in an `Option`.
        struct Borrow;
        impl<'de> Visitor<'de> for Borrow {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Borrow)
    }
}

/// A record: the fields of `docs/audit.md`. Members that are not named here are read over; one that stands twice makes it none.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Record<'a> {
    #[serde(borrow)]
    pub timestamp: Text<'a>,
    #[serde(borrow)]
    pub event: Text<'a>,
    #[serde(borrow, default)]
    pub action: Option<Text<'a>>,
    #[serde(borrow)]
    pub decision: Text<'a>,
    #[serde(borrow)]
    pub reason: Text<'a>,
    #[serde(borrow, default)]
    pub route: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub user_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub role: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub ip_address: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub method: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub path: Option<Text<'a>>,
    #[serde(default)]
    pub status: Option<u16>,
    #[serde(borrow, default)]
    pub request_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub provider: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub kid: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub token_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub masked: Option<Vec<Text<'a>>>,
    #[serde(borrow, default)]
    pub policy: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub target: Option<Text<'a>>,
    #[serde(default)]
    pub count: Option<u64>,
    #[serde(borrow, default)]
    pub since: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub chain: Option<Text<'a>>,
    #[serde(default)]
    pub seq: Option<u64>,
}

impl<'a> Record<'a> {
    /// Reads the object of a line; `None` if it is no record.
    #[must_use]
    pub fn parse(object: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(object).ok()
    }

    /// How many requests it stands for: one, or as many as a summary counts.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.count.unwrap_or(1)
    }

    /// Whether it stands for denials without a record of their own: it then says nothing of any one request, or it is
    /// nothing that the filter writes.
    #[must_use]
    pub fn is_summary(&self) -> bool {
        let of_one = [
            &self.user_id,
            &self.role,
            &self.method,
            &self.path,
            &self.request_id,
            &self.provider,
            &self.kid,
            &self.token_id,
            &self.target,
        ];
        self.count.is_some()
            && self.since.is_some()
            && matches!(self.decision.as_str(), "deny" | "dry_run_deny")
            && self.status.is_none()
            && of_one.into_iter().all(Option::is_none)
    }

    /// Whether something was refused.
    #[must_use]
    pub fn is_denial(&self) -> bool {
        self.decision.as_str() == "deny"
    }

    /// Whether this tells of the chain and not of anything that happened.
    #[must_use]
    pub fn is_checkpoint(&self) -> bool {
        self.event.as_str() == "admin" && text(&self.action) == "checkpoint"
    }
}

/// A field's text; empty where it is absent.
#[must_use]
pub fn text<'t>(field: &'t Option<Text<'_>>) -> &'t str {
    field.as_ref().map(Text::as_str).unwrap_or_default()
}
