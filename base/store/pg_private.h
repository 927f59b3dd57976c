/* SPDX-License-Identifier: Apache-2.0 */
/* What the files pg_*.c share. A connection is in libpq's pipeline mode all its life:
 * statements whose result nobody waits for are queued, and what needs a result sends the
 * queue with one synchronisation point and reads all answers in order. */
#ifndef ARKGATE_BASE_STORE_PG_PRIVATE_H
#define ARKGATE_BASE_STORE_PG_PRIVATE_H

#include "base/store/db_private.h"

#include <libpq-fe.h>
#include <limits.h>

/* Object identifiers of the types that our columns and parameters have (pg_type.dat). */
enum {
    PG_BOOL = 16,
    PG_BYTEA = 17,
    PG_NAME = 19,
    PG_INT8 = 20,
    PG_INT2 = 21,
    PG_INT4 = 23,
    PG_TEXT = 25,
    PG_UNKNOWN = 705,
    PG_BYTEA_ARRAY = 1001,
    PG_TEXT_ARRAY = 1009,
    PG_INT8_ARRAY = 1016,
    PG_VARCHAR = 1043,
    PG_NUMERIC = 1700
};

/* Commands without a struct db_stmt, prepared when a connection is opened. */
enum pg_verb {
    PG_VERB_BEGIN,
    PG_VERB_BEGIN_READ,
    PG_VERB_COMMIT,
    PG_VERB_ROLLBACK,
    PG_VERB_SAVEPOINT,
    PG_VERB_ROLLBACK_TO,
    PG_VERB_RELEASE,
    PG_VERB_LOCK_ALL,     /* waits for every tenant's closures, and keeps them out */
    PG_VERB_LOCK_SHARED,  /* keeps out who wants all */
    PG_VERB_LOCK_TENANTS, /* ($1 tenants) */
    PG_VERB_MARK,         /* ($1 writer, $2 number) */
    PG_VERB_COUNT
};

/* What was sent, or is about to be, and has no answer yet. */
struct pg_pending {
    struct pg_stmt *stmt; /* NULL for verbs, and for statements that are gone */
    enum { PG_PREPARE, PG_RUN, PG_STEP, PG_VERB, PG_SYNC } kind;
    int call;    /* pg_conn.call when it was queued */
    int64_t run; /* pg_stmt's, of a run or step */
    bool is_commit;
    const char *sql;
    int rows;              /* that it is to change, when the next two ask for it */
    const char *otherwise; /* what is wrong unless it changed so many; NULL: nothing */
    int64_t **numbers;     /* owned: where each row's column goes; NULL: it has none */
};

enum {
    PG_PENDING_MAX = 512, /* more are sent by themselves */
    PG_ROWS_MAX = 64,     /* of one statement, sent together */
    PG_OPEN_MAX = 16,     /* statements that collect at a time */
    PG_ARRAY_HEADER = 20, /* bytes */
    PG_CALL_SEVERAL = INT_MAX,
    PG_NAME_SIZE = 24,  /* a prepared statement's */
    PG_WRITER_TEXT = 33 /* 16 bytes in hex */
};

struct pg_conn {
    struct db_conn base;
    PGconn *pg;
    struct pg_batch *batch; /* which sends its statements; NULL: it does so itself */
    enum db_role role;
    bool lost;       /* the connection is of no use any more */
    bool retry;      /* the first failure since pg_conn_forget passes by itself */
    int call;        /* which closure of a group queues now; -1: none; PG_CALL_SEVERAL */
    int failed_call; /* whose statement failed first since pg_conn_forget; -1: none */
    bool wrote;      /* the closure that queues now has queued what may change something */
    bool committed;  /* a COMMIT was answered with its tag */
    bool commit_sent;
    uint64_t names; /* of prepared statements */
    int open_count;
    struct pg_stmt *open[PG_OPEN_MAX]; /* those that have collected rows, the oldest first */
    int pending_count;
    struct pg_pending pending[PG_PENDING_MAX];
    /* The writer's. */
    char url[1024];
    char writer[PG_WRITER_TEXT]; /* its row in store_commit */
    int64_t number;              /* of its last COMMIT */
    int careful;                 /* groups that still get savepoints */
    int64_t failed_at_us;        /* monotonic: when a new connection was refused; 0: never */
};

/* pg_open.c ---------------------------------------------------------------------- */

/* ERR_CONFIG for a URL that is none, or that holds a password; ERR_CONFIG when the server
 * refuses user, password or database, ERR_UNAVAILABLE when it does not answer. A writer's
 * is opened as lost: pg_open_again connects it. */
FALLIBLE pg_open_new(const char *url, enum db_role role, struct db_conn **ret_conn,
                     struct err *err);
/* Opens the same connection again; every statement is prepared anew. */
FALLIBLE pg_open_again(struct db_conn *conn, struct err *err);

/* pg_conn.c --------------------------------------------------------------------- */

struct pg_conn *pg_conn_of(struct db_conn *conn);
FALLIBLE pg_conn_prepare_verbs(struct pg_conn *conn, struct err *err);
/* Clears what the last transaction left to say of itself. */
void pg_conn_forget(struct pg_conn *conn);
/* Makes room for one and notes what the next answer belongs to. False when that is not
 * possible, because the connection is lost. */
bool pg_conn_note(struct pg_conn *conn, const struct pg_pending *pending);
/* Queues a verb. */
void pg_conn_verb(struct pg_conn *conn, enum pg_verb verb);
/* Queues the wait for these tenants' locks, one after the other. DB_LANES_MAX at most. */
void pg_conn_lock(struct pg_conn *conn, const int64_t *lanes, int count);
void pg_conn_mark(struct pg_conn *conn, int64_t number);
/* Sends the queue and reads every answer. The first failure is noted on the connection
 * and returned. */
FALLIBLE pg_conn_flush(struct pg_conn *conn, struct err *err);
/* Does a failure that the server knows nothing of wait in the queue? */
bool pg_conn_has_checks(const struct pg_conn *conn);
/* Sends the queue and reads nothing. */
void pg_conn_send(struct pg_conn *conn);
/* Reads the answers to what pg_conn_send sent; false when one of them is a failure. */
bool pg_conn_settle(struct pg_conn *conn);
/* What is queued or sent will not be answered. */
void pg_conn_drop_pending(struct pg_conn *conn);
/* The types that the server gives to the parameters of the unnamed statement. */
FALLIBLE pg_conn_describe(struct pg_conn *conn, const char *sql, Oid *ret_types, int count,
                          struct err *err);
/* Sends one command, with texts as parameters, and waits; rows may be asked for. The queue
 * is empty afterwards. */
FALLIBLE pg_conn_command(struct pg_conn *conn, const char *sql, const char *const *values,
                         int count, PGresult **ret_result, struct err *err);

/* pg_error.c ---------------------------------------------------------------------- */

/* What a failed result or connection means; noted on the connection. */
enum err_code pg_error_failed(struct pg_conn *conn, const PGresult *result, const char *sql,
                              struct err *err);
/* The connection is given up: what is pending has no answer. */
enum err_code pg_error_lost(struct pg_conn *conn, const char *why, struct err *err);

/* pg_shape.c ------------------------------------------------------------------------ */

/* What a text's parameters are, the same on every connection. Never freed: the texts are
 * constants of the program. */
struct pg_shape {
    struct pg_shape *next;
    const char *sql;
    int count;
    Oid types[DB_PARAMETERS_MAX];
};
/* Checks the text as SQLite's engine would, and learns the types from the server when
 * nobody has before. ERR_INTERNAL says what is wrong with the text. */
FALLIBLE pg_shape_of(struct pg_conn *conn, const char *sql, const struct pg_shape **ret_shape,
                     struct err *err);

/* A letter, digit or underscore, of which names are made. */
bool pg_shape_is_word(char c);

/* pg_stmt.c ----------------------------------------------------------------------- */

struct pg_stmt {
    struct db_stmt base;
    const struct pg_shape *shape;
    struct pg_stmt
        *prototype;          /* whose name and preparation it uses: itself, or the cached one */
    char name[PG_NAME_SIZE]; /* on the server */
    enum { UNPREPARED, PREPARING, PREPARED } prepared;
    int64_t runs;           /* begun, to tell answers of old ones */
    PGresult *result;       /* of the last step */
    struct pg_share *share; /* whose result it is; NULL: its own */
    int row, end;           /* of the result: where it is, and behind its last one */
    const char *values[DB_PARAMETERS_MAX];
    int lengths[DB_PARAMETERS_MAX];
    uint64_t wire[DB_PARAMETERS_MAX];   /* integers in network order */
    struct pg_rows *rows;               /* a prototype's, when it collects */
    struct pg_stmt *many;               /* a prototype's, for many of it at once */
    Oid array_types[DB_PARAMETERS_MAX]; /* of such a one */
};

/* An integer of a binary result; NULL is 0. False for a column that is none. */
bool pg_stmt_number(const PGresult *result, int row, int column, int64_t *ret_number);
/* Takes the answer to a pending prepare, run or step; NULL: there will be none. */
void pg_stmt_answer(const struct pg_pending *pending, PGresult *result);

/* Queues one execution by prototype's name, and its preparation when that is to come. */
void pg_stmt_queue(struct pg_conn *conn, struct pg_stmt *prototype,
                   const struct pg_pending *pending, const Oid *types,
                   const char *const *values, const int *lengths);

/* Queues one execution of another connection's statement on this one; its rows are that
 * statement's, when the queue has been flushed. */
FALLIBLE pg_stmt_send(struct pg_conn *conn, struct pg_stmt *stmt, struct err *err);
bool pg_stmt_has_rows(const struct pg_stmt *stmt);

/* pg_array.c: arrays of one dimension as they go over the wire ------------------------ */

/* The type of an array of this one: int8, bytea or text. */
Oid pg_array_of(Oid type);
/* Into memory; they return the end. */
char *pg_array_header(char to[PG_ARRAY_HEADER], Oid type, int count, bool has_null);
char *pg_array_i64(char *to, int64_t number);
/* Into a buffer: the header, and then so many elements; NULL is one, too. */
void pg_array_begin(struct buf *to, Oid type, int count);
void pg_array_put(struct buf *to, const char *value, int length);

/* pg_rows.c: statements of one row, sent as one of many ------------------------------- */

/* ERR_INTERNAL for a text that is not of its two forms. */
FALLIBLE pg_rows_new(const char *sql, const struct pg_shape *shape, struct pg_rows **ret_rows,
                     struct err *err);
/* Accepts NULL. */
void pg_rows_free(struct pg_rows *rows);
/* Collects a row; number and otherwise as with pg_pending. */
FALLIBLE pg_rows_add(struct pg_conn *conn, struct pg_stmt *stmt, const char *const *values,
                     const int *lengths, int64_t *number, const char *otherwise,
                     struct err *err);
/* Queues what must go out before a statement of this text; NULL: all of it. */
void pg_rows_send(struct pg_conn *conn, const char *sql);
/* Forgets all of it. */
void pg_rows_drop(struct pg_conn *conn);
/* The text that answers a question for many rows of parameters, each row of the answer with
 * the question's number, from 1, in a column behind its own; the caller frees it. ERR_INTERNAL
 * for a text that is no SELECT. */
FALLIBLE pg_rows_question(const char *sql, int width, char **ret_sql, struct err *err);

/* pg_share.c: an answer for several statements ----------------------------------------- */

/* Are the two of one text with parameters? */
bool pg_share_like(const struct pg_stmt *stmt, const struct pg_stmt *other);
/* Queues several such ones as one statement of conn's. When the queue has been flushed,
 * pg_share_out gives each its rows; if something failed, none of them has any. */
FALLIBLE pg_share_send(struct pg_conn *conn, struct pg_stmt *const *stmts, int count,
                       struct pg_stmt **ret_many, struct err *err);
void pg_share_out(struct pg_stmt *many, struct pg_stmt *const *stmts, int count);
/* Forgets the statement's rows, and frees them after the last one's. */
void pg_share_drop(struct pg_stmt *stmt);

/* pg_batch.c: reads of one statement --------------------------------------------------- */

/* The readers outlive it; busy_us is how long a read waits for its turn. */
struct pg_batch;
FALLIBLE pg_batch_new(struct db_readers *readers, int64_t busy_us, struct pg_batch **ret_batch,
                      struct err *err);
/* Accepts NULL. No closure may be running. */
void pg_batch_free(struct pg_batch **batch);
/* Runs a closure of one statement. False when that was not possible, or failed in a way
 * that may pass: it is to be run on a connection of its own. */
bool pg_batch_read(struct pg_batch *batch, db_fn fn, void *ctx, enum err_code *ret_code,
                   struct err *err);
/* For pg_stmt.c: executes the statement; its rows are there on ERR_OK. *ret_again: it may do
 * better on another connection. */
enum err_code pg_batch_ask(struct pg_batch *batch, struct pg_stmt *stmt, bool *ret_again,
                           struct err *err);

/* pg_group.c: transactions of the writers ------------------------------------------- */

void pg_group_run(struct db_writer *writer, struct db_call **calls, int count);
void pg_group_end(struct db_writer *writer);

/* pg_clock.c: the server's clock is ours --------------------------------------------- */

/* Measures at once, then every every_us (0: 30 s) on a thread. */
struct pg_clock;
FALLIBLE pg_clock_start(struct db_readers *readers, int64_t every_us,
                        struct pg_clock **ret_clock, struct err *err);
/* Accepts NULL. */
void pg_clock_stop(struct pg_clock **clock);
/* ERR_UNAVAILABLE while the two clocks moved apart by more than 2 s between two looks. */
FALLIBLE pg_clock_check(struct pg_clock *clock, struct err *err);

/* pg_migrate.c ------------------------------------------------------------------------ */

FALLIBLE pg_migrate(const char *url, const struct db_schema_file *files, int count,
                    struct err *err);
FALLIBLE pg_migrate_schema(struct db_conn *conn, int *ret_version, struct err *err);

#endif
