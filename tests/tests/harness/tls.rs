//! A certificate of our own, made anew for each test.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::tool::openssl;

/// A self-signed certificate and its key, as files.
#[derive(Debug)]
pub struct Certificate(TempDir);

impl Certificate {
    #[track_caller]
    pub fn make() -> Self {
        let made = Self(tempfile::tempdir().unwrap());
        let (chain, key) = (made.chain(), made.key());
        let kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
        let files = ["-out", chain.to_str().unwrap(), "-keyout", key.to_str().unwrap()];
        openssl(&[&["req", "-x509", "-subj", "/CN=portcullis test"][..], &kind, &files].concat(), "");
        made
    }

    pub fn chain(&self) -> PathBuf {
        self.0.path().join("chain.pem")
    }

    pub fn key(&self) -> PathBuf {
        self.0.path().join("key.pem")
    }

    /// The digest of its public key, by which a browser can be told to take it.
    #[track_caller]
    pub fn pin(&self) -> String {
        let pem = openssl(&["x509", "-noout", "-pubkey", "-in", self.chain().to_str().unwrap()], "");
        let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        STANDARD.encode(Sha256::digest(STANDARD.decode(base64).unwrap()))
    }
}
