//! Public keys that verify feeds.

use std::path::Path;

use portcullis_engine::token::KeySet;
use serde_json::json;

use super::Signer;
use crate::exit::Failure;
use crate::input;

/// The keys of a JWK Set, public ones alone: whoever verifies a feed must not be able to write one.
///
/// # Errors
/// It cannot be read, or has no such key.
pub fn public_keys(path: &Path) -> Result<KeySet, Failure> {
    KeySet::from_public_jwks(&input::read(path)?).map_err(|error| {
        Failure::invalid(format!("{}: {error}", input::describe(path)))
            .remedy("make one of the key that signs: portcullis key jwks FILE > jwks.json")
    })
}

/// The public half of what signs.
///
/// # Errors
/// It has none.
pub fn own_keys(signer: &Signer) -> Result<KeySet, Failure> {
    let unusable = || Failure::usage("the key has no public half").remedy("make one with: portcullis key generate");
    let public = signer.key.public().ok_or_else(unusable)?;
    let mut jwk = public.to_jwk(&public.thumbprint(), Some(signer.algorithm));
    match &signer.kid {
        Some(kid) => jwk.insert("kid".to_owned(), kid.as_str().into()),
        None => jwk.remove("kid"),
    };
    KeySet::from_public_jwks(json!({"keys": [jwk]}).to_string().as_bytes()).map_err(|_| unusable())
}
