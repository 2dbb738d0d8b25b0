//! `portcullis key generate`.

use serde_json::json;

use super::{DEFAULT_RSA_BITS, PRIVATE_KEYS, make, real_file};
use crate::cli::KeyGenerateArgs;
use crate::exit::{Exit, Failure};
use crate::file;
use crate::terminal::Terminal;

/// Makes a private key, writes it and prints its name.
///
/// # Errors
/// It could not be made or written.
pub fn run(args: &KeyGenerateArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    real_file("--out", &args.out)?;
    file::must_be_new(&args.out, PRIVATE_KEYS)?;
    let key = make(args.algorithm, args.bits, DEFAULT_RSA_BITS, terminal)?;
    file::write_new(&args.out, &key.pem, PRIVATE_KEYS)?;
    let (kid, algorithm) = (key.public.thumbprint(), args.algorithm.name());
    if args.json {
        terminal.json(&json!({"kid": kid, "algorithm": algorithm, "file": args.out.to_string_lossy()}))?;
    } else {
        terminal.note(format_args!("wrote a private key for {algorithm} to `{}`", args.out.display()));
        terminal.line(kid)?;
    }
    Ok(Exit::Good)
}
