ALTER TABLE mailboxes DROP COLUMN urgent_waits;
