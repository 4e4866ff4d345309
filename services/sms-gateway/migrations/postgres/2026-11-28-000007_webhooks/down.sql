DROP TABLE sms_webhooks;
