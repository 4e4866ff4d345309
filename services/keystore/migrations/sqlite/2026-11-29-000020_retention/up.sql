-- Tombstones of accounts are looked for by their age.
CREATE INDEX accounts_removed ON accounts (removed_at) WHERE removed_at IS NOT NULL;
