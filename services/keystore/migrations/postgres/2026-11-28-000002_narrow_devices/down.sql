ALTER TABLE devices ADD COLUMN last_resort_id INTEGER NOT NULL DEFAULT 0;
ALTER TABLE devices ADD COLUMN last_resort_key BYTEA NOT NULL DEFAULT '';
ALTER TABLE devices ADD COLUMN last_resort_signature BYTEA NOT NULL DEFAULT '';
ALTER TABLE devices ADD COLUMN next_position BIGINT NOT NULL DEFAULT 1;
UPDATE devices SET
    last_resort_id = k.key_id, last_resort_key = k.public_key, last_resort_signature = k.signature,
    next_position = next_ec_position + next_pq_position
FROM last_resort_keys k WHERE k.account_id = devices.account_id AND k.device_id = devices.device_id;
ALTER TABLE devices DROP COLUMN next_ec_position;
ALTER TABLE devices DROP COLUMN next_pq_position;
DROP TABLE last_resort_keys;

ALTER TABLE one_time_keys RENAME TO later_keys;
DROP INDEX one_time_keys_id;
DROP INDEX one_time_keys_hash;
CREATE TABLE one_time_keys (
    account_id TEXT    NOT NULL,
    device_id  INTEGER NOT NULL,
    generation TEXT    NOT NULL,
    kind       TEXT    NOT NULL,
    position   BIGINT  NOT NULL,
    key_id     INTEGER NOT NULL,
    public_key BYTEA   NOT NULL,
    signature  BYTEA,
    key_hash   BYTEA   NOT NULL,
    CONSTRAINT one_time_keys_pkey PRIMARY KEY (account_id, device_id, generation, kind, position)
);
INSERT INTO one_time_keys
    SELECT k.account_id, k.device_id, d.generation, k.kind, k.position, k.key_id, k.public_key, k.signature, k.key_hash
    FROM later_keys k JOIN devices d ON d.account_id = k.account_id AND d.device_id = k.device_id;
DROP TABLE later_keys;
CREATE UNIQUE INDEX one_time_keys_id ON one_time_keys (account_id, device_id, generation, kind, key_id);
CREATE UNIQUE INDEX one_time_keys_hash ON one_time_keys (account_id, key_hash);
ALTER TABLE devices RESET (fillfactor);
