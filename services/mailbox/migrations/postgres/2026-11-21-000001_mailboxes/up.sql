-- One row per open device queue. Its lock is what makes sends, acks and closing take turns.
CREATE TABLE mailboxes (
    account_id      TEXT    NOT NULL,
    device_id       INTEGER NOT NULL,
    generation      TEXT    NOT NULL,
    registration_id INTEGER NOT NULL,
    next_seq        BIGINT  NOT NULL,
    envelope_count  BIGINT  NOT NULL,
    byte_count      BIGINT  NOT NULL,
    -- The owner has been told that it is full, and nothing was removed since.
    full_told       BOOLEAN NOT NULL,
    opened_at       BIGINT  NOT NULL,
    PRIMARY KEY (account_id, device_id)
);

-- No foreign key: rows are written and removed under the lock of their mailbox, and the check would cost on each send.
CREATE TABLE envelopes (
    account_id       TEXT    NOT NULL,
    device_id        INTEGER NOT NULL,
    seq              BIGINT  NOT NULL,
    guid             TEXT    NOT NULL,
    kind             INTEGER NOT NULL,
    source_account   TEXT    NOT NULL,
    source_device    INTEGER NOT NULL,
    client_timestamp BIGINT  NOT NULL,
    server_timestamp BIGINT  NOT NULL,
    content          BYTEA   NOT NULL,
    -- The length of content, so that pages and counters need not read it.
    content_bytes    INTEGER NOT NULL,
    urgent           BOOLEAN NOT NULL,
    expires_at       BIGINT  NOT NULL,
    PRIMARY KEY (account_id, device_id, seq)
);
CREATE INDEX envelopes_expiry ON envelopes (expires_at);

-- Sends that were stored, by sender: the same key again gets the same answer.
CREATE TABLE idempotency_keys (
    account_id      TEXT    NOT NULL,
    device_id       INTEGER NOT NULL,
    idempotency_key TEXT    NOT NULL,
    request_hash    BYTEA   NOT NULL,
    answer          TEXT    NOT NULL,
    created_at      BIGINT  NOT NULL,
    PRIMARY KEY (account_id, device_id, idempotency_key)
);
CREATE INDEX idempotency_keys_created ON idempotency_keys (created_at);

-- Lives of devices that ended: a late order to open one of them is refused.
CREATE TABLE closed_generations (
    account_id TEXT    NOT NULL,
    device_id  INTEGER NOT NULL,
    generation TEXT    NOT NULL,
    closed_at  BIGINT  NOT NULL,
    PRIMARY KEY (account_id, device_id, generation)
);
CREATE INDEX closed_generations_at ON closed_generations (closed_at);

-- Accounts that were deleted: nothing is opened for them again.
CREATE TABLE deleted_accounts (
    account_id TEXT   NOT NULL PRIMARY KEY,
    deleted_at BIGINT NOT NULL
);
CREATE INDEX deleted_accounts_at ON deleted_accounts (deleted_at);

-- The shape that crates/bus/outbox documents.
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
