-- Whether an envelope that its device should be woken for came since the mailbox was last empty.
ALTER TABLE mailboxes ADD COLUMN urgent_waits BOOLEAN NOT NULL DEFAULT FALSE;
