DROP INDEX sms_jobs_ended;
CREATE INDEX sms_jobs_updated ON sms_jobs (updated_at);
