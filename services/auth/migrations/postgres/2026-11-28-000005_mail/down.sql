DROP TABLE mail_tokens;
DROP TABLE mails;
DROP INDEX accounts_phone;
DROP INDEX accounts_email;
ALTER TABLE accounts DROP COLUMN phone_verified_at;
ALTER TABLE accounts DROP COLUMN email_verified_at;
