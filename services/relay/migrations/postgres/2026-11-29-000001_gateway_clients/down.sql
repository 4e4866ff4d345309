DROP TABLE incoming;
DROP TABLE seeds;
DROP TABLE gateway_client_operators;
DROP TABLE gateway_clients;
