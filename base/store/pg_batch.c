/* SPDX-License-Identifier: Apache-2.0 */
/* Reads of one statement, many at a time: who comes while others are being answered waits
 * for their answers, and then all who wait go out together on one connection. A server
 * answers ten of them in a row at a third of what ten connections cost it and us. */
#include "base/store/pg_private.h"

#include <stdlib.h>

enum {
    BATCHES_MAX = 2, /* on their way at the same time, each on a reader's connection */
    ASKS_MAX = 64,   /* in one batch */
    GROUPS_MAX = 16, /* texts in one batch; the rest reads by itself */
    CONNS_MAX = 256  /* kept for closures; more read by themselves */
};

/* A statement that a closure steps, on its thread's stack. */
struct ask {
    struct ask *next;
    struct pg_stmt *stmt;
    bool taken; /* it stands in line no more: its thread will be woken */
    bool leads; /* to send the next batch */
    bool again; /* it failed on a connection that is sound: by itself, or a neighbour did */
    enum err_code code;
    struct err err;
    struct db_waiter waiter;
};

struct pg_batch {
    struct db_readers *readers;
    int64_t busy_us;
    struct lock lock; /* guards all below */
    struct ask *first;
    struct ask **last;
    int leaders;
    struct pg_conn *idle[CONNS_MAX]; /* without a connection of their own */
    int idle_count, conn_count;
};

FALLIBLE pg_batch_new(struct db_readers *readers, int64_t busy_us, struct pg_batch **ret_batch,
                      struct err *err)
{
    struct pg_batch *batch = calloc(1, sizeof(*batch));

    if (batch == NULL)
        return err_detail(err, ERR_UNAVAILABLE, "out of memory for reads");
    lock_init(&batch->lock);
    batch->readers = readers;
    batch->busy_us = busy_us;
    batch->last = &batch->first;
    *ret_batch = batch;
    return ERR_OK;
}

static void conn_free(struct pg_conn *conn)
{
    struct db_conn *base = &conn->base;

    db_conn_close(&base);
}

void pg_batch_free(struct pg_batch **batch_ref)
{
    struct pg_batch *batch = *batch_ref;

    if (batch == NULL)
        return;
    *batch_ref = NULL;
    ASSERT(batch->first == NULL && batch->leaders == 0);
    ASSERT(batch->idle_count == batch->conn_count);
    while (batch->idle_count > 0)
        conn_free(batch->idle[--batch->idle_count]);
    lock_fini(&batch->lock);
    free(batch);
}

/* ---- sending ------------------------------------------------------------------------- */

/* Asks of one text, which go out as one statement. */
struct group {
    struct pg_stmt *many; /* NULL: there is one ask, and it is sent as it is */
    struct pg_stmt *stmts[ASKS_MAX];
    int count;
};

/* Takes the first of those that are left with all like it; false when none is left. */
static bool take_group(struct ask *const *asks, int count, bool *taken, struct group *ret_group)
{
    ret_group->many = NULL;
    ret_group->count = 0;
    for (int i = 0; i < count; i++) {
        if (taken[i] ||
            (ret_group->count > 0 && !pg_share_like(asks[i]->stmt, ret_group->stmts[0])))
            continue;
        taken[i] = true;
        ret_group->stmts[ret_group->count++] = asks[i]->stmt;
    }
    return ret_group->count > 0;
}

static FALLIBLE send_group(struct pg_conn *conn, struct group *group, struct err *err)
{
    return group->count == 1
               ? pg_stmt_send(conn, group->stmts[0], err)
               : pg_share_send(conn, group->stmts, group->count, &group->many, err);
}

/* Sends the asks over conn and takes their answers; who gets none keeps err. */
static void send_batch(struct db_conn *conn, struct ask *const *asks, int count)
{
    struct group groups[GROUPS_MAX];
    bool taken[ASKS_MAX] = {false};
    int group_count = 0;
    struct pg_conn *own = pg_conn_of(conn);
    enum err_code code = ERR_OK;
    struct err err = {0};

    conn->failed = (struct err){0};
    conn->engine_failed = false;
    pg_conn_forget(own);
    while (group_count < GROUPS_MAX && code == ERR_OK &&
           take_group(asks, count, taken, &groups[group_count]))
        code = send_group(own, &groups[group_count++], &err);
    /* What is queued refers to statements of other threads: nothing may stay behind. */
    if (own->pending_count > 0) {
        struct err later;
        enum err_code flushed = pg_conn_flush(own, &later);

        if (code == ERR_OK) {
            code = flushed;
            err = later;
        }
    }
    for (int i = 0; i < group_count; i++) {
        if (groups[i].many != NULL)
            pg_share_out(groups[i].many, groups[i].stmts, groups[i].count);
    }
    for (int i = 0; i < count; i++) {
        asks[i]->code = pg_stmt_has_rows(asks[i]->stmt) ? ERR_OK : ERR_UNAVAILABLE;
        asks[i]->again = !own->lost;
        if (asks[i]->code != ERR_OK && code != ERR_OK)
            (void)err_detail(&asks[i]->err, ERR_UNAVAILABLE, "%.200s", err.detail);
        else if (asks[i]->code != ERR_OK)
            (void)err_detail(&asks[i]->err, ERR_UNAVAILABLE, "a read was left unanswered");
    }
}

static struct ask *take_first(struct pg_batch *batch)
{
    struct ask *ask = batch->first;

    lock_assert_held(&batch->lock);
    if (ask == NULL)
        return NULL;
    batch->first = ask->next;
    if (batch->first == NULL)
        batch->last = &batch->first;
    ask->taken = true;
    return ask;
}

/* Sends the thread's own ask with all who wait, and hands the lead on. */
static void lead(struct pg_batch *batch, struct ask *own)
{
    struct ask *asks[ASKS_MAX] = {own}, *next;
    struct db_conn *conn = NULL;
    struct err err;
    int count = 1;

    lock_take(&batch->lock);
    while (count < ASKS_MAX && (next = take_first(batch)) != NULL)
        asks[count++] = next;
    lock_drop(&batch->lock);

    enum err_code code = db_readers_borrow(batch->readers, false, &conn, &err);

    if (code == ERR_OK) {
        send_batch(conn, asks, count);
        db_readers_return(batch->readers, &conn, conn->engine_failed);
    }
    for (int i = 0; i < count; i++) {
        if (code != ERR_OK) {
            asks[i]->code = code;
            asks[i]->err = err;
        }
        if (i > 0)
            db_waiter_wake(&asks[i]->waiter);
    }

    lock_take(&batch->lock);
    next = take_first(batch);
    if (next != NULL) {
        next->leads = true;
        db_waiter_wake(&next->waiter);
    } else {
        batch->leaders--;
    }
    lock_drop(&batch->lock);
}

/* Takes the ask out of the line, unless its time has come. */
static bool give_up(struct pg_batch *batch, struct ask *ask)
{
    lock_take(&batch->lock);
    bool waits = !ask->taken;
    struct ask **ref = &batch->first;

    while (waits && *ref != ask)
        ref = &(*ref)->next;
    if (waits) {
        *ref = ask->next;
        if (ask->next == NULL)
            batch->last = ref;
    }
    lock_drop(&batch->lock);
    return waits;
}

enum err_code pg_batch_ask(struct pg_batch *batch, struct pg_stmt *stmt, bool *ret_again,
                           struct err *err)
{
    struct ask ask = {.stmt = stmt};
    bool waits = true;

    *ret_again = false;
    db_waiter_init(&ask.waiter, 1);
    lock_take(&batch->lock);
    if (batch->leaders < BATCHES_MAX) {
        batch->leaders++;
        waits = false;
    } else {
        *batch->last = &ask;
        batch->last = &ask.next;
    }
    lock_drop(&batch->lock);

    if (waits && !db_waiter_wait(&ask.waiter, sys_mono_us() + batch->busy_us)) {
        if (give_up(batch, &ask))
            return err_set(err, ERR_BUSY, "too many requests are reading, try again");
        (void)db_waiter_wait(&ask.waiter, INT64_MAX);
    }
    if (!waits || ask.leads)
        lead(batch, &ask);
    if (ask.code != ERR_OK)
        *err = ask.err;
    *ret_again = ask.again;
    return ask.code;
}

/* ---- closures ------------------------------------------------------------------------ */

static struct pg_conn *conn_take(struct pg_batch *batch)
{
    struct pg_conn *conn = NULL;

    lock_take(&batch->lock);
    if (batch->idle_count > 0)
        conn = batch->idle[--batch->idle_count];
    else if (batch->conn_count < CONNS_MAX)
        conn = calloc(1, sizeof(*conn));
    if (conn != NULL && conn->batch == NULL) {
        db_conn_init(&conn->base, &pg_engine);
        conn->role = DB_ROLE_READER;
        conn->batch = batch;
        conn->lost = true; /* what is not asked of the batch fails */
        batch->conn_count++;
    }
    lock_drop(&batch->lock);
    return conn;
}

static void conn_give(struct pg_batch *batch, struct pg_conn *conn)
{
    lock_take(&batch->lock);
    batch->idle[batch->idle_count++] = conn;
    lock_drop(&batch->lock);
}

bool pg_batch_read(struct pg_batch *batch, db_fn fn, void *ctx, enum err_code *ret_code,
                   struct err *err)
{
    int64_t begun_us = sys_mono_us();
    struct pg_conn *conn = conn_take(batch);

    if (conn == NULL)
        return false;
    conn->base.one = true;
    conn->retry = false;
    *ret_code = db_conn_run(&conn->base, fn, ctx, err);
    /* The connection may have been an old one; who has waited for a lost one for long is
     * told. */
    bool answered = !conn->base.engine_failed || *ret_code == ERR_BUSY ||
                    (!conn->retry && sys_mono_us() - begun_us > batch->busy_us);

    conn_give(batch, conn);
    return answered;
}
