/* SPDX-License-Identifier: Apache-2.0 */
/* One SQL interface. Writers are closures that one thread runs in groups, each
 * in its own savepoint, one fsync for the group; readers borrow a pooled
 * connection for one snapshot. Statements are prepared once per connection,
 * parameters are $1…$n and bound by name, a step has three outcomes. */
#ifndef ARKGATE_BASE_STORE_H
#define ARKGATE_BASE_STORE_H

#include "base/base.h"

struct db;      /* a database: writer thread, reader pool; thread-safe */
struct db_conn; /* a connection inside a closure; valid until it returns */
struct db_stmt; /* a prepared statement, borrowed from the connection */

/* db.c ----------------------------------------------------------------- */

struct db_options {
    const char *path; /* SQLite file */
    bool read_only;   /* no writer thread; db_write answers ERR_INTERNAL */
    int readers;      /* pooled readers; 0 means 8 */
    int queue_max;    /* closures waiting; beyond it db_write is ERR_BUSY; 0 means 4096 */
    int group_max;    /* closures per commit; 0 means 128 */
    int64_t busy_us;  /* longest wait for a pooled reader; 0 means 5 s */
    const char *vfs;  /* tests only; NULL: SQLite's own */
};

/* A closure. It may run more than once and must do no I/O, read no clock and
 * change nothing but what its context says is for results. A code other than
 * ERR_OK rolls back this closure alone. */
typedef enum err_code (*db_fn)(struct db_conn *conn, void *ctx, struct err *err);

/* Opens an existing database (db_migrate creates one). ERR_CONFIG when its schema
 * is newer than this program, ERR_IO otherwise. */
FALLIBLE db_open(const struct db_options *options, struct db **ret_db, struct err *err);
/* Finishes queued writes, checkpoints (writer only) and closes. */
void db_close(struct db **db);
/* Runs fn in a transaction and returns when it is on disk, or failed: then it is
 * absent, now and after a crash. One exception: ERR_IO whose detail begins "outcome
 * open" means that the disk broke under the commit's last sync and stayed broken;
 * the change is absent now, and the next start may find it. */
FALLIBLE db_write(struct db *db, db_fn fn, void *ctx, struct err *err);
/* Runs fn in one read snapshot, at most about a second long. Neither db_write nor
 * db_read may be called from inside a closure: that aborts. */
FALLIBLE db_read(struct db *db, db_fn fn, void *ctx, struct err *err);
/* Brings the file at path to this program's schema, creating it if needed; a
 * backup beside it first when it had an older one. The caller holds the lock. */
FALLIBLE db_migrate(const char *path, struct err *err);
/* Schema version of this program. */
int db_schema_version(void);

/* db_stmt.c ------------------------------------------------------------ */

enum db_step { DB_ROW, DB_DONE, DB_FAIL };

/* Prepares (or takes from the connection's cache). Refuses SQL whose parameters
 * are not exactly $1…$n, and "::". Give it back with CLEANUP(db_done). sql must
 * be a static string: the cache keys on its address. */
FALLIBLE db_prepare(struct db_conn *conn, const char *sql, struct db_stmt **ret_stmt,
                    struct err *err);
void db_done(struct db_stmt **stmt);
/* Positions count from 1. A bad position makes the next step fail. */
void db_bind_i64(struct db_stmt *stmt, int position, int64_t value);
/* Text and bytes are borrowed until the statement is done. */
void db_bind_text(struct db_stmt *stmt, int position, struct str text);
void db_bind_blob(struct db_stmt *stmt, int position, const void *bytes, size_t len);
void db_bind_null(struct db_stmt *stmt, int position);
enum db_step db_step(struct db_stmt *stmt, struct err *err);
/* Steps a statement that returns no row. */
FALLIBLE db_run(struct db_stmt *stmt, struct err *err);
/* Rows changed by the last insert, update or delete of this statement. */
int64_t db_changes(const struct db_stmt *stmt);
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
