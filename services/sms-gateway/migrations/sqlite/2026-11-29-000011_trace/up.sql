-- The span of each status, as in its record: webhooks carry it on, and a request is found by it.
ALTER TABLE sms_statuses ADD COLUMN traceparent TEXT;
