//! The test package has no library of its own; see `tests/it.rs`.
