-- Somebody shows that a phone is theirs. The id is what the account is made with, or given the number by, so it goes to
-- nobody else; correl_id names the newest SMS to the gateway.
CREATE TABLE phone_verifications (
    verification_id TEXT    NOT NULL PRIMARY KEY,
    phone           TEXT    NOT NULL,
    correl_id       TEXT    UNIQUE,
    code_mac        BLOB,
    code_expires_at BIGINT  NOT NULL,
    sends           INTEGER NOT NULL,
    checks          INTEGER NOT NULL,
    next_send_at    BIGINT  NOT NULL,
    next_check_at   BIGINT  NOT NULL,
    delivery        TEXT    NOT NULL,
    verified_at     BIGINT,
    expires_at      BIGINT  NOT NULL
);
CREATE INDEX phone_verifications_phone ON phone_verifications (phone);
CREATE INDEX phone_verifications_expiry ON phone_verifications (expires_at);
