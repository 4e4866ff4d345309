-- Who has the websocket of a mailbox's device: its claims are counted, so that the later of two is told from the
-- earlier, and the process that made the last one is named for as long as the socket is open.
ALTER TABLE mailboxes ADD COLUMN socket_claim BIGINT NOT NULL DEFAULT 0;
ALTER TABLE mailboxes ADD COLUMN socket_process TEXT;
CREATE INDEX mailboxes_socket_process ON mailboxes (socket_process) WHERE socket_process IS NOT NULL;

-- The processes that may have sockets. On PostgreSQL each holds a lock for as long as it lives.
CREATE TABLE processes (
    process    TEXT   NOT NULL PRIMARY KEY,
    started_at BIGINT NOT NULL
);
