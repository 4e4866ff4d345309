CREATE TABLE owners (
    owner TEXT NOT NULL PRIMARY KEY
);
CREATE TABLE a_things (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner TEXT NOT NULL REFERENCES owners (owner) ON DELETE CASCADE,
    flag BOOLEAN,
    small INTEGER,
    large BIGINT,
    words TEXT,
    content BYTEA
);
