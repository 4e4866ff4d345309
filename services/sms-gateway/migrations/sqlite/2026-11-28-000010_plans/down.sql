DROP INDEX sms_jobs_source;
CREATE UNIQUE INDEX sms_jobs_source
    ON sms_jobs (client_id, correl_id, source_topic, source_partition, source_offset);
