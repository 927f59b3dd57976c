/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share: connections, statements, the writers' queues, the
 * readers' pool, and the table by which an engine is reached. sqlite_*.c and pg_*.c are
 * the engines, db_*.c decide what is the same on both. Nothing outside base/store and
 * its own tests includes it. */
#ifndef ARKGATE_BASE_STORE_DB_PRIVATE_H
#define ARKGATE_BASE_STORE_DB_PRIVATE_H

#include "base/store/store.h"

#include <stdatomic.h>
#include <stddef.h>

/* Writers alone may write; readers are query-only; a tool is a short-lived connection of
 * a migration or a copy. */
enum db_role { DB_ROLE_WRITER, DB_ROLE_READER, DB_ROLE_TOOL };

/* About two hundred statements exist; chains stay short. */
#define DB_CACHE_BUCKETS 128
/* Bits of the bound mask; the widest table has about forty columns. */
#define DB_PARAMETERS_MAX 64

/* The tenants of a group on PostgreSQL, ascending. */
enum { DB_LANES_MAX = 48 };
struct db_lanes {
    int count;
    int64_t ids[DB_LANES_MAX];
};

/* A connection; the engines' own begin with it. */
struct db_conn {
    const struct db_engine *engine;
    struct db_stmt *cache[DB_CACHE_BUCKETS];
    struct db_stmt *borrowed; /* statements that a closure holds */
    struct err failed;        /* first failure since the closure began */
    bool engine_failed;       /* it was the disk's, memory's, a lock's or the network's doing */
    bool trusted;             /* SQLite: the authorizer lets everything through */
    bool one;                 /* db_read_one: a second statement fails */
    int64_t begun;            /* statements since the closure began */
    int memo_count;           /* of memos; -1: it is no writer's */
    struct db_memo *memos;    /* DB_MEMOS of them, once one was asked for */
    struct db_lanes lanes;    /* of a writer's transaction; none with SQLite */
};

/* Enough for the tenants of one group. */
enum { DB_MEMOS = 128 };
struct db_memo {
    const void *kind;
    int64_t key;
    _Alignas(max_align_t) char bytes[DB_MEMO_BYTES];
};

/* A bound text whose bytes are no UTF-8, mended. */
struct db_mended;

/* A statement; the engines' own begin with it. */
struct db_stmt {
    struct db_stmt *next;     /* in its bucket */
    struct db_stmt *next_out; /* in the connection's borrowed list */
    struct db_conn *conn;
    const char *sql;
    const char *problem; /* first bad bind; reported by the next step */
    struct db_mended *mended;
    uint64_t bound;
    int64_t changes;
    int parameters;
    bool cached;
    bool collected; /* db_prepare_rows */
    bool busy;
    bool stepped;
    bool ended;
};

struct db_writer;
struct db_call;

/* What an engine does for the files db_*.c. */
struct db_engine {
    const char *name;
    int writers;   /* threads that write */
    int group_max; /* closures per commit unless the options say fewer */
    FALLIBLE(*open)
    (const struct db_options *options, enum db_role role, struct db_conn **ret_conn,
     struct err *err);
    /* Everything but the cached statements, which are freed before. */
    void (*close)(struct db_conn *conn);
    /* 0 for an empty database; ERR_CONFIG when the tables are not ours. */
    FALLIBLE (*schema)(struct db_conn *conn, int *ret_version, struct err *err);
    /* One snapshot, until read_end; not called for db_read_one. */
    FALLIBLE (*read_begin)(struct db_conn *conn, struct err *err);
    void (*read_end)(struct db_conn *conn);
    /* Waits for what db_run left on its way. */
    FALLIBLE (*finish)(struct db_conn *conn, struct err *err);
    /* May an idle connection be handed out? NULL: always. */
    bool (*is_alive)(struct db_conn *conn);

    /* Statements: sets parameters; the caller has checked nothing but the text. */
    FALLIBLE(*stmt_new)
    (struct db_conn *conn, const char *sql, bool cached, struct db_stmt **ret_stmt,
     struct err *err);
    void (*stmt_free)(struct db_stmt *stmt);
    /* Forgets rows; bindings too when the statement is given back. */
    void (*stmt_reset)(struct db_stmt *stmt, bool clear);
    /* A problem in words, or NULL. Positions count from 1 and exist. */
    const char *(*bind_i64)(struct db_stmt *stmt, int position, int64_t value);
    const char *(*bind_text)(struct db_stmt *stmt, int position, struct str text);
    const char *(*bind_blob)(struct db_stmt *stmt, int position, const void *bytes, size_t len);
    const char *(*bind_null)(struct db_stmt *stmt, int position);
    enum db_step (*step)(struct db_stmt *stmt, struct err *err);
    /* otherwise: NULL, or what to say unless one row was changed; number: NULL, or where the
     * one column of that row goes. */
    FALLIBLE(*run)
    (struct db_stmt *stmt, int64_t *number, const char *otherwise, struct err *err);
    int64_t (*changes)(struct db_stmt *stmt);
    int (*columns)(struct db_stmt *stmt);
    int64_t (*get_i64)(struct db_stmt *stmt, int column);
    struct str (*get_text)(struct db_stmt *stmt, int column);
    bool (*is_null)(struct db_stmt *stmt, int column);

    /* Writers: run_group runs every call to its code; the others may be NULL. */
    void (*run_group)(struct db_writer *writer, struct db_call **calls, int count);
    void (*after_group)(struct db_writer *writer);
    void (*writer_end)(struct db_writer *writer);
};
extern const struct db_engine sqlite_engine, pg_engine;
/* By the form of options.path. */
const struct db_engine *db_engine_of(const char *path);

/* db_conn.c: closures on a connection --------------------------------------- */

void db_conn_init(struct db_conn *conn, const struct db_engine *engine);
/* Accepts NULL. Aborts when a statement is still borrowed. */
void db_conn_close(struct db_conn **conn);
/* Remembers an error: the running closure has failed, even if it ignores it. */
void db_conn_note(struct db_conn *conn, const struct err *err);
/* Runs a closure, without transaction: its own code, or that of a statement which
 * failed unnoticed, or ERR_INTERNAL when it kept a statement. */
FALLIBLE db_conn_run(struct db_conn *conn, db_fn fn, void *ctx, struct err *err);
/* A writer's transaction begins: nothing is remembered, and from now on it can be.
 * (db_memo.c) */
void db_memo_begin(struct db_conn *conn);
/* True on a thread that is inside a closure. */
bool db_conn_inside(void);
/* Gives back what a closure left borrowed; true when there was something. (db_stmt.c) */
bool db_stmt_reclaim(struct db_conn *conn);
/* The cached statement of this text, or NULL. (db_stmt.c) */
struct db_stmt *db_stmt_cached(struct db_conn *conn, const char *sql);
/* Frees the cached statements. (db_stmt.c) */
void db_stmt_drop_cache(struct db_conn *conn);
/* ERR_INTERNAL, noted on the connection. (db_stmt.c) */
FALLIBLE db_stmt_refuse(struct db_conn *conn, const char *why, const char *sql,
                        struct err *err);
/* ERR_CONFLICT, noted on the connection. (db_stmt.c) */
enum err_code db_stmt_not_one(struct db_conn *conn, const char *otherwise, struct err *err);
/* SELECTs one integer. (db_stmt.c) */
FALLIBLE db_stmt_number(struct db_conn *conn, const char *sql, int64_t *ret_number,
                        struct err *err);

/* Puts "?" for each byte that is not part of UTF-8, and for NUL. (db_stmt.c) */
void db_stmt_mend(char *text, size_t len);

/* db_waiter.c: one thread waits, others wake it ------------------------------ */

/* On the waiting thread's stack, so that a wake reaches exactly one thread. */
struct db_waiter {
    _Atomic uint32_t left; /* wakes that are still to come */
};

void db_waiter_init(struct db_waiter *waiter, size_t wakes);
/* False when the deadline (sys_mono_us time, INT64_MAX: none) came first. */
bool db_waiter_wait(struct db_waiter *waiter, int64_t mono_deadline_us);
/* The waiter may be gone when this returns. */
void db_waiter_wake(struct db_waiter *waiter);

/* db_write.c: the writers ----------------------------------------------------- */

/* A closure in a queue; lives until its caller is woken. */
struct db_call {
    struct db_call *next;
    int64_t lane;
    db_fn fn;
    void *ctx;
    enum err_code code;
    struct err err;
    bool again; /* to be run once more, alone */
    bool maybe; /* SQLite: was part of a COMMIT that failed */
    int order;  /* PostgreSQL: of arrival, within its group */
    struct db_waiter *waiter;
};

/* A thread with its connection and its queue. */
struct db_writer {
    pthread_t thread;
    struct lock lock; /* guards first to stopping */
    struct db_call *first;
    struct db_call **last;
    int queued;
    bool stopping;
    int queue_max;
    int group_max;
    struct db_call **group; /* the thread's own, group_max long */
    struct db_conn *conn;   /* the thread's own from here on */
    int64_t busy_us;
};

/* Takes the connection over. */
FALLIBLE db_writer_start(const struct db_options *options, struct db_conn **conn,
                         struct db_writer **ret_writer, struct err *err);
/* Finishes the queue, ends the engine's part, joins. Accepts NULL. */
void db_writer_stop(struct db_writer **writer);
/* False when the queue is full; else the call's waiter is woken later. */
bool db_writer_put(struct db_writer *writer, struct db_call *call);

/* db_read.c: the readers' pool ------------------------------------------------- */

struct db_readers;
FALLIBLE db_readers_new(const struct db_options *options, struct db_readers **ret_readers,
                        struct err *err);
/* Accepts NULL. No reader may be out. */
void db_readers_free(struct db_readers **readers);
/* A connection, waiting at most busy_us; fresh: a new one, for a server that was restarted
 * has ended the others. */
FALLIBLE db_readers_borrow(struct db_readers *readers, bool fresh, struct db_conn **ret_conn,
                           struct err *err);
/* broken: it is closed and another will be opened in its place. */
void db_readers_return(struct db_readers *readers, struct db_conn **conn, bool broken);

/* db.c -------------------------------------------------------------------------- */

enum { DB_WRITERS_MAX = 4 };
struct db {
    const struct db_engine *engine;
    struct db_readers *readers;
    struct db_writer *writers[DB_WRITERS_MAX]; /* none when read-only */
    int writer_count;
    struct pg_clock *clock; /* PostgreSQL */
    struct pg_batch *batch; /* likewise */
};

/* db_migrate.c ------------------------------------------------------------------- */

/* Generated by CMake from migrations/NNNN_*.sqlite.sql and .pg.sql. */
struct db_schema_file {
    int version;
    const char *sql; /* SQLite's half */
    const char *pg;
};
extern const struct db_schema_file db_schema_files[];
extern const int db_schema_file_count;

/* db_migrate by another table, for tests. Ascending versions. */
FALLIBLE db_migrate_with(const char *path, const struct db_schema_file *files, int count,
                         struct err *err);
/* ERR_CONFIG unless version is one that this program can open as it is. */
FALLIBLE db_migrate_check(int version, struct err *err);

/* db_file.c: files as wholes ------------------------------------------------------ */

/* Makes an empty file of mode 0600; ERR_CONFLICT when the name is taken. */
FALLIBLE db_file_create(const char *path, struct err *err);
/* Makes the file's content and mode durable. */
FALLIBLE db_file_sync(const char *path, struct err *err);
/* Makes the names in the file's directory durable. */
FALLIBLE db_file_sync_dir(const char *path, struct err *err);
/* Renames without overwriting (ERR_CONFLICT) and makes the name durable. */
FALLIBLE db_file_publish(const char *from, const char *to, struct err *err);
/* Copies the bytes into an existing empty file. */
FALLIBLE db_file_copy(const char *from, const char *to, struct err *err);
bool db_file_exists(const char *path);

#endif
