//! Roles and status, as the schema has them.

use std::fmt;
use std::str::FromStr;

/// A role: those of the policy's role table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Full access.
    Admin,
    /// Reads everything, writes what is their own.
    Editor,
    /// Reads.
    Viewer,
}

impl Role {
    /// All there are, in the order they are written.
    pub const ALL: [Self; 3] = [Self::Admin, Self::Editor, Self::Viewer];

    /// The name in policies, tokens and the store.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Editor => "editor",
            Self::Viewer => "viewer",
        }
    }
}

impl FromStr for Role {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|role| role.name() == text).ok_or("must be one of `admin`, `editor`, `viewer`")
    }
}

/// One or more roles, each once, in the order of [`Role::ALL`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roles(Vec<Role>);

impl Roles {
    /// These roles; `None` if there is not one.
    #[must_use]
    pub fn new(roles: impl IntoIterator<Item = Role>) -> Option<Self> {
        let mut roles: Vec<_> = roles.into_iter().collect();
        roles.sort_unstable();
        roles.dedup();
        (!roles.is_empty()).then_some(Self(roles))
    }

    /// Reads what [`Roles`] writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::new(text.split(',').map(Role::from_str).collect::<Result<Vec<_>, _>>().ok()?)
    }

    /// The roles.
    pub fn iter(&self) -> impl Iterator<Item = Role> {
        self.0.iter().copied()
    }

    /// The names.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        self.iter().map(Role::name).collect()
    }

    /// Every set of roles that has this one, as the store writes them.
    #[must_use]
    pub fn all_with(role: Role) -> [String; 4] {
        let [first, second] = match role {
            Role::Admin => [Role::Editor, Role::Viewer],
            Role::Editor => [Role::Admin, Role::Viewer],
            Role::Viewer => [Role::Admin, Role::Editor],
        };
        [&[role][..], &[role, first], &[role, second], &[role, first, second]]
            .map(|roles| Self::new(roles.iter().copied()).map(|roles| roles.to_string()).unwrap_or_default())
    }
}

impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names().join(","))
    }
}

/// Whether a user can sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Yes.
    Active,
    /// Not until enabled.
    Disabled,
    /// Never again: nothing personal is left.
    Erased,
}

impl Status {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Active, Self::Disabled, Self::Erased];

    /// The name in the store.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
            Self::Erased => "erased",
        }
    }

    /// The status of a name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == text)
    }
}
