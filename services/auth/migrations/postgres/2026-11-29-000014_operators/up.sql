-- Accounts that operators have locked out, and why. Opening a session looks here, under the lock of the account.
CREATE TABLE blocked_accounts (
    account_id TEXT   NOT NULL PRIMARY KEY REFERENCES accounts (account_id) ON DELETE CASCADE,
    reason     TEXT   NOT NULL,
    blocked_at BIGINT NOT NULL
);

-- Operators look accounts up by how a name or an id begins: octet by octet, whatever the collation of the database is.
CREATE INDEX accounts_search ON accounts (lower(username) COLLATE "C", account_id COLLATE "C");
CREATE INDEX accounts_by_id ON accounts (account_id COLLATE "C");

-- What operators did; the shape that every service has (crates/service/src/operators/log.rs).
CREATE TABLE admin_audit (
    id     BIGINT NOT NULL PRIMARY KEY,
    at     BIGINT NOT NULL,
    actor  TEXT   NOT NULL,
    action TEXT   NOT NULL,
    target TEXT   NOT NULL,
    hash   TEXT   NOT NULL
);

-- The last entry that was removed for its age, to whose hash the first one that is left is chained. No row: none was.
CREATE TABLE admin_audit_start (
    id   BIGINT NOT NULL PRIMARY KEY,
    hash TEXT   NOT NULL
);
