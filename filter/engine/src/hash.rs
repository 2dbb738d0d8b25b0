//! Maps with a hasher that draws no random key: the engine has no randomness, and what is in these maps comes from the
//! policy or was verified, so that nobody can choose keys that collide.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, DefaultHasher};

pub(crate) type FixedMap<K, V> = HashMap<K, V, BuildHasherDefault<DefaultHasher>>;
pub(crate) type FixedSet<T> = HashSet<T, BuildHasherDefault<DefaultHasher>>;
