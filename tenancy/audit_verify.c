/* SPDX-License-Identifier: Apache-2.0 */
/* Checks the whole audit log against itself: numbers without gaps, each hash that
 * of its columns, each link that of the entry before, the head the last entry.
 * Somebody who may rewrite every row is out of its reach. */
#include "tenancy/private.h"

#include <inttypes.h>
#include <string.h>

/* Rows per read transaction: about 2 ms, far below the second that one may last. */
enum { PAGE_ROWS = 1000 };

/* How far the check has come. */
struct progress {
    int64_t seq; /* last good entry, 0 before the first */
    uint8_t hash[CRYPTO_HASH_BYTES];
};

struct page {
    struct progress from; /* input */
    struct progress reached;
    bool last;
};

static enum err_code bad(struct err *err, int64_t seq, const char *what)
{
    (void)err_set(err, ERR_MISMATCH, "audit entry %" PRId64 ": %s", seq, what);
    (void)str_copy(err->field, sizeof(err->field), STR("audit"));
    return ERR_MISMATCH;
}

static enum err_code row_verify(const struct audit_row *row, void *ctx, struct err *err)
{
    struct progress *progress = ctx;
    int64_t want = progress->seq + 1;
    uint8_t hash[CRYPTO_HASH_BYTES];

    if (row->seq > want)
        return bad(err, want, "it is missing");
    if (row->seq < want)
        return bad(err, row->seq, "a number before the first");
    audit_hash(row, hash);
    if (row->hash.len != sizeof(hash) || !crypto_equal(row->hash.ptr, hash, sizeof(hash)))
        return bad(err, row->seq, "its columns do not give its hash");
    if (row->prev.len != sizeof(hash) ||
        !crypto_equal(row->prev.ptr, progress->hash, sizeof(hash)))
        return bad(err, row->seq, "it does not link to the entry before");
    progress->seq = row->seq;
    memcpy(progress->hash, hash, sizeof(hash));
    return ERR_OK;
}

static enum err_code page_verify(struct db_conn *conn, void *ctx, struct err *err)
{
    struct page *page = ctx;
    struct progress progress = page->from;
    bool same;

    /* The first page begins before 1, where no entry may be. */
    int64_t from = progress.seq == 0 ? INT64_MIN : progress.seq + 1;
    TRY(audit_repo_each(conn, from, PAGE_ROWS, row_verify, &progress, err));
    page->last = progress.seq - page->from.seq < PAGE_ROWS;
    page->reached = progress;
    if (!page->last)
        return ERR_OK;
    /* The head in the snapshot that ended the log: the server may go on writing. */
    TRY(audit_repo_head_is(conn, progress.seq, progress.hash, &same, err));
    return same ? ERR_OK : bad(err, progress.seq, "the head is not this last entry");
}

FALLIBLE audit_verify(struct db *db, int64_t *ret_entries, struct err *err)
{
    struct page page = {0};

    while (!page.last) {
        TRY(db_read(db, page_verify, &page, err));
        page.from = page.reached;
    }
    *ret_entries = page.reached.seq;
    return ERR_OK;
}
