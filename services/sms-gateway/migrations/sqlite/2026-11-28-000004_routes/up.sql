-- Name of the route that a message takes, decided when it was open. Empty: still to be decided, as for rows from before.
ALTER TABLE sms_jobs ADD COLUMN route TEXT NOT NULL DEFAULT '';
-- SMSCs that did not take it in this try: a JSON array of names.
ALTER TABLE sms_jobs ADD COLUMN tried_smscs TEXT;
-- What waits is found by its route and class, or by the SMSC that has a part of it; what is under way by its time alone.
CREATE INDEX sms_jobs_waiting ON sms_jobs (route, class, due_at, id) WHERE state = 'queued' AND NOT pinned;
CREATE INDEX sms_jobs_pinned ON sms_jobs (smsc, due_at, id) WHERE state = 'queued' AND pinned;
DROP INDEX sms_jobs_due;
CREATE INDEX sms_jobs_due ON sms_jobs (state, due_at) WHERE due_at IS NOT NULL AND state <> 'queued';
