DROP TABLE woosh_messages;
DROP TABLE woosh_inboxes;
