-- Who had an account deleted: its owner, or an operator.
ALTER TABLE deleted_accounts ADD COLUMN deleted_by TEXT NOT NULL DEFAULT 'owner';

-- What is looked for by its age.
CREATE INDEX refresh_tokens_used ON refresh_tokens (used_at) WHERE used_at IS NOT NULL;
CREATE INDEX mails_created ON mails (created_at);
