DROP INDEX accounts_folded;
DROP TABLE woosh_accounts;
