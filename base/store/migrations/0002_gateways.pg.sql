-- Several gateways at once. The SQLite half beside this file has the same tables and
-- columns, but for store_commit.

-- Who does what of which there is one: "poll:ACCOUNT", "sweep", "gateway:HOLDER". The time
-- is wall time; a name without a row, or past its time, is free.
CREATE TABLE lease (
    name     text COLLATE "C" PRIMARY KEY,
    holder   text COLLATE "C" NOT NULL,
    schema   bigint NOT NULL, -- of the holder's program
    until_us bigint NOT NULL
);
-- When the next GET and DELETE of a client's cancel may leave, on whichever gateway.
CREATE TABLE account_pace (
    account_id bigint PRIMARY KEY REFERENCES upstream_account (id),
    get_us     bigint NOT NULL,
    delete_us  bigint NOT NULL
);
-- The engine's own: the last COMMIT of each writing connection, written in the
-- transaction that it ends, so that its fate can be read when the answer was lost. Who
-- reads it sets the fence: what has not been committed by then never will be.
CREATE TABLE store_commit (
    writer text COLLATE "C" PRIMARY KEY,
    number bigint NOT NULL,
    fence  bigint NOT NULL DEFAULT 0, -- up to here nothing can be committed any more
    seen   timestamp with time zone NOT NULL
);
-- Room beside rows that are changed soon after they are written: their next version fits
-- on the same page, and indexes whose columns stay need no new entry.
ALTER TABLE task SET (fillfactor = 70);
ALTER TABLE attempt SET (fillfactor = 80);
ALTER TABLE hold SET (fillfactor = 80);
ALTER TABLE account SET (fillfactor = 50);
ALTER TABLE task_count SET (fillfactor = 50);
