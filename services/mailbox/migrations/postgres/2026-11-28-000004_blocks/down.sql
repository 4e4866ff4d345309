ALTER TABLE mailboxes DROP COLUMN has_blocks;
DROP TABLE blocks;
