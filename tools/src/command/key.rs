//! `portcullis key`.

mod generate;
mod jwks;
mod rotate;
mod thumbprint;

use std::path::Path;

use portcullis_engine::token::Algorithm;
use zeroize::Zeroizing;

use crate::cli::KeyCommand;
use crate::exit::{Exit, Failure};
use crate::jwk::{Kind, PublicKey};
use crate::signing::{DEFAULT_RSA_BITS, SigningKey};
use crate::terminal::Terminal;

/// Runs a command under `key`.
///
/// # Errors
/// Why it could not do its work.
pub fn run(command: &KeyCommand, terminal: &mut Terminal) -> Result<Exit, Failure> {
    match command {
        KeyCommand::Generate(args) => generate::run(args, terminal),
        KeyCommand::Jwks(args) => jwks::run(args, terminal),
        KeyCommand::Thumbprint(args) => thumbprint::run(args, terminal),
        KeyCommand::Rotate(args) => rotate::run(args, terminal),
    }
}

/// What is never overwritten, in the words of a message.
const PRIVATE_KEYS: &str = "private keys";

/// A key pair that was just made: the text of its file, and the half to publish.
struct NewKey {
    pem: Zeroizing<String>,
    public: PublicKey,
}

/// Makes a key pair. A size is only for RSA; the other kinds have but one.
fn make(algorithm: Algorithm, bits: Option<u16>, usual: u16, terminal: &mut Terminal) -> Result<NewKey, Failure> {
    let rsa = Kind::of(algorithm) == Some(Kind::Rsa);
    if bits.is_some() && !rsa && !algorithm.is_symmetric() {
        return Err(Failure::usage(format!("a key for {algorithm} has only one size"))
            .remedy("leave out --bits, which is for RSA keys"));
    }
    let bits = bits.unwrap_or(usual);
    if rsa {
        terminal.progress(format_args!("making an RSA key of {bits} bits, which can take a while …"));
    }
    let key = SigningKey::generate(algorithm, bits)?;
    let incomplete = || Failure::io("no key could be made");
    Ok(NewKey { pem: key.to_pem()?.ok_or_else(incomplete)?, public: key.public().ok_or_else(incomplete)? })
}

/// Refuses `-` where a file is written or replaced.
fn real_file(option: &str, path: &Path) -> Result<(), Failure> {
    if path.as_os_str() == "-" {
        return Err(Failure::usage(format!("{option} needs a file, and `-` is none"))
            .remedy("name a file; a private key that passes through a terminal or a log is not private"));
    }
    Ok(())
}
