-- Only attempts that have ended are looked for by their age: those on their way, whose rows change, are in one index less.
DROP INDEX sms_jobs_updated;
CREATE INDEX sms_jobs_ended ON sms_jobs (updated_at) WHERE state NOT IN ('queued', 'submitting', 'looping');
