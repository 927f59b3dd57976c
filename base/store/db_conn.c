/* SPDX-License-Identifier: Apache-2.0 */
/* How a closure runs on a connection of either engine. Transactions are the callers'. */
#include "base/store/db_private.h"

#include <stdlib.h>
#include <string.h>

static _Thread_local bool inside_closure;

void db_conn_init(struct db_conn *conn, const struct db_engine *engine)
{
    conn->engine = engine;
    conn->memo_count = -1;
}

void db_conn_close(struct db_conn **conn_ref)
{
    struct db_conn *conn = *conn_ref;

    if (conn == NULL)
        return;
    *conn_ref = NULL;
    db_stmt_drop_cache(conn);
    free(conn->memos);
    conn->engine->close(conn);
}

void db_conn_note(struct db_conn *conn, const struct err *err)
{
    if (conn->failed.code == ERR_OK)
        conn->failed = *err;
}

static FALLIBLE run(struct db_conn *conn, db_fn fn, void *ctx, struct err *err)
{
    memset(&conn->failed, 0, sizeof(conn->failed));
    conn->engine_failed = false;
    conn->begun = 0;
    memset(err, 0, sizeof(*err));

    inside_closure = true;
    enum err_code code = fn(conn, ctx, err);
    inside_closure = false;

    bool kept = db_stmt_reclaim(conn);
    /* The first failure is the cause of what the closure made of it. */
    if (conn->failed.code != ERR_OK) {
        *err = conn->failed;
        return err->code;
    }
    if (code == ERR_OK && kept)
        return err_detail(err, ERR_INTERNAL, "a closure kept a statement");
    if (code != ERR_OK && err->code != code)
        return err_set(err, code, "%s", err_text(code));
    return code;
}

FALLIBLE db_conn_run(struct db_conn *conn, db_fn fn, void *ctx, struct err *err)
{
    enum err_code code = run(conn, fn, ctx, err);

    if (code != ERR_OK)
        db_memo_forget(conn);
    return code;
}

bool db_conn_inside(void)
{
    return inside_closure;
}
