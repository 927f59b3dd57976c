/* SPDX-License-Identifier: Apache-2.0 */
/* Is this folder of blobs the database's? A new mark is offered in the folder, then written
 * to the database, then taken in the folder: wherever that ends, it goes on at the next
 * start, and of several gateways that begin at once one's mark is everybody's. */
#include "gateway/cli/cli_blobs.h"

#include "assetlib/blob_mark.h"
#include "tenancy/tenancy.h"

#include <string.h>

#define META_NAME "blobs"

struct marks {
    char stored[BLOB_MARK_LEN + 1], folder[BLOB_MARK_LEN + 1];
    const char *offered;
};

static enum err_code read_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    struct marks *marks = ctx;
    bool found;

    TRY(meta_repo_get(conn, META_NAME, marks->stored, sizeof(marks->stored), &found, err));
    if (!found)
        marks->stored[0] = '\0';
    return ERR_OK;
}

/* The first one stays. */
static enum err_code write_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    struct marks *marks = ctx;

    TRY(read_steps(conn, marks, err));
    return marks->stored[0] != '\0' ? ERR_OK
                                    : meta_repo_put(conn, META_NAME, marks->offered, err);
}

static enum err_code read_both(struct db *db, const char *dir, struct marks *ret_marks,
                               struct err *err)
{
    TRY(db_read(db, read_steps, ret_marks, err));
    return blob_mark_read(dir, ret_marks->folder, err);
}

static enum err_code compare(const struct marks *marks, const char *dir, struct err *err)
{
    if (strcmp(marks->stored, marks->folder) == 0)
        return ERR_OK;
    if (marks->folder[0] == '\0')
        return err_set(err, ERR_CONFIG,
                       "%.200s has not the stored files of this database (blobs/id is missing):"
                       " all gateways on it must be given the same folder as --data",
                       dir);
    if (marks->stored[0] == '\0')
        return err_set(err, ERR_CONFIG,
                       "%.200s has the stored files of another database (blobs/id), and this"
                       " one has none yet: give --data a folder of its own",
                       dir);
    return err_set(err, ERR_CONFIG,
                   "%.200s has the stored files of another database (blobs/id): all gateways"
                   " on this one must be given its own folder as --data",
                   dir);
}

FALLIBLE cli_blobs_check(struct db *db, const char *dir, struct err *err)
{
    struct marks marks = {0};

    if (!db_is_shared(db))
        return ERR_OK;
    TRY(read_both(db, dir, &marks, err));
    return compare(&marks, dir, err);
}

static enum err_code mark_both(struct db *db, const char *dir, struct marks *marks,
                               struct err *err)
{
    char offered[BLOB_MARK_LEN + 1];
    enum err_code rc;

    TRY(blob_mark_offer(dir, offered, err));
    marks->offered = offered;
    rc = db_write(db, DB_ALL, write_steps, marks, err);
    /* Unless it is known that the database has another one, it may have this one. */
    if (rc == ERR_OK && marks->stored[0] != '\0' && strcmp(marks->stored, offered) != 0)
        blob_mark_withdraw(dir, offered);
    return rc;
}

FALLIBLE cli_blobs_claim(struct db *db, const char *dir, struct err *err)
{
    struct marks marks = {0};

    if (!db_is_shared(db))
        return ERR_OK;
    TRY(read_both(db, dir, &marks, err));
    if (marks.stored[0] == '\0' && marks.folder[0] == '\0')
        TRY(mark_both(db, dir, &marks, err));
    TRY(db_read(db, read_steps, &marks, err));
    if (marks.folder[0] == '\0')
        TRY(blob_mark_take(dir, marks.stored, err));
    TRY(blob_mark_read(dir, marks.folder, err));
    return compare(&marks, dir, err);
}
