DROP TABLE presences;
DROP TABLE tokens;
DROP TABLE idempotency_keys;
DROP TABLE notifications;
DROP TABLE channels;
