-- What accounts have that were made by the interface of Woosh: a number that is never used again, and what its clients
-- store. Octets, since text from a client may have a NUL.
CREATE TABLE woosh_accounts (
    account_id  TEXT    NOT NULL UNIQUE REFERENCES accounts (account_id) ON DELETE CASCADE,
    woosh_id    INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    public_key  BLOB    NOT NULL,
    private_key BLOB    NOT NULL,
    info        BLOB    NOT NULL
);

-- Other interfaces tell Alice from alice; ours takes neither when the other is there.
CREATE INDEX accounts_folded ON accounts (lower(username));
