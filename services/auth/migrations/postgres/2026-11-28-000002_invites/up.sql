-- Codes that let somebody make an account. The code itself is with whoever was invited; here is its hash.
CREATE TABLE invites (
    invite_id  TEXT    NOT NULL PRIMARY KEY,
    code_hash  BYTEA   NOT NULL UNIQUE,
    uses_left  INTEGER NOT NULL,
    created_at BIGINT  NOT NULL,
    expires_at BIGINT  NOT NULL
);
CREATE INDEX invites_expiry ON invites (expires_at);
