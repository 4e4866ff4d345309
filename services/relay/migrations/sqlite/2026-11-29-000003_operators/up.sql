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
