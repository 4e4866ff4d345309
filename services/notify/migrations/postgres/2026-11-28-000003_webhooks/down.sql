DROP TABLE connections;
DROP TABLE webhook_states;
DROP TABLE webhook_events;
DROP TABLE webhook_queues;
