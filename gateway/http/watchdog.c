/* SPDX-License-Identifier: Apache-2.0 */
/* The thread that looks at the connections again and again. Which of them must end
 * is decided by connection.c. */
#include "gateway/http/http_private.h"

enum { WATCHDOG_STACK_BYTES = 256 << 10 };

static void *watchdog_run(void *ctx)
{
    struct server *server = ctx;
    struct connections *table = &server->connections;

    lock_take(&table->lock);
    while (!table->stopping)
        (void)lock_wait(&table->lock, connection_sweep(server));
    lock_drop(&table->lock);
    return NULL;
}

enum err_code watchdog_start(struct server *server, struct err *err)
{
    struct connections *table = &server->connections;

    TRY(lock_thread(&table->watchdog, "http-watchdog", WATCHDOG_STACK_BYTES, watchdog_run,
                    server, err));
    table->watched = true;
    return ERR_OK;
}

void watchdog_stop(struct server *server)
{
    struct connections *table = &server->connections;

    if (!table->watched)
        return;
    lock_take(&table->lock);
    table->stopping = true;
    lock_signal(&table->lock);
    lock_drop(&table->lock);
    (void)pthread_join(table->watchdog, NULL);
    table->watched = false;
}
