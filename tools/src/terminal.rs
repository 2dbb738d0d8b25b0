//! Standard output and standard error: data on the one, talk on the other, colour only for people.

use std::ffi::OsString;
use std::fmt;
use std::io::{self, BufWriter, IsTerminal, Write};

mod bar;

use crate::exit::Failure;

pub use bar::Bar;

#[cfg(test)]
mod tests;

/// Where a command writes.
pub struct Terminal {
    out: Box<dyn Write>,
    err: Box<dyn Write>,
    out_closed: bool,
    err_is_terminal: bool,
    /// How wide standard output is; `None` where it is no terminal.
    pub out_width: Option<usize>,
    /// Colours for standard output.
    pub out_palette: Palette,
    /// Colours for standard error.
    pub err_palette: Palette,
}

impl Terminal {
    /// The process's own standard output and standard error.
    #[must_use]
    pub fn standard() -> Self {
        let allowed = colour_allowed(|name| std::env::var_os(name));
        Self {
            out: Box::new(BufWriter::new(io::stdout())),
            err: Box::new(io::stderr()),
            out_closed: false,
            err_is_terminal: io::stderr().is_terminal(),
            out_width: terminal_size::terminal_size_of(io::stdout())
                .map(|(width, _)| width.0.into())
                // A terminal that does not say is as wide as terminals were.
                .or_else(|| io::stdout().is_terminal().then_some(80)),
            out_palette: Palette { on: allowed && io::stdout().is_terminal() },
            err_palette: Palette { on: allowed && io::stderr().is_terminal() },
        }
    }

    /// Writes data to standard output as it is. A reader that has gone away is not an error: `head` is done when
    /// it is done, and the exit code stays the command's own answer.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn write(&mut self, data: &[u8]) -> Result<(), Failure> {
        self.attempt(|out| out.write_all(data))
    }

    /// Writes one line of data to standard output.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn line(&mut self, text: impl fmt::Display) -> Result<(), Failure> {
        self.attempt(|out| writeln!(out, "{text}"))
    }

    /// Writes a value to standard output as indented JSON.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn json(&mut self, value: &impl serde::Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(value).map_err(|error| Failure::io(error.to_string()))?;
        self.line(text)
    }

    /// Hands everything written so far to the system.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn flush(&mut self) -> Result<(), Failure> {
        self.attempt(|out| out.flush())
    }

    /// Whether the reader of standard output has gone away.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.out_closed
    }

    fn attempt(&mut self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
        if self.out_closed {
            return Ok(());
        }
        match write(&mut *self.out) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.out_closed = true;
                Ok(())
            }
            result => result.map_err(|error| Failure::io(format!("standard output cannot be written: {error}"))),
        }
    }

    /// Says something to the person: one line on standard error. Nothing can be done when even that fails.
    pub fn say(&mut self, text: impl fmt::Display) {
        let _unheard = writeln!(self.err, "{text}");
    }

    /// Says what takes a while, to a person who is waiting; a log has no use for it.
    pub fn progress(&mut self, text: impl fmt::Display) {
        if self.err_is_terminal {
            self.say(format_args!("{}", self.err_palette.dim(&text.to_string())));
        }
    }

    /// A bar for work that takes long, which only a person sees.
    #[must_use]
    pub fn bar(&self, what: &'static str) -> Bar {
        Bar::new(what, self.err_is_terminal)
    }

    /// Says something worth knowing that does not change the outcome.
    pub fn note(&mut self, text: impl fmt::Display) {
        let label = self.err_palette.cyan("note:");
        self.say(format_args!("{label} {text}"));
    }

    /// Says something that may be a mistake.
    pub fn warn(&mut self, text: impl fmt::Display) {
        let label = self.err_palette.yellow("warning:");
        self.say(format_args!("{label} {text}"));
    }

    /// Says why the command failed and what to do about it.
    pub fn fail(&mut self, failure: &Failure) {
        let label = self.err_palette.red("error:");
        self.say(format_args!("{label} {}", failure.cause));
        if let Some(remedy) = &failure.remedy {
            let label = self.err_palette.cyan("help:");
            self.say(format_args!(" {label} {remedy}"));
        }
    }
}

/// Colours, or none.
#[derive(Clone, Copy, Debug)]
pub struct Palette {
    on: bool,
}

impl Palette {
    /// No colours.
    pub const PLAIN: Self = Self { on: false };

    /// Whether there are any.
    #[must_use]
    pub const fn is_on(self) -> bool {
        self.on
    }

    /// Bold.
    #[must_use]
    pub fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// Faint.
    #[must_use]
    pub fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    /// For errors and refusals.
    #[must_use]
    pub fn red(self, text: &str) -> String {
        self.paint("1;31", text)
    }

    /// For what is good.
    #[must_use]
    pub fn green(self, text: &str) -> String {
        self.paint("1;32", text)
    }

    /// For warnings.
    #[must_use]
    pub fn yellow(self, text: &str) -> String {
        self.paint("1;33", text)
    }

    /// For help.
    #[must_use]
    pub fn cyan(self, text: &str) -> String {
        self.paint("1;36", text)
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.on { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// <https://no-color.org>: any non-empty `NO_COLOR` switches colour off; a dumb terminal cannot show it.
fn colour_allowed(variable: impl Fn(&str) -> Option<OsString>) -> bool {
    variable("NO_COLOR").is_none_or(|value| value.is_empty()) && variable("TERM").is_none_or(|value| value != "dumb")
}

/// Text from outside with everything a terminal could act on made visible: control characters, and the Unicode
/// marks that reorder or hide text.
#[must_use]
pub fn visible(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || is_invisible(c) {
            safe.extend(c.escape_unicode());
        } else {
            safe.push(c);
        }
    }
    safe
}

/// A number and what is counted: `1 line`, `2 lines`.
#[must_use]
pub fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// Bidirectional controls (UAX #9), zero-width characters, line and paragraph separators, the byte-order mark.
const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}
