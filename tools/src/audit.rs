//! Audit records, read back: found, counted, verified, sealed, pruned and handed on.

pub mod admin;
pub mod block;
pub mod export;
pub mod incident;
pub mod prune;
pub mod query;
pub mod record;
pub mod scan;
pub mod seal;
pub mod seen;
pub mod source;
pub mod stats;
pub mod table;
#[cfg(test)]
pub mod testing;
pub mod verify;

/// The JSON Schema of a record, for the filter's and for this command's own.
pub const SCHEMA: &str = include_str!("audit.schema.json");
