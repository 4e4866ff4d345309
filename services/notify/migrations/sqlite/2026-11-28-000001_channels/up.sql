-- One row for each channel that was ever used. Its lock is what makes publishers take turns.
CREATE TABLE channels (
    channel      TEXT   NOT NULL PRIMARY KEY,
    -- The life of the channel: it is another one when the row has gone and come again.
    epoch        TEXT   NOT NULL,
    next_offset  BIGINT NOT NULL,
    published_at BIGINT NOT NULL
);
CREATE INDEX channels_published ON channels (published_at);

-- What was published. No foreign key: rows are written under the lock of their channel, and the check would cost each time.
CREATE TABLE notifications (
    channel         TEXT   NOT NULL,
    channel_offset  BIGINT NOT NULL,
    notification_id TEXT   NOT NULL,
    -- JSON, as it was written.
    data            BLOB  NOT NULL,
    published_at    BIGINT NOT NULL,
    expires_at      BIGINT NOT NULL,
    PRIMARY KEY (channel, channel_offset)
);
CREATE INDEX notifications_expiry ON notifications (expires_at);

-- What was published under a key, by publisher: the same key again gets the same answer.
CREATE TABLE idempotency_keys (
    channel         TEXT   NOT NULL,
    publisher       TEXT   NOT NULL,
    idempotency_key TEXT   NOT NULL,
    request_hash    BLOB  NOT NULL,
    notification_id TEXT   NOT NULL,
    epoch           TEXT   NOT NULL,
    channel_offset  BIGINT NOT NULL,
    created_at      BIGINT NOT NULL,
    PRIMARY KEY (channel, publisher, idempotency_key)
);
CREATE INDEX idempotency_keys_created ON idempotency_keys (created_at);

-- Tokens that let clients into a channel, by their hash. The one that ChannelAPI hands out is derived from a key that is
-- not here and the generation that is; its id is all zeros.
CREATE TABLE tokens (
    channel     TEXT    NOT NULL,
    token_id    TEXT    NOT NULL,
    token_hash  BLOB   NOT NULL,
    generation  BLOB,
    label       TEXT,
    -- Who is present while a client with this token is in the channel.
    member      TEXT,
    issued_by   TEXT    NOT NULL,
    created_at  BIGINT  NOT NULL,
    -- What each join sets the rest of its life back to; 0 leaves it as it is.
    lifetime_ms BIGINT  NOT NULL,
    expires_at  BIGINT  NOT NULL,
    used_at     BIGINT,
    PRIMARY KEY (channel, token_id)
);
CREATE UNIQUE INDEX tokens_hash ON tokens (token_hash);
CREATE INDEX tokens_expiry ON tokens (expires_at);

-- Who is present, as each process says of its own sockets, and until when it is believed.
CREATE TABLE presences (
    channel     TEXT    NOT NULL,
    member      TEXT    NOT NULL,
    process     TEXT    NOT NULL,
    connections INTEGER NOT NULL,
    since       BIGINT  NOT NULL,
    expires_at  BIGINT  NOT NULL,
    PRIMARY KEY (channel, member, process)
);
CREATE INDEX presences_process ON presences (process);
CREATE INDEX presences_expiry ON presences (expires_at);
