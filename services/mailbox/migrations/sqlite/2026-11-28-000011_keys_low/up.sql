-- How many one-time prekeys of each kind its device had when it was last to be told that they run out; null while there
-- are enough.
ALTER TABLE mailboxes ADD COLUMN ec_keys_left INTEGER;
ALTER TABLE mailboxes ADD COLUMN pq_keys_left INTEGER;
