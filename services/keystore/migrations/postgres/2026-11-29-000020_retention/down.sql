DROP INDEX accounts_removed;
