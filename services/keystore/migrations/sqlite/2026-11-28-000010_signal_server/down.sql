DROP TABLE signal_server_issued_prekeys;
DROP TABLE signal_server_prekeys;
DROP TABLE signal_server_devices;
