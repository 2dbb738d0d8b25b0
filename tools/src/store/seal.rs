//! Authenticated encryption of what is kept: XChaCha20-Poly1305 with a random nonce before the ciphertext.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use super::error::Error;
use super::tree::Key;

const NONCE_BYTES: usize = 24;

/// Random bytes from the system.
///
/// # Errors
/// It has none.
pub fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>, Error> {
    let mut bytes = Zeroizing::new([0; N]);
    getrandom::fill(&mut *bytes).map_err(|error| Error::Randomness(error.to_string()))?;
    Ok(bytes)
}

/// Encrypts, bound to `context`: under another it does not open.
///
/// # Errors
/// The system has no randomness.
pub fn seal(key: &Key, context: &str, plain: &[u8]) -> Result<Vec<u8>, Error> {
    let nonce = random::<NONCE_BYTES>()?;
    let payload = Payload { msg: plain, aad: context.as_bytes() };
    let sealed = XChaCha20Poly1305::new((&**key).into())
        .encrypt(&XNonce::from(*nonce), payload)
        .map_err(|_| Error::Damaged("more to encrypt than there can be"))?;
    Ok([&nonce[..], &sealed].concat())
}

/// Decrypts what [`seal`] made; `None` if it is anything else, or from another key or context.
#[must_use]
pub fn open(key: &Key, context: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>()?;
    let payload = Payload { msg: sealed, aad: context.as_bytes() };
    XChaCha20Poly1305::new((&**key).into()).decrypt(&XNonce::from(*nonce), payload).ok().map(Zeroizing::new)
}

/// A key for one purpose out of a secret.
#[must_use]
pub fn derive(secret: &[u8], purpose: &str) -> Key {
    Key::new(hmac_sha256::HMAC::mac(purpose, secret))
}
