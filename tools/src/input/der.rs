//! What is in a file in DER (X.690), told by its first elements: for a message, and for nothing else.

use std::fmt;

#[cfg(test)]
mod tests;

/// What may be in a file that should have had a key in PEM form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// PKCS#8 (RFC 5208 section 5), PKCS#1 (RFC 8017 appendix A.1.2) or SEC 1 (RFC 5915 section 3).
    PrivateKey,
    /// Encrypted PKCS#8 (RFC 5208 section 6).
    EncryptedPrivateKey,
    /// SPKI (RFC 5280 section 4.1.2.7).
    PublicKey,
    /// PKCS#1 (RFC 8017 appendix A.1.1).
    RsaPublicKey,
    /// X.509 (RFC 5280 section 4.1).
    Certificate,
}

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const SEQUENCE: u8 = 0x30;

impl Content {
    /// What these bytes are; `None` where they are nothing of the kind.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let (SEQUENCE, outer, []) = element(bytes)? else { return None };
        let (tag, first, rest) = element(outer)?;
        let (second, ..) = element(rest)?;
        match (tag, first) {
            // The version of a private key is one byte, and a modulus many.
            (INTEGER, [_]) => Some(Self::PrivateKey),
            (INTEGER, _) => Some(Self::RsaPublicKey),
            (SEQUENCE, [OBJECT_IDENTIFIER, ..]) => match second {
                BIT_STRING => Some(Self::PublicKey),
                OCTET_STRING => Some(Self::EncryptedPrivateKey),
                _ => None,
            },
            (SEQUENCE, _) => Some(Self::Certificate),
            _ => None,
        }
    }

    /// The command that makes of it what is read here.
    pub const fn conversion(self) -> &'static str {
        match self {
            Self::PrivateKey => "openssl pkey -inform DER -in FILE -out NEW_FILE",
            Self::EncryptedPrivateKey => "openssl pkcs8 -inform DER -in FILE -out NEW_FILE",
            Self::PublicKey => "openssl pkey -pubin -inform DER -in FILE -out NEW_FILE",
            Self::RsaPublicKey => "openssl rsa -RSAPublicKey_in -inform DER -pubout -in FILE -out NEW_FILE",
            Self::Certificate => "openssl x509 -inform DER -noout -pubkey -in FILE > NEW_FILE",
        }
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PrivateKey => "a private key",
            Self::EncryptedPrivateKey => "an encrypted private key",
            Self::PublicKey | Self::RsaPublicKey => "a public key",
            Self::Certificate => "a certificate",
        })
    }
}

/// The first element: its tag, its content, and what follows it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        // Two bytes of length are more than any key has.
        0x81 | 0x82 => {
            let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (length.iter().fold(0, |sum, byte| (sum << 8) | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}
