-- Several gateways at once. The PostgreSQL half beside this file has the same tables and
-- columns; there they are used, and here one process is alone.

-- Who does what of which there is one: "poll:ACCOUNT", "sweep", "gateway:HOLDER". The time
-- is wall time; a name without a row, or past its time, is free.
CREATE TABLE lease (
    name     TEXT PRIMARY KEY,
    holder   TEXT NOT NULL,
    schema   INTEGER NOT NULL, -- of the holder's program
    until_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- When the next GET and DELETE of a client's cancel may leave, on whichever gateway.
CREATE TABLE account_pace (
    account_id INTEGER PRIMARY KEY REFERENCES upstream_account (id),
    get_us     INTEGER NOT NULL,
    delete_us  INTEGER NOT NULL
) STRICT;
