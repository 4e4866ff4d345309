DROP TABLE challenges;
DROP TABLE recovery_codes;
DROP TABLE totp;
