DROP TABLE outbox;
DROP TABLE deleted_accounts;
DROP TABLE closed_generations;
DROP TABLE idempotency_keys;
DROP TABLE envelopes;
DROP TABLE mailboxes;
