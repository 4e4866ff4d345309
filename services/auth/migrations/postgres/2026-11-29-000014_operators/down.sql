DROP TABLE admin_audit_start;
DROP TABLE admin_audit;
DROP INDEX accounts_by_id;
DROP INDEX accounts_search;
DROP TABLE blocked_accounts;
