-- Who signs requests. The SQLite half beside this file has the same table.

-- The id is the public half, under which requests come. The secret is sealed and not hashed:
-- a signature can be checked with the secret alone.
CREATE TABLE access_key (
    id            text COLLATE "C" PRIMARY KEY,
    identity      text COLLATE "C" NOT NULL,
    tenant_id     bigint NOT NULL REFERENCES tenant (id),
    secret_sealed bytea NOT NULL,
    own_only      bigint NOT NULL,
    note          text COLLATE "C" NOT NULL,
    created_us    bigint NOT NULL,
    revoked_us    bigint
);
CREATE INDEX access_key_by_tenant ON access_key (tenant_id, id);
