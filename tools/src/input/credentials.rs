//! What a person signs in with: a password, and a code where a second factor is set up.

use std::io::{self, IsTerminal};
use std::path::Path;

use zeroize::Zeroizing;

use super::{
    PasswordSource, Secret, describe, once, one_line, prompt, read, read_text, secret_variable, without_line_break,
};
use crate::exit::Failure;

#[cfg(test)]
mod tests;

/// A password and perhaps a code.
#[derive(Debug)]
pub struct Credentials {
    /// The password.
    pub password: Secret,
    /// The code of the second factor, without spaces around it.
    pub code: Option<Secret>,
}

/// Where the code of a second factor is read from.
#[derive(Clone, Copy, Debug)]
pub enum CodeSource<'a> {
    /// A file, or standard input where the path is `-`.
    File(&'a Path),
    /// An environment variable.
    Variable(&'a str),
    /// From where the password comes: the line after it, or a prompt.
    WithPassword,
}

/// Reads a password and a code.
///
/// On a terminal everybody is asked for a code, with a second factor or without: whether one is asked for would tell a
/// stranger whether the account or the password was right.
///
/// # Errors
/// One of them cannot be read, or there are more lines than there should be.
pub fn credentials(password: PasswordSource<'_>, code: CodeSource<'_>) -> Result<Credentials, Failure> {
    let input = match password {
        PasswordSource::File(path) => Some(path),
        PasswordSource::Interactive { .. } if !io::stdin().is_terminal() => Some(Path::new("-")),
        PasswordSource::Variable(_) | PasswordSource::Interactive { .. } => None,
    };
    let other = match code {
        CodeSource::File(path) => Some(path),
        CodeSource::Variable(_) | CodeSource::WithPassword => None,
    };
    once([input, other])?;
    let (password, line) = match (input, code) {
        (Some(path), CodeSource::WithPassword) => two_lines(&read(path)?, &describe(path))?,
        (Some(path), _) => (one_line(read(path)?, &describe(path))?, None),
        (None, _) => (super::password(password)?, None),
    };
    let code = match code {
        CodeSource::File(path) => Some(Zeroizing::new(read_text(path)?.as_bytes().to_vec())),
        CodeSource::Variable(name) => Some(Zeroizing::new(secret_variable(name)?.expose().to_vec())),
        CodeSource::WithPassword if input.is_none() && io::stdin().is_terminal() => {
            Some(prompt("code, if a second factor is set up: ")?)
        }
        CodeSource::WithPassword => line,
    };
    Ok(Credentials { password, code: code.and_then(trimmed) })
}

/// Reads the code alone, from where it is named, else a prompt or one line of standard input.
///
/// # Errors
/// It cannot be read, or is none.
pub fn code(source: CodeSource<'_>) -> Result<Secret, Failure> {
    let bytes = match source {
        CodeSource::File(path) => read(path)?,
        CodeSource::Variable(name) => Zeroizing::new(secret_variable(name)?.expose().to_vec()),
        CodeSource::WithPassword if io::stdin().is_terminal() => prompt("code: ")?,
        CodeSource::WithPassword => read(Path::new("-"))?,
    };
    trimmed(bytes).ok_or_else(|| {
        Failure::usage("no code given").remedy("type the six digits that the authenticator app shows, or pipe them in")
    })
}

/// A line that may be a code.
type Line = Zeroizing<Vec<u8>>;

/// The password, and the code on the line after it, if there is one.
fn two_lines(bytes: &Zeroizing<Vec<u8>>, name: &str) -> Result<(Secret, Option<Line>), Failure> {
    let mut lines = bytes.splitn(2, |byte| *byte == b'\n').map(|line| Zeroizing::new(line.to_vec()));
    let mut password = lines.next().unwrap_or_default();
    let rest = lines.next();
    if rest.is_some() && password.last() == Some(&b'\r') {
        password.pop();
    }
    let code = rest.map(without_line_break).filter(|line| !line.is_empty());
    if code.as_ref().is_some_and(|line| line.contains(&b'\n')) {
        return Err(Failure::invalid(format!("{name} has more than two lines"))
            .remedy("give the password on one line, and the code of the second factor on the next"));
    }
    Ok((Secret::new(password), code))
}

/// A code without what surrounds it; `None` where nothing is left.
fn trimmed(code: Zeroizing<Vec<u8>>) -> Option<Secret> {
    let code = code.trim_ascii();
    (!code.is_empty()).then(|| Secret::new(Zeroizing::new(code.to_vec())))
}
