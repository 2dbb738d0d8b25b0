//! JWS algorithms (RFC 7518 section 3.1, RFC 8037 section 3.1, RFC 9864 section 2.2).

use std::fmt;

macro_rules! algorithms {
    ($($variant:ident = $name:literal,)+) => {
        /// A signature algorithm. `none` is not one.
        #[expect(missing_docs, reason = "the registered names speak for themselves")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Algorithm { $($variant,)+ }

        impl Algorithm {
            /// Every algorithm the engine verifies.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The registered name; case matters.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)+ _ => None }
            }

            /// The registered name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }
    };
}

algorithms! {
    HS256 = "HS256",
    HS384 = "HS384",
    HS512 = "HS512",
    RS256 = "RS256",
    RS384 = "RS384",
    RS512 = "RS512",
    PS256 = "PS256",
    PS384 = "PS384",
    PS512 = "PS512",
    ES256 = "ES256",
    ES384 = "ES384",
    ES512 = "ES512",
    EdDSA = "EdDSA",
    Ed25519 = "Ed25519",
}

impl Algorithm {
    /// Whether the same secret signs and verifies.
    #[must_use]
    pub const fn is_symmetric(self) -> bool {
        matches!(self, Self::HS256 | Self::HS384 | Self::HS512)
    }

    /// The curve of an ECDSA algorithm (RFC 7518 section 3.4).
    pub(crate) const fn curve(self) -> Option<&'static str> {
        match self {
            Self::ES256 => Some("P-256"),
            Self::ES384 => Some("P-384"),
            Self::ES512 => Some("P-521"),
            _ => None,
        }
    }

    /// The fewest bytes an HMAC key may have: as many as the hash gives out (RFC 7518 section 3.2).
    #[must_use]
    pub const fn min_secret_bytes(self) -> usize {
        match self {
            Self::HS384 => 48,
            Self::HS512 => 64,
            _ => 32,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
