//! `portcullis secret`.

use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use zeroize::Zeroizing;

use crate::cli::{Encoding, GenerateArgs, SecretCommand};
use crate::exit::{Exit, Failure};
use crate::file;
use crate::terminal::Terminal;

/// Runs a command under `secret`.
///
/// # Errors
/// Why it could not do its work.
pub fn run(command: &SecretCommand, terminal: &mut Terminal) -> Result<Exit, Failure> {
    match command {
        SecretCommand::Generate(args) => generate(args, terminal),
    }
}

fn generate(args: &GenerateArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let mut secret = random(args.bits, args.encoding)?;
    let encoding = args.encoding.name();
    let bits = args.bits;
    match &args.out {
        None if args.json => terminal.json(&json!({"secret": *secret, "encoding": encoding, "bits": bits}))?,
        None => terminal.line(&*secret)?,
        Some(path) => {
            secret.push('\n');
            file::write_new(path, &secret, "secrets")?;
            if args.json {
                terminal.json(&json!({"file": path.to_string_lossy(), "encoding": encoding, "bits": bits}))?;
            } else {
                terminal.note(format_args!("wrote a {bits}-bit secret to `{}`", path.display()));
            }
        }
    }
    Ok(Exit::Good)
}

/// A random secret as text.
///
/// # Errors
/// The system has no randomness.
pub fn random(bits: u16, encoding: Encoding) -> Result<Zeroizing<String>, Failure> {
    let mut random = Zeroizing::new(vec![0; usize::from(bits / 8)]);
    getrandom::fill(&mut random).map_err(|error| Failure::io(format!("no randomness from the system: {error}")))?;
    Ok(encode(&random, encoding))
}

fn encode(bytes: &[u8], encoding: Encoding) -> Zeroizing<String> {
    // Reserved up front, so that growing leaves no copy behind.
    let mut text = Zeroizing::new(String::with_capacity(bytes.len() * 2 + 1));
    match encoding {
        Encoding::Base64url => URL_SAFE_NO_PAD.encode_string(bytes, &mut text),
        Encoding::Hex => {
            for byte in bytes {
                let _infallible = write!(text, "{byte:02x}");
            }
        }
    }
    text
}
