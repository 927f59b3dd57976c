-- More of assets. The SQLite half beside this file has the same changes.

-- What an operator told of one in Ark's own library: whose it is to use, and which account has it.
CREATE TABLE registered_asset (
    id          text COLLATE "C" PRIMARY KEY, -- Ark's, in small letters
    tenant_id   bigint NOT NULL, -- 0: every tenant's
    account_id  bigint NOT NULL,
    type        text COLLATE "C" NOT NULL CHECK (type IN ('Image', 'Video', 'Audio')),
    name        text COLLATE "C" NOT NULL,
    duration_ms bigint NOT NULL, -- 0: not told
    created_us  bigint NOT NULL,
    purged_us   bigint -- when an operator took it away; the row stays as the record
);
-- Of the tries of a file: those that its server is to blame for, and those that what looked at it did
-- not survive.
ALTER TABLE ingest ADD COLUMN downloads bigint NOT NULL DEFAULT 0;
ALTER TABLE ingest ADD COLUMN looks bigint NOT NULL DEFAULT 0;
