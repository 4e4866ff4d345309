ALTER TABLE sms_statuses DROP COLUMN traceparent;
