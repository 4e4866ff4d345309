ALTER TABLE mailboxes DROP COLUMN pq_keys_left;
ALTER TABLE mailboxes DROP COLUMN ec_keys_left;
