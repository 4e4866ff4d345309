-- The day (UTC) on which tokens of the session were last asked for: no finer, as owners need to know no more.
ALTER TABLE sessions ADD COLUMN seen_at BIGINT NOT NULL DEFAULT 0;
UPDATE sessions SET seen_at = created_at - created_at % 86400000;
