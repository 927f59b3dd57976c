/* SPDX-License-Identifier: Apache-2.0 */
/* A database as its users see it: opening, closing, one closure at a time, and which
 * thread writes what. How writes are grouped is in db_write.c, who reads when in
 * db_read.c. */
#include "base/store/db_private.h"

#include "base/store/pg_private.h"

#include <stdlib.h>
#include <string.h>

/* Longer than any read may take, shorter than a client's patience. */
#define BUSY_US (5 * 1000 * 1000)

static FALLIBLE read_schema(struct db *db, int *ret_version, struct err *err)
{
    struct db_conn *conn = NULL;

    TRY(db_readers_borrow(db->readers, false, &conn, err));
    enum err_code code = db->engine->schema(conn, ret_version, err);

    db_readers_return(db->readers, &conn, code != ERR_OK);
    return code;
}

static FALLIBLE check_schema(struct db *db, const char *path, struct err *err)
{
    int version = 0;

    enum err_code code = read_schema(db, &version, err);
    if (code == ERR_CONFIG || code == ERR_BUSY || code == ERR_UNAVAILABLE)
        return code;
    if (code != ERR_OK) {
        struct err cause = *err;
        (void)err_set(err, ERR_IO, "the database %s cannot be read", path);
        str_copy_cut(err->detail, sizeof(err->detail), str_from(cause.detail));
        return ERR_IO;
    }
    return db_migrate_check(version, err);
}

bool db_is_server(const char *path)
{
    return strncmp(path, "postgresql://", 13) == 0 || strncmp(path, "postgres://", 11) == 0;
}

const struct db_engine *db_engine_of(const char *path)
{
    return db_is_server(path) ? &pg_engine : &sqlite_engine;
}

static FALLIBLE start_writers(struct db *db, const struct db_options *options, struct err *err)
{
    for (int i = 0; i < db->engine->writers; i++) {
        CLEANUP(db_conn_close) struct db_conn *conn = NULL;

        TRY(db->engine->open(options, DB_ROLE_WRITER, &conn, err));
        TRY(db_writer_start(options, &conn, &db->writers[i], err));
        db->writer_count++;
    }
    return ERR_OK;
}

FALLIBLE db_open(const struct db_options *options, struct db **ret_db, struct err *err)
{
    CLEANUP(db_close) struct db *db = calloc(1, sizeof(*db));
    struct db_options chosen = *options;

    if (db == NULL)
        return err_detail(err, ERR_UNAVAILABLE, "out of memory for a database");
    db->engine = db_engine_of(chosen.path);
    if (chosen.busy_us <= 0)
        chosen.busy_us = BUSY_US;
    TRY(db_readers_new(&chosen, &db->readers, err));
    TRY(check_schema(db, chosen.path, err));
    if (db_is_shared(db)) {
        TRY(pg_clock_start(db->readers, chosen.clock_us, &db->clock, err));
        TRY(pg_batch_new(db->readers, chosen.busy_us, &db->batch, err));
    }
    if (!chosen.read_only)
        TRY(start_writers(db, &chosen, err));
    *ret_db = db;
    db = NULL;
    return ERR_OK;
}

void db_close(struct db **db)
{
    if (*db == NULL)
        return;
    pg_clock_stop(&(*db)->clock);
    pg_batch_free(&(*db)->batch);
    db_readers_free(&(*db)->readers);
    for (int i = 0; i < DB_WRITERS_MAX; i++)
        db_writer_stop(&(*db)->writers[i]);
    free(*db);
    *db = NULL;
}

bool db_is_shared(const struct db *db)
{
    return db->engine == &pg_engine;
}

FALLIBLE db_check(struct db *db, struct err *err)
{
    int version;
    enum err_code code = read_schema(db, &version, err);

    if (code == ERR_OK)
        code = db_migrate_check(version, err);
    if (code == ERR_OK && db->clock != NULL)
        return pg_clock_check(db->clock, err);
    if (code != ERR_OK && code != ERR_UNAVAILABLE && code != ERR_CONFIG) {
        struct err cause = *err;
        (void)err_set(err, ERR_UNAVAILABLE, "the database does not answer");
        str_copy_cut(err->detail, sizeof(err->detail), str_from(cause.detail));
        return ERR_UNAVAILABLE;
    }
    return code;
}

/* One writer has what concerns all and may wait for everybody; one the leases, which must
 * not wait for that; a tenant stays with one of the others, so that his closures do not
 * wait for each other in the database. */
static struct db_writer *writer_of(struct db *db, int64_t lane)
{
    if (db->writer_count == 1 || lane == DB_ALL || lane == DB_APART)
        return db->writers[0];
    return lane == DB_LEASES ? db->writers[1] : db->writers[2 + lane % (db->writer_count - 2)];
}

/* Wakes the waiter itself when nobody will. */
static void put(struct db *db, struct db_call *call)
{
    if (db->writer_count == 0)
        call->code =
            err_detail(&call->err, ERR_INTERNAL, "the database is open for reading only");
    else if (!db_writer_put(writer_of(db, call->lane), call))
        call->code = err_set(&call->err, ERR_BUSY, "too many changes are waiting, try again");
    else
        return;
    db_waiter_wake(call->waiter);
}

FALLIBLE db_write(struct db *db, int64_t lane, db_fn fn, void *ctx, struct err *err)
{
    struct db_waiter waiter;
    struct db_call call = {.lane = lane, .fn = fn, .ctx = ctx, .waiter = &waiter};

    ASSERT(!db_conn_inside());
    db_waiter_init(&waiter, 1);
    put(db, &call);
    (void)db_waiter_wait(&waiter, INT64_MAX);
    if (call.code != ERR_OK)
        *err = call.err;
    return call.code;
}

void db_write_jobs(struct db *db, struct db_job *jobs, size_t count)
{
    struct db_waiter waiter;
    struct db_call *calls = calloc(count, sizeof(*calls));

    ASSERT(!db_conn_inside());
    if (calls == NULL) { /* one after the other needs no memory */
        for (size_t i = 0; i < count; i++)
            jobs[i].code = db_write(db, jobs[i].lane, jobs[i].fn, jobs[i].ctx, &jobs[i].err);
        return;
    }
    db_waiter_init(&waiter, count);
    for (size_t i = 0; i < count; i++) {
        calls[i] = (struct db_call){
            .lane = jobs[i].lane, .fn = jobs[i].fn, .ctx = jobs[i].ctx, .waiter = &waiter};
        put(db, &calls[i]);
    }
    (void)db_waiter_wait(&waiter, INT64_MAX);
    for (size_t i = 0; i < count; i++) {
        jobs[i].code = calls[i].code;
        jobs[i].err = calls[i].err;
    }
    free(calls);
}

/* Runs a reading closure; true when the connection is of no use any more. */
static bool run_read(struct db_conn *conn, bool one, db_fn fn, void *ctx,
                     enum err_code *ret_code, struct err *err)
{
    const struct db_engine *engine = conn->engine;

    conn->engine_failed = false;
    conn->one = one;
    *ret_code = one ? ERR_OK : engine->read_begin(conn, err);
    if (*ret_code != ERR_OK)
        return true;
    *ret_code = db_conn_run(conn, fn, ctx, err);
    if (!one)
        engine->read_end(conn);
    conn->one = false;
    return conn->engine_failed;
}

static FALLIBLE read_on(struct db *db, bool one, db_fn fn, void *ctx, struct err *err)
{
    struct err failure = {0};
    enum err_code code = ERR_OK;

    /* Readers that wait for a second reader could wait for each other. */
    ASSERT(!db_conn_inside());
    /* A server that was restarted has closed every idle connection: once more on a new
     * one, for a read changes nothing. */
    for (int i = 0; i < (db_is_shared(db) ? 2 : 1); i++) {
        struct db_conn *conn = NULL;

        TRY(db_readers_borrow(db->readers, i > 0, &conn, err));
        bool broken = run_read(conn, one, fn, ctx, &code, &failure);
        db_readers_return(db->readers, &conn, broken);
        if (!broken || code != ERR_UNAVAILABLE)
            break;
    }
    if (code != ERR_OK)
        *err = failure;
    return code;
}

FALLIBLE db_read(struct db *db, db_fn fn, void *ctx, struct err *err)
{
    return read_on(db, false, fn, ctx, err);
}

FALLIBLE db_read_one(struct db *db, db_fn fn, void *ctx, struct err *err)
{
    enum err_code code;

    ASSERT(!db_conn_inside());
    if (db->batch != NULL && pg_batch_read(db->batch, fn, ctx, &code, err))
        return code;
    return read_on(db, true, fn, ctx, err);
}
