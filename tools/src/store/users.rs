//! Users: added, found, changed. A change is a new version beside those before it.

mod history;
mod key;
mod list;
mod subjects;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::email::Email;
use super::error::Error;
use super::role::{Roles, Status};
use super::session::Session;
use super::statements;
use crate::actor::Actor;

pub use history::Version;
use key::State;
pub use key::UserKey;
pub use list::{Filter, Listed};
pub use subjects::Subject;

#[cfg(test)]
pub use {
    history::STATEMENTS as HISTORY_STATEMENTS, list::STATEMENTS as LIST_STATEMENTS,
    subjects::STATEMENTS as SUBJECT_STATEMENTS,
};

statements! {
    FIND_BY_ID = "SELECT u.slot, u.id, u.version, u.status, u.roles, u.tokens_void_before, u.created_at, u.changed_at, \
        u.active_at, u.last_login_at, u.epoch, u.wrapped_key, v.action, v.actor, v.details, v.password \
        FROM users u JOIN user_versions v ON v.slot = u.slot AND v.version = u.version WHERE u.id = $1";
    FIND_BY_EMAIL = "SELECT u.slot, u.id, u.version, u.status, u.roles, u.tokens_void_before, u.created_at, u.changed_at, \
        u.active_at, u.last_login_at, u.epoch, u.wrapped_key, v.action, v.actor, v.details, v.password \
        FROM users u JOIN user_versions v ON v.slot = u.slot AND v.version = u.version WHERE u.email_index = $1";
    IS_TAKEN = "SELECT slot FROM users WHERE email_index = $1";
    NEXT_SLOT = "SELECT coalesce(max(slot), -1) + 1 FROM users";
    INSERT_USER = "INSERT INTO users (slot, id, version, status, roles, tokens_void_before, created_at, changed_at, \
        active_at, epoch, wrapped_key, email_index) VALUES ($1, $2, 1, $3, $4, 0, $5, $5, $5, $6, $7, $8)";
    INSERT_VERSION = "INSERT INTO user_versions (slot, version, at, action, actor, reason, status, roles, \
        tokens_void_before, details, password, extra) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    UPDATE_USER = "UPDATE users SET version = $2, status = $3, roles = $4, tokens_void_before = $5, changed_at = $6, \
        email_index = $7 WHERE slot = $1 AND version = $2 - 1";
    SIGNED_IN = "UPDATE users SET last_login_at = max(created_at, $2), active_at = max(created_at, $2) WHERE slot = $1";
}

/// How a command names a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Handle {
    /// By id.
    Id(Uuid),
    /// By e-mail address.
    Email(Email),
}

impl FromStr for Handle {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let problem = "expected an e-mail address or the id of a user";
        if text.contains('@') {
            text.parse().map(Self::Email).map_err(|_| problem)
        } else {
            Uuid::try_parse(text).map(Self::Id).map_err(|_| problem)
        }
    }
}

/// What is personal about a user.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Details {
    /// The address as it was written.
    pub email: String,
    /// What they are called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What somebody wrote about them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
}

impl fmt::Debug for Details {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Details(redacted)")
    }
}

/// A user as of now.
#[derive(Clone, Debug)]
pub struct User {
    /// The name in tokens: `sub`.
    pub id: Uuid,
    /// The number in the store.
    pub slot: u32,
    /// The latest version.
    pub version: i64,
    /// Whether they can sign in.
    pub status: Status,
    /// What they may do.
    pub roles: Roles,
    /// Tokens whose `iat` is less are void. It is the second after a change, since `iat` has whole seconds: whoever issues a
    /// token in that same second must let its `iat` be this.
    pub tokens_void_before: i64,
    /// When they were added.
    pub created_at: i64,
    /// When the latest version was made.
    pub changed_at: i64,
    /// When they last signed in, or else were added.
    #[allow(dead_code, reason = "for whoever signs users in")]
    pub active_at: i64,
    /// When they last signed in.
    pub last_login_at: Option<i64>,
    /// What is personal; `None` of an erased user.
    pub details: Option<Details>,
    /// The hash of their password, in whichever of the forms that [`crate::password::StoredHash`] reads.
    pub password: Option<Zeroizing<String>>,
    /// The key of what is kept of them; `None` of an erased user.
    pub key: Option<UserKey>,
    /// Whether they were erased after this copy of the store was made, and something of theirs is still in it.
    pub is_left_over: bool,
}

/// A user to be added.
pub struct NewUser<'a> {
    /// The id to keep; a new one if there is none.
    pub id: Option<Uuid>,
    /// The address.
    pub email: &'a Email,
    /// What they are called.
    pub name: Option<&'a str>,
    /// What there is to note.
    pub notes: Option<&'a str>,
    /// What they may do.
    pub roles: &'a Roles,
    /// Active or disabled.
    pub status: Status,
    /// The hash of their password, if they have one.
    pub password: Option<&'a str>,
}

/// What happened to a user: the "what" of the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Added.
    Add,
    /// Added from a file of another system's.
    Import,
    /// Given other roles.
    SetRole,
    /// Given another password.
    SetPassword,
    /// Given another address, name or note.
    SetDetails,
    /// Kept from signing in.
    Disable,
    /// Let in again.
    Enable,
    /// Said yes to a text.
    GiveConsent,
    /// Took that back.
    WithdrawConsent,
    /// Forgotten, because somebody asked.
    Erase,
    /// Forgotten, because they had not been here for long.
    Prune,
    /// Given a second factor, to be confirmed.
    EnrollTotp,
    /// Shown to have it.
    ConfirmTotp,
    /// Relieved of it.
    ResetTotp,
    /// One of their sign-ins ended, because somebody used an old refresh token of it.
    RevokeFamily,
    /// All of their sign-ins ended.
    RevokeAll,
    /// Given an API key.
    IssueApiKey,
    /// An API key of theirs given an end, for another in its place.
    RotateApiKey,
    /// An API key of theirs ended.
    RevokeApiKey,
    /// Their password hashed anew, at a sign-in, at today's cost.
    #[allow(dead_code, reason = "for whoever signs users in")]
    RehashPassword,
}

impl Action {
    /// The name in the store.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Import => "import",
            Self::SetRole => "set_role",
            Self::SetPassword => "set_password",
            Self::SetDetails => "set_details",
            Self::Disable => "disable",
            Self::Enable => "enable",
            Self::GiveConsent => "give_consent",
            Self::WithdrawConsent => "withdraw_consent",
            Self::Erase => "erase",
            Self::Prune => "prune",
            Self::EnrollTotp => "enroll_totp",
            Self::ConfirmTotp => "confirm_totp",
            Self::ResetTotp => "reset_totp",
            Self::RevokeFamily => "revoke_family",
            Self::RevokeAll => "revoke_all",
            Self::IssueApiKey => "issue_api_key",
            Self::RotateApiKey => "rotate_api_key",
            Self::RevokeApiKey => "revoke_api_key",
            Self::RehashPassword => "rehash_password",
        }
    }
}

/// A change of a user: what is `None` stays as it is.
pub struct Change<'a> {
    /// What.
    pub action: Action,
    /// Who.
    pub actor: &'a Actor,
    /// Why.
    pub reason: Option<&'a str>,
    /// Other roles.
    pub roles: Option<Roles>,
    /// Another status; not [`Status::Erased`], which is [`Session::erase`]'s.
    pub status: Option<Status>,
    /// Other personal data.
    pub details: Option<Details>,
    /// Another password's hash.
    pub password: Option<Zeroizing<String>>,
    /// Whether tokens issued so far end with it.
    pub void_tokens: bool,
    /// Tokens issued before this moment end with it.
    pub void_tokens_before: Option<i64>,
    /// What else the history should say.
    pub extra: Option<serde_json::Value>,
}

impl<'a> Change<'a> {
    /// A change that so far changes nothing but the history.
    #[must_use]
    pub const fn new(action: Action, actor: &'a Actor, reason: Option<&'a str>) -> Self {
        Self {
            action,
            actor,
            reason,
            roles: None,
            status: None,
            details: None,
            password: None,
            void_tokens: false,
            void_tokens_before: None,
            extra: None,
        }
    }
}

impl Session<'_> {
    /// The user of a handle.
    ///
    /// # Errors
    /// There is none, or the store cannot be read.
    pub async fn find(&mut self, handle: &Handle) -> Result<User, Error> {
        self.look_up(handle).await?.ok_or(Error::Unknown)
    }

    /// The user of a handle, if there is one.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn look_up(&mut self, handle: &Handle) -> Result<Option<User>, Error> {
        match handle {
            Handle::Id(id) => {
                let row = sqlx::query(FIND_BY_ID).bind(id.to_string()).fetch_optional(&mut *self.connection).await?;
                row.map(|row| self.user(&row)).transpose()
            }
            Handle::Email(email) => {
                // During a rotation there are users under either epoch; otherwise there is one.
                for epoch in self.keys.newest_first() {
                    let index = epoch.index(&email.normalised()).to_vec();
                    let row = sqlx::query(FIND_BY_EMAIL).bind(index).fetch_optional(&mut *self.connection).await?;
                    if let Some(row) = row {
                        return self.user(&row).map(Some);
                    }
                }
                Ok(None)
            }
        }
    }

    /// Whether somebody has this address.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn is_taken(&mut self, email: &Email) -> Result<bool, Error> {
        let normalised = email.normalised();
        for epoch in self.keys.newest_first() {
            let index = epoch.index(&normalised).to_vec();
            if sqlx::query(IS_TAKEN).bind(index).fetch_optional(&mut *self.connection).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Adds a user, as version 1.
    ///
    /// # Errors
    /// The address is taken, or the store cannot be written.
    pub async fn add(&mut self, new: &NewUser<'_>, change: &Change<'_>) -> Result<User, Error> {
        if self.is_taken(new.email).await? {
            return Err(Error::Taken);
        }
        let epoch = self.epoch()?;
        let next: i64 = sqlx::query(NEXT_SLOT).fetch_one(&mut *self.connection).await?.try_get(0)?;
        let mut slot = u32::try_from(next).map_err(|_| Error::Damaged("it has had as many users as there can be"))?;
        // A backup that was restored does not know the slots of users erased since; their keys are gone.
        let wrapping = loop {
            match epoch.wrapping(slot) {
                Some(key) => break key,
                None => slot = slot.checked_add(1).ok_or(Error::Damaged("it has had as many users as there can be"))?,
            }
        };
        let id = new.id.unwrap_or_else(Uuid::now_v7);
        let key = UserKey::generate(id)?;
        let details = Details {
            email: new.email.as_str().to_owned(),
            name: new.name.map(str::to_owned),
            notes: new.notes.map(str::to_owned),
        };
        let inserted = sqlx::query(INSERT_USER)
            .bind(i64::from(slot))
            .bind(id.to_string())
            .bind(new.status.name())
            .bind(new.roles.to_string())
            .bind(self.now)
            .bind(epoch.number)
            .bind(key.wrap(&wrapping, slot, epoch.number)?)
            .bind(epoch.index(&new.email.normalised()).to_vec())
            .execute(&mut *self.connection)
            .await;
        match inserted {
            Err(sqlx::Error::Database(problem)) if problem.is_unique_violation() => return Err(Error::Taken),
            other => other?,
        };
        let user = User {
            id,
            slot,
            version: 1,
            status: new.status,
            roles: new.roles.clone(),
            tokens_void_before: 0,
            created_at: self.now,
            changed_at: self.now,
            active_at: self.now,
            last_login_at: None,
            details: Some(details),
            password: new.password.map(|hash| Zeroizing::new(hash.to_owned())),
            key: Some(key),
            is_left_over: false,
        };
        self.insert_version(&user, change).await?;
        Ok(user)
    }

    /// Makes a new version of a user, who was found in this same session.
    ///
    /// # Errors
    /// The user is erased, the new address is taken, or the store cannot be written.
    pub async fn change(&mut self, user: &User, change: Change<'_>) -> Result<User, Error> {
        let mut next = user.clone();
        next.version = user.version.saturating_add(1);
        // A clock that was set back does not undo the order of what happened.
        next.changed_at = self.now.max(user.changed_at);
        if let Some(roles) = &change.roles {
            next.roles = roles.clone();
        }
        if let Some(status) = change.status {
            next.status = status;
        }
        if let Some(details) = &change.details {
            next.details = Some(details.clone());
        }
        if let Some(hash) = &change.password {
            next.password = Some(hash.clone());
        }
        if let Some(moment) = change.void_tokens_before {
            next.tokens_void_before = moment.max(user.tokens_void_before);
        }
        if change.void_tokens {
            next.tokens_void_before = next.changed_at.saturating_add(1).max(user.tokens_void_before);
        }
        let details = next.details.as_ref().ok_or(Error::Erased)?;
        let email: Email = details.email.parse().map_err(|_| Error::Damaged("an address in it is none"))?;
        let moved = change.details.is_some();
        if moved && self.look_up(&Handle::Email(email.clone())).await?.is_some_and(|other| other.slot != user.slot) {
            return Err(Error::Taken);
        }
        self.insert_version(&next, &change).await?;
        // The index is that of the epoch whose key wraps the user's.
        let epoch = user.key.as_ref().and_then(UserKey::epoch).and_then(|number| self.keys.epoch(number));
        let index = epoch.map(Ok).unwrap_or_else(|| self.epoch())?.index(&email.normalised());
        let updated = sqlx::query(UPDATE_USER)
            .bind(i64::from(next.slot))
            .bind(next.version)
            .bind(next.status.name())
            .bind(next.roles.to_string())
            .bind(next.tokens_void_before)
            .bind(next.changed_at)
            .bind(index.to_vec())
            .execute(&mut *self.connection)
            .await?;
        if updated.rows_affected() != 1 {
            return Err(Error::Damaged("a user changed between two statements of one transaction"));
        }
        Ok(next)
    }

    /// Notes that a user signed in.
    ///
    /// # Errors
    /// The store cannot be written.
    #[allow(dead_code, reason = "for whoever signs users in")]
    pub async fn signed_in(&mut self, user: &User) -> Result<(), Error> {
        sqlx::query(SIGNED_IN).bind(i64::from(user.slot)).bind(self.now).execute(&mut *self.connection).await?;
        Ok(())
    }

    /// Writes a version, as `user` is from now on.
    pub(super) async fn insert_version(&mut self, user: &User, change: &Change<'_>) -> Result<(), Error> {
        let field = |name: &str, plain: Option<&[u8]>| {
            plain.zip(user.key.as_ref()).map(|(plain, key)| key.seal(name, user.version, plain)).transpose()
        };
        let json = |problem| move |_: serde_json::Error| Error::Damaged(problem);
        let details = user.details.as_ref().map(serde_json::to_vec).transpose();
        let details = details.map_err(json("details cannot be written"))?.map(Zeroizing::new);
        let extra = change.extra.as_ref().map(serde_json::to_vec).transpose();
        let extra = extra.map_err(json("a change cannot be written"))?.map(Zeroizing::new);
        let reason = match (&user.key, change.reason) {
            // Why somebody was erased outlives their key.
            (None, Some(reason)) => Some(self.seal_reason(user, reason)?),
            (_, reason) => field("reason", reason.map(str::as_bytes))?,
        };
        let roles = user.roles.to_string();
        let state = State {
            id: user.id,
            version: user.version,
            at: user.changed_at,
            action: change.action.name(),
            status: user.status.name(),
            roles: &roles,
            tokens_void_before: user.tokens_void_before,
        };
        let actor = self.seal_actor(&state, change.actor.name())?;
        sqlx::query(INSERT_VERSION)
            .bind(i64::from(user.slot))
            .bind(user.version)
            .bind(user.changed_at)
            .bind(change.action.name())
            .bind(actor)
            .bind(reason)
            .bind(user.status.name())
            .bind(roles)
            .bind(user.tokens_void_before)
            .bind(field("details", details.as_deref().map(Vec::as_slice))?)
            .bind(field("password", user.password.as_deref().map(String::as_bytes))?)
            .bind(field("extra", extra.as_deref().map(Vec::as_slice))?)
            .execute(&mut *self.connection)
            .await?;
        Ok(())
    }

    /// A user from a row of [`FIND_BY_ID`] and the like.
    fn user(&self, row: &SqliteRow) -> Result<User, Error> {
        let slot = row.try_get("slot")?;
        let id: Uuid = row.try_get::<&str, _>("id")?.parse().map_err(|_| Error::Damaged("an id in it is no UUID"))?;
        let version = row.try_get("version")?;
        let key = self.unwrap_key(id, slot, row)?;
        let open = |field: &str| -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
            let sealed: Option<&[u8]> = row.try_get(field)?;
            key.as_ref().zip(sealed).map(|(key, sealed)| key.open(field, version, sealed)).transpose()
        };
        let details = open("details")?.map(|plain| serde_json::from_slice(&plain)).transpose();
        let password = open("password")?.map(|plain| String::from_utf8(plain.to_vec()).map(Zeroizing::new)).transpose();
        let status = Status::parse(row.try_get("status")?).ok_or(Error::Damaged("a status in it is none"))?;
        let state = State {
            id,
            version,
            at: row.try_get("changed_at")?,
            action: row.try_get("action")?,
            status: row.try_get("status")?,
            roles: row.try_get("roles")?,
            tokens_void_before: row.try_get("tokens_void_before")?,
        };
        self.open_actor(&state, row.try_get("actor")?)?;
        Ok(User {
            id,
            slot,
            version,
            // Without a key, the user was erased after this copy of the store was made.
            status: if key.is_some() { status } else { Status::Erased },
            roles: Roles::parse(row.try_get("roles")?).ok_or(Error::Damaged("roles in it are none"))?,
            tokens_void_before: row.try_get("tokens_void_before")?,
            created_at: row.try_get("created_at")?,
            changed_at: row.try_get("changed_at")?,
            active_at: row.try_get("active_at")?,
            last_login_at: row.try_get("last_login_at")?,
            details: details.map_err(|_| Error::Damaged("details in it are none"))?,
            password: password.map_err(|_| Error::Damaged("a password's hash in it is none"))?,
            is_left_over: status != Status::Erased && key.is_none(),
            key,
        })
    }
}
