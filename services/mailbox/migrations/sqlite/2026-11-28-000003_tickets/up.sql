-- A ticket lets its holder open one websocket for the session that it was made for. One for each device at a time.
CREATE TABLE tickets (
    account_id       TEXT    NOT NULL,
    device_id        INTEGER NOT NULL,
    ticket_hash      BLOB    NOT NULL,
    session_id       TEXT    NOT NULL,
    -- Of the access token that it was asked for with.
    token_issued_at  BIGINT  NOT NULL,
    token_expires_at BIGINT  NOT NULL,
    expires_at       BIGINT  NOT NULL,
    PRIMARY KEY (account_id, device_id)
);
CREATE INDEX tickets_expiry ON tickets (expires_at);
