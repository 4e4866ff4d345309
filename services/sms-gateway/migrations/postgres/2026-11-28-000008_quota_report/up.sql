-- When what an SMSC has of it, or may have, began to leave; it counts in the quotas of that day and month.
ALTER TABLE sms_jobs ADD COLUMN left_at BIGINT;
-- Segments that it holds of its client's quota.
ALTER TABLE sms_jobs ADD COLUMN charged INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sms_jobs ADD COLUMN delivered_at BIGINT;

-- Segments used of the quotas: for each period the sum of `charged` of the attempts that left in it.
CREATE TABLE sms_quota_use (
    client_id TEXT NOT NULL,
    -- A day (2026-11-28) or a month (2026-11), UTC.
    period TEXT NOT NULL,
    ends_at BIGINT NOT NULL,
    used BIGINT NOT NULL,
    -- Whether it was said that most of it is used.
    warned BOOLEAN NOT NULL,
    PRIMARY KEY (client_id, period)
);
CREATE INDEX sms_quota_use_ends ON sms_quota_use (ends_at);

-- The delivery report of attempts whose rows are gone: added to in the transaction that deletes them.
CREATE TABLE sms_report (
    client_id TEXT NOT NULL,
    -- The UTC day on which they were taken, in days since 1970-01-01.
    day BIGINT NOT NULL,
    -- The SMSC of the last try; empty for none.
    smsc TEXT NOT NULL,
    state TEXT NOT NULL,
    -- Whether SENT was published.
    sent INTEGER NOT NULL,
    -- How long the receipt took, by the number of its bucket; -1 where nothing was delivered.
    bucket INTEGER NOT NULL,
    requests BIGINT NOT NULL,
    segments BIGINT NOT NULL,
    PRIMARY KEY (client_id, day, smsc, state, sent, bucket)
);
CREATE INDEX sms_report_day ON sms_report (day);
