-- The second factor of an account. It counts from its confirmation on; no step before or at last_step is taken again.
CREATE TABLE totp (
    account_id   TEXT   NOT NULL PRIMARY KEY REFERENCES accounts (account_id) ON DELETE CASCADE,
    secret       BLOB  NOT NULL,
    confirmed_at BIGINT,
    last_step    BIGINT NOT NULL
);

CREATE TABLE recovery_codes (
    account_id TEXT  NOT NULL REFERENCES totp (account_id) ON DELETE CASCADE,
    code_hash  BLOB NOT NULL,
    PRIMARY KEY (account_id, code_hash)
);

-- Logins whose password was right, and which wait for the second factor.
CREATE TABLE challenges (
    account_id TEXT   NOT NULL REFERENCES accounts (account_id) ON DELETE CASCADE,
    token_hash BLOB  NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (account_id, token_hash)
);
CREATE INDEX challenges_expiry ON challenges (expires_at);
