/* SPDX-License-Identifier: Apache-2.0 */
/* The lease table. Each statement decides on one row by itself; whose lease it is at
 * which time is for lease.c. */
#include "gateway/upstream/ark_parts.h"

/* Extends one's own, or takes over one whose time has passed; nobody's while the schema is
 * another than his. */
static enum err_code update(struct db_conn *conn, const struct lease_claim *claim,
                            bool *ret_taken, struct err *err)
{
    static const char sqlite_sql[] = "UPDATE lease SET holder = $2, schema = $3, until_us = $4"
                                     " WHERE name = $1 AND (holder = $2 OR until_us < $5)"
                                     " AND $3 = (SELECT version FROM schema_version)";
    /* A row that is locked is being taken by another at this moment, or by one that was
     * stopped in the middle of it: no reason to wait for him. */
    static const char pg_sql[] =
        "UPDATE lease SET holder = $2, schema = $3, until_us = $4 WHERE name ="
        " (SELECT l.name FROM lease AS l WHERE l.name = $1"
        " AND (l.holder = $2 OR l.until_us < $5) FOR UPDATE SKIP LOCKED)"
        " AND $3 = (SELECT version FROM schema_version)";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare2(conn, SQL2(sqlite_sql, pg_sql), &st, err));
    db_bind_text(st, 1, str_from(claim->name));
    db_bind_text(st, 2, str_from(claim->holder));
    db_bind_i64(st, 3, claim->schema);
    db_bind_i64(st, 4, claim->until_us);
    db_bind_i64(st, 5, claim->now_us);
    TRY(db_run(st, err));
    *ret_taken = db_changes(st) == 1;
    return ERR_OK;
}

/* One that nobody ever had. A row that is there is not touched: an insert that conflicts
 * with it would wait for whoever has it locked. */
static enum err_code insert(struct db_conn *conn, const struct lease_claim *claim,
                            bool *ret_taken, struct err *err)
{
    static const char sql[] =
        "INSERT INTO lease (name, holder, schema, until_us) SELECT $1, $2, $3, $4"
        " WHERE NOT EXISTS (SELECT 1 FROM lease WHERE name = $1)"
        " AND $3 = (SELECT version FROM schema_version) ON CONFLICT (name) DO NOTHING";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_text(st, 1, str_from(claim->name));
    db_bind_text(st, 2, str_from(claim->holder));
    db_bind_i64(st, 3, claim->schema);
    db_bind_i64(st, 4, claim->until_us);
    TRY(db_run(st, err));
    *ret_taken = db_changes(st) == 1;
    return ERR_OK;
}

enum err_code lease_repo_take(struct db_conn *conn, const struct lease_claim *claim,
                              bool *ret_taken, struct err *err)
{
    bool taken;

    TRY(update(conn, claim, &taken, err));
    if (!taken)
        TRY(insert(conn, claim, &taken, err));
    *ret_taken = taken;
    return ERR_OK;
}

enum err_code lease_repo_release(struct db_conn *conn, const char *name, const char *holder,
                                 struct err *err)
{
    static const char sql[] = "UPDATE lease SET until_us = 0 WHERE name = $1 AND holder = $2";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_text(st, 1, str_from(name));
    db_bind_text(st, 2, str_from(holder));
    return db_run(st, err);
}

enum err_code lease_repo_forget(struct db_conn *conn, int64_t before_us, struct err *err)
{
    /* LIKE would take "Gateway:" for it, on SQLite alone. */
    static const char sql[] =
        "DELETE FROM lease WHERE name >= 'gateway:' AND name < 'gateway;' AND until_us < $1";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_i64(st, 1, before_us);
    return db_run(st, err);
}
