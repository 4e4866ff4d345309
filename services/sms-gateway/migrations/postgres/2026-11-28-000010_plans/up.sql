-- Not led by client_id: as long as a new database has no statistics, PostgreSQL takes whichever index begins with it for as
-- good as the primary key, and reads all jobs of a client to find one.
DROP INDEX sms_jobs_source;
CREATE UNIQUE INDEX sms_jobs_source
    ON sms_jobs (correl_id, client_id, source_topic, source_partition, source_offset);
