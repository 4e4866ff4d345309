-- As for PostgreSQL, where it matters.
DROP INDEX sms_jobs_source;
CREATE UNIQUE INDEX sms_jobs_source
    ON sms_jobs (correl_id, client_id, source_topic, source_partition, source_offset);
