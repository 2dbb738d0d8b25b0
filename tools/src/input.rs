//! Where passwords, secrets and tokens come from: a file, standard input, an environment variable or a prompt.
//! Never an argument: arguments end up in shell histories and process lists.

use std::fmt;
use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::path::Path;

use zeroize::Zeroizing;

use crate::exit::Failure;

mod credentials;
mod der;
#[cfg(test)]
mod tests;

pub use credentials::{CodeSource, Credentials, code, credentials};

/// More than any policy, key or token needs; a guard against reading a device or a log by mistake.
const MAX_INPUT_BYTES: u64 = 64 * 1024 * 1024;

/// Bytes with no way onto the screen, wiped when dropped.
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the bytes in.
    #[must_use]
    pub const fn new(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }

    /// The bytes, for cryptography only.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

/// Reads a whole file, or standard input where the path is `-`.
///
/// # Errors
/// It cannot be read, or is larger than anything meant for this command.
pub fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    if path.as_os_str() == "-" {
        return read_all(io::stdin().lock(), "standard input");
    }
    let name = describe(path);
    let file = File::open(path).map_err(|error| cannot_open(path, &error))?;
    read_all(file, &name)
}

/// Reads a whole UTF-8 file, or standard input where the path is `-`.
///
/// # Errors
/// As [`read`], or it is not UTF-8.
pub fn read_text(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let mut bytes = read(path)?;
    String::from_utf8(std::mem::take(&mut *bytes))
        .map(Zeroizing::new)
        .map_err(|_| Failure::invalid(format!("{} is not UTF-8 text", describe(path))))
}

/// Reads a file that should have a key in it as text: PEM, or a JSON Web Key.
///
/// # Errors
/// As [`read`], or it is not UTF-8; a key in DER is told from that.
pub fn key_text(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let mut bytes = read(path)?;
    String::from_utf8(std::mem::take(&mut *bytes)).map(Zeroizing::new).map_err(|error| {
        let bytes = Zeroizing::new(error.into_bytes());
        let name = describe(path);
        match der::Content::of(&bytes) {
            Some(content) => Failure::invalid(format!("{name} is {content} in DER form, and not in PEM form"))
                .remedy(format!("convert it with: {}", content.conversion())),
            None => Failure::invalid(format!("{name} is not UTF-8 text"))
                .remedy("name a key in PEM form, which starts with `-----BEGIN `, or a JSON Web Key"),
        }
    })
}

/// Refuses a command line on which more than one input is `-`: standard input can be read once.
///
/// # Errors
/// There are two.
pub fn once<'p>(paths: impl IntoIterator<Item = Option<&'p Path>>) -> Result<(), Failure> {
    if paths.into_iter().flatten().filter(|path| path.as_os_str() == "-").count() > 1 {
        return Err(Failure::usage("standard input cannot be read for two things at once")
            .remedy("name a file for all but one of them"));
    }
    Ok(())
}

/// What to call an input in a message.
#[must_use]
pub fn describe(path: &Path) -> String {
    if path.as_os_str() == "-" { "standard input".to_owned() } else { format!("`{}`", path.display()) }
}

fn read_all(reader: impl Read, name: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut bytes = Zeroizing::new(Vec::new());
    let limit = MAX_INPUT_BYTES.saturating_add(1);
    let count = reader.take(limit).read_to_end(&mut bytes).map_err(|error| cannot_read(name, &error))?;
    if count as u64 == limit {
        return Err(Failure::invalid(format!("{name} is larger than 64 MiB")));
    }
    Ok(bytes)
}

fn cannot_open(path: &Path, error: &io::Error) -> Failure {
    let failure = cannot_read(&describe(path), error);
    match (error.kind(), std::env::current_dir()) {
        (io::ErrorKind::NotFound, Ok(here)) if path.is_relative() => {
            failure.remedy(format!("a relative path begins at `{}`: is it the right one?", here.display()))
        }
        (io::ErrorKind::NotFound, _) => failure.remedy("check the path"),
        (io::ErrorKind::PermissionDenied, _) => failure.remedy("run this as a user who may read it"),
        _ => failure,
    }
}

fn cannot_read(name: &str, error: &io::Error) -> Failure {
    Failure::io(format!("{name} cannot be read: {error}"))
}

/// Reads a secret from a file, or standard input where the path is `-`, without the line break an editor or `echo`
/// leaves at the end.
///
/// # Errors
/// As [`read`].
pub fn secret_file(path: &Path) -> Result<Secret, Failure> {
    read(path).map(|bytes| Secret::new(without_line_break(bytes)))
}

/// Reads a secret from an environment variable, exactly as it stands there.
///
/// # Errors
/// The variable is not set.
pub fn secret_variable(name: &str) -> Result<Secret, Failure> {
    let value = std::env::var_os(name).ok_or_else(|| {
        Failure::io(format!("environment variable `{name}` is not set"))
            .remedy("export it in this shell first, or check its name")
    })?;
    Ok(Secret::new(Zeroizing::new(value.into_encoded_bytes())))
}

/// Reads the token a command works on: the file, or standard input.
///
/// # Errors
/// As [`read_text`].
pub fn token(file: Option<&Path>) -> Result<Zeroizing<String>, Failure> {
    let path = file.unwrap_or(Path::new("-"));
    if path.as_os_str() == "-" && io::stdin().is_terminal() {
        return Err(Failure::usage("no token given").remedy("pipe the token in, or name a file with --file"));
    }
    let mut text = read_text(path)?;
    let kept = text.trim_end_matches(['\r', '\n']).len();
    text.truncate(kept);
    Ok(text)
}

/// Where a password is read from.
#[derive(Clone, Copy, Debug)]
pub enum PasswordSource<'a> {
    /// A file, or standard input where the path is `-`.
    File(&'a Path),
    /// An environment variable.
    Variable(&'a str),
    /// A prompt when standard input is a terminal, else one line of standard input.
    Interactive {
        /// Whether the prompt asks twice.
        confirm: bool,
    },
}

/// Reads a password.
///
/// # Errors
/// It cannot be read, is more than one line, or was typed differently the second time.
pub fn password(source: PasswordSource<'_>) -> Result<Secret, Failure> {
    match source {
        PasswordSource::File(path) => one_line(read(path)?, &describe(path)),
        PasswordSource::Variable(name) => secret_variable(name),
        PasswordSource::Interactive { confirm } if io::stdin().is_terminal() => {
            let typed = prompt("password: ")?;
            if confirm && *prompt("again: ")? != *typed {
                return Err(Failure::invalid("the two passwords differ").remedy("run the command again"));
            }
            Ok(Secret::new(typed))
        }
        PasswordSource::Interactive { .. } => one_line(read(Path::new("-"))?, "standard input"),
    }
}

/// Asks a person whether to go on; `yes` is that they said so on the command line.
///
/// # Errors
/// Nobody is there to ask.
pub fn confirm(question: &str, yes: bool) -> Result<bool, Failure> {
    if yes {
        return Ok(true);
    }
    if !io::stdin().is_terminal() {
        return Err(Failure::usage("standard input is no terminal, so nobody can be asked")
            .remedy("say --yes if it is to be done"));
    }
    let mut answer = String::new();
    let asked = write!(io::stderr(), "{question} [y/N] ");
    asked.and_then(|()| io::stdin().read_line(&mut answer)).map_err(|error| cannot_read("the terminal", &error))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn prompt(text: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    rpassword::prompt_password(text)
        .map(|typed| Zeroizing::new(typed.into_bytes()))
        .map_err(|error| cannot_read("the terminal", &error))
}

/// A password with a line break inside would be cut short without a word by whoever reads it by the line.
fn one_line(bytes: Zeroizing<Vec<u8>>, name: &str) -> Result<Secret, Failure> {
    let line = without_line_break(bytes);
    if line.contains(&b'\n') {
        return Err(
            Failure::invalid(format!("{name} has more than one line")).remedy("give the password alone, on one line")
        );
    }
    Ok(Secret::new(line))
}

fn without_line_break(mut bytes: Zeroizing<Vec<u8>>) -> Zeroizing<Vec<u8>> {
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    bytes
}
