-- An address identifies once its owner has shown to read what is sent there; until then many may claim it.
ALTER TABLE accounts ADD COLUMN email_verified_at BIGINT;
ALTER TABLE accounts ADD COLUMN phone_verified_at BIGINT;
CREATE UNIQUE INDEX accounts_email ON accounts (email) WHERE email_verified_at IS NOT NULL;
CREATE UNIQUE INDEX accounts_phone ON accounts (phone) WHERE phone_verified_at IS NOT NULL;

-- Mails to be sent. For a reset the account is looked up only when it is sent, so that asking for one is the same for
-- addresses that are known and that are not.
CREATE TABLE mails (
    mail_id    TEXT    NOT NULL PRIMARY KEY,
    account_id TEXT    REFERENCES accounts (account_id) ON DELETE CASCADE,
    recipient  TEXT    NOT NULL,
    purpose    TEXT    NOT NULL,
    attempts   INTEGER NOT NULL,
    due_at     BIGINT  NOT NULL,
    created_at BIGINT  NOT NULL
);
CREATE INDEX mails_due ON mails (due_at);
CREATE INDEX mails_recipient ON mails (recipient);
CREATE INDEX mails_account ON mails (account_id);

-- What was sent by mail and lets its reader do something once.
CREATE TABLE mail_tokens (
    account_id TEXT   NOT NULL REFERENCES accounts (account_id) ON DELETE CASCADE,
    token_hash BYTEA  NOT NULL,
    purpose    TEXT   NOT NULL,
    email      TEXT   NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (account_id, token_hash)
);
CREATE INDEX mail_tokens_expiry ON mail_tokens (expires_at);
