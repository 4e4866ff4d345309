DROP TABLE processes;
DROP INDEX mailboxes_socket_process;
ALTER TABLE mailboxes DROP COLUMN socket_process;
ALTER TABLE mailboxes DROP COLUMN socket_claim;
