DROP TABLE signal_server_sessions;
DROP TABLE signal_server_accounts;
