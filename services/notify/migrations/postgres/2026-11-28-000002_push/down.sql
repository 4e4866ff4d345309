DROP TABLE pushes;
DROP TABLE push_presences;
DROP TABLE push_subscriptions;
