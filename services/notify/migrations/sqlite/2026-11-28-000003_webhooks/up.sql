-- What the receivers of webhooks are still to be told: a queue for each channel, so that one does not wait for another.
CREATE TABLE webhook_queues (
    webhook  TEXT    NOT NULL,
    channel  TEXT    NOT NULL,
    last_seq BIGINT  NOT NULL,
    -- How often its first event was sent in vain.
    attempts INTEGER NOT NULL,
    -- When its first event is sent next. It moves on with whoever claims the queue, who is known by it.
    due_at   BIGINT  NOT NULL,
    PRIMARY KEY (webhook, channel)
);
CREATE INDEX webhook_queues_due ON webhook_queues (webhook, due_at);

CREATE TABLE webhook_events (
    webhook    TEXT   NOT NULL,
    channel    TEXT   NOT NULL,
    seq        BIGINT NOT NULL,
    event_id   TEXT   NOT NULL,
    body       TEXT   NOT NULL,
    -- How many events before it are told to be lost.
    missed     BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (webhook, channel, seq),
    FOREIGN KEY (webhook, channel) REFERENCES webhook_queues (webhook, channel) ON DELETE CASCADE
);
CREATE INDEX webhook_events_created ON webhook_events (webhook, created_at);

-- How many events of a webhook were lost and not told yet, and since when its receiver wants none.
CREATE TABLE webhook_states (
    webhook    TEXT   NOT NULL PRIMARY KEY,
    missed     BIGINT NOT NULL,
    stopped_at BIGINT
);

-- The connections that receivers were told of, as each process says of its own, and until when it is believed.
CREATE TABLE connections (
    connection_id TEXT   NOT NULL PRIMARY KEY,
    channel       TEXT   NOT NULL,
    member        TEXT,
    token_id      TEXT,
    process       TEXT   NOT NULL,
    expires_at    BIGINT NOT NULL
);
CREATE INDEX connections_process ON connections (process);
CREATE INDEX connections_expiry ON connections (expires_at);
