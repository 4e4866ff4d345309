DROP TABLE outbox;
DROP TABLE issued_keys;
DROP TABLE one_time_keys;
DROP TABLE devices;
DROP TABLE accounts;
