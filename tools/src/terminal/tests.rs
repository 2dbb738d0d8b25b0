use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;

use super::{Palette, Terminal, colour_allowed, visible};
use crate::exit::Exit;

struct Broken(io::ErrorKind);

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(self.0.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Err(self.0.into())
    }
}

fn terminal(kind: io::ErrorKind) -> Terminal {
    Terminal {
        out: Box::new(Broken(kind)),
        err: Box::new(io::sink()),
        out_closed: false,
        err_is_terminal: false,
        out_width: None,
        out_palette: Palette::PLAIN,
        err_palette: Palette::PLAIN,
    }
}

/// What was written, to be looked at afterwards.
#[derive(Clone, Default)]
struct Heard(Rc<RefCell<Vec<u8>>>);

impl Write for Heard {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn progress_is_for_people_alone() {
    for (err_is_terminal, expected) in [(true, "busy\n"), (false, "")] {
        let heard = Heard::default();
        let quiet = terminal(io::ErrorKind::Other);
        let mut terminal = Terminal { err: Box::new(heard.clone()), err_is_terminal, ..quiet };
        terminal.progress("busy");
        assert_eq!(heard.0.borrow().as_slice(), expected.as_bytes());
    }
}

#[test]
fn a_reader_that_went_away_is_no_error() {
    let mut terminal = terminal(io::ErrorKind::BrokenPipe);
    assert_eq!(terminal.line("data"), Ok(()));
    assert_eq!(terminal.line("more data"), Ok(()));
    assert_eq!(terminal.flush(), Ok(()));
}

#[test]
fn a_full_disk_is_an_error() {
    let failure = terminal(io::ErrorKind::StorageFull).line("data").unwrap_err();
    assert_eq!(failure.exit, Exit::Io);
}

#[test]
fn colour_is_for_terminals_that_want_it() {
    for (no_color, term, allowed) in [
        (None, None, true),
        (None, Some("xterm-256color"), true),
        (Some(""), Some("xterm"), true),
        (Some("1"), Some("xterm"), false),
        (None, Some("dumb"), false),
    ] {
        let variable = |name: &str| if name == "NO_COLOR" { no_color } else { term }.map(Into::into);
        assert_eq!(colour_allowed(variable), allowed, "NO_COLOR={no_color:?} TERM={term:?}");
    }
}

#[test]
fn colours_are_escapes_or_nothing() {
    assert_eq!(Palette { on: true }.red("x"), "\u{1b}[1;31mx\u{1b}[0m");
    assert_eq!(Palette::PLAIN.red("x"), "x");
}

#[test]
fn nothing_from_outside_reaches_the_terminal_as_a_command() {
    for (text, expected, message) in [
        ("plain text, ünïcode", "plain text, ünïcode", "ordinary text stays as it is"),
        ("\u{1b}[31mred", "\\u{1b}[31mred", "an escape sequence"),
        ("a\nb\tc", "a\\u{a}b\\u{9}c", "line breaks and tabs"),
        ("\u{9b}31m", "\\u{9b}31m", "a C1 control"),
        ("user\u{202e}nimda", "user\\u{202e}nimda", "a right-to-left override"),
        ("a\u{200b}b", "a\\u{200b}b", "a zero-width space"),
    ] {
        assert_eq!(visible(text), expected, "{message}");
    }
}
