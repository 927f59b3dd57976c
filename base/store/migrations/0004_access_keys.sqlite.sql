-- Who signs requests. The PostgreSQL half beside this file has the same table.

-- The id is the public half, under which requests come. The secret is sealed and not hashed:
-- a signature can be checked with the secret alone.
CREATE TABLE access_key (
    id            TEXT PRIMARY KEY,
    identity      TEXT NOT NULL,
    tenant_id     INTEGER NOT NULL REFERENCES tenant (id),
    secret_sealed BLOB NOT NULL,
    own_only      INTEGER NOT NULL,
    note          TEXT NOT NULL,
    created_us    INTEGER NOT NULL,
    revoked_us    INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX access_key_by_tenant ON access_key (tenant_id, id);
