-- Devices of signal_server as keystore tells of them: an account has one, with one queue.
CREATE TABLE signal_server_devices (
    account_id      TEXT    NOT NULL PRIMARY KEY,
    generation      TEXT    NOT NULL,
    registration_id INTEGER NOT NULL,
    address         TEXT    NOT NULL,
    message_count   BIGINT  NOT NULL,
    byte_count      BIGINT  NOT NULL,
    opened_at       BIGINT  NOT NULL
);

-- What waits in their queues. Who sent it is a copy: a sender's device and account may go, and the message stays. A
-- number is never used again.
CREATE TABLE signal_server_messages (
    account_id             TEXT    NOT NULL,
    message_id             BIGINT  NOT NULL UNIQUE GENERATED ALWAYS AS IDENTITY,
    sender_registration_id INTEGER NOT NULL,
    sender_address         TEXT    NOT NULL,
    content                TEXT    NOT NULL,
    content_bytes          INTEGER NOT NULL,
    sent_at                BIGINT  NOT NULL,
    PRIMARY KEY (account_id, message_id)
);
CREATE INDEX signal_server_messages_sent ON signal_server_messages (sent_at);

-- Lives of devices that ended, so that nothing late opens them again.
CREATE TABLE signal_server_closed (
    account_id TEXT   NOT NULL,
    generation TEXT   NOT NULL,
    closed_at  BIGINT NOT NULL,
    PRIMARY KEY (account_id, generation)
);
CREATE INDEX signal_server_closed_at ON signal_server_closed (closed_at);
