-- What signing in needs and leaves behind: sessions, second factors, and who tried how often. Everything here is bounded for
-- each user, and goes when they are erased. Moments are seconds since 1970.

-- A sign-in and all the tokens it led to: a family. One that ended is not kept.
CREATE TABLE sessions (
    -- SHA-256 of the id that is in each of its refresh tokens.
    family BLOB NOT NULL PRIMARY KEY CHECK (length(family) = 32),
    slot INTEGER NOT NULL REFERENCES users (slot),
    -- SHA-256 of the last refresh token given out: the only one that is good.
    token BLOB NOT NULL CHECK (length(token) = 32),
    methods TEXT NOT NULL CHECK (methods IN ('pwd', 'pwd otp')),
    started_at INTEGER NOT NULL CHECK (started_at >= 0),
    used_at INTEGER NOT NULL CHECK (used_at >= 0),
    uses INTEGER NOT NULL CHECK (uses >= 0),
    -- When it ends however often it is used, and how long it may go unused.
    ends_at INTEGER NOT NULL CHECK (ends_at > started_at),
    idle INTEGER NOT NULL CHECK (idle >= 1)
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_by_user ON sessions (slot, started_at);

-- The secret shared with somebody's authenticator app, sealed under the user's key.
CREATE TABLE second_factors (
    slot INTEGER NOT NULL PRIMARY KEY REFERENCES users (slot),
    -- The version of the user that made it, which the secret is bound to.
    version INTEGER NOT NULL CHECK (version >= 1),
    secret BLOB NOT NULL,
    -- Until somebody showed that the app has it, nobody is asked for its codes.
    confirmed INTEGER NOT NULL CHECK (confirmed IN (0, 1)),
    -- The time step of the last code that was taken: that one and those before it are not taken again.
    last_step INTEGER CHECK (last_step >= 0)
) STRICT;

-- SHA-256 of recovery codes that were not used yet.
CREATE TABLE recovery_codes (
    slot INTEGER NOT NULL REFERENCES second_factors (slot) ON DELETE CASCADE,
    digest BLOB NOT NULL CHECK (length(digest) = 32),
    PRIMARY KEY (slot, digest)
) STRICT, WITHOUT ROWID;

-- Failed sign-ins since the last good one. Slot -1 stands for all addresses that nobody has.
CREATE TABLE failed_sign_ins (
    slot INTEGER NOT NULL PRIMARY KEY CHECK (slot >= -1),
    failures INTEGER NOT NULL CHECK (failures >= 1),
    -- Those with the right password and a wrong code.
    codes INTEGER NOT NULL CHECK (codes BETWEEN 0 AND failures),
    first_at INTEGER NOT NULL CHECK (first_at >= 0),
    last_at INTEGER NOT NULL CHECK (last_at >= 0)
) STRICT;

-- The last times somebody came and went, a hundred for each user.
CREATE TABLE sign_ins (
    slot INTEGER NOT NULL REFERENCES users (slot),
    number INTEGER NOT NULL CHECK (number >= 1),
    at INTEGER NOT NULL CHECK (at >= 0),
    event TEXT NOT NULL CHECK (event IN ('sign_in', 'sign_out')),
    methods TEXT NOT NULL CHECK (methods IN ('pwd', 'pwd otp')),
    -- Whether the code was a recovery code, and how often somebody had failed before.
    recovery INTEGER NOT NULL CHECK (recovery IN (0, 1)),
    failures INTEGER NOT NULL CHECK (failures >= 0),
    PRIMARY KEY (slot, number)
) STRICT, WITHOUT ROWID;

-- Whoever sets a password or lets a user in again does away with what strangers did before.
CREATE TRIGGER failed_sign_ins_forgiven AFTER INSERT ON user_versions
WHEN NEW.action IN ('set_password', 'enable')
BEGIN
    DELETE FROM failed_sign_ins WHERE slot = NEW.slot;
END;

CREATE TRIGGER sign_in_erased AFTER UPDATE OF status ON users
WHEN NEW.status = 'erased'
BEGIN
    DELETE FROM sessions WHERE slot = NEW.slot;
    DELETE FROM recovery_codes WHERE slot = NEW.slot;
    DELETE FROM second_factors WHERE slot = NEW.slot;
    DELETE FROM failed_sign_ins WHERE slot = NEW.slot;
    DELETE FROM sign_ins WHERE slot = NEW.slot;
END;
