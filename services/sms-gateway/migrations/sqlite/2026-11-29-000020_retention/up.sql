-- Where the log of operators begins: the last entry that its retention has removed, to whose hash the first one that is
-- left is chained. No row: nothing was removed.
CREATE TABLE sms_audit_start (
    id BIGINT NOT NULL PRIMARY KEY,
    hash TEXT NOT NULL
);
