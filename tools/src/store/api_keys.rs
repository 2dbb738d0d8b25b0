//! API keys: issued, ended, listed. Each row is sealed as a whole, so that nobody adds or widens a key without the key file.

use std::fmt;

use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::error::Error;
use super::role::{Roles, Status};
use super::seal;
use super::session::Session;
use super::statements;
use super::users::{Action, Change, Handle, User, UserKey};
use crate::actor::Actor;

/// How many keys of one user are good at a time.
pub const MAX_API_KEYS: i64 = 1_000;

/// The columns of a key and of what its owner's key is unwrapped with, for [`Session::api_key`]; of those keys that `$rest` says.
macro_rules! keys {
    ($rest:literal) => {
        concat!(
            "SELECT k.number, k.id, k.secret, k.slot, k.roles, k.networks, k.created_at, k.expires_at, k.revoked_at, \
             k.version, k.actor, u.id AS owner, u.epoch, u.wrapped_key FROM api_keys k JOIN users u ON u.slot = k.slot ",
            $rest
        )
    };
}

statements! {
    NEXT_NUMBER = "SELECT coalesce(max(number), 0) + 1 FROM api_keys";
    INSERT = "INSERT INTO api_keys (number, id, secret, slot, roles, networks, created_at, expires_at, version, actor) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 1, $9)";
    END = "UPDATE api_keys SET expires_at = $2, revoked_at = $3, version = $4, actor = $5 WHERE number = $1 AND version = $4 - 1";
    FIND = keys!("WHERE k.id = $1");
    IN_USE = keys!("WHERE k.revoked_at IS NULL AND k.number > $1 ORDER BY k.number LIMIT $2");
    COUNT_IN_USE = "SELECT count(*) FROM api_keys WHERE revoked_at IS NULL AND number > 0";
    PAGE = keys!("JOIN (SELECT number FROM api_keys WHERE number >= 1 ORDER BY number LIMIT $1 OFFSET $2) s \
        ON s.number = k.number ORDER BY k.number");
    PAGE_BY_USER = keys!("JOIN (SELECT number FROM api_keys WHERE slot = $3 ORDER BY number LIMIT $1 OFFSET $2) s \
        ON s.number = k.number ORDER BY k.number");
    COUNT = "SELECT count(*) FROM api_keys WHERE number >= 1";
    COUNT_BY_USER = "SELECT count(*) FROM api_keys WHERE slot = $1";
    COUNT_GOOD = "SELECT count(*) FROM api_keys WHERE slot = $1 AND revoked_at IS NULL \
        AND (expires_at IS NULL OR expires_at > $2)";
    OF_USER = keys!("WHERE k.slot = $1 ORDER BY k.number");
}

/// An API key as it is kept.
#[derive(Clone)]
pub struct StoredApiKey {
    number: i64,
    version: i64,
    sealed_networks: Option<Vec<u8>>,
    /// What it is called.
    pub id: String,
    /// SHA-256 of its secret's text.
    pub secret: [u8; 32],
    /// The id of its owner.
    pub owner: Uuid,
    /// The owner's number in the store.
    pub slot: u32,
    /// What it may do at most; all that its owner may, where it is `None`.
    pub roles: Option<Roles>,
    /// The blocks of addresses it may come from; any, where there are none.
    pub networks: Vec<String>,
    /// When it was issued.
    pub created_at: i64,
    /// When it ends by itself.
    pub expires_at: Option<i64>,
    /// When it was ended.
    pub revoked_at: Option<i64>,
    /// Whether its owner was erased after this copy of the store was made.
    pub is_left_over: bool,
}

impl fmt::Debug for StoredApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredApiKey").field("id", &self.id).field("owner", &self.owner).finish_non_exhaustive()
    }
}

/// A key to be kept.
pub struct KeptApiKey<'a> {
    /// What it is called.
    pub id: &'a str,
    /// SHA-256 of its secret's text.
    pub secret: [u8; 32],
    /// What it may do at most.
    pub roles: Option<&'a Roles>,
    /// The blocks of addresses it may come from.
    pub networks: &'a [String],
    /// When it ends by itself.
    pub expires_at: Option<i64>,
}

impl StoredApiKey {
    /// Whether it is good by itself, whatever its owner is.
    #[must_use]
    pub fn is_good(&self, now: i64) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|at| at > now)
    }

    /// What the seal is bound to: all of the row.
    fn context(&self) -> String {
        let Self { id, secret, owner, version, created_at, .. } = self;
        let secret = hex(secret);
        let roles = self.roles.as_ref().map(ToString::to_string).unwrap_or_default();
        let networks = self.sealed_networks.as_deref().map(hmac_sha256::Hash::hash).map(|hash| hex(&hash));
        let networks = networks.unwrap_or_default();
        let moment = |at: Option<i64>| at.map(|at| at.to_string()).unwrap_or_default();
        let (expires, revoked) = (moment(self.expires_at), moment(self.revoked_at));
        format!(
            "portcullis api key {id} {owner} {version} {secret} [{roles}] [{networks}] {created_at} [{expires}] [{revoked}]"
        )
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What the networks of a key are sealed as, under its owner's key.
fn networks_field(id: &str) -> String {
    format!("api key networks {id}")
}

impl Session<'_> {
    /// Keeps a new key of a user, who was found in this same session; their history tells of it.
    ///
    /// # Errors
    /// The owner cannot have it, or the store cannot be written.
    pub async fn issue_api_key(
        &mut self,
        owner: &User,
        new: &KeptApiKey<'_>,
        actor: &Actor,
        reason: Option<&str>,
    ) -> Result<StoredApiKey, Error> {
        let key = owner.key.as_ref().ok_or(Error::Erased)?;
        if owner.status != Status::Active {
            return Err(Error::Refused("the user is disabled", "`portcullis user enable` lets them in again"));
        }
        if new.roles.is_some_and(|roles| roles.iter().any(|role| !owner.roles.iter().any(|has| has == role))) {
            return Err(Error::Refused(
                "the user does not have all of these roles",
                "a key may do no more than its owner: see `portcullis user show`",
            ));
        }
        let slot = i64::from(owner.slot);
        let good: i64 =
            sqlx::query(COUNT_GOOD).bind(slot).bind(self.now).fetch_one(&mut *self.connection).await?.try_get(0)?;
        if good >= MAX_API_KEYS {
            return Err(Error::Refused(
                "the user has as many API keys as one can have",
                "revoke those that are not used: see `portcullis api-key list --owner USER`",
            ));
        }
        let number = sqlx::query(NEXT_NUMBER).fetch_one(&mut *self.connection).await?.try_get(0)?;
        let sealed_networks = self.seal_networks(key, new)?;
        let kept = StoredApiKey {
            number,
            version: 1,
            sealed_networks,
            id: new.id.to_owned(),
            secret: new.secret,
            owner: owner.id,
            slot: owner.slot,
            roles: new.roles.cloned(),
            networks: new.networks.to_vec(),
            created_at: self.now,
            expires_at: new.expires_at,
            revoked_at: None,
            is_left_over: false,
        };
        sqlx::query(INSERT)
            .bind(number)
            .bind(new.id)
            .bind(new.secret.to_vec())
            .bind(slot)
            .bind(new.roles.map(ToString::to_string))
            .bind(kept.sealed_networks.clone())
            .bind(kept.created_at)
            .bind(kept.expires_at)
            .bind(seal::seal(&self.settings.records, &kept.context(), actor.name().as_bytes())?)
            .execute(&mut *self.connection)
            .await?;
        self.change(owner, told(Action::IssueApiKey, &kept, actor, reason)).await?;
        Ok(kept)
    }

    /// Ends a key: at a moment to come, or at once and for good where there is none.
    ///
    /// # Errors
    /// It has ended already, or the store cannot be written.
    pub async fn end_api_key(
        &mut self,
        key: &StoredApiKey,
        at: Option<i64>,
        actor: &Actor,
        reason: Option<&str>,
    ) -> Result<StoredApiKey, Error> {
        if key.revoked_at.is_some() {
            return Err(Error::Refused("the API key is revoked already", "nothing was changed"));
        }
        let mut ended = key.clone();
        ended.version = key.version.saturating_add(1);
        match at {
            Some(at) => {
                ended.expires_at = Some(key.expires_at.map_or(at, |expires| expires.min(at)).max(key.created_at))
            }
            None => ended.revoked_at = Some(self.now.max(key.created_at)),
        }
        let updated = sqlx::query(END)
            .bind(key.number)
            .bind(ended.expires_at)
            .bind(ended.revoked_at)
            .bind(ended.version)
            .bind(seal::seal(&self.settings.records, &ended.context(), actor.name().as_bytes())?)
            .execute(&mut *self.connection)
            .await?;
        if updated.rows_affected() != 1 {
            return Err(Error::Damaged("an API key changed between two statements of one transaction"));
        }
        let owner = self.find(&Handle::Id(key.owner)).await?;
        if owner.status != Status::Erased {
            let action = if at.is_some() { Action::RotateApiKey } else { Action::RevokeApiKey };
            self.change(&owner, told(action, &ended, actor, reason)).await?;
        }
        Ok(ended)
    }

    /// The key of an id.
    ///
    /// # Errors
    /// There is none, or the store cannot be read.
    pub async fn find_api_key(&mut self, id: &str) -> Result<StoredApiKey, Error> {
        let row = sqlx::query(FIND).bind(id).fetch_optional(&mut *self.connection).await?;
        row.as_ref()
            .map(|row| self.api_key(row))
            .transpose()?
            .ok_or(Error::Refused("there is no such API key", "see `portcullis api-key list`"))
    }

    /// A page of keys, in the order they were issued, and how many there are on all pages: of everybody, or of one user.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn list_api_keys(
        &mut self,
        owner: Option<u32>,
        limit: i64,
        offset: i64,
    ) -> Result<(Vec<StoredApiKey>, i64), Error> {
        let (page, count) = if owner.is_some() { (PAGE_BY_USER, COUNT_BY_USER) } else { (PAGE, COUNT) };
        let mut page = sqlx::query(page).bind(limit).bind(offset);
        let mut count = sqlx::query(count);
        if let Some(slot) = owner.map(i64::from) {
            page = page.bind(slot);
            count = count.bind(slot);
        }
        let rows = page.fetch_all(&mut *self.connection).await?;
        let total = count.fetch_one(&mut *self.connection).await?.try_get(0)?;
        Ok((self.api_keys(&rows)?, total))
    }

    /// Every key of a user, in the order they were issued.
    ///
    /// # Errors
    /// The store cannot be read, or is damaged.
    pub async fn api_keys_of(&mut self, slot: u32) -> Result<Vec<StoredApiKey>, Error> {
        let rows = sqlx::query(OF_USER).bind(i64::from(slot)).fetch_all(&mut *self.connection).await?;
        self.api_keys(&rows)
    }

    /// Keys that nobody revoked, after the number of another, at most so many, and the number of the last.
    ///
    /// # Errors
    /// The store cannot be read, or is damaged.
    pub async fn api_keys_after(&mut self, number: i64, limit: i64) -> Result<(Vec<StoredApiKey>, Option<i64>), Error> {
        let rows = sqlx::query(IN_USE).bind(number).bind(limit).fetch_all(&mut *self.connection).await?;
        let keys = self.api_keys(&rows)?;
        let last = keys.last().map(|key| key.number);
        Ok((keys, last))
    }

    /// How many keys nobody revoked.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn count_api_keys(&mut self) -> Result<i64, Error> {
        Ok(sqlx::query(COUNT_IN_USE).fetch_one(&mut *self.connection).await?.try_get(0)?)
    }

    fn api_keys(&self, rows: &[SqliteRow]) -> Result<Vec<StoredApiKey>, Error> {
        rows.iter().map(|row| self.api_key(row)).collect()
    }

    fn api_key(&self, row: &SqliteRow) -> Result<StoredApiKey, Error> {
        let owner: Uuid =
            row.try_get::<&str, _>("owner")?.parse().map_err(|_| Error::Damaged("an id in it is no UUID"))?;
        let slot = row.try_get("slot")?;
        let roles = match row.try_get::<Option<&str>, _>("roles")? {
            None => None,
            Some(text) => Some(Roles::parse(text).ok_or(Error::Damaged("roles in it are none"))?),
        };
        let secret: &[u8] = row.try_get("secret")?;
        let mut key = StoredApiKey {
            number: row.try_get("number")?,
            version: row.try_get("version")?,
            sealed_networks: row.try_get("networks")?,
            id: row.try_get("id")?,
            secret: secret.try_into().map_err(|_| Error::Damaged("a digest in it is none"))?,
            owner,
            slot,
            roles,
            networks: Vec::new(),
            created_at: row.try_get("created_at")?,
            expires_at: row.try_get("expires_at")?,
            revoked_at: row.try_get("revoked_at")?,
            is_left_over: false,
        };
        seal::open(&self.settings.records, &key.context(), row.try_get("actor")?)
            .ok_or(Error::Damaged("an API key is not what a command wrote"))?;
        let Some(of_owner) = self.unwrap_key(owner, slot, row)? else {
            key.is_left_over = true;
            return Ok(key);
        };
        if let Some(sealed) = &key.sealed_networks {
            let plain = of_owner.open(&networks_field(&key.id), 1, sealed)?;
            key.networks = serde_json::from_slice(&plain).map_err(|_| Error::Damaged("networks in it are none"))?;
        }
        Ok(key)
    }

    /// Where somebody is may be personal: it goes with their key when they are erased.
    fn seal_networks(&self, key: &UserKey, new: &KeptApiKey<'_>) -> Result<Option<Vec<u8>>, Error> {
        if new.networks.is_empty() {
            return Ok(None);
        }
        let plain = serde_json::to_vec(new.networks).map_err(|_| Error::Damaged("networks cannot be written"))?;
        key.seal(&networks_field(new.id), 1, &plain).map(Some)
    }
}

/// What the history of the owner says of a change of a key.
fn told<'a>(action: Action, key: &StoredApiKey, actor: &'a Actor, reason: Option<&'a str>) -> Change<'a> {
    let mut change = Change::new(action, actor, reason);
    change.extra = Some(serde_json::json!({"api_key": key.id}));
    change
}
