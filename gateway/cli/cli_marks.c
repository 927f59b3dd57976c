/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of meta that say which of two databases an installation lives in while it moves
 * from one to the other. Before the first row is copied the source is marked, then the
 * target; when all is there, the source's mark becomes final, then the target's. So at no
 * time two are in use, wherever a move ends. */
#include "gateway/cli/cli.h"

#include "tenancy/tenancy.h"

#include <stdio.h>
#include <string.h>

/* The source's: where it goes, where it went, the number of the move. */
#define MOVING_TO "moving_to"
#define MOVED_TO "moved_to"
#define MOVE_ID "move_id"
/* The target's: the number of the move, and the same again when it is over. */
#define COPIED_FROM "copied_from"
#define COPY_COMPLETE "copy_complete"

struct visit {
    struct cli_marks *marks;
    struct arena *arena; /* NULL: other rows are only counted */
    struct cli_fact **end;
};

static FALLIBLE visit_row(struct str name, struct str value, void *ctx, struct err *err)
{
    struct visit *visit = ctx;
    struct cli_marks *marks = visit->marks;
    const struct {
        const char *name;
        char *dst;
        size_t size;
    } fields[] = {
        {MOVING_TO, marks->moving_to, sizeof(marks->moving_to)},
        {MOVED_TO, marks->moved_to, sizeof(marks->moved_to)},
        {MOVE_ID, marks->move_id, sizeof(marks->move_id)},
        {COPIED_FROM, marks->copied_from, sizeof(marks->copied_from)},
        {COPY_COMPLETE, marks->copy_complete, sizeof(marks->copy_complete)},
    };

    marks->rows++;
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        if (!str_is(name, fields[i].name))
            continue;
        if (value.len == 0 || !str_copy(fields[i].dst, fields[i].size, value))
            return err_set(err, ERR_CONFIG, "the mark %s of the database is not valid",
                           fields[i].name);
        return ERR_OK;
    }
    if (visit->arena == NULL)
        return ERR_OK;
    struct cli_fact *fact = arena_alloc(visit->arena, sizeof(*fact));

    if (fact != NULL) {
        fact->name = arena_dup(visit->arena, name);
        fact->value = arena_dup(visit->arena, value);
    }
    if (fact == NULL || fact->name == NULL || fact->value == NULL)
        return err_detail(err, ERR_INTERNAL, "no memory for what meta says");
    *visit->end = fact;
    visit->end = &fact->next;
    return ERR_OK;
}

static FALLIBLE read_marks(struct db_conn *conn, struct cli_marks *marks, struct arena *arena,
                           struct err *err)
{
    struct visit visit = {.marks = marks, .arena = arena, .end = &marks->facts};

    *marks = (struct cli_marks){0};
    return meta_repo_each(conn, visit_row, &visit, err);
}

struct reading {
    struct cli_marks *marks;
    struct arena *arena;
};

static FALLIBLE read_fn(struct db_conn *conn, void *ctx, struct err *err)
{
    const struct reading *reading = ctx;

    return read_marks(conn, reading->marks, reading->arena, err);
}

FALLIBLE cli_marks_read(struct db *db, struct arena *arena, struct cli_marks *ret_marks,
                        struct err *err)
{
    struct reading reading = {ret_marks, arena};

    return db_read(db, read_fn, &reading, err);
}

bool cli_marks_incomplete(const struct cli_marks *marks)
{
    return marks->copied_from[0] != '\0' &&
           strcmp(marks->copied_from, marks->copy_complete) != 0;
}

FALLIBLE cli_marks_check(struct db *db, const char *database, struct err *err)
{
    struct cli_marks marks;

    TRY(cli_marks_read(db, NULL, &marks, err));
    if (marks.moved_to[0] != '\0')
        return err_set(
            err, ERR_CONFIG,
            "this installation was moved and lives in %s now: give that as --database",
            marks.moved_to);
    if (marks.moving_to[0] != '\0')
        return err_set(err, ERR_CONFIG,
                       "this installation is being moved to %s: \"arkgate migrate --from"
                       " sqlite:%s --to URL\" goes on with it, \"--abandon\" instead of --to"
                       " gives it up",
                       marks.moving_to, database);
    if (cli_marks_incomplete(&marks))
        return err_set(err, ERR_CONFIG,
                       "this database holds an incomplete copy of an installation: give the"
                       " \"arkgate migrate --from … --to …\" again that began it");
    return ERR_OK;
}

/* ---- changes, each in one transaction --------------------------------------------------- */

struct change {
    const char *url, *id;
    const struct cli_marks *source;
};

static FALLIBLE begin_fn(struct db_conn *conn, void *ctx, struct err *err)
{
    const struct change *change = ctx;
    struct cli_marks marks;

    TRY(read_marks(conn, &marks, NULL, err));
    if (marks.moved_to[0] != '\0') /* it stays so */
        return ERR_OK;
    TRY(meta_repo_put(conn, MOVING_TO, change->url, err));
    return meta_repo_put(conn, MOVE_ID, change->id, err);
}

FALLIBLE cli_marks_begin(struct db *source, const char *url, const char *id, struct err *err)
{
    struct change change = {.url = url, .id = id};

    return db_write(source, DB_ALL, begin_fn, &change, err);
}

static FALLIBLE target_fn(struct db_conn *conn, void *ctx, struct err *err)
{
    const struct change *change = ctx;
    struct cli_marks marks;

    TRY(read_marks(conn, &marks, NULL, err));
    if (marks.rows == 0)
        return meta_repo_put(conn, COPIED_FROM, change->id, err);
    return cli_marks_expect(conn, (void *)change->id, err);
}

FALLIBLE cli_marks_target(struct db *target, const char *id, struct err *err)
{
    struct change change = {.id = id};

    return db_write(target, DB_ALL, target_fn, &change, err);
}

FALLIBLE cli_marks_expect(struct db_conn *conn, void *id, struct err *err)
{
    struct cli_marks marks;

    TRY(read_marks(conn, &marks, NULL, err));
    if (cli_marks_incomplete(&marks) && strcmp(marks.copied_from, id) == 0)
        return ERR_OK;
    return err_set(err, ERR_CONFLICT, "the target came to hold something else meanwhile");
}

static FALLIBLE end_fn(struct db_conn *conn, void *ctx, struct err *err)
{
    struct cli_marks marks;

    (void)ctx;
    TRY(read_marks(conn, &marks, NULL, err));
    if (marks.moving_to[0] == '\0')
        return marks.moved_to[0] != '\0'
                   ? ERR_OK
                   : err_set(err, ERR_CONFLICT, "the source is not being moved any more");
    TRY(meta_repo_put(conn, MOVED_TO, marks.moving_to, err));
    return meta_repo_remove(conn, MOVING_TO, err);
}

FALLIBLE cli_marks_end(struct db *source, struct err *err)
{
    return db_write(source, DB_ALL, end_fn, NULL, err);
}

static FALLIBLE complete_fn(struct db_conn *conn, void *ctx, struct err *err)
{
    const struct change *change = ctx;

    TRY(cli_marks_expect(conn, (void *)change->id, err));
    for (const struct cli_fact *fact = change->source->facts; fact != NULL; fact = fact->next)
        TRY(meta_repo_put(conn, fact->name, fact->value, err));
    return meta_repo_put(conn, COPY_COMPLETE, change->id, err);
}

FALLIBLE cli_marks_complete(struct db *target, const char *id, const struct cli_marks *source,
                            struct err *err)
{
    struct change change = {.id = id, .source = source};

    return db_write(target, DB_ALL, complete_fn, &change, err);
}

static FALLIBLE abandon_fn(struct db_conn *conn, void *ctx, struct err *err)
{
    struct cli_marks *marks = ctx;

    TRY(read_marks(conn, marks, NULL, err));
    if (marks->moved_to[0] != '\0')
        return err_set(err, ERR_CONFLICT,
                       "this installation was moved to %s: that cannot be taken back",
                       marks->moved_to);
    if (marks->moving_to[0] == '\0')
        return err_set(err, ERR_CONFLICT, "this installation is not being moved");
    return meta_repo_remove(conn, MOVING_TO, err);
}

FALLIBLE cli_marks_abandon(struct db *source, struct cli_marks *ret_marks, struct err *err)
{
    return db_write(source, DB_ALL, abandon_fn, ret_marks, err);
}
