-- Messages from handsets of which parts have come. The sender's number is in no column: the key is a keyed hash of
-- SMSC, sender, recipient, reference and number of parts.
CREATE TABLE sms_inbound_messages (
    message_key TEXT NOT NULL PRIMARY KEY,
    smsc TEXT NOT NULL,
    -- The number of ours that it is for.
    recipient TEXT NOT NULL,
    total INTEGER NOT NULL,
    -- When its first part came.
    since BIGINT NOT NULL
);
CREATE INDEX sms_inbound_messages_since ON sms_inbound_messages (since);

CREATE TABLE sms_inbound_parts (
    message_key TEXT NOT NULL REFERENCES sms_inbound_messages (message_key) ON DELETE CASCADE,
    part INTEGER NOT NULL,
    -- Keyed hash of all that the SMSC brought.
    digest TEXT NOT NULL,
    -- Sender and text, encrypted.
    sealed BLOB NOT NULL,
    PRIMARY KEY (message_key, part)
);

-- What has come lately: an SMSC brings again what it got no answer for.
CREATE TABLE sms_inbound_seen (
    digest TEXT NOT NULL PRIMARY KEY,
    seen_at BIGINT NOT NULL
);
CREATE INDEX sms_inbound_seen_at ON sms_inbound_seen (seen_at);

-- Whole messages, for readers over HTTP, as the bus has them.
CREATE TABLE sms_inbound (
    client_id TEXT NOT NULL,
    seq BIGINT NOT NULL,
    id TEXT NOT NULL,
    recipient TEXT NOT NULL,
    -- Only where the settings say that it is no secret.
    sender TEXT,
    received_at BIGINT NOT NULL,
    parts INTEGER NOT NULL,
    partial BOOLEAN NOT NULL,
    keyword TEXT,
    payload TEXT NOT NULL,
    PRIMARY KEY (client_id, seq)
);
CREATE INDEX sms_inbound_received ON sms_inbound (received_at);

-- The last number given to a message of each client.
CREATE TABLE sms_inbound_sequences (
    client_id TEXT NOT NULL PRIMARY KEY,
    last_seq BIGINT NOT NULL
);

-- Recipients, as keyed hashes, who want no more messages of a client.
CREATE TABLE sms_opt_outs (
    client_id TEXT NOT NULL,
    recipient TEXT NOT NULL,
    since BIGINT NOT NULL,
    PRIMARY KEY (client_id, recipient)
);
