-- What the identity feed tells the filter beyond users: API keys, single tokens that were revoked, and how far its versions got.
-- Moments are seconds since 1970.

-- API keys. Of a key's secret there is only a digest.
CREATE TABLE api_keys (
    -- The order in which they were issued.
    number INTEGER NOT NULL PRIMARY KEY CHECK (number >= 1),
    id TEXT NOT NULL UNIQUE CHECK (length(id) = 12 AND id NOT GLOB '*[^a-z0-9]*'),
    -- SHA-256 of the secret's text.
    secret BLOB NOT NULL CHECK (length(secret) = 32),
    -- Whose it is.
    slot INTEGER NOT NULL REFERENCES users (slot),
    -- What it may do at most; all that its owner may, where it does not say.
    roles TEXT CHECK (roles IN (
        'admin', 'editor', 'viewer', 'admin,editor', 'admin,viewer', 'editor,viewer', 'admin,editor,viewer')),
    -- The addresses it may come from, sealed under the owner's key; any, where it does not say.
    networks BLOB,
    created_at INTEGER NOT NULL CHECK (created_at >= 0),
    expires_at INTEGER CHECK (expires_at >= created_at AND expires_at <= 4294967295),
    revoked_at INTEGER CHECK (revoked_at >= created_at),
    -- How often it was changed, and once for issuing it.
    version INTEGER NOT NULL CHECK (version >= 1),
    -- Who changed it last, sealed under the key of records and bound to all of the row.
    actor BLOB NOT NULL
) STRICT;

CREATE INDEX api_keys_by_user ON api_keys (slot, number);
-- Those that may still be good: what a feed has, however many there ever were.
CREATE INDEX api_keys_in_use ON api_keys (number) WHERE revoked_at IS NULL;

CREATE TRIGGER api_keys_stay BEFORE DELETE ON api_keys
WHEN (SELECT status FROM users WHERE slot = OLD.slot) <> 'erased'
BEGIN
    SELECT RAISE(ABORT, 'API keys are revoked, not deleted');
END;

-- The changes there are: it ends earlier, or at once and for good.
CREATE TRIGGER api_keys_are BEFORE UPDATE ON api_keys
WHEN NOT (
    NEW.number = OLD.number AND NEW.id = OLD.id AND NEW.secret = OLD.secret AND NEW.slot = OLD.slot
    AND NEW.roles IS OLD.roles AND NEW.networks IS OLD.networks AND NEW.created_at = OLD.created_at
    AND NEW.version = OLD.version + 1 AND OLD.revoked_at IS NULL
    AND (NEW.expires_at IS OLD.expires_at
        OR coalesce(NEW.expires_at, 4294967296) < coalesce(OLD.expires_at, 4294967296))
)
BEGIN
    SELECT RAISE(ABORT, 'an API key only ever ends');
END;

CREATE TRIGGER api_keys_erased AFTER UPDATE OF status ON users
WHEN NEW.status = 'erased'
BEGIN
    DELETE FROM api_keys WHERE slot = NEW.slot;
END;

-- Tokens that were revoked before they expired, by the first 16 bytes of SHA-256 of "jti:" and their id: neither the id nor
-- whose it was. A row goes when its token would have expired by itself.
CREATE TABLE revoked_tokens (
    digest BLOB NOT NULL PRIMARY KEY CHECK (length(digest) = 16),
    expires_at INTEGER NOT NULL CHECK (expires_at BETWEEN 1 AND 4294967295)
) STRICT, WITHOUT ROWID;

CREATE INDEX revoked_tokens_by_expiry ON revoked_tokens (expires_at);

-- The version of the last feed that was built: the next one is above it, whatever the clock says.
CREATE TABLE feed (
    one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    version INTEGER NOT NULL CHECK (version >= 0)
) STRICT;

INSERT INTO feed (one, version) VALUES (1, 0);

CREATE TRIGGER feed_goes_on BEFORE UPDATE ON feed
WHEN NEW.version <= OLD.version
BEGIN
    SELECT RAISE(ABORT, 'the version of the feed never goes back');
END;

CREATE TRIGGER feed_stays BEFORE DELETE ON feed
BEGIN
    SELECT RAISE(ABORT, 'the version of the feed never goes back');
END;
