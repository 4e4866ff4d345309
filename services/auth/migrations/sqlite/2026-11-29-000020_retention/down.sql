DROP INDEX mails_created;
DROP INDEX refresh_tokens_used;
ALTER TABLE deleted_accounts DROP COLUMN deleted_by;
