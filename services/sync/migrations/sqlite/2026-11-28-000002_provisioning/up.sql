-- Websockets on which a new device waits for an envelope, by the hash of the address that its QR code shows. The row is
-- the truth that processes share: what is told live between them only makes it fast.
CREATE TABLE provisioning (
    address_hash BLOB  NOT NULL PRIMARY KEY,
    expires_at   BIGINT NOT NULL,
    scanned_at   BIGINT,
    envelope     BLOB,
    taken_at     BIGINT
);
CREATE INDEX provisioning_expiry ON provisioning (expires_at);
