-- Accounts: who exists, what they may do, and everything that happened to them.
-- Moments are seconds since 1970. What is sealed is XChaCha20-Poly1305, nonce first; see docs/accounts.md.

CREATE TABLE store (
    one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    id TEXT NOT NULL CHECK (length(id) = 36),
    created_at INTEGER NOT NULL,
    -- The keys of the key file that new records are under.
    epoch INTEGER NOT NULL CHECK (epoch >= 1),
    -- The key of what outlives a user, wrapped under that epoch: actors, and why somebody was erased.
    record_key BLOB NOT NULL,
    -- What hashing a password costs.
    memory INTEGER NOT NULL CHECK (memory >= 1),
    iterations INTEGER NOT NULL CHECK (iterations >= 1),
    parallelism INTEGER NOT NULL CHECK (parallelism >= 1)
) STRICT;

-- A user as of now: what the latest version says, when they were last here, and their key.
CREATE TABLE users (
    -- The leaf of the key tree that wraps the user's key. Never used twice.
    slot INTEGER NOT NULL PRIMARY KEY CHECK (slot BETWEEN 0 AND 4294967295),
    id TEXT NOT NULL UNIQUE CHECK (length(id) = 36 AND id NOT GLOB '*[^0-9a-f-]*'),
    version INTEGER NOT NULL CHECK (version >= 1),
    status TEXT NOT NULL CHECK (status IN ('active', 'disabled', 'erased')),
    roles TEXT NOT NULL CHECK (roles IN (
        'admin', 'editor', 'viewer', 'admin,editor', 'admin,viewer', 'editor,viewer', 'admin,editor,viewer')),
    -- Tokens issued before this moment are not good any more.
    tokens_void_before INTEGER NOT NULL CHECK (tokens_void_before >= 0),
    created_at INTEGER NOT NULL CHECK (created_at >= 0),
    changed_at INTEGER NOT NULL CHECK (changed_at >= created_at),
    -- Their last sign-in; until there is one, when they were added.
    active_at INTEGER NOT NULL CHECK (active_at >= created_at),
    last_login_at INTEGER CHECK (last_login_at >= created_at),
    epoch INTEGER CHECK (epoch >= 1),
    wrapped_key BLOB,
    -- HMAC-SHA256 of the normalised e-mail address.
    email_index BLOB UNIQUE CHECK (length(email_index) = 32),
    CHECK ((status = 'erased') = (wrapped_key IS NULL)),
    CHECK ((status = 'erased') = (email_index IS NULL)),
    CHECK ((status = 'erased') = (epoch IS NULL))
) STRICT;

CREATE INDEX users_by_status ON users (status, slot);
CREATE INDEX users_by_roles ON users (roles, slot);
CREATE INDEX users_by_epoch ON users (epoch, slot);
CREATE INDEX users_by_void ON users (tokens_void_before, slot) WHERE tokens_void_before > 0;
CREATE INDEX users_by_activity ON users (active_at, slot) WHERE status <> 'erased';

-- Every state a user was ever in, whole: who made it so, when, by what, and why.
CREATE TABLE user_versions (
    slot INTEGER NOT NULL REFERENCES users (slot),
    version INTEGER NOT NULL CHECK (version >= 1),
    at INTEGER NOT NULL CHECK (at >= 0),
    action TEXT NOT NULL CHECK (length(action) BETWEEN 1 AND 40 AND action NOT GLOB '*[^a-z_]*'),
    -- Sealed under the key of records.
    actor BLOB NOT NULL,
    -- Sealed under the user's key; of an erasure, under the key of records.
    reason BLOB,
    status TEXT NOT NULL CHECK (status IN ('active', 'disabled', 'erased')),
    roles TEXT NOT NULL CHECK (roles IN (
        'admin', 'editor', 'viewer', 'admin,editor', 'admin,viewer', 'editor,viewer', 'admin,editor,viewer')),
    tokens_void_before INTEGER NOT NULL CHECK (tokens_void_before >= 0),
    -- Sealed under the user's key: address, name and notes; the password's hash; what else the action says.
    details BLOB,
    password BLOB,
    extra BLOB,
    PRIMARY KEY (slot, version)
) STRICT, WITHOUT ROWID;

-- Consent given or withdrawn, by the version that says so.
CREATE TABLE consents (
    slot INTEGER NOT NULL,
    version INTEGER NOT NULL,
    purpose TEXT NOT NULL CHECK (length(purpose) BETWEEN 1 AND 100),
    text_version TEXT NOT NULL CHECK (length(text_version) BETWEEN 1 AND 100),
    given INTEGER NOT NULL CHECK (given IN (0, 1)),
    PRIMARY KEY (slot, version),
    FOREIGN KEY (slot, version) REFERENCES user_versions (slot, version)
) STRICT, WITHOUT ROWID;

-- Users erased here whose keys are still to be destroyed in the key file: empty but for the moment between.
CREATE TABLE erasures (
    slot INTEGER NOT NULL PRIMARY KEY REFERENCES users (slot)
) STRICT;

CREATE TRIGGER user_versions_follow BEFORE INSERT ON user_versions
WHEN NEW.version <> (SELECT coalesce(max(version), 0) + 1 FROM user_versions WHERE slot = NEW.slot)
BEGIN
    SELECT RAISE(ABORT, 'a version follows the one before it');
END;

CREATE TRIGGER user_versions_stay BEFORE DELETE ON user_versions
BEGIN
    SELECT RAISE(ABORT, 'versions are never deleted');
END;

-- The one change there is: what was sealed under the key of an erased user goes.
CREATE TRIGGER user_versions_are BEFORE UPDATE ON user_versions
WHEN NOT (
    NEW.slot = OLD.slot AND NEW.version = OLD.version AND NEW.at = OLD.at AND NEW.action = OLD.action
    AND NEW.actor = OLD.actor AND NEW.status = OLD.status AND NEW.roles = OLD.roles
    AND NEW.tokens_void_before = OLD.tokens_void_before
    AND NEW.reason IS NULL AND NEW.details IS NULL AND NEW.password IS NULL AND NEW.extra IS NULL
    AND OLD.status <> 'erased' AND (SELECT status FROM users WHERE slot = OLD.slot) = 'erased'
)
BEGIN
    SELECT RAISE(ABORT, 'versions are never edited');
END;

CREATE TRIGGER users_stay BEFORE DELETE ON users
BEGIN
    SELECT RAISE(ABORT, 'users are erased, not deleted');
END;

CREATE TRIGGER users_are BEFORE UPDATE OF slot, id, created_at ON users
WHEN NEW.slot <> OLD.slot OR NEW.id <> OLD.id OR NEW.created_at <> OLD.created_at
BEGIN
    SELECT RAISE(ABORT, 'a user keeps id and slot');
END;

CREATE TRIGGER users_erased BEFORE UPDATE ON users
WHEN OLD.status = 'erased'
BEGIN
    SELECT RAISE(ABORT, 'an erased user stays erased');
END;

CREATE TRIGGER users_say_their_version
BEFORE UPDATE OF version, status, roles, tokens_void_before, changed_at ON users
WHEN NEW.version < OLD.version OR NOT EXISTS (
    SELECT 1 FROM user_versions
    WHERE slot = NEW.slot AND version = NEW.version AND at = NEW.changed_at AND status = NEW.status
    AND roles = NEW.roles AND tokens_void_before = NEW.tokens_void_before
)
BEGIN
    SELECT RAISE(ABORT, 'a user is what the latest version says');
END;

CREATE TRIGGER consents_stay BEFORE DELETE ON consents
BEGIN
    SELECT RAISE(ABORT, 'consents are never deleted');
END;

CREATE TRIGGER consents_are BEFORE UPDATE ON consents
BEGIN
    SELECT RAISE(ABORT, 'consents are never edited');
END;
