-- When the signed prekey was last replaced; of those before this column, nobody knows better than that of the device.
ALTER TABLE devices ADD COLUMN signed_at BIGINT NOT NULL DEFAULT 0;
UPDATE devices SET signed_at = created_at;

-- What operators did; the shape that every service has (crates/service/src/operators/log.rs).
CREATE TABLE admin_audit (
    id     BIGINT NOT NULL PRIMARY KEY,
    at     BIGINT NOT NULL,
    actor  TEXT   NOT NULL,
    action TEXT   NOT NULL,
    target TEXT   NOT NULL,
    hash   TEXT   NOT NULL
);

-- The last entry that was removed for its age, to whose hash the first one that is left is chained. No row: none was.
CREATE TABLE admin_audit_start (
    id   BIGINT NOT NULL PRIMARY KEY,
    hash TEXT   NOT NULL
);
