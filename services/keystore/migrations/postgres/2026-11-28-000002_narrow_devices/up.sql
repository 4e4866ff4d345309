-- A fetch reads and counts in the row of a device: what is large and rarely needed lives beside it. One-time keys have
-- positions without gaps, each kind its own, so that a key that is taken tells how many are left behind it.
CREATE TABLE last_resort_keys (
    account_id TEXT    NOT NULL,
    device_id  INTEGER NOT NULL,
    key_id     INTEGER NOT NULL,
    public_key BYTEA   NOT NULL,
    signature  BYTEA   NOT NULL,
    PRIMARY KEY (account_id, device_id)
);
INSERT INTO last_resort_keys
    SELECT account_id, device_id, last_resort_id, last_resort_key, last_resort_signature FROM devices;

-- Keys go with the life of their device, in one transaction: they need not name it.
ALTER TABLE one_time_keys RENAME TO earlier_keys;
DROP INDEX one_time_keys_id;
DROP INDEX one_time_keys_hash;
CREATE TABLE one_time_keys (
    account_id TEXT    NOT NULL,
    device_id  INTEGER NOT NULL,
    kind       TEXT    NOT NULL,
    position   BIGINT  NOT NULL,
    key_id     INTEGER NOT NULL,
    public_key BYTEA   NOT NULL,
    signature  BYTEA,
    key_hash   BYTEA   NOT NULL,
    CONSTRAINT one_time_keys_position PRIMARY KEY (account_id, device_id, kind, position)
);
INSERT INTO one_time_keys
    SELECT k.account_id, k.device_id, k.kind,
        row_number() OVER (PARTITION BY k.account_id, k.device_id, k.kind ORDER BY k.position),
        k.key_id, k.public_key, k.signature, k.key_hash
    FROM earlier_keys k JOIN devices d
        ON d.account_id = k.account_id AND d.device_id = k.device_id AND d.generation = k.generation;
DROP TABLE earlier_keys;
CREATE UNIQUE INDEX one_time_keys_id ON one_time_keys (account_id, device_id, kind, key_id);
CREATE UNIQUE INDEX one_time_keys_hash ON one_time_keys (account_id, key_hash);

-- The positions that the next keys get.
ALTER TABLE devices ADD COLUMN next_ec_position BIGINT NOT NULL DEFAULT 1;
ALTER TABLE devices ADD COLUMN next_pq_position BIGINT NOT NULL DEFAULT 1;
UPDATE devices SET
    next_ec_position = 1 + (SELECT count(*) FROM one_time_keys k
        WHERE k.account_id = devices.account_id AND k.device_id = devices.device_id AND k.kind = 'ec'),
    next_pq_position = 1 + (SELECT count(*) FROM one_time_keys k
        WHERE k.account_id = devices.account_id AND k.device_id = devices.device_id AND k.kind = 'pq');
ALTER TABLE devices DROP COLUMN next_position;
ALTER TABLE devices DROP COLUMN last_resort_id;
ALTER TABLE devices DROP COLUMN last_resort_key;
ALTER TABLE devices DROP COLUMN last_resort_signature;

-- Room for the counts of the next fetches on the same page, so that no index has to know of them.
ALTER TABLE devices SET (fillfactor = 70);
