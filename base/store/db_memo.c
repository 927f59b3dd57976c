/* SPDX-License-Identifier: Apache-2.0 */
/* What the closures of one transaction remember of rows. */
#include "base/store/db_private.h"

#include <stdlib.h>

void db_memo_begin(struct db_conn *conn)
{
    conn->memo_count = 0;
}

void db_memo_forget(struct db_conn *conn)
{
    if (conn->memo_count > 0)
        conn->memo_count = 0;
}

void *db_memo(struct db_conn *conn, const void *kind, int64_t key, size_t size)
{
    ASSERT(size <= DB_MEMO_BYTES);
    for (int i = 0; i < conn->memo_count; i++) {
        if (conn->memos[i].kind == kind && conn->memos[i].key == key)
            return conn->memos[i].bytes;
    }
    if (conn->memo_count < 0 || conn->memo_count == DB_MEMOS)
        return NULL;
    if (conn->memos == NULL)
        conn->memos = calloc(DB_MEMOS, sizeof(*conn->memos));
    if (conn->memos == NULL)
        return NULL;
    struct db_memo *memo = &conn->memos[conn->memo_count++];

    *memo = (struct db_memo){.kind = kind, .key = key};
    return memo->bytes;
}

int db_memo_ahead(const struct db_conn *conn, int64_t tenant_id, const int64_t **ret_ids)
{
    for (int i = 0; i < conn->lanes.count; i++) {
        if (conn->lanes.ids[i] != tenant_id)
            continue;
        *ret_ids = conn->lanes.ids + i;
        return conn->lanes.count - i;
    }
    return 0;
}
