DROP TABLE outbox;
DROP TABLE sms_due_statuses;
DROP TABLE sms_sequences;
DROP TABLE sms_statuses;
DROP TABLE sms_receipts;
DROP TABLE sms_parts;
DROP TABLE sms_jobs;
