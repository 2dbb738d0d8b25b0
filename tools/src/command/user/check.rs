//! Input about a user, checked: everything that is wrong with it at once, as the filter's 422 says it.

use crate::exit::Failure;
use crate::input::Secret;
use crate::password::MIN_CHARACTERS;
use crate::store::{Email, Role, Roles};

/// More than a name or a purpose has, less than a document.
const MAX_NAME: usize = 200;
const MAX_TEXT: usize = 10_000;

/// What was found so far.
#[derive(Default)]
pub struct Checked {
    problems: Vec<(&'static str, String)>,
}

impl Checked {
    /// Notes what is wrong with a member.
    pub fn problem(&mut self, pointer: &'static str, detail: impl Into<String>) {
        self.problems.push((pointer, detail.into()));
    }

    /// An address.
    pub fn email(&mut self, text: &str) -> Option<Email> {
        text.parse().map_err(|detail: &str| self.problem("/email", detail)).ok()
    }

    /// One or more roles.
    pub fn roles<'t>(&mut self, texts: impl IntoIterator<Item = &'t str>) -> Option<Roles> {
        let roles: Result<Vec<Role>, _> = texts.into_iter().map(str::parse).collect();
        match roles.map(Roles::new) {
            Ok(Some(roles)) => Some(roles),
            Ok(None) => {
                self.problem("/role", "must have at least 1 item");
                None
            }
            Err(detail) => {
                self.problem("/role", detail);
                None
            }
        }
    }

    /// A password, long enough to be hashed.
    pub fn password(&mut self, password: &Secret) {
        match std::str::from_utf8(password.expose()) {
            Err(_) => self.problem("/password", "must be UTF-8 text"),
            Ok(text) if text.chars().count() < MIN_CHARACTERS => {
                self.problem("/password", format!("must have at least {MIN_CHARACTERS} characters"));
            }
            Ok(_) => {}
        }
    }

    /// A name, a note or a reason; empty is none.
    pub fn text<'t>(&mut self, pointer: &'static str, text: Option<&'t str>) -> Option<&'t str> {
        let most = if pointer == "/name" { MAX_NAME } else { MAX_TEXT };
        let text = text.map(str::trim).filter(|text| !text.is_empty())?;
        if text.chars().count() > most {
            self.problem(pointer, format!("must have at most {most} characters"));
        } else if text.chars().any(|c| c.is_control() && c != '\n') {
            self.problem(pointer, "must have no control characters");
        }
        Some(text)
    }

    /// What is wrong, in one line.
    #[must_use]
    pub fn in_one_line(&self) -> String {
        let problems: Vec<_> = self.problems.iter().map(|(pointer, detail)| format!("{pointer}: {detail}")).collect();
        problems.join("; ")
    }

    /// Goes on if nothing was wrong.
    ///
    /// # Errors
    /// Everything that was.
    pub fn finish(self, what: &str) -> Result<(), Failure> {
        if self.problems.is_empty() {
            return Ok(());
        }
        let lines: Vec<_> = self.problems.iter().map(|(pointer, detail)| format!("\n  {pointer}: {detail}")).collect();
        Err(Failure::invalid(format!("{what} is not valid:{}", lines.concat()))
            .remedy("correct all of it; nothing was changed"))
    }

    /// Whether nothing was wrong.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.problems.is_empty()
    }
}
