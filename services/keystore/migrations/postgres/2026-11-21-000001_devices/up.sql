-- One row per account that ever had a device or was deleted; locked by whatever changes its set of devices.
CREATE TABLE accounts (
    account_id     TEXT    NOT NULL PRIMARY KEY,
    -- Null while no device is there.
    identity_key   BYTEA,
    -- The device id given last: the next one is looked for behind it, so that a freed id rests as long as it can.
    last_device_id INTEGER NOT NULL,
    -- Of a deleted account this is all that is left, so that a late registration finds none.
    removed_at     BIGINT
);

CREATE TABLE devices (
    account_id            TEXT    NOT NULL,
    device_id             INTEGER NOT NULL,
    generation            TEXT    NOT NULL,
    state                 TEXT    NOT NULL,
    changed_at            BIGINT  NOT NULL,
    registration_id       INTEGER NOT NULL,
    name                  TEXT,
    session_id            TEXT    NOT NULL,
    signed_key_id         INTEGER NOT NULL,
    signed_key            BYTEA   NOT NULL,
    signed_signature      BYTEA   NOT NULL,
    last_resort_id        INTEGER NOT NULL,
    last_resort_key       BYTEA   NOT NULL,
    last_resort_signature BYTEA   NOT NULL,
    last_resort_served    BIGINT  NOT NULL,
    ec_low                BOOLEAN NOT NULL,
    pq_low                BOOLEAN NOT NULL,
    next_position         BIGINT  NOT NULL,
    created_at            BIGINT  NOT NULL,
    PRIMARY KEY (account_id, device_id)
);
CREATE INDEX devices_unfinished ON devices (changed_at) WHERE state <> 'active';

-- One-time keys that nobody has fetched. `position` is the order of their uploads: the oldest is given first.
CREATE TABLE one_time_keys (
    account_id TEXT    NOT NULL,
    device_id  INTEGER NOT NULL,
    generation TEXT    NOT NULL,
    kind       TEXT    NOT NULL,
    position   BIGINT  NOT NULL,
    key_id     INTEGER NOT NULL,
    public_key BYTEA   NOT NULL,
    signature  BYTEA,
    key_hash   BYTEA   NOT NULL,
    PRIMARY KEY (account_id, device_id, generation, kind, position)
);
CREATE UNIQUE INDEX one_time_keys_id ON one_time_keys (account_id, device_id, generation, kind, key_id);
CREATE UNIQUE INDEX one_time_keys_hash ON one_time_keys (account_id, key_hash);

-- SHA-256 of each one-time key that was given out, so that it is never taken in again.
CREATE TABLE issued_keys (
    account_id TEXT   NOT NULL,
    key_hash   BYTEA  NOT NULL,
    issued_at  BIGINT NOT NULL,
    PRIMARY KEY (account_id, key_hash)
);
CREATE INDEX issued_keys_at ON issued_keys (issued_at);

-- As crates/bus/outbox/postgres/2026-01-01-000000_outbox/up.sql.
CREATE TABLE outbox (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic TEXT NOT NULL,
    record_key BYTEA,
    record_value BYTEA,
    headers TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    published_at BIGINT
);
CREATE INDEX outbox_pending ON outbox (id) WHERE published_at IS NULL;
