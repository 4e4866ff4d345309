-- Devices of signal_server, apart from ours: keys are text as they were sent, since the original takes what is no key.
-- An account has one at most that is not on its way out.
CREATE TABLE signal_server_devices (
    account_id       TEXT    NOT NULL,
    generation       TEXT    NOT NULL,
    state            TEXT    NOT NULL,
    changed_at       BIGINT  NOT NULL,
    registration_id  INTEGER NOT NULL,
    address          TEXT    NOT NULL,
    identity_key     TEXT    NOT NULL,
    signed_key_id    INTEGER NOT NULL,
    signed_key       TEXT    NOT NULL,
    signed_signature TEXT    NOT NULL,
    -- The position of the next prekey.
    next_position    BIGINT  NOT NULL,
    created_at       BIGINT  NOT NULL,
    PRIMARY KEY (account_id, generation)
);
CREATE UNIQUE INDEX signal_server_devices_standing ON signal_server_devices (account_id) WHERE state <> 'closing';
CREATE INDEX signal_server_devices_unfinished ON signal_server_devices (changed_at) WHERE state <> 'active';

-- Prekeys that nobody has fetched; they go in the transaction in which their device does. `key_hash` is what must not be
-- given twice.
CREATE TABLE signal_server_prekeys (
    account_id TEXT    NOT NULL,
    position   BIGINT  NOT NULL,
    key_id     INTEGER NOT NULL,
    public_key TEXT    NOT NULL,
    key_hash   BYTEA   NOT NULL,
    PRIMARY KEY (account_id, position)
);
CREATE UNIQUE INDEX signal_server_prekeys_id ON signal_server_prekeys (account_id, key_id);
CREATE UNIQUE INDEX signal_server_prekeys_hash ON signal_server_prekeys (account_id, key_hash);

-- Of each prekey that was given out, so that it is never taken in again.
CREATE TABLE signal_server_issued_prekeys (
    account_id TEXT    NOT NULL,
    key_hash   BYTEA   NOT NULL,
    issued_at  BIGINT  NOT NULL,
    PRIMARY KEY (account_id, key_hash)
);
CREATE INDEX signal_server_issued_prekeys_at ON signal_server_issued_prekeys (issued_at);
