-- What operators did; the shape that every service has (crates/service/src/operators/log.rs).
CREATE TABLE admin_audit (
    id     BIGINT NOT NULL PRIMARY KEY,
    at     BIGINT NOT NULL,
    actor  TEXT   NOT NULL,
    action TEXT   NOT NULL,
    target TEXT   NOT NULL,
    hash   TEXT   NOT NULL
);
