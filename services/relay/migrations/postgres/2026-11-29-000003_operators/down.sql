DROP TABLE admin_audit_start;
DROP TABLE admin_audit;
