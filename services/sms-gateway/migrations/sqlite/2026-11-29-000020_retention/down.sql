DROP TABLE sms_audit_start;
