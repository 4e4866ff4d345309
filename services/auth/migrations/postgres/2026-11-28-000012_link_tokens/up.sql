-- What lets another device of the account open a session once. It goes with the session that asked for it.
CREATE TABLE link_tokens (
    account_id        TEXT   NOT NULL,
    token_hash        BYTEA  NOT NULL,
    session_id        TEXT   NOT NULL,
    expires_at        BIGINT NOT NULL,
    linked_session_id TEXT,
    retry_hash        BYTEA,
    PRIMARY KEY (account_id, token_hash),
    FOREIGN KEY (account_id, session_id) REFERENCES sessions (account_id, session_id) ON DELETE CASCADE
);
CREATE INDEX link_tokens_session ON link_tokens (account_id, session_id);
CREATE INDEX link_tokens_expiry ON link_tokens (expires_at);
