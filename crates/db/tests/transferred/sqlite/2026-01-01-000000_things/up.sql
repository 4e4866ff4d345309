CREATE TABLE owners (
    owner TEXT NOT NULL PRIMARY KEY
);
CREATE TABLE a_things (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    owner TEXT NOT NULL REFERENCES owners (owner) ON DELETE CASCADE,
    flag BOOLEAN,
    words TEXT,
    content BLOB,
    small INTEGER,
    large BIGINT
);
