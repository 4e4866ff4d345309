-- Who may hand SMS in and take them out. A revoked one stays until its queues at the broker are taken down.
CREATE TABLE gateway_clients (
    client_id         TEXT   NOT NULL PRIMARY KEY,
    secret_hash       BYTEA  NOT NULL,
    -- The secret before the last rotation, and until when it is taken as well.
    previous_hash     BYTEA,
    previous_until    BIGINT,
    label             TEXT,
    kind              TEXT   NOT NULL,
    msisdn            TEXT,
    country           TEXT,
    operator          TEXT,
    operator_code     TEXT,
    protocols         TEXT   NOT NULL,
    created_at        BIGINT NOT NULL,
    last_published_at BIGINT,
    revoked_at        BIGINT
);
CREATE INDEX gateway_clients_msisdn ON gateway_clients (msisdn);
CREATE INDEX gateway_clients_revoked ON gateway_clients (revoked_at);

-- The operators whose SMS a client sends: one queue each.
CREATE TABLE gateway_client_operators (
    client_id TEXT NOT NULL,
    operator  TEXT NOT NULL,
    PRIMARY KEY (client_id, operator)
);

-- Modems that say that they are there, by their SIM.
CREATE TABLE seeds (
    imsi          TEXT   NOT NULL PRIMARY KEY,
    -- What stands for the IMSI where that is not shown.
    pseudonym     TEXT   NOT NULL,
    client_id     TEXT   NOT NULL,
    msisdn        TEXT   NOT NULL,
    seed_type     TEXT   NOT NULL,
    country       TEXT,
    operator_name TEXT,
    operator_id   TEXT,
    pinged_at     BIGINT NOT NULL
);
CREATE INDEX seeds_pinged ON seeds (pinged_at);
CREATE INDEX seeds_pseudonym ON seeds (pseudonym);
CREATE INDEX seeds_client ON seeds (client_id);

-- SMS that came in. What they say is sealed, and gone once the publisher has it; the row then keeps a repetition out.
CREATE TABLE incoming (
    -- A keyed hash of text and sender.
    message_id      TEXT    NOT NULL PRIMARY KEY,
    state           TEXT    NOT NULL,
    sealed          BYTEA   NOT NULL,
    received_at     BIGINT  NOT NULL,
    attempts        INTEGER NOT NULL,
    next_attempt_at BIGINT  NOT NULL,
    ended_at        BIGINT
);
CREATE INDEX incoming_due ON incoming (state, next_attempt_at);
CREATE INDEX incoming_ended ON incoming (ended_at);
