DROP TABLE phone_verifications;
