/* SPDX-License-Identifier: Apache-2.0 */
/* A database as its users see it: opening, closing, one closure at a time. How
 * writes are grouped is in db_write.c, who reads when in db_read.c. */
#include "base/store/db_private.h"

#include <stdlib.h>

/* Longer than any read may take, shorter than a client's patience. */
#define BUSY_US (5 * 1000 * 1000)

static FALLIBLE check_schema(struct db_readers *readers, const char *path, struct err *err)
{
    struct db_conn *conn = NULL;
    int version = 0;

    enum err_code code = db_readers_borrow(readers, &conn, err);
    if (code == ERR_OK) {
        code = db_conn_schema(conn, &version, err);
        db_readers_return(readers, &conn, code != ERR_OK);
    }
    if (code == ERR_CONFIG || code == ERR_BUSY)
        return code;
    if (code != ERR_OK) {
        struct err cause = *err;
        (void)err_set(err, ERR_IO, "the database %s cannot be read", path);
        str_copy_cut(err->detail, sizeof(err->detail), str_from(cause.detail));
        return ERR_IO;
    }
    if (version > db_schema_version())
        return err_set(err, ERR_CONFIG,
                       "the database was made by a newer version of arkgate"
                       " (schema %d, this program knows %d)",
                       version, db_schema_version());
    if (version < db_schema_version())
        return err_set(err, ERR_CONFIG,
                       "the database has schema %d, this program needs %d:"
                       " \"arkgate init\" or \"arkgate serve\" brings it up to date",
                       version, db_schema_version());
    return ERR_OK;
}

FALLIBLE db_open(const struct db_options *options, struct db **ret_db, struct err *err)
{
    CLEANUP(db_close) struct db *db = calloc(1, sizeof(*db));
    CLEANUP(db_conn_close) struct db_conn *conn = NULL;
    struct db_options chosen = *options;

    if (db == NULL)
        return err_detail(err, ERR_UNAVAILABLE, "out of memory for a database");
    if (chosen.busy_us <= 0)
        chosen.busy_us = BUSY_US;
    TRY(db_readers_new(&chosen, &db->readers, err));
    TRY(check_schema(db->readers, chosen.path, err));
    if (!chosen.read_only) {
        TRY(db_conn_open(chosen.path, chosen.vfs, DB_ROLE_WRITER, chosen.busy_us, &conn, err));
        TRY(db_writer_start(&chosen, &conn, &db->writer, err));
    }
    *ret_db = db;
    db = NULL;
    return ERR_OK;
}

void db_close(struct db **db)
{
    if (*db == NULL)
        return;
    db_readers_free(&(*db)->readers);
    db_writer_stop(&(*db)->writer);
    free(*db);
    *db = NULL;
}

FALLIBLE db_write(struct db *db, db_fn fn, void *ctx, struct err *err)
{
    ASSERT(!db_conn_inside());
    if (db->writer == NULL)
        return err_detail(err, ERR_INTERNAL, "the database is open for reading only");
    return db_writer_call(db->writer, fn, ctx, err);
}

FALLIBLE db_read(struct db *db, db_fn fn, void *ctx, struct err *err)
{
    struct db_conn *conn = NULL;
    struct err failure;

    /* Readers that wait for a second reader could wait for each other. */
    ASSERT(!db_conn_inside());
    TRY(db_readers_borrow(db->readers, &conn, err));

    bool broken = false;
    enum err_code code;
    int result = db_conn_verb(conn, DB_BEGIN);
    if (result == SQLITE_OK) {
        code = db_conn_run(conn, fn, ctx, &failure);
        broken = conn->engine_failed;
    } else {
        code = db_conn_error(conn, result, "BEGIN", &failure);
        broken = true;
    }
    db_conn_rollback(conn); /* it has read only: ends the snapshot */
    db_readers_return(db->readers, &conn, broken);
    if (code != ERR_OK)
        *err = failure;
    return code;
}
