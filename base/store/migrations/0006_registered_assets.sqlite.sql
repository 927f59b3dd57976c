-- Assets of Ark's own library. The PostgreSQL half beside this file has the same table.

-- What an operator told of one: whose it is to use, and which account has it.
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
