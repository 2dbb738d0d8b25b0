//! Maps with a quick hasher that draws no random key: the engine has no randomness, and what is in these maps comes from the
//! policy or was verified, so that nobody can choose keys that collide.

pub(crate) use rustc_hash::{FxHashMap as FixedMap, FxHashSet as FixedSet};
