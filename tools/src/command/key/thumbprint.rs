//! `portcullis key thumbprint`.

use serde_json::json;

use crate::cli::ThumbprintArgs;
use crate::exit::{Exit, Failure};
use crate::input;
use crate::jwk::read::read;
use crate::terminal::Terminal;

/// Prints the thumbprint of a key.
///
/// # Errors
/// The file has something else in it than one key.
pub fn run(args: &ThumbprintArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let keys = read(&args.file)?;
    let [named] = keys.as_slice() else {
        return Err(Failure::invalid(format!("{} has {} keys", input::describe(&args.file), keys.len()))
            .remedy("name a file with one key; to see the names in a key set: portcullis key jwks FILE"));
    };
    let thumbprint = named.key.thumbprint();
    if args.json {
        terminal.json(&json!({"thumbprint": thumbprint}))?;
    } else {
        terminal.line(thumbprint)?;
    }
    Ok(Exit::Good)
}
