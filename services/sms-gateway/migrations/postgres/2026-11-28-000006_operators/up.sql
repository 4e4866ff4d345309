-- What operators want of a bind, in all instances and after restarts; without a row it is open.
CREATE TABLE sms_orders (
    smsc TEXT NOT NULL PRIMARY KEY,
    state TEXT NOT NULL,
    changed_at BIGINT NOT NULL
);

-- What operators did and looked up: only ever added to. Each row's hash covers the one before, so that a row which was
-- changed or removed later shows.
CREATE TABLE sms_audit (
    id BIGINT NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    target TEXT NOT NULL,
    hash TEXT NOT NULL
);
