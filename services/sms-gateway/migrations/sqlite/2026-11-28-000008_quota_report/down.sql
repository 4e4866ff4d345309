DROP TABLE sms_report;
DROP TABLE sms_quota_use;
ALTER TABLE sms_jobs DROP COLUMN delivered_at;
ALTER TABLE sms_jobs DROP COLUMN charged;
ALTER TABLE sms_jobs DROP COLUMN left_at;
