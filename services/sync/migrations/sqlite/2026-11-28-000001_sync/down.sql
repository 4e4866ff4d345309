DROP TABLE synchronized_devices;
DROP TABLE sync_sessions;
