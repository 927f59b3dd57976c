/* SPDX-License-Identifier: Apache-2.0 */
/* The pool of reading connections: opened when first needed, handed on in the
 * order of asking, replaced when the disk failed under them. */
#include "base/store/db_private.h"

#include <stdlib.h>
#include <string.h>

/* Reads take microseconds and hold two cores long before they need more. */
#define READERS 8

struct ticket {
    struct ticket *next;
    struct db_conn *conn; /* NULL when woken: open one yourself */
    struct db_waiter waiter;
};

struct db_readers {
    struct lock lock; /* guards idle to last */
    struct db_conn **idle;
    int idle_count;
    int out; /* borrowed connections, or rights to open one */
    int max;
    struct ticket *first;
    struct ticket **last;
    struct db_options options; /* its texts are copies */
    char *path;
    char *vfs;
};

FALLIBLE db_readers_new(const struct db_options *options, struct db_readers **ret_readers,
                        struct err *err)
{
    CLEANUP(db_readers_free) struct db_readers *readers = calloc(1, sizeof(*readers));

    if (readers == NULL)
        return err_detail(err, ERR_UNAVAILABLE, "out of memory for the readers");
    lock_init(&readers->lock);
    readers->max = options->readers > 0 ? options->readers : READERS;
    readers->options = *options;
    readers->last = &readers->first;
    readers->idle = calloc((size_t)readers->max, sizeof(struct db_conn *));
    readers->path = strdup(options->path);
    readers->vfs = options->vfs != NULL ? strdup(options->vfs) : NULL;
    if (readers->idle == NULL || readers->path == NULL ||
        (options->vfs != NULL && readers->vfs == NULL))
        return err_detail(err, ERR_UNAVAILABLE, "out of memory for the readers");
    readers->options.path = readers->path;
    readers->options.vfs = readers->vfs;
    *ret_readers = readers;
    readers = NULL;
    return ERR_OK;
}

void db_readers_free(struct db_readers **readers_ref)
{
    struct db_readers *readers = *readers_ref;

    if (readers == NULL)
        return;
    *readers_ref = NULL;
    ASSERT(readers->out == 0);
    while (readers->idle_count > 0)
        db_conn_close(&readers->idle[--readers->idle_count]);
    lock_fini(&readers->lock);
    free(readers->idle);
    free(readers->path);
    free(readers->vfs);
    free(readers);
}

/* Waits to be handed a connection or the right to one; false at the deadline. */
static bool wait_in_line(struct db_readers *readers, struct ticket *ticket)
{
    if (db_waiter_wait(&ticket->waiter, sys_mono_us() + readers->options.busy_us))
        return true;

    lock_take(&readers->lock);
    struct ticket **ref = &readers->first;
    while (*ref != NULL && *ref != ticket)
        ref = &(*ref)->next;
    bool handed = *ref == NULL; /* just now */
    if (!handed) {
        *ref = ticket->next;
        if (ticket->next == NULL)
            readers->last = ref;
    }
    lock_drop(&readers->lock);
    if (handed)
        (void)db_waiter_wait(&ticket->waiter, INT64_MAX);
    return handed;
}

/* Hands a right on, and the connection with it unless that is NULL. */
static void pass_on(struct db_readers *readers, struct db_conn *conn)
{
    lock_take(&readers->lock);
    struct ticket *ticket = readers->first;
    if (ticket != NULL) {
        readers->first = ticket->next;
        if (readers->first == NULL)
            readers->last = &readers->first;
        ticket->conn = conn;
        db_waiter_wake(&ticket->waiter);
    } else {
        readers->out--;
        if (conn != NULL)
            readers->idle[readers->idle_count++] = conn;
    }
    lock_drop(&readers->lock);
}

FALLIBLE db_readers_borrow(struct db_readers *readers, bool fresh, struct db_conn **ret_conn,
                           struct err *err)
{
    struct ticket ticket = {0};
    bool granted = true, queued = false;

    db_waiter_init(&ticket.waiter, 1);
    lock_take(&readers->lock);
    if (readers->out < readers->max) {
        readers->out++;
        if (readers->idle_count > 0)
            ticket.conn = readers->idle[--readers->idle_count];
    } else {
        queued = true;
        *readers->last = &ticket;
        readers->last = &ticket.next;
    }
    lock_drop(&readers->lock);
    if (queued)
        granted = wait_in_line(readers, &ticket);
    if (!granted)
        return err_set(err, ERR_BUSY, "too many requests are reading, try again");

    const struct db_engine *engine = db_engine_of(readers->path);
    if (ticket.conn != NULL &&
        (fresh || (engine->is_alive != NULL && !engine->is_alive(ticket.conn))))
        db_conn_close(&ticket.conn);
    if (ticket.conn == NULL) {
        enum err_code code = engine->open(&readers->options, DB_ROLE_READER, &ticket.conn, err);
        if (code != ERR_OK) {
            pass_on(readers, NULL);
            return code;
        }
    }
    *ret_conn = ticket.conn;
    return ERR_OK;
}

void db_readers_return(struct db_readers *readers, struct db_conn **conn, bool broken)
{
    struct db_conn *returned = *conn;

    *conn = NULL;
    if (broken)
        db_conn_close(&returned);
    pass_on(readers, returned);
}
