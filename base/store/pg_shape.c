/* SPDX-License-Identifier: Apache-2.0 */
/* The texts of PostgreSQL's statements: which are refused, and what their parameters are,
 * learned from the server once for all connections. */
#include "base/store/pg_private.h"

#include <stdlib.h>
#include <string.h>

enum { SHAPE_BUCKETS = 256 };

/* ---- the text ------------------------------------------------------------------------ */

/* Behind a literal, a quoted name or a comment that begins at c; c when none does. */
static const char *skip_quoted(const char *c)
{
    if (*c == '\'' || *c == '"') {
        const char *end = strchr(c + 1, *c);

        return end != NULL ? end + 1 : c + strlen(c);
    }
    if (c[0] == '-' && c[1] == '-') {
        const char *end = strchr(c, '\n');

        return end != NULL ? end : c + strlen(c);
    }
    return c;
}

bool pg_shape_is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '_';
}

/* One parameter at c, which is '$'; *inout_c is left behind it. */
static const char *read_parameter(const char **inout_c, uint64_t *inout_seen)
{
    const char *c = *inout_c + 1;
    int number = 0;

    if (*c < '1' || *c > '9')
        return "a parameter is not named $1, $2, …";
    for (; *c >= '0' && *c <= '9'; c++) {
        number = number * 10 + (*c - '0');
        if (number > DB_PARAMETERS_MAX)
            return "too many parameters";
    }
    if (pg_shape_is_word(*c) || *c == '(')
        return "a parameter is not named $1, $2, …";
    *inout_seen |= UINT64_C(1) << (number - 1);
    *inout_c = c;
    return NULL;
}

/* What SQLite's connections refuse by other means: the same texts are refused here. */
static const char *check_command(const char *sql)
{
    static const char words[] =
        "BEGIN START COMMIT END ROLLBACK ABORT SAVEPOINT RELEASE SET RESET"
        " PREPARE DEALLOCATE LISTEN NOTIFY COPY VACUUM ATTACH DETACH"
        " PRAGMA DISCARD";
    size_t len = 0;

    while (pg_shape_is_word(sql[len]))
        len++;
    return str_has_word(words, (struct str){sql, len}) ? "not a closure's command" : NULL;
}

static const char *check_text(const char *sql, int *ret_parameters)
{
    bool ended = false, empty = true;
    uint64_t seen = 0;

    for (const char *c = sql; *c != '\0';) {
        const char *behind = skip_quoted(c), *why = NULL;

        if (behind != c) {
            empty = empty && *c == '-';
            if (ended && *c != '-')
                return "more than one statement";
            c = behind;
            continue;
        }
        if (ended && strchr(" \t\r\n;", *c) == NULL)
            return "more than one statement";
        if (*c == '?' || *c == '@' || (*c == ':' && pg_shape_is_word(c[1])))
            return "a parameter is not named $1, $2, …";
        ended |= *c == ';';
        empty = empty && strchr(" \t\r\n;", *c) != NULL;
        if (*c == '$')
            why = read_parameter(&c, &seen);
        else
            c++;
        if (why != NULL)
            return why;
    }
    if (empty)
        return "no statement";
    if ((seen & (seen + 1)) != 0)
        return "the parameters have a gap";
    *ret_parameters = __builtin_popcountll(seen);
    return check_command(sql);
}

/* ---- the types of parameters ------------------------------------------------------------ */

static struct {
    pthread_mutex_t mutex;
    struct pg_shape *buckets[SHAPE_BUCKETS];
} shapes = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static struct pg_shape **shape_bucket(const char *sql)
{
    uintptr_t key = (uintptr_t)sql;

    return &shapes.buckets[(key ^ (key >> 8)) % SHAPE_BUCKETS];
}

static const struct pg_shape *shape_find(const char *sql)
{
    (void)pthread_mutex_lock(&shapes.mutex);
    const struct pg_shape *shape = *shape_bucket(sql);
    while (shape != NULL && shape->sql != sql)
        shape = shape->next;
    (void)pthread_mutex_unlock(&shapes.mutex);
    return shape;
}

/* Two threads may learn one text at the same time; the second copy is never found. */
static void shape_keep(struct pg_shape *shape)
{
    struct pg_shape **bucket = shape_bucket(shape->sql);

    (void)pthread_mutex_lock(&shapes.mutex);
    shape->next = *bucket;
    *bucket = shape;
    (void)pthread_mutex_unlock(&shapes.mutex);
}

/* "$1 = 0" makes an int4 of a parameter that is compared with a bigint elsewhere: every
 * integer is a bigint, everything like text is text. */
static Oid widened(Oid type)
{
    switch (type) {
    case PG_INT2:
    case PG_INT4:
    case PG_INT8:
    case PG_NUMERIC:
    case PG_BOOL:
        return PG_INT8;
    case PG_BYTEA:
        return PG_BYTEA;
    default:
        return PG_TEXT;
    }
}

/* Asks the server what it makes of the parameters. */
static FALLIBLE shape_learn(struct pg_conn *conn, const char *sql, int count,
                            const struct pg_shape **ret_shape, struct err *err)
{
    const struct pg_pending pending = {.kind = PG_PREPARE, .sql = sql};
    struct pg_shape *shape = calloc(1, sizeof(*shape));

    if (shape == NULL)
        return err_detail(err, ERR_UNAVAILABLE, "out of memory for a statement");
    shape->sql = sql;
    shape->count = count;
    enum err_code code = conn->pending_count > 0 ? pg_conn_flush(conn, err) : ERR_OK;
    if (code == ERR_OK &&
        (!pg_conn_note(conn, &pending) || PQsendPrepare(conn->pg, "", sql, 0, NULL) != 1))
        code = pg_error_lost(conn, PQerrorMessage(conn->pg), err);
    if (code == ERR_OK)
        code = pg_conn_flush(conn, err);
    if (code == ERR_OK)
        code = pg_conn_describe(conn, sql, shape->types, count, err);
    if (code != ERR_OK) {
        free(shape);
        return code;
    }
    for (int i = 0; i < count; i++)
        shape->types[i] = widened(shape->types[i]);
    shape_keep(shape);
    *ret_shape = shape;
    return ERR_OK;
}

FALLIBLE pg_shape_of(struct pg_conn *conn, const char *sql, const struct pg_shape **ret_shape,
                     struct err *err)
{
    int count = 0;

    *ret_shape = shape_find(sql);
    if (*ret_shape != NULL)
        return ERR_OK;
    const char *why = check_text(sql, &count);
    if (why != NULL)
        return db_stmt_refuse(&conn->base, why, sql, err);
    return shape_learn(conn, sql, count, ret_shape, err);
}
