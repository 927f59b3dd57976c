-- More of assets. The PostgreSQL half beside this file has the same changes.

-- What an operator told of one in Ark's own library: whose it is to use, and which account has it.
CREATE TABLE registered_asset (
    id          TEXT PRIMARY KEY, -- Ark's, in small letters
    tenant_id   INTEGER NOT NULL, -- 0: every tenant's
    account_id  INTEGER NOT NULL,
    type        TEXT NOT NULL CHECK (type IN ('Image', 'Video', 'Audio')),
    name        TEXT NOT NULL,
    duration_ms INTEGER NOT NULL, -- 0: not told
    created_us  INTEGER NOT NULL,
    purged_us   INTEGER -- when an operator took it away; the row stays as the record
) STRICT, WITHOUT ROWID;
-- Of the tries of a file: those that its server is to blame for, and those that what looked at it did
-- not survive.
ALTER TABLE ingest ADD COLUMN downloads INTEGER NOT NULL DEFAULT 0;
ALTER TABLE ingest ADD COLUMN looks INTEGER NOT NULL DEFAULT 0;
