-- Groups and assets. The SQLite half beside this file has the same tables and columns.

-- tenancy: what an operator says of one tenant; a name that is not there has its default.
CREATE TABLE tenant_setting (
    tenant_id bigint NOT NULL,
    name      text COLLATE "C" NOT NULL,
    value     text COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant_id, name)
);

-- assetlib
CREATE TABLE asset_group (
    id          text COLLATE "C" PRIMARY KEY, -- "group-" and so on; of no other tenant
    tenant_id   bigint NOT NULL,
    identity    text COLLATE "C" NOT NULL, -- who made it, as in token.identity
    name        text COLLATE "C" NOT NULL,
    folded      text COLLATE "C" NOT NULL, -- the name without case, for Filter.Name
    description text COLLATE "C" NOT NULL,
    project     text COLLATE "C" NOT NULL,
    created_us  bigint NOT NULL
);
CREATE INDEX asset_group_by_tenant ON asset_group (tenant_id, created_us, id);
CREATE INDEX asset_group_by_identity ON asset_group (tenant_id, identity, created_us, id);
CREATE TABLE asset_group_count (
    tenant_id bigint NOT NULL,
    identity  text COLLATE "C" NOT NULL,
    project   text COLLATE "C" NOT NULL,
    n         bigint NOT NULL,
    PRIMARY KEY (tenant_id, identity, project)
);
CREATE TABLE asset (
    id             text COLLATE "C" PRIMARY KEY,
    tenant_id      bigint NOT NULL,
    identity       text COLLATE "C" NOT NULL,
    group_id       text COLLATE "C" NOT NULL,
    type           text COLLATE "C" NOT NULL CHECK (type IN ('Image', 'Video', 'Audio')),
    name           text COLLATE "C" NOT NULL,
    folded         text COLLATE "C" NOT NULL,
    project        text COLLATE "C" NOT NULL,
    status         text COLLATE "C" NOT NULL CHECK (status IN ('Processing', 'Active', 'Failed')),
    error_code     text COLLATE "C" NOT NULL, -- of a failed one, else empty
    error_message  text COLLATE "C" NOT NULL,
    bytes          bigint NOT NULL, -- of the file; until it is there, the most that it may have
    hash           bytea, -- SHA-256 of the file; NULL until it is active
    thumbnail      bytea, -- SHA-256 of the WebP picture of it, where there is one
    format         text COLLATE "C" NOT NULL,
    codec          text COLLATE "C" NOT NULL,
    width          bigint NOT NULL,
    height         bigint NOT NULL,
    fps_milli      bigint NOT NULL,
    duration_ms    bigint NOT NULL,
    channels       bigint NOT NULL,
    created_us     bigint NOT NULL,
    updated_us     bigint NOT NULL,
    purged_us      bigint -- when an operator took it away; the row stays as the record
);
CREATE INDEX asset_by_tenant ON asset (tenant_id, created_us, id);
CREATE INDEX asset_by_update ON asset (tenant_id, updated_us, id);
CREATE INDEX asset_by_group ON asset (tenant_id, group_id, created_us, id);
-- Who refers to stored bytes.
CREATE INDEX asset_by_hash ON asset (tenant_id, hash) WHERE hash IS NOT NULL AND purged_us IS NULL;
CREATE INDEX asset_by_thumbnail ON asset (tenant_id, thumbnail) WHERE thumbnail IS NOT NULL AND purged_us IS NULL;
CREATE INDEX asset_by_identity ON asset (tenant_id, identity, created_us, id);
-- What lists and limits count: a row for each group, and one without a group for all.
CREATE TABLE asset_count (
    tenant_id bigint NOT NULL,
    group_id  text COLLATE "C" NOT NULL,
    identity  text COLLATE "C" NOT NULL,
    project   text COLLATE "C" NOT NULL,
    status    text COLLATE "C" NOT NULL,
    n         bigint NOT NULL,
    bytes     bigint NOT NULL,
    PRIMARY KEY (tenant_id, group_id, identity, project, status)
);
-- Which tasks were made with an asset, by their minted ids.
CREATE TABLE asset_use (
    tenant_id  bigint NOT NULL,
    asset_id   text COLLATE "C" NOT NULL,
    task       text COLLATE "C" NOT NULL,
    created_us bigint NOT NULL,
    PRIMARY KEY (tenant_id, asset_id, task)
);
-- What made an asset or a group, so that the same request again makes no second one.
CREATE TABLE asset_request (
    tenant_id  bigint NOT NULL,
    key        text COLLATE "C" NOT NULL,
    body_hash  bytea NOT NULL,
    object_id  text COLLATE "C" NOT NULL,
    created_us bigint NOT NULL,
    PRIMARY KEY (tenant_id, key)
);
CREATE INDEX asset_request_by_age ON asset_request (created_us);
-- Files still to be fetched and looked at; a row is gone when its asset is active or failed.
CREATE TABLE ingest (
    asset_id   text COLLATE "C" PRIMARY KEY,
    tenant_id  bigint NOT NULL,
    url        text COLLATE "C" NOT NULL,
    due_us     bigint NOT NULL, -- when it may be taken: at first, after a failure, or by another
    holder     text COLLATE "C" NOT NULL, -- who took it last
    tries      bigint NOT NULL,
    created_us bigint NOT NULL
);
CREATE INDEX ingest_by_due ON ingest (due_us);
-- Room beside rows that are changed soon after they are written.
ALTER TABLE asset SET (fillfactor = 80);
ALTER TABLE asset_count SET (fillfactor = 50);
ALTER TABLE asset_group_count SET (fillfactor = 50);
