//! What is wrong with a policy, where, and what to do about it.

use std::fmt;

/// One mistake in a policy. Messages and remedies never carry a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyError {
    /// Where: `routes[2].owner.claim`; empty for the document as a whole.
    pub path: String,
    /// The line in the YAML text, counted from 1, where the format has lines.
    pub line: Option<u32>,
    /// What is wrong: lower case, no full stop.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        write!(f, "{} ({})", self.message, self.remedy)
    }
}

impl std::error::Error for PolicyError {}

/// Where a compile is in the document. Lives on the stack, and becomes text only when something is wrong.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Path<'a> {
    Root,
    Field(&'a Path<'a>, &'a str),
    Index(&'a Path<'a>, usize),
}

impl<'a> Path<'a> {
    pub(crate) const fn field(&'a self, name: &'a str) -> Self {
        Self::Field(self, name)
    }

    pub(crate) const fn index(&'a self, index: usize) -> Self {
        Self::Index(self, index)
    }

    /// The position in its list of what this is the path of.
    pub(crate) const fn position(&self) -> usize {
        match self {
            Self::Index(_, index) => *index,
            Self::Root | Self::Field(..) => 0,
        }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Field(Path::Root, name) => f.write_str(name),
            Self::Field(parent, name) => write!(f, "{parent}.{name}"),
            Self::Index(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}
