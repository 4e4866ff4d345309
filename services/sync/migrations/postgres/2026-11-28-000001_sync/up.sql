-- Synchronizations that are under way. A session keeps its id; the one in its URL (shown_id) changes with each turn.
CREATE TABLE sync_sessions (
    user_id    TEXT    NOT NULL,
    session_id TEXT    NOT NULL,
    shown_id   TEXT    NOT NULL,
    state      TEXT    NOT NULL,
    turn       INTEGER NOT NULL,
    turn_until BIGINT  NOT NULL,
    expires_at BIGINT  NOT NULL,
    public_key BYTEA,
    process    TEXT,
    connection TEXT,
    PRIMARY KEY (user_id, session_id)
);
CREATE UNIQUE INDEX sync_sessions_shown ON sync_sessions (user_id, shown_id);
CREATE INDEX sync_sessions_expiry ON sync_sessions (expires_at);

-- Devices that have synchronized, each with a key of its own, sealed.
CREATE TABLE synchronized_devices (
    user_id    TEXT   NOT NULL,
    session_id TEXT   NOT NULL,
    shared_key BYTEA  NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, session_id)
);
