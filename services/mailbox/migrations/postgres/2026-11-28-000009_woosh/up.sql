-- Inboxes of Woosh, one for each account that was ever sent something. Its lock is what makes removals take turns.
CREATE TABLE woosh_inboxes (
    account_id    TEXT   NOT NULL PRIMARY KEY,
    -- The newest message that a poll has shown; all before it were shown too.
    shown_id      BIGINT NOT NULL,
    message_count BIGINT NOT NULL,
    byte_count    BIGINT NOT NULL
);

-- Their messages, with the accounts of both ends and no name: names can pass on to others. A number is never used again.
CREATE TABLE woosh_messages (
    account_id    TEXT    NOT NULL,
    message_id    BIGINT  NOT NULL UNIQUE GENERATED ALWAYS AS IDENTITY,
    from_account  TEXT    NOT NULL,
    contents      BYTEA   NOT NULL,
    content_bytes INTEGER NOT NULL,
    sent_at       BIGINT  NOT NULL,
    PRIMARY KEY (account_id, message_id)
);
CREATE INDEX woosh_messages_sent ON woosh_messages (sent_at);
