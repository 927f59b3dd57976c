/* SPDX-License-Identifier: Apache-2.0 */
/* One SQLite connection: how it is opened, and how its result codes become our
 * errors. Transactions are the callers'. */
#include "base/store/sqlite_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Rows hold requests and answers of the model service, a few kB each; the
 * largest kept body is far below this. */
#define VALUE_MAX_BYTES (64 << 20)
/* As much of a statement as fits into err.detail beside SQLite's own message. */
#define SQL_SHOWN 80

static const char *const verb_sql[SQLITE_VERB_COUNT] = {
    [SQLITE_VERB_BEGIN] = "BEGIN",
    [SQLITE_VERB_BEGIN_WRITE] = "BEGIN IMMEDIATE",
    [SQLITE_VERB_COMMIT] = "COMMIT",
    [SQLITE_VERB_ROLLBACK] = "ROLLBACK",
    [SQLITE_VERB_SAVEPOINT] = "SAVEPOINT closure",
    [SQLITE_VERB_ROLLBACK_TO] = "ROLLBACK TO closure",
    [SQLITE_VERB_RELEASE] = "RELEASE closure",
};

/* A full fsync per commit; no checkpoint but the writer's own; nothing mapped
 * (an I/O error would be a signal); sorts stay off the disk. */
static const char common_sql[] = "PRAGMA foreign_keys=ON;"
                                 "PRAGMA trusted_schema=OFF;"
                                 "PRAGMA synchronous=FULL;"
                                 "PRAGMA wal_autocheckpoint=0;"
                                 "PRAGMA mmap_size=0;"
                                 "PRAGMA temp_store=MEMORY;";

static const char *const role_sql[] = {
    /* The log's file is cut to 64 MiB, giving back what a long reader cost. */
    [DB_ROLE_WRITER] = "PRAGMA cache_size=-8000; PRAGMA journal_size_limit=67108864;",
    [DB_ROLE_READER] = "PRAGMA cache_size=-2000; PRAGMA query_only=ON;",
    /* A migration may rebuild a table that others refer to; it checks at its end. */
    [DB_ROLE_TOOL] = "PRAGMA cache_size=-8000; PRAGMA foreign_keys=OFF;",
};

/* A closure that ended its own transaction would end its neighbours' as well. */
static int authorize(void *ctx, int action, const char *a, const char *b, const char *c,
                     const char *d)
{
    const struct sqlite_conn *conn = ctx;

    (void)a, (void)b, (void)c, (void)d;
    if (conn->base.trusted)
        return SQLITE_OK;
    switch (action) {
    case SQLITE_TRANSACTION:
    case SQLITE_SAVEPOINT:
    case SQLITE_ATTACH:
    case SQLITE_DETACH:
    case SQLITE_PRAGMA:
        return SQLITE_DENY;
    default:
        return SQLITE_OK;
    }
}

static enum err_code code_of(int result)
{
    switch (result & 0xff) {
    case SQLITE_CONSTRAINT:
        return ERR_CONFLICT;
    case SQLITE_FULL:
        return ERR_UNAVAILABLE;
    case SQLITE_BUSY:
    case SQLITE_PROTOCOL: /* lost a race for a lock a hundred times */
        return ERR_BUSY;
    case SQLITE_IOERR:
        return ERR_IO;
    default:
        return ERR_INTERNAL;
    }
}

/* Failures that may be a neighbour's fault or pass by themselves. */
static bool is_engine_failure(int result)
{
    switch (result & 0xff) {
    case SQLITE_FULL:
    case SQLITE_BUSY:
    case SQLITE_PROTOCOL:
    case SQLITE_IOERR:
    case SQLITE_NOMEM:
    case SQLITE_CANTOPEN:
        return true;
    default:
        return false;
    }
}

/* A file system without shared memory would silently keep the old mode. */
static FALLIBLE use_wal(struct db_conn *conn, struct err *err)
{
    static const char sql[] = "PRAGMA journal_mode=WAL";
    sqlite3_stmt *stmt = NULL;
    bool is_wal = false;

    int result = sqlite3_prepare_v2(sqlite_conn_of(conn)->sqlite, sql, -1, &stmt, NULL);
    if (result == SQLITE_OK)
        result = sqlite3_step(stmt);
    if (result == SQLITE_ROW) {
        const char *mode = (const char *)sqlite3_column_text(stmt, 0);
        is_wal = mode != NULL && strcmp(mode, "wal") == 0;
        result = sqlite3_step(stmt);
    }
    (void)sqlite3_finalize(stmt);
    if (result != SQLITE_DONE)
        return sqlite_conn_error(conn, result, sql, err);
    if (!is_wal)
        return err_detail(err, ERR_IO, "the file system cannot hold a write-ahead log");
    return ERR_OK;
}

static FALLIBLE configure(struct db_conn *conn, enum db_role role, int64_t busy_us,
                          struct err *err)
{
    sqlite3 *sqlite = sqlite_conn_of(conn)->sqlite;

    int result = sqlite3_busy_timeout(sqlite, (int)(busy_us / 1000));
    if (result == SQLITE_OK)
        result = sqlite3_db_config(sqlite, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    if (result == SQLITE_OK && role == DB_ROLE_READER)
        result = sqlite3_db_config(sqlite, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    if (result == SQLITE_OK)
        result = sqlite3_set_authorizer(sqlite, authorize, sqlite_conn_of(conn));
    if (result != SQLITE_OK)
        return sqlite_conn_error(conn, result, NULL, err);
    (void)sqlite3_limit(sqlite, SQLITE_LIMIT_LENGTH, VALUE_MAX_BYTES);
    TRY(sqlite_conn_script(conn, common_sql, err));
    TRY(sqlite_conn_script(conn, role_sql[role], err));
    return role == DB_ROLE_READER ? ERR_OK : use_wal(conn, err);
}

/* sql selects one integer. */
static FALLIBLE get_number(struct db_conn *conn, const char *sql, int64_t *ret_number,
                           struct err *err)
{
    sqlite3_stmt *stmt = NULL;

    int result = sqlite3_prepare_v2(sqlite_conn_of(conn)->sqlite, sql, -1, &stmt, NULL);
    if (result == SQLITE_OK)
        result = sqlite3_step(stmt);
    if (result == SQLITE_ROW) {
        *ret_number = sqlite3_column_int64(stmt, 0);
        (void)sqlite3_finalize(stmt);
        return ERR_OK;
    }
    enum err_code code = result == SQLITE_DONE
                             ? err_detail(err, ERR_INTERNAL, "no row: %s", sql)
                             : sqlite_conn_error(conn, result, sql, err);
    (void)sqlite3_finalize(stmt);
    return code;
}

/* Puts the file's name and our code around SQLite's reason. */
static enum err_code cannot_open(struct db_conn *conn, const char *path, struct err *err)
{
    int result = sqlite_conn_of(conn)->sqlite != NULL
                     ? sqlite3_errcode(sqlite_conn_of(conn)->sqlite) & 0xff
                     : SQLITE_NOMEM;
    enum err_code code = ERR_IO;
    struct err cause = *err;

    if (result == SQLITE_NOTADB || result == SQLITE_CORRUPT)
        code = ERR_MISMATCH;
    if (cause.code == ERR_BUSY)
        code = ERR_BUSY;
    (void)err_set(err, code, "the database %s cannot be opened", path);
    str_copy_cut(err->detail, sizeof(err->detail), str_from(cause.detail));
    return code;
}

struct sqlite_conn *sqlite_conn_of(struct db_conn *conn)
{
    return (struct sqlite_conn *)conn; /* its first member */
}

FALLIBLE sqlite_conn_open(const char *path, const char *vfs, enum db_role role, int64_t busy_us,
                          struct db_conn **ret_conn, struct err *err)
{
    struct sqlite_conn *opened = calloc(1, sizeof(*opened));
    CLEANUP(db_conn_close) struct db_conn *conn = opened != NULL ? &opened->base : NULL;
    char name[4096 + 2]; /* PATH_MAX and "./" */

    if (opened == NULL)
        return err_detail(err, ERR_UNAVAILABLE, "out of memory for a connection");
    db_conn_init(conn, &sqlite_engine);
    /* Debian's SQLite reads "file:…" as a URI with options of its own. */
    int len = snprintf(name, sizeof(name), "%s%s", path[0] == '/' ? "" : "./", path);
    if (len < 0 || (size_t)len >= sizeof(name))
        return err_set(err, ERR_CONFIG, "the database's path is too long");

    conn->trusted = true;
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
                (role == DB_ROLE_READER ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE);
    int result = sqlite3_open_v2(name, &opened->sqlite, flags, vfs);
    if (result != SQLITE_OK)
        (void)sqlite_conn_error(conn, result, NULL, err);
    if (result != SQLITE_OK || configure(conn, role, busy_us, err) != ERR_OK)
        return cannot_open(conn, path, err);
    conn->trusted = role == DB_ROLE_TOOL;
    if (role == DB_ROLE_WRITER)
        sqlite_group_begin(opened);
    *ret_conn = conn;
    conn = NULL;
    return ERR_OK;
}

FALLIBLE sqlite_conn_engine_open(const struct db_options *options, enum db_role role,
                                 struct db_conn **ret_conn, struct err *err)
{
    return sqlite_conn_open(options->path, options->vfs, role, options->busy_us, ret_conn, err);
}

void sqlite_conn_free(struct db_conn *conn)
{
    struct sqlite_conn *closed = sqlite_conn_of(conn);

    for (int i = 0; i < SQLITE_VERB_COUNT; i++)
        (void)sqlite3_finalize(closed->verbs[i]);
    ASSERT(sqlite3_close(closed->sqlite) == SQLITE_OK);
    free(closed);
}

int sqlite_conn_verb(struct db_conn *conn, enum sqlite_verb verb)
{
    struct sqlite_conn *own = sqlite_conn_of(conn);

    if (own->verbs[verb] == NULL) {
        bool trusted = conn->trusted;
        conn->trusted = true;
        int result = sqlite3_prepare_v3(own->sqlite, verb_sql[verb], -1,
                                        SQLITE_PREPARE_PERSISTENT, &own->verbs[verb], NULL);
        conn->trusted = trusted;
        if (result != SQLITE_OK)
            return result;
    }
    int result = sqlite3_step(own->verbs[verb]);
    (void)sqlite3_reset(own->verbs[verb]);
    return result == SQLITE_DONE ? SQLITE_OK : result;
}

FALLIBLE sqlite_conn_script(struct db_conn *conn, const char *sql, struct err *err)
{
    bool trusted = conn->trusted;

    conn->trusted = true;
    int result = sqlite3_exec(sqlite_conn_of(conn)->sqlite, sql, NULL, NULL, NULL);
    conn->trusted = trusted;
    return result == SQLITE_OK ? ERR_OK : sqlite_conn_error(conn, result, sql, err);
}

bool sqlite_conn_in_transaction(struct db_conn *conn)
{
    return sqlite3_get_autocommit(sqlite_conn_of(conn)->sqlite) == 0;
}

void sqlite_conn_rollback(struct db_conn *conn)
{
    /* After SQLITE_FULL and its like the transaction may be gone already, and
     * then ROLLBACK itself would be an error. */
    if (sqlite_conn_in_transaction(conn))
        (void)sqlite_conn_verb(conn, SQLITE_VERB_ROLLBACK);
    ASSERT(!sqlite_conn_in_transaction(conn));
}

enum err_code sqlite_conn_error(struct db_conn *conn, int result, const char *sql,
                                struct err *err)
{
    const char *what = sqlite_conn_of(conn)->sqlite != NULL
                           ? sqlite3_errmsg(sqlite_conn_of(conn)->sqlite)
                           : "out of memory";

    /* The connection's message belongs to its last call; ours may be older. */
    if (sqlite_conn_of(conn)->sqlite == NULL ||
        sqlite3_extended_errcode(sqlite_conn_of(conn)->sqlite) != result)
        what = sqlite3_errstr(result);
    return err_detail(err, code_of(result), "%s%s (%d)%s%.*s",
                      (result & 0xff) == SQLITE_FULL ? "out of disk space: " : "", what, result,
                      sql != NULL ? ": " : "", SQL_SHOWN, sql != NULL ? sql : "");
}

enum err_code sqlite_conn_failed(struct db_conn *conn, int result, const char *sql,
                                 struct err *err)
{
    (void)sqlite_conn_error(conn, result, sql, err);
    db_conn_note(conn, err);
    conn->engine_failed |= is_engine_failure(result);
    return err->code;
}

FALLIBLE sqlite_conn_schema(struct db_conn *conn, int *ret_version, struct err *err)
{
    int64_t tables = 0, versions = 0, version = 0;

    TRY(get_number(conn, "SELECT COUNT(*) FROM sqlite_schema", &tables, err));
    TRY(get_number(conn,
                   "SELECT COUNT(*) FROM sqlite_schema"
                   " WHERE type = 'table' AND name = 'schema_version'",
                   &versions, err));
    if (versions == 0 && tables != 0)
        return err_set(err, ERR_CONFIG, "the file holds another program's database");
    if (versions != 0)
        TRY(get_number(conn, "SELECT version FROM schema_version WHERE id = 1", &version, err));
    if (version < 0 || version > INT32_MAX)
        return err_set(err, ERR_CONFIG, "the database's schema version is not valid");
    *ret_version = (int)version;
    return ERR_OK;
}

FALLIBLE sqlite_conn_read_begin(struct db_conn *conn, struct err *err)
{
    int result = sqlite_conn_verb(conn, SQLITE_VERB_BEGIN);

    return result == SQLITE_OK ? ERR_OK : sqlite_conn_error(conn, result, "BEGIN", err);
}

void sqlite_conn_read_end(struct db_conn *conn)
{
    sqlite_conn_rollback(conn); /* it has read only: ends the snapshot */
}
