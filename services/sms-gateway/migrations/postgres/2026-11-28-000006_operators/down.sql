DROP TABLE sms_audit;
DROP TABLE sms_orders;
