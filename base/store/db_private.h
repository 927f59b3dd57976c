/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share: connections, statements, the writer's
 * queue, the readers' pool, embedded migrations. Nothing outside base/store and
 * its own tests includes it. */
#ifndef ARKGATE_BASE_STORE_DB_PRIVATE_H
#define ARKGATE_BASE_STORE_DB_PRIVATE_H

#include "base/store/store.h"

#include <sqlite3.h>

/* db_conn.c: one SQLite connection ---------------------------------------- */

/* The writer alone may write and checkpoint; readers are query-only; a tool is
 * a short-lived connection of a migration, which holds the directory's lock. */
enum db_role { DB_ROLE_WRITER, DB_ROLE_READER, DB_ROLE_TOOL };

/* Transaction control, prepared once per connection. */
enum db_verb {
    DB_BEGIN,
    DB_BEGIN_WRITE,
    DB_COMMIT,
    DB_ROLLBACK,
    DB_SAVEPOINT,
    DB_ROLLBACK_TO,
    DB_RELEASE,
    DB_VERB_COUNT
};

/* About two hundred statements exist; chains stay short. */
#define DB_CACHE_BUCKETS 128

struct db_conn {
    sqlite3 *sqlite;
    sqlite3_stmt *verbs[DB_VERB_COUNT];
    struct db_stmt *cache[DB_CACHE_BUCKETS];
    struct db_stmt *borrowed; /* statements that a closure holds */
    struct err failed;        /* first failure since the closure began */
    bool engine_failed;       /* it was the disk's, memory's or a lock's doing */
    bool trusted;             /* the authorizer lets everything through */
};

/* vfs NULL: SQLite's default. busy_us bounds SQLite's own waits for locks.
 * ERR_MISMATCH when the file is damaged or no database, ERR_IO otherwise. */
FALLIBLE db_conn_open(const char *path, const char *vfs, enum db_role role, int64_t busy_us,
                      struct db_conn **ret_conn, struct err *err);
/* Accepts NULL. Aborts when a statement is still borrowed. */
void db_conn_close(struct db_conn **conn);
/* Steps one of the verbs; result codes are SQLite's. */
int db_conn_verb(struct db_conn *conn, enum db_verb verb);
/* Runs constant SQL text of any number of statements. */
FALLIBLE db_conn_script(struct db_conn *conn, const char *sql, struct err *err);
bool db_conn_in_transaction(const struct db_conn *conn);
/* Rolls back if a transaction is open; aborts if that cannot be done. */
void db_conn_rollback(struct db_conn *conn);
/* Our error for SQLite's result code; sql may be NULL. */
enum err_code db_conn_error(const struct db_conn *conn, int result, const char *sql,
                            struct err *err);
/* Like it, and remembered: the running closure has failed, even if it ignores it. */
enum err_code db_conn_failed(struct db_conn *conn, int result, const char *sql,
                             struct err *err);
/* Remembers an error that is not SQLite's own. */
void db_conn_note(struct db_conn *conn, const struct err *err);
/* Runs a closure, without transaction: its own code, or that of a statement which
 * failed unnoticed, or ERR_INTERNAL when it kept a statement. */
FALLIBLE db_conn_run(struct db_conn *conn, db_fn fn, void *ctx, struct err *err);
/* True on a thread that is inside a closure. */
bool db_conn_inside(void);
/* 0 for an empty file; ERR_CONFIG when the tables are not ours. */
FALLIBLE db_conn_schema(struct db_conn *conn, int *ret_version, struct err *err);
/* Gives back what a closure left borrowed; true when there was something. (db_stmt.c) */
bool db_stmt_reclaim(struct db_conn *conn);
/* Finalizes the cached statements. (db_stmt.c) */
void db_stmt_drop_cache(struct db_conn *conn);

/* db_waiter.c: one thread waits, another wakes it ------------------------- */

/* On the waiting thread's stack, so that a wake reaches exactly one thread. */
struct db_waiter {
    struct lock lock;
    bool woken;
};

void db_waiter_init(struct db_waiter *waiter);
void db_waiter_fini(struct db_waiter *waiter);
/* False when the deadline (sys_mono_us time, INT64_MAX: none) came first. */
bool db_waiter_wait(struct db_waiter *waiter, int64_t mono_deadline_us);
/* The waiter may be gone when this returns. */
void db_waiter_wake(struct db_waiter *waiter);

/* db_write.c: the writer -------------------------------------------------- */

/* A closure in the queue; lives on its caller's stack. */
struct db_call {
    struct db_call *next;
    db_fn fn;
    void *ctx;
    enum err_code code;
    struct err err;
    bool again; /* to be run once more, alone */
    bool maybe; /* was part of a COMMIT that failed */
    struct db_waiter waiter;
};

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
    int wal_pages;
    int checkpoint_at; /* pages */
    /* The sync of a COMMIT failed and nothing was written since: SQLite took it
     * back, but its frames may lie in the WAL file, where a restart would find them. */
    bool tainted;
};

/* Takes the connection over. */
FALLIBLE db_writer_start(const struct db_options *options, struct db_conn **conn,
                         struct db_writer **ret_writer, struct err *err);
/* Finishes the queue, checkpoints, joins. Accepts NULL. */
void db_writer_stop(struct db_writer **writer);
FALLIBLE db_writer_call(struct db_writer *writer, db_fn fn, void *ctx, struct err *err);

/* db_read.c: the readers' pool -------------------------------------------- */

struct db_readers;
FALLIBLE db_readers_new(const struct db_options *options, struct db_readers **ret_readers,
                        struct err *err);
/* Accepts NULL. No reader may be out. */
void db_readers_free(struct db_readers **readers);
/* A connection, waiting at most busy_us. */
FALLIBLE db_readers_borrow(struct db_readers *readers, struct db_conn **ret_conn,
                           struct err *err);
/* broken: it is closed and another will be opened in its place. */
void db_readers_return(struct db_readers *readers, struct db_conn **conn, bool broken);

/* db.c -------------------------------------------------------------------- */

struct db {
    struct db_readers *readers;
    struct db_writer *writer; /* NULL when read-only */
};

/* db_file.c: files as wholes ---------------------------------------------- */

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

/* Generated by CMake from migrations/NNNN_*.sqlite.sql -------------------- */

struct db_schema_file {
    int version;
    const char *sql;
};
extern const struct db_schema_file db_schema_files[];
extern const int db_schema_file_count;

/* db_migrate.c: db_migrate by another table, for tests. Ascending versions. */
FALLIBLE db_migrate_with(const char *path, const struct db_schema_file *files, int count,
                         struct err *err);

#endif
