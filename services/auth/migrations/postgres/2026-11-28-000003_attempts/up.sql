-- Guesses (passwords, codes), as token buckets that all pods share. The subject is a keyed hash of what is guessed at;
-- a bucket that is full again is as good as none.
CREATE TABLE attempts (
    subject BYTEA   NOT NULL PRIMARY KEY,
    full_at BIGINT  NOT NULL
);
CREATE INDEX attempts_full ON attempts (full_at);
