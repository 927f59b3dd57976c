-- What issue one needs: identity, money, tasks. The PostgreSQL half beside this
-- file has the same tables and columns.
CREATE TABLE schema_version (id INTEGER PRIMARY KEY CHECK (id = 1), version INTEGER NOT NULL) STRICT;
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE settings_version (id INTEGER PRIMARY KEY CHECK (id = 1), version INTEGER NOT NULL) STRICT;
INSERT INTO settings_version (id, version) VALUES (1, 1);

-- tenancy
CREATE TABLE tenant (
    id         INTEGER PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    suspended  INTEGER NOT NULL DEFAULT 0,
    currency   TEXT NOT NULL,
    book       TEXT NOT NULL,
    created_us INTEGER NOT NULL
) STRICT;
CREATE TABLE token (
    id         TEXT PRIMARY KEY,
    identity   TEXT NOT NULL,
    tenant_id  INTEGER NOT NULL REFERENCES tenant (id),
    hash       BLOB NOT NULL UNIQUE,
    prefix     TEXT NOT NULL,
    own_only   INTEGER NOT NULL,
    note       TEXT NOT NULL,
    created_us INTEGER NOT NULL,
    expires_us INTEGER NOT NULL,
    revoked_us INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX token_by_tenant ON token (tenant_id, id);
CREATE TABLE upstream_account (
    id         INTEGER PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    list_qps   INTEGER NOT NULL,
    get_qps    INTEGER NOT NULL,
    delete_qps INTEGER NOT NULL,
    batch      INTEGER NOT NULL
) STRICT;
CREATE TABLE upstream (
    id         INTEGER PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    account_id INTEGER NOT NULL REFERENCES upstream_account (id),
    base_url   TEXT NOT NULL,
    key_sealed BLOB NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('active', 'draining', 'removed')),
    inject     INTEGER NOT NULL,
    weight     INTEGER NOT NULL,
    created_us INTEGER NOT NULL
) STRICT;
CREATE TABLE upstream_model (
    upstream_id INTEGER NOT NULL REFERENCES upstream (id),
    model       TEXT NOT NULL,
    sent_id     TEXT NOT NULL,
    PRIMARY KEY (upstream_id, model)
) STRICT, WITHOUT ROWID;
-- What an operator says of models; tenant 0 is the installation.
CREATE TABLE model_setting (
    tenant_id INTEGER NOT NULL,
    model     TEXT NOT NULL,
    name      TEXT NOT NULL,
    value     TEXT NOT NULL,
    PRIMARY KEY (tenant_id, model, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE model_alias (
    tenant_id INTEGER NOT NULL,
    alias     TEXT NOT NULL,
    model     TEXT NOT NULL,
    PRIMARY KEY (tenant_id, alias)
) STRICT, WITHOUT ROWID;
CREATE TABLE audit (
    seq     INTEGER PRIMARY KEY,
    time_us INTEGER NOT NULL,
    actor   TEXT NOT NULL,
    action  TEXT NOT NULL,
    target  TEXT NOT NULL,
    detail  TEXT NOT NULL,
    prev    BLOB NOT NULL,
    hash    BLOB NOT NULL
) STRICT;
CREATE TABLE audit_head (id INTEGER PRIMARY KEY CHECK (id = 1), seq INTEGER NOT NULL, hash BLOB NOT NULL) STRICT;
INSERT INTO audit_head (id, seq, hash) VALUES (1, 0, zeroblob(32));

-- billing
CREATE TABLE price_book (
    book          TEXT NOT NULL,
    version       INTEGER NOT NULL,
    starts_us     INTEGER NOT NULL,
    currency      TEXT NOT NULL,
    factor_nano   INTEGER NOT NULL,
    markup_nano   INTEGER NOT NULL,
    PRIMARY KEY (book, version)
) STRICT, WITHOUT ROWID;
CREATE TABLE price_row (
    book            TEXT NOT NULL,
    version         INTEGER NOT NULL,
    position        INTEGER NOT NULL,
    model           TEXT NOT NULL,
    resolution      TEXT NOT NULL,    -- "*" any
    video           INTEGER NOT NULL, -- 1, 0, -1 either
    audio           INTEGER NOT NULL, -- 1, 0, -1 either
    tier            TEXT NOT NULL,    -- "*" any
    sku             TEXT NOT NULL,
    unit            TEXT NOT NULL CHECK (unit IN ('mtoken', 'second', 'use')),
    list_price_nano INTEGER NOT NULL,
    PRIMARY KEY (book, version, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE account (
    tenant_id        INTEGER PRIMARY KEY REFERENCES tenant (id),
    currency         TEXT NOT NULL,
    available_nano   INTEGER NOT NULL,
    held_nano        INTEGER NOT NULL,
    charged_nano     INTEGER NOT NULL,
    loss_nano        INTEGER NOT NULL,
    credit_line_nano INTEGER NOT NULL,
    seq              INTEGER NOT NULL,
    head             BLOB NOT NULL,
    event_seq        INTEGER NOT NULL
) STRICT;
CREATE TABLE ledger (
    tenant_id       INTEGER NOT NULL REFERENCES tenant (id),
    seq             INTEGER NOT NULL,
    time_us         INTEGER NOT NULL,
    kind            TEXT NOT NULL,
    task            TEXT,
    debit           TEXT NOT NULL,
    credit          TEXT NOT NULL,
    amount_nano     INTEGER NOT NULL,
    currency        TEXT NOT NULL,
    hold_seq        INTEGER,
    book            TEXT,
    book_version    INTEGER,
    sku             TEXT,
    unit            TEXT,
    unit_price_nano INTEGER,
    quantity        INTEGER,
    evidence        BLOB,
    actor           TEXT,
    reason          TEXT,
    ref             TEXT,
    prev            BLOB NOT NULL,
    hash            BLOB NOT NULL,
    PRIMARY KEY (tenant_id, seq)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX ledger_by_ref ON ledger (tenant_id, ref) WHERE ref IS NOT NULL;
CREATE TABLE hold (
    tenant_id     INTEGER NOT NULL REFERENCES tenant (id),
    task          TEXT NOT NULL,
    seq           INTEGER NOT NULL,
    amount_nano   INTEGER NOT NULL,
    tokens        INTEGER NOT NULL,
    output_ms     INTEGER NOT NULL,
    book          TEXT NOT NULL,
    book_version  INTEGER NOT NULL,
    sku           TEXT NOT NULL,
    state         TEXT NOT NULL CHECK (state IN ('open', 'charged', 'released', 'review')),
    charge_nano   INTEGER NOT NULL DEFAULT 0,
    loss_nano     INTEGER NOT NULL DEFAULT 0,
    quantity      INTEGER NOT NULL DEFAULT 0,
    charged_sku   TEXT NOT NULL DEFAULT '',
    unit          TEXT NOT NULL,
    unit_price_nano INTEGER NOT NULL,
    review        TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (tenant_id, task)
) STRICT, WITHOUT ROWID;
CREATE INDEX hold_in_review ON hold (tenant_id, task) WHERE state = 'review';

-- tasks. Text ids: minted_id is ours from the first transaction on and what money
-- rows name; upstream_id is Ark's. minted_public says which of the two tenants see.
CREATE TABLE task (
    id              INTEGER PRIMARY KEY,
    tenant_id       INTEGER NOT NULL REFERENCES tenant (id),
    token_identity  TEXT NOT NULL,
    minted_id       TEXT NOT NULL UNIQUE,
    upstream_id     TEXT,
    minted_public   INTEGER NOT NULL DEFAULT 0,
    account_id      INTEGER NOT NULL REFERENCES upstream_account (id),
    credential_id   INTEGER NOT NULL REFERENCES upstream (id),
    state           TEXT NOT NULL,
    shown           TEXT NOT NULL GENERATED ALWAYS AS -- state as tenants read it
                        (CASE WHEN state IN ('waiting', 'submitting', 'unknown') THEN 'queued' ELSE state END) STORED,
    dialect         TEXT NOT NULL,
    model           TEXT NOT NULL,     -- canonical
    model_asked     TEXT NOT NULL,     -- as the tenant wrote it
    resolution      TEXT NOT NULL,     -- asked or default, later final
    ratio           TEXT NOT NULL,
    duration        INTEGER NOT NULL,  -- seconds, -1 while the model decides
    has_video       INTEGER NOT NULL,
    audio           INTEGER NOT NULL,
    audio_asked     INTEGER NOT NULL,  -- 1 when the member was given
    last_frame      INTEGER NOT NULL,
    seed            INTEGER,
    tier            TEXT NOT NULL,
    priority        INTEGER NOT NULL,
    expires_after   INTEGER NOT NULL,
    safety_identifier TEXT,
    frames          INTEGER,           -- instead of seconds: asked, later final
    draft           INTEGER,           -- as asked or as Ark says
    draft_task      TEXT,              -- public id of the draft that it finishes
    web_search      INTEGER NOT NULL DEFAULT 0, -- the tool was given
    callback_url    TEXT,              -- given to Ark as it is
    created_us      INTEGER NOT NULL,
    updated_us      INTEGER NOT NULL,
    ended_us        INTEGER,
    missing_us      INTEGER,           -- first of the 404s for a known task
    deleted_us      INTEGER,           -- since when its tenant no longer sees it
    listed          INTEGER NOT NULL DEFAULT 1, -- 0: refused or deleted, in no list
    error_code      TEXT,
    error_message   TEXT,
    tokens          INTEGER,           -- completion_tokens
    total_tokens    INTEGER,
    final_seed      INTEGER,
    fps             INTEGER,
    video_url       TEXT,
    last_frame_url  TEXT,
    tool_uses       INTEGER,           -- usage.tool_usage.web_search
    output_format   TEXT
) STRICT;
CREATE UNIQUE INDEX task_by_upstream ON task (upstream_id, account_id) WHERE upstream_id IS NOT NULL;
-- What tenants list, newest first. A walk past many of them reads nothing but the index:
-- so the rows that are in no list are not in it, by a column of their own, because an
-- index whose condition names state would be rewritten with every move of it. As it is,
-- only task_by_shown is.
CREATE INDEX task_by_tenant ON task (tenant_id, created_us, id) WHERE listed = 1;
CREATE INDEX task_by_identity ON task (tenant_id, token_identity, created_us, id) WHERE listed = 1;
CREATE INDEX task_by_model ON task (tenant_id, model, created_us, id) WHERE listed = 1;
CREATE INDEX task_by_shown ON task (tenant_id, shown, created_us, id) WHERE listed = 1;
CREATE INDEX task_by_tier ON task (tenant_id, tier, created_us, id)
    WHERE listed = 1 AND tier <> 'default';
CREATE INDEX task_open ON task (account_id, id) WHERE ended_us IS NULL;
-- How many tasks a list would find; kept in the transaction that inserts or moves one.
CREATE TABLE task_count (
    tenant_id      INTEGER NOT NULL REFERENCES tenant (id),
    token_identity TEXT NOT NULL,
    model          TEXT NOT NULL,
    tier           TEXT NOT NULL,
    state          TEXT NOT NULL,  -- task.shown
    n              INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, token_identity, model, tier, state)
) STRICT, WITHOUT ROWID;
CREATE TABLE attempt (
    task_id      INTEGER NOT NULL REFERENCES task (id),
    number       INTEGER NOT NULL,  -- 1, then one more for each other account tried
    tenant_id    INTEGER NOT NULL,
    account_id   INTEGER NOT NULL,
    credential_id INTEGER NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('prepared', 'accepted', 'refused', 'unknown', 'released', 'late')),
    identifier   TEXT,              -- injected safety_identifier
    sent_model   TEXT NOT NULL,     -- id that Ark got
    created_us   INTEGER NOT NULL,
    deadline_us  INTEGER NOT NULL,
    answered_us  INTEGER,
    clean_scans  INTEGER NOT NULL DEFAULT 0,
    refusal      TEXT,              -- err code name, for twins and auditors
    wire_status  INTEGER,           -- what Ark answered
    wire_code    TEXT,
    message      TEXT,              -- may be shown to the tenant
    detail       TEXT,              -- may not
    PRIMARY KEY (task_id, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX attempt_prepared ON attempt (account_id, deadline_us) WHERE state = 'prepared';
CREATE INDEX attempt_unknown ON attempt (account_id, created_us) WHERE state = 'unknown';
CREATE INDEX attempt_released ON attempt (account_id, created_us) WHERE state = 'released';
CREATE TABLE evidence (
    task_id  INTEGER PRIMARY KEY REFERENCES task (id),
    tenant_id INTEGER NOT NULL,
    body     BLOB NOT NULL,         -- Ark's final body, as bytes
    taken_us INTEGER NOT NULL
) STRICT;
CREATE TABLE idempotency (
    tenant_id  INTEGER NOT NULL,
    key        TEXT NOT NULL,
    body_hash  BLOB NOT NULL,
    task_id    INTEGER NOT NULL REFERENCES task (id),
    created_us INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_by_age ON idempotency (created_us);
CREATE TABLE event (
    tenant_id INTEGER NOT NULL,
    seq       INTEGER NOT NULL,
    task_id   INTEGER NOT NULL REFERENCES task (id),
    time_us   INTEGER NOT NULL,
    from_state TEXT NOT NULL,
    to_state  TEXT NOT NULL,
    note      TEXT NOT NULL,
    PRIMARY KEY (tenant_id, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX event_by_task ON event (task_id, seq);
-- Ark's tasks that no row owns.
CREATE TABLE stray (
    account_id    INTEGER NOT NULL REFERENCES upstream_account (id),
    upstream_id   TEXT NOT NULL,
    state         TEXT NOT NULL CHECK (state IN ('open', 'ambiguous', 'adopted', 'ignored')),
    first_seen_us INTEGER NOT NULL,
    created_s     INTEGER NOT NULL,
    body          BLOB NOT NULL,
    PRIMARY KEY (account_id, upstream_id)
) STRICT, WITHOUT ROWID;
