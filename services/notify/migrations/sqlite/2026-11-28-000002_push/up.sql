-- Where devices are reached that are not connected: by channel, and by what lets the device in. The endpoint and its keys
-- are sealed under a key that is not here.
CREATE TABLE push_subscriptions (
    channel    TEXT   NOT NULL,
    -- The token of the channel, or the session of the account: `token:` or `session:` and its id.
    holder     TEXT   NOT NULL,
    -- The token, if it is one: the subscription goes with it.
    token_id   TEXT,
    sealed     BLOB   NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    -- When the device came or went last.
    seen_at    BIGINT NOT NULL,
    -- When it was woken last.
    pushed_at  BIGINT,
    PRIMARY KEY (channel, holder),
    FOREIGN KEY (channel, token_id) REFERENCES tokens (channel, token_id) ON DELETE CASCADE
);
CREATE INDEX push_subscriptions_token ON push_subscriptions (channel, token_id);
CREATE INDEX push_subscriptions_created ON push_subscriptions (created_at);
CREATE INDEX push_subscriptions_expiry ON push_subscriptions (expires_at);

-- Which of these devices are connected, as each process says of its own sockets, and until when it is believed.
CREATE TABLE push_presences (
    channel    TEXT   NOT NULL,
    holder     TEXT   NOT NULL,
    process    TEXT   NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (channel, holder, process),
    FOREIGN KEY (channel, holder) REFERENCES push_subscriptions (channel, holder) ON DELETE CASCADE
);
CREATE INDEX push_presences_process ON push_presences (process);
CREATE INDEX push_presences_expiry ON push_presences (expires_at);

-- What is to be pushed: written with the notification, and there until it is done with.
CREATE TABLE pushes (
    channel        TEXT    NOT NULL,
    holder         TEXT    NOT NULL,
    -- 0: a wake-up, of which there is one at a time; else the offset of the notification whose data is carried.
    slot           BIGINT  NOT NULL,
    channel_offset BIGINT  NOT NULL,
    urgency        TEXT    NOT NULL,
    topic          TEXT,
    published_at   BIGINT  NOT NULL,
    expires_at     BIGINT  NOT NULL,
    attempts       INTEGER NOT NULL,
    due_at         BIGINT  NOT NULL,
    PRIMARY KEY (channel, holder, slot),
    FOREIGN KEY (channel, holder) REFERENCES push_subscriptions (channel, holder) ON DELETE CASCADE
);
CREATE INDEX pushes_due ON pushes (due_at);
