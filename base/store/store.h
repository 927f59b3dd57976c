/* SPDX-License-Identifier: Apache-2.0 */
/* One SQL interface over two engines, SQLite in a file and a PostgreSQL server. Writers
 * are closures that few threads run in groups, each in its own savepoint, one commit for
 * the group; readers borrow a pooled connection for one snapshot. Statements are prepared
 * once per connection, parameters are $1…$n, a step has three outcomes. */
#ifndef ARKGATE_BASE_STORE_H
#define ARKGATE_BASE_STORE_H

#include "base/base.h"

struct db;      /* a database: writer threads, reader pool; thread-safe */
struct db_conn; /* a connection inside a closure; valid until it returns */
struct db_stmt; /* a prepared statement, borrowed from the connection */

/* db.c ----------------------------------------------------------------- */

struct db_options {
    const char *path; /* a SQLite file, or a postgresql:// URL without a password */
    bool read_only;   /* no writer threads; db_write answers ERR_INTERNAL */
    int readers;      /* pooled readers; 0 means 8 */
    int queue_max;    /* closures waiting; beyond it db_write is ERR_BUSY; 0 means 4096 */
    int group_max;    /* closures per commit; 0 means the most: 128, on PostgreSQL 48 */
    int64_t busy_us;  /* longest wait for a pooled reader; 0 means 5 s */
    int64_t clock_us; /* PostgreSQL: between looks at the server's clock; 0 means 30 s */
    const char *vfs;  /* tests only; NULL: SQLite's own */
};

/* A closure. It may run more than once and must do no I/O, read no clock and
 * change nothing but what its context says is for results. A code other than
 * ERR_OK rolls back this closure alone. */
typedef enum err_code (*db_fn)(struct db_conn *conn, void *ctx, struct err *err);

/* Whose rows a closure decides on. A tenant's id: nobody else decides on that tenant's
 * rows before it is committed, whichever process he is in. SQLite runs one closure at a
 * time; PostgreSQL many, so a wrong lane is a race there. */
enum {
    DB_ALL = 0,    /* rows of any tenant, or the installation's: alone in the database */
    DB_APART = -1, /* rows that each statement decides on by itself: paces, outdated keys */
    DB_LEASES = -2 /* likewise, and it waits for no other lane */
};

/* Is it a server's URL, and not a file's path? */
bool db_is_server(const char *path);
/* Opens an existing database (db_migrate creates one). ERR_CONFIG when its schema is
 * not this program's, or a server refuses us; ERR_UNAVAILABLE when none answers; ERR_IO
 * otherwise. A server's clock becomes this process's wall time (sys_set_wall_base). */
FALLIBLE db_open(const struct db_options *options, struct db **ret_db, struct err *err);
/* Finishes queued writes, checkpoints (writer only) and closes. */
void db_close(struct db **db);
/* Runs fn in a transaction and returns when it is on disk, or failed: then it is
 * absent, now and after a crash. One exception: ERR_IO whose detail begins "outcome
 * open" means that the disk broke under the commit's last sync and stayed broken, or
 * that the server was lost in a COMMIT and did not come back to tell; the change may be
 * found later. */
FALLIBLE db_write(struct db *db, int64_t lane, db_fn fn, void *ctx, struct err *err);
/* Several at once, each as if by db_write: they share commits and end together. */
struct db_job {
    int64_t lane;
    db_fn fn;
    void *ctx;
    enum err_code code; /* result, */
    struct err err;     /* and why, unless that is ERR_OK */
};
void db_write_jobs(struct db *db, struct db_job *jobs, size_t count);
/* Runs fn in one read snapshot, at most about a second long. Neither db_write nor
 * db_read may be called from inside a closure: that aborts. */
FALLIBLE db_read(struct db *db, db_fn fn, void *ctx, struct err *err);
/* Likewise for a fn of one statement, which is its own snapshot and the cheaper for it;
 * a second statement fails. Either may run fn again, when a connection was lost. */
FALLIBLE db_read_one(struct db *db, db_fn fn, void *ctx, struct err *err);
/* May other processes write? Then what this one remembers can be outdated. */
bool db_is_shared(const struct db *db);
/* Does the database answer, is its schema still ours, and does its clock go as ours does?
 * The reason why not is in msg. Cheap; for health checks. */
FALLIBLE db_check(struct db *db, struct err *err);
/* Brings the database at path to this program's schema, creating it if needed. A file's
 * caller holds the lock, and gets a backup beside it first when it had an older one. A
 * server's database: ERR_CONFLICT while a gateway of an older schema has a lease. */
FALLIBLE db_migrate(const char *path, struct err *err);
/* Is there an installation at path, of whatever schema? */
FALLIBLE db_exists(const char *path, bool *ret_exists, struct err *err);
/* The schema of the database at path, 0 when it is empty. ERR_CONFIG for another program's,
 * ERR_NOT_FOUND for no file. */
FALLIBLE db_schema_of(const char *path, int *ret_version, struct err *err);
/* Schema version of this program. */
int db_schema_version(void);

/* db_memo.c ------------------------------------------------------------ */

/* Memory of a writer's transaction: what one closure read or wrote of a row, the closures
 * after it need not read again. size bytes for what kind (a constant's address) and key
 * name, zeroed when they are new; emptied when a transaction begins and when a closure
 * fails. NULL when there is no room, and for readers: read the row then. Who writes the row
 * by other ways in the same closure calls db_memo_forget. */
enum { DB_MEMO_BYTES = 160 };
void *db_memo(struct db_conn *conn, const void *kind, int64_t key, size_t size);
void db_memo_forget(struct db_conn *conn);
/* Where one question costs a way over the network: the tenants whose closures share this
 * transaction, from this one on, so that what all will ask is asked once and remembered.
 * Returns how many there are, 1 or 0 when it is alone; ret_ids is the connection's. */
int db_memo_ahead(const struct db_conn *conn, int64_t tenant_id, const int64_t **ret_ids);

/* db_stmt.c ------------------------------------------------------------ */

enum db_step { DB_ROW, DB_DONE, DB_FAIL };

/* Prepares (or takes from the connection's cache). Refuses SQL whose parameters
 * are not exactly $1…$n, and "::". Give it back with CLEANUP(db_done). sql must
 * be a static string: the cache keys on its address. */
FALLIBLE db_prepare(struct db_conn *conn, const char *sql, struct db_stmt **ret_stmt,
                    struct err *err);
/* Likewise for a statement that adds or changes one row, for db_run and its sisters alone:
 * INSERT … VALUES (…), or UPDATE … WHERE …. PostgreSQL may collect those of a transaction's
 * closures and run them as one, before anything else that names the same table. Those of one
 * closure keep their order on each table; those of several need not, so they are for rows
 * that the others leave alone, or whose state they compare. Two of db_run_one with the same $1
 * are never run as one: for a change of a row, $1 is what tells it from others. */
FALLIBLE db_prepare_rows(struct db_conn *conn, const char *sql, struct db_stmt **ret_stmt,
                         struct err *err);
/* For what must differ: the connection's engine takes its own of the two. */
#define SQL2(sqlite, pg) sqlite, pg
FALLIBLE db_prepare2(struct db_conn *conn, const char *sqlite, const char *pg,
                     struct db_stmt **ret_stmt, struct err *err);
void db_done(struct db_stmt **stmt);
/* Positions count from 1. A bad position makes the next step fail. */
void db_bind_i64(struct db_stmt *stmt, int position, int64_t value);
/* Text and bytes are borrowed until the statement is done. Text is UTF-8: each byte that
 * is not part of it is stored as "?", on both engines. */
void db_bind_text(struct db_stmt *stmt, int position, struct str text);
void db_bind_blob(struct db_stmt *stmt, int position, const void *bytes, size_t len);
void db_bind_null(struct db_stmt *stmt, int position);
enum db_step db_step(struct db_stmt *stmt, struct err *err);
/* Steps a statement that returns no row. On PostgreSQL it may be on its way when this
 * returns; if it fails, so does a later statement, or the closure. */
FALLIBLE db_run(struct db_stmt *stmt, struct err *err);
/* Likewise for one that must change exactly one row: else the closure fails with
 * ERR_CONFLICT and this constant text in the detail. Cheaper than asking db_changes, for
 * nobody waits. */
FALLIBLE db_run_one(struct db_stmt *stmt, const char *otherwise, struct err *err);
/* Likewise for one that returns one row of one integer, which is in *number by the time
 * that db_write returns ERR_OK; number is nothing on the closure's stack. ERR_CONFLICT
 * with this text unless there is one row. */
FALLIBLE db_run_i64(struct db_stmt *stmt, int64_t *number, const char *otherwise,
                    struct err *err);
/* Rows changed by the last insert, update or delete of this statement. */
int64_t db_changes(struct db_stmt *stmt);
/* Columns count from 0; text and bytes are valid until the next step. */
int64_t db_get_i64(struct db_stmt *stmt, int column);
struct str db_get_text(struct db_stmt *stmt, int column);
bool db_is_null(struct db_stmt *stmt, int column);
/* db_get_text into a fixed array; ASSERTs that it fits (our own columns). */
void db_copy_text(struct db_stmt *stmt, int column, char *dst, size_t size);

/* db_backup.c ---------------------------------------------------------- */

/* A consistent copy by VACUUM INTO, fsynced, then renamed into place; works
 * beside a running server. ERR_CONFLICT when the target exists. */
FALLIBLE db_backup_create(const char *path, const char *target, struct err *err);
/* Opens read-only, integrity_check, foreign_key_check, schema version. */
FALLIBLE db_backup_verify(const char *path, struct err *err);
/* Verifies, then puts a copy at path; ERR_CONFLICT when path exists. */
FALLIBLE db_backup_restore(const char *backup, const char *path, struct err *err);

/* db_copy.c: a file's rows into a server's database ------------------------- */

struct db_copy_plan {
    const char *from;           /* a SQLite file that nobody writes to meanwhile */
    const char *to;             /* a server's URL; both have this program's schema */
    const char *const *without; /* tables that stay as they are in the target */
    size_t without_count;
    /* Runs on the target in the transaction that empties and fills it, before anything
     * else, with every writer kept out; a failure leaves the target as it is. */
    db_fn guard;
    void *guard_ctx;
};
enum db_copy_step { DB_COPY_ROWS, DB_COPY_INDEXES, DB_COPY_CHECK };
struct db_copy_progress {
    enum db_copy_step step;
    const char *table; /* "" for DB_COPY_INDEXES */
    int64_t rows, us;  /* of this table, since its begin */
    bool done;
};
struct db_copy_watch {
    void *ctx;
    /* At the end of each step of each table, and every few seconds. */
    void (*progress)(void *ctx, const struct db_copy_progress *progress);
    /* A text was no UTF-8, or held a NUL byte: "?" stands in the target for each byte. */
    void (*mended)(void *ctx, const char *row, const char *column);
};
struct db_copy_report {
    int tables;
    int64_t rows, mended;
    int64_t copy_us, check_us;
};
/* Empties the target's tables and fills them with the source's rows in one transaction, then
 * reads all of them back: ERR_MISMATCH when they are not the same. Tables and columns are
 * those of both catalogues; ERR_CONFIG when these differ by more than what an engine has for
 * itself. A row that the target does not take is named in err->msg. */
FALLIBLE db_copy(const struct db_copy_plan *plan, const struct db_copy_watch *watch,
                 struct db_copy_report *ret_report, struct err *err);

/* dir_lock.c: who may write ---------------------------------------------- */

/* flock on DIR/arkgate.lock. ERR_BUSY when another process holds it. */
FALLIBLE dir_lock_take(const char *dir, int *ret_fd, struct err *err);
void dir_lock_drop(int *fd);

/* command_socket.c: DIR/arkgate.sock -------------------------------------- */

/* One request text in, one answer text out, each at most 4 MiB. The server
 * refuses a peer of another uid. Bound and reached relative to DIR, so a long
 * path is no trouble. */
struct command_server;
typedef void (*command_fn)(void *ctx, struct str request, struct buf *answer);
FALLIBLE command_socket_serve(const char *dir, command_fn fn, void *ctx,
                              struct command_server **ret_server, struct err *err);
void command_socket_stop(struct command_server **server);
/* ERR_NOT_FOUND when nobody listens. */
FALLIBLE command_socket_call(const char *dir, struct str request, struct buf *ret_answer,
                             struct err *err);

#endif
