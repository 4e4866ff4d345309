CREATE TABLE accounts (
    account_id    TEXT   NOT NULL PRIMARY KEY,
    username      TEXT   NOT NULL UNIQUE,
    password_hash TEXT   NOT NULL,
    email         TEXT,
    phone         TEXT,
    created_at    BIGINT NOT NULL
);

-- What is left of a deleted account: its id, so that a late device registration or event finds none.
CREATE TABLE deleted_accounts (
    account_id TEXT   NOT NULL PRIMARY KEY,
    deleted_at BIGINT NOT NULL
);

CREATE TABLE sessions (
    account_id TEXT    NOT NULL REFERENCES accounts (account_id) ON DELETE CASCADE,
    session_id TEXT    NOT NULL,
    device_id  INTEGER,
    bound_at   BIGINT,
    created_at BIGINT  NOT NULL,
    expires_at BIGINT  NOT NULL,
    PRIMARY KEY (account_id, session_id)
);

-- Every refresh token of a live session, used ones too: a used one that comes again gives a theft away.
CREATE TABLE refresh_tokens (
    account_id TEXT   NOT NULL,
    token_hash BYTEA  NOT NULL,
    session_id TEXT   NOT NULL,
    used_at    BIGINT,
    PRIMARY KEY (account_id, token_hash),
    FOREIGN KEY (account_id, session_id) REFERENCES sessions (account_id, session_id) ON DELETE CASCADE
);
CREATE INDEX refresh_tokens_session ON refresh_tokens (account_id, session_id);

-- Sessions that ended while an access token of theirs may still be alive.
CREATE TABLE revocations (
    account_id TEXT   NOT NULL,
    session_id TEXT   NOT NULL,
    until      BIGINT NOT NULL,
    PRIMARY KEY (account_id, session_id)
);
CREATE INDEX revocations_until ON revocations (until);
CREATE INDEX deleted_accounts_at ON deleted_accounts (deleted_at);
CREATE INDEX sessions_expiry ON sessions (expires_at);

-- As crates/bus/outbox/postgres.sql.
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
