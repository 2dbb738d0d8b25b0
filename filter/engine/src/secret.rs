//! Values that must never be seen.

use std::fmt;

/// Bytes with no way into a log: no `Display`, no `Serialize`, a `Debug` that says nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Takes the bytes in.
    #[must_use]
    pub const fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes, for cryptography only.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

/// What is known of a secret named in a policy.
#[derive(Clone, Debug)]
pub enum SecretLookup {
    /// Its bytes.
    Value(Secret),
    /// It is not set.
    Unset,
    /// Nothing can be said here; the policy is checked without it, and keys made from it verify nothing.
    Unknown,
}

/// Where `{env: NAME}` is looked up. The engine itself reads no environment.
pub trait SecretSource {
    /// The secret of this name.
    fn lookup(&self, name: &str) -> SecretLookup;
}

impl<F: Fn(&str) -> SecretLookup> SecretSource for F {
    fn lookup(&self, name: &str) -> SecretLookup {
        self(name)
    }
}
