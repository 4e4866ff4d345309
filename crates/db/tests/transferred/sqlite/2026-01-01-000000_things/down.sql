DROP TABLE a_things;
DROP TABLE owners;
