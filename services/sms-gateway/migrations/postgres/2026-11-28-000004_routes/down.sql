DROP INDEX sms_jobs_due;
CREATE INDEX sms_jobs_due ON sms_jobs (state, due_at) WHERE due_at IS NOT NULL;
DROP INDEX sms_jobs_pinned;
DROP INDEX sms_jobs_waiting;
ALTER TABLE sms_jobs DROP COLUMN tried_smscs;
ALTER TABLE sms_jobs DROP COLUMN route;
