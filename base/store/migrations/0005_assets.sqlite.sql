-- Groups and assets. The PostgreSQL half beside this file has the same tables and columns.

-- tenancy: what an operator says of one tenant; a name that is not there has its default.
CREATE TABLE tenant_setting (
    tenant_id INTEGER NOT NULL,
    name      TEXT NOT NULL,
    value     TEXT NOT NULL,
    PRIMARY KEY (tenant_id, name)
) STRICT, WITHOUT ROWID;

-- assetlib
CREATE TABLE asset_group (
    id          TEXT PRIMARY KEY, -- "group-" and so on; of no other tenant
    tenant_id   INTEGER NOT NULL,
    identity    TEXT NOT NULL, -- who made it, as in token.identity
    name        TEXT NOT NULL,
    folded      TEXT NOT NULL, -- the name without case, for Filter.Name
    description TEXT NOT NULL,
    project     TEXT NOT NULL,
    created_us  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX asset_group_by_tenant ON asset_group (tenant_id, created_us, id);
CREATE INDEX asset_group_by_identity ON asset_group (tenant_id, identity, created_us, id);
CREATE TABLE asset_group_count (
    tenant_id INTEGER NOT NULL,
    identity  TEXT NOT NULL,
    project   TEXT NOT NULL,
    n         INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, identity, project)
) STRICT, WITHOUT ROWID;
CREATE TABLE asset (
    id             TEXT PRIMARY KEY,
    tenant_id      INTEGER NOT NULL,
    identity       TEXT NOT NULL,
    group_id       TEXT NOT NULL,
    type           TEXT NOT NULL CHECK (type IN ('Image', 'Video', 'Audio')),
    name           TEXT NOT NULL,
    folded         TEXT NOT NULL,
    project        TEXT NOT NULL,
    status         TEXT NOT NULL CHECK (status IN ('Processing', 'Active', 'Failed')),
    error_code     TEXT NOT NULL, -- of a failed one, else empty
    error_message  TEXT NOT NULL,
    bytes          INTEGER NOT NULL, -- of the file; until it is there, the most that it may have
    hash           BLOB, -- SHA-256 of the file; NULL until it is active
    thumbnail      BLOB, -- SHA-256 of the WebP picture of it, where there is one
    format         TEXT NOT NULL,
    codec          TEXT NOT NULL,
    width          INTEGER NOT NULL,
    height         INTEGER NOT NULL,
    fps_milli      INTEGER NOT NULL,
    duration_ms    INTEGER NOT NULL,
    channels       INTEGER NOT NULL,
    created_us     INTEGER NOT NULL,
    updated_us     INTEGER NOT NULL,
    purged_us      INTEGER -- when an operator took it away; the row stays as the record
) STRICT, WITHOUT ROWID;
CREATE INDEX asset_by_tenant ON asset (tenant_id, created_us, id);
CREATE INDEX asset_by_update ON asset (tenant_id, updated_us, id);
CREATE INDEX asset_by_group ON asset (tenant_id, group_id, created_us, id);
-- Who refers to stored bytes.
CREATE INDEX asset_by_hash ON asset (tenant_id, hash) WHERE hash IS NOT NULL AND purged_us IS NULL;
CREATE INDEX asset_by_thumbnail ON asset (tenant_id, thumbnail) WHERE thumbnail IS NOT NULL AND purged_us IS NULL;
CREATE INDEX asset_by_identity ON asset (tenant_id, identity, created_us, id);
-- What lists and limits count: a row for each group, and one without a group for all.
CREATE TABLE asset_count (
    tenant_id INTEGER NOT NULL,
    group_id  TEXT NOT NULL,
    identity  TEXT NOT NULL,
    project   TEXT NOT NULL,
    status    TEXT NOT NULL,
    n         INTEGER NOT NULL,
    bytes     INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, group_id, identity, project, status)
) STRICT, WITHOUT ROWID;
-- Which tasks were made with an asset, by their minted ids.
CREATE TABLE asset_use (
    tenant_id  INTEGER NOT NULL,
    asset_id   TEXT NOT NULL,
    task       TEXT NOT NULL,
    created_us INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, asset_id, task)
) STRICT, WITHOUT ROWID;
-- What made an asset or a group, so that the same request again makes no second one.
CREATE TABLE asset_request (
    tenant_id  INTEGER NOT NULL,
    key        TEXT NOT NULL,
    body_hash  BLOB NOT NULL,
    object_id  TEXT NOT NULL,
    created_us INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX asset_request_by_age ON asset_request (created_us);
-- Files still to be fetched and looked at; a row is gone when its asset is active or failed.
CREATE TABLE ingest (
    asset_id   TEXT PRIMARY KEY,
    tenant_id  INTEGER NOT NULL,
    url        TEXT NOT NULL,
    due_us     INTEGER NOT NULL, -- when it may be taken: at first, after a failure, or by another
    holder     TEXT NOT NULL, -- who took it last
    tries      INTEGER NOT NULL,
    created_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX ingest_by_due ON ingest (due_us);
