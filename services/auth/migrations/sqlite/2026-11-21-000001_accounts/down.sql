DROP TABLE outbox;
DROP TABLE revocations;
DROP TABLE refresh_tokens;
DROP TABLE sessions;
DROP TABLE deleted_accounts;
DROP TABLE accounts;
