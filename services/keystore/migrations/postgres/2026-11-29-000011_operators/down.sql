DROP TABLE admin_audit_start;
DROP TABLE admin_audit;
ALTER TABLE devices DROP COLUMN signed_at;
