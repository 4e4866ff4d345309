-- How far the receiver of each webhook has come among the statuses of its client.
CREATE TABLE sms_webhooks (
    webhook   TEXT    NOT NULL PRIMARY KEY,
    client_id TEXT    NOT NULL,
    -- The last status that it has taken, or that was skipped.
    seq       BIGINT  NOT NULL,
    -- How often the next one was sent in vain.
    attempts  INTEGER NOT NULL,
    -- When the next one is sent. It moves on with whoever claims the row, who is known by it.
    due_at    BIGINT  NOT NULL
);
