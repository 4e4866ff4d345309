ALTER TABLE incoming DROP COLUMN traceparent;
