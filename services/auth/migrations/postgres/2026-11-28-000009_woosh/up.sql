-- What accounts have that were made by the interface of Woosh: a number that is never used again, and what its clients
-- store. Octets, since text from a client may have a NUL.
CREATE TABLE woosh_accounts (
    account_id  TEXT   NOT NULL PRIMARY KEY REFERENCES accounts (account_id) ON DELETE CASCADE,
    woosh_id    BIGINT NOT NULL UNIQUE GENERATED ALWAYS AS IDENTITY,
    public_key  BYTEA  NOT NULL,
    private_key BYTEA  NOT NULL,
    info        BYTEA  NOT NULL
);

-- Other interfaces tell Alice from alice; ours takes neither when the other is there.
CREATE INDEX accounts_folded ON accounts (lower(username));
