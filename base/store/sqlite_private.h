/* SPDX-License-Identifier: Apache-2.0 */
/* What the files sqlite_*.c share, and the backups, which are SQLite's alone. */
#ifndef ARKGATE_BASE_STORE_SQLITE_PRIVATE_H
#define ARKGATE_BASE_STORE_SQLITE_PRIVATE_H

#include "base/store/db_private.h"

#include <sqlite3.h>

/* Transaction control, prepared once per connection. */
enum sqlite_verb {
    SQLITE_VERB_BEGIN,
    SQLITE_VERB_BEGIN_WRITE,
    SQLITE_VERB_COMMIT,
    SQLITE_VERB_ROLLBACK,
    SQLITE_VERB_SAVEPOINT,
    SQLITE_VERB_ROLLBACK_TO,
    SQLITE_VERB_RELEASE,
    SQLITE_VERB_COUNT
};

struct sqlite_conn {
    struct db_conn base;
    sqlite3 *sqlite;
    sqlite3_stmt *verbs[SQLITE_VERB_COUNT];
    /* The writer's, about its log. */
    int wal_pages;
    int checkpoint_at; /* pages */
    /* The sync of a COMMIT failed and nothing was written since: SQLite took it
     * back, but its frames may lie in the WAL file, where a restart would find them. */
    bool tainted;
};

/* sqlite_conn.c ------------------------------------------------------------- */

/* vfs NULL: SQLite's default. busy_us bounds SQLite's own waits for locks.
 * ERR_MISMATCH when the file is damaged or no database, ERR_IO otherwise. */
FALLIBLE sqlite_conn_open(const char *path, const char *vfs, enum db_role role, int64_t busy_us,
                          struct db_conn **ret_conn, struct err *err);
/* The engine's part of a connection that it opened. */
struct sqlite_conn *sqlite_conn_of(struct db_conn *conn);
/* Steps one of the verbs; result codes are SQLite's. */
int sqlite_conn_verb(struct db_conn *conn, enum sqlite_verb verb);
/* Runs constant SQL text of any number of statements. */
FALLIBLE sqlite_conn_script(struct db_conn *conn, const char *sql, struct err *err);
bool sqlite_conn_in_transaction(struct db_conn *conn);
/* Rolls back if a transaction is open; aborts if that cannot be done. */
void sqlite_conn_rollback(struct db_conn *conn);
/* Our error for SQLite's result code; sql may be NULL. */
enum err_code sqlite_conn_error(struct db_conn *conn, int result, const char *sql,
                                struct err *err);
/* Like it, and remembered: the running closure has failed, even if it ignores it. */
enum err_code sqlite_conn_failed(struct db_conn *conn, int result, const char *sql,
                                 struct err *err);
/* The engine's schema, read_begin, read_end, open, close; see db_private.h. */
FALLIBLE sqlite_conn_schema(struct db_conn *conn, int *ret_version, struct err *err);
FALLIBLE sqlite_conn_engine_open(const struct db_options *options, enum db_role role,
                                 struct db_conn **ret_conn, struct err *err);
void sqlite_conn_free(struct db_conn *conn);
FALLIBLE sqlite_conn_read_begin(struct db_conn *conn, struct err *err);
void sqlite_conn_read_end(struct db_conn *conn);

/* sqlite_group.c: transactions of the writer --------------------------------- */

/* Watches the log of a connection that will write. */
void sqlite_group_begin(struct sqlite_conn *conn);
void sqlite_group_run(struct db_writer *writer, struct db_call **calls, int count);
void sqlite_group_after(struct db_writer *writer);
void sqlite_group_end(struct db_writer *writer);

/* sqlite_migrate.c ------------------------------------------------------------ */

FALLIBLE sqlite_migrate(const char *path, const struct db_schema_file *files, int count,
                        struct err *err);

#endif
