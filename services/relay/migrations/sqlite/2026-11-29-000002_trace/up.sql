-- The trace of the request that brought an SMS: it goes on to the publisher, however late.
ALTER TABLE incoming ADD COLUMN traceparent TEXT;
