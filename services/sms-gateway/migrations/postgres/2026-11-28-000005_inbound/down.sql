DROP TABLE sms_opt_outs;
DROP TABLE sms_inbound_sequences;
DROP TABLE sms_inbound;
DROP TABLE sms_inbound_seen;
DROP TABLE sms_inbound_parts;
DROP TABLE sms_inbound_messages;
