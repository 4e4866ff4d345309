DROP TABLE signal_server_closed;
DROP TABLE signal_server_messages;
DROP TABLE signal_server_devices;
