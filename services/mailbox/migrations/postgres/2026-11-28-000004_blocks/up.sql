-- Whom an account does not want to hear from.
CREATE TABLE blocks (
    account_id      TEXT   NOT NULL,
    blocked_account TEXT   NOT NULL,
    created_at      BIGINT NOT NULL,
    PRIMARY KEY (account_id, blocked_account)
);

-- Whether the account of a mailbox blocks anybody: a send has this row at hand anyway, and need not ask further.
ALTER TABLE mailboxes ADD COLUMN has_blocks BOOLEAN NOT NULL DEFAULT FALSE;
