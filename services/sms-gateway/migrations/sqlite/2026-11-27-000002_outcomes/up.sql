-- Keyed hash of the recipient's number: finds the attempt that a receipt belongs to when no response told the SMSC's id.
ALTER TABLE sms_jobs ADD COLUMN recipient TEXT;
-- How often it was sent anew after an unknown outcome.
ALTER TABLE sms_jobs ADD COLUMN resends INTEGER NOT NULL DEFAULT 0;
-- Whether it must go through the SMSC of its last try.
ALTER TABLE sms_jobs ADD COLUMN pinned BOOLEAN NOT NULL DEFAULT FALSE;
-- The deadline as the request spells it, where the envelope is bound to it.
ALTER TABLE sms_jobs ADD COLUMN deadline_text TEXT;
CREATE INDEX sms_jobs_unanswered ON sms_jobs (recipient)
    WHERE state IN ('submitting', 'unknown') OR resends > 0;

ALTER TABLE sms_statuses ADD COLUMN possible_duplicate BOOLEAN NOT NULL DEFAULT FALSE;

ALTER TABLE sms_receipts ADD COLUMN recipient TEXT;
CREATE INDEX sms_receipts_recipient ON sms_receipts (recipient) WHERE recipient IS NOT NULL;
CREATE INDEX sms_receipts_untried ON sms_receipts (received_at) WHERE NOT tried;
-- When it was last tried to be matched.
ALTER TABLE sms_receipts ADD COLUMN looked_at BIGINT NOT NULL DEFAULT 0;

-- How many concatenation references each recipient has had: two long texts to one phone never share one.
CREATE TABLE sms_references (
    recipient TEXT NOT NULL PRIMARY KEY,
    uses BIGINT NOT NULL,
    used_at BIGINT NOT NULL
);
CREATE INDEX sms_references_used ON sms_references (used_at);

-- Envelopes of version 2 that were opened, until their deadline: none is taken from a second record.
CREATE TABLE sms_seals (
    client_id TEXT NOT NULL,
    seal TEXT NOT NULL,
    source_topic TEXT NOT NULL,
    source_partition INTEGER NOT NULL,
    source_offset BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (client_id, seal)
);
CREATE INDEX sms_seals_expiry ON sms_seals (expires_at);
