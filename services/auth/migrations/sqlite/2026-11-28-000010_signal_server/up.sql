-- What accounts have that were made by the interface of signal_server: a number that is never used again, and an address
-- that nobody has confirmed, so many may have the same; empty for none.
CREATE TABLE signal_server_accounts (
    account_id TEXT    NOT NULL UNIQUE REFERENCES accounts (account_id) ON DELETE CASCADE,
    user_id    INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    email      TEXT    NOT NULL
);
CREATE INDEX signal_server_accounts_email ON signal_server_accounts (lower(email));

-- Sessions of that interface: they have no refresh tokens, and end when the account's name does.
CREATE TABLE signal_server_sessions (
    account_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    PRIMARY KEY (account_id, session_id),
    FOREIGN KEY (account_id, session_id) REFERENCES sessions (account_id, session_id) ON DELETE CASCADE
);
