-- One row per record of `send-sms` (an attempt): kept, still encrypted, from before the record's offset is stored.
CREATE TABLE sms_jobs (
    client_id TEXT NOT NULL,
    id TEXT NOT NULL,
    correl_id TEXT NOT NULL,
    -- Where the record stands in the log. The same place is a replay, another place with the same ids a resubmission.
    source_topic TEXT NOT NULL,
    source_partition INTEGER NOT NULL,
    source_offset BIGINT NOT NULL,
    state TEXT NOT NULL,
    -- Whether it keeps other attempts with the same ids out: while it is open, and once it has succeeded.
    holds BOOLEAN NOT NULL,
    -- Bit set of the statuses that were published for it.
    emitted INTEGER NOT NULL,
    possible_duplicate BOOLEAN NOT NULL,
    -- W3C trace context of the request; its statuses carry it on.
    traceparent TEXT,
    -- What to do about an unknown outcome: bulk, otp, alert.
    class TEXT NOT NULL,
    deadline BIGINT NOT NULL,
    -- Base64 as it came; dropped as soon as no submission can follow.
    payload TEXT,
    -- Queued: when to try. Submitting, unknown: when to give up waiting for the outcome.
    due_at BIGINT,
    tries INTEGER NOT NULL,
    segments INTEGER NOT NULL,
    -- Concatenation reference that the segments share, the same in each try.
    reference INTEGER NOT NULL,
    smsc TEXT,
    recall_id TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (client_id, id)
);
CREATE UNIQUE INDEX sms_jobs_source
    ON sms_jobs (client_id, correl_id, source_topic, source_partition, source_offset);
CREATE UNIQUE INDEX sms_jobs_holder ON sms_jobs (client_id, correl_id) WHERE holds;
CREATE INDEX sms_jobs_due ON sms_jobs (state, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX sms_jobs_deadline ON sms_jobs (deadline) WHERE state = 'queued';
CREATE INDEX sms_jobs_updated ON sms_jobs (updated_at);

-- One row per segment, written as `submitting` before its PDU leaves.
CREATE TABLE sms_parts (
    client_id TEXT NOT NULL,
    job_id TEXT NOT NULL,
    part INTEGER NOT NULL,
    smsc TEXT NOT NULL,
    state TEXT NOT NULL,
    -- The SMSC's id as it came, and the same in the form that receipts are looked up by.
    message_id TEXT,
    message_key TEXT,
    -- command_status of a refusal.
    refusal BIGINT,
    receipt TEXT,
    receipt_error TEXT,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (client_id, job_id, part),
    FOREIGN KEY (client_id, job_id) REFERENCES sms_jobs (client_id, id) ON DELETE CASCADE
);
CREATE INDEX sms_parts_message ON sms_parts (smsc, message_key) WHERE message_key IS NOT NULL;

-- Receipts that came before their submit response, or that nothing matches.
CREATE TABLE sms_receipts (
    smsc TEXT NOT NULL,
    id TEXT NOT NULL,
    message_id TEXT NOT NULL,
    message_key TEXT NOT NULL,
    state TEXT NOT NULL,
    error TEXT,
    received_at BIGINT NOT NULL,
    -- Whether other readings of the id (decimal, hexadecimal) were tried in vain, too.
    tried BOOLEAN NOT NULL,
    PRIMARY KEY (smsc, id)
);
CREATE INDEX sms_receipts_message ON sms_receipts (smsc, message_key);
CREATE INDEX sms_receipts_received ON sms_receipts (received_at);

-- What clients read over HTTP, numbered per client without gaps; the outbox holds the same for the bus.
CREATE TABLE sms_statuses (
    client_id TEXT NOT NULL,
    seq BIGINT NOT NULL,
    correl_id TEXT NOT NULL,
    status TEXT NOT NULL,
    recall_id TEXT,
    error_text TEXT,
    simulated BOOLEAN NOT NULL,
    produced_at BIGINT NOT NULL,
    PRIMARY KEY (client_id, seq)
);
CREATE INDEX sms_statuses_produced ON sms_statuses (produced_at);

CREATE TABLE sms_sequences (
    client_id TEXT NOT NULL PRIMARY KEY,
    last_seq BIGINT NOT NULL
);

-- Statuses of the loop-back client that are to be published later.
CREATE TABLE sms_due_statuses (
    client_id TEXT NOT NULL,
    job_id TEXT NOT NULL,
    step INTEGER NOT NULL,
    due_at BIGINT NOT NULL,
    status TEXT NOT NULL,
    error_text TEXT,
    PRIMARY KEY (client_id, job_id, step),
    FOREIGN KEY (client_id, job_id) REFERENCES sms_jobs (client_id, id) ON DELETE CASCADE
);
CREATE INDEX sms_due_statuses_due ON sms_due_statuses (due_at);

CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    topic TEXT NOT NULL,
    record_key BLOB,
    record_value BLOB,
    headers TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    published_at BIGINT
);
CREATE INDEX outbox_pending ON outbox (id) WHERE published_at IS NULL;
