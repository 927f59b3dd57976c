-- Assets of Ark's own library. The SQLite half beside this file has the same table.

-- What an operator told of one: whose it is to use, and which account has it.
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
