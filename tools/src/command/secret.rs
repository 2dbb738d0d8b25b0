//! `portcullis secret`.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use zeroize::Zeroizing;

use crate::cli::{Encoding, GenerateArgs, SecretCommand};
use crate::exit::{Exit, Failure};
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
    let mut random = Zeroizing::new(vec![0; usize::from(args.bits / 8)]);
    getrandom::fill(&mut random).map_err(|error| Failure::io(format!("no randomness from the system: {error}")))?;
    let secret = encode(&random, args.encoding);
    let encoding = args.encoding.name();
    let bits = args.bits;
    match &args.out {
        None if args.json => terminal.json(&json!({"secret": *secret, "encoding": encoding, "bits": bits}))?,
        None => terminal.line(&*secret)?,
        Some(path) => {
            write_new(path, &secret)?;
            if args.json {
                terminal.json(&json!({"file": path.to_string_lossy(), "encoding": encoding, "bits": bits}))?;
            } else {
                terminal.note(format_args!("wrote a {bits}-bit secret to `{}`", path.display()));
            }
        }
    }
    Ok(Exit::Good)
}

fn encode(bytes: &[u8], encoding: Encoding) -> Zeroizing<String> {
    // Reserved up front, so that growing leaves no copy behind.
    let mut text = Zeroizing::new(String::with_capacity(bytes.len() * 2));
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

/// Writes a file that did not exist, readable by its owner alone from the moment it exists.
fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let write = |mut file: std::fs::File| writeln!(file, "{text}").and_then(|()| file.sync_all());
    options.open(path).and_then(write).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Failure::io(format!("`{}` exists already", path.display()))
            .remedy("secrets are never overwritten: choose another name, or move the old file away first"),
        _ => Failure::io(format!("`{}` cannot be written: {error}", path.display())),
    })
}
