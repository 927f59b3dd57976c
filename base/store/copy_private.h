/* SPDX-License-Identifier: Apache-2.0 */
/* What db_copy.c and its two ends share: tables as both catalogues describe them, and a
 * row on its way. Nothing else includes it. */
#ifndef ARKGATE_BASE_STORE_COPY_PRIVATE_H
#define ARKGATE_BASE_STORE_COPY_PRIVATE_H

#include "base/store/pg_private.h"
#include "base/store/sqlite_private.h"

enum {
    COPY_NAME_SIZE = 64, /* PostgreSQL's own limit */
    COPY_COLUMNS_MAX = 64,
    COPY_ROW_NAME_SIZE = 200
};

/* Our columns have one of the first three; what is copied has no other. */
enum copy_kind { COPY_INTEGER, COPY_TEXT, COPY_BYTES, COPY_OTHER };

struct copy_column {
    char name[COPY_NAME_SIZE];
    enum copy_kind kind;
    int key;       /* place in the primary key, from 1; 0: not in it */
    bool identity; /* PostgreSQL: numbers itself */
};
struct copy_table {
    char name[COPY_NAME_SIZE];
    int count;
    struct copy_column columns[COPY_COLUMNS_MAX]; /* no generated ones */
};
struct copy_tables {
    struct copy_table *items;
    int count;
};

struct copy_value {
    bool absent;
    int64_t number;  /* COPY_INTEGER */
    struct str text; /* the others; borrowed until the next row */
};

/* Sums of the rows' hashes: equal for the same rows in whatever order. */
struct copy_sum {
    int64_t rows;
    uint64_t low, high;
};

/* db_copy.c -------------------------------------------------------------------------- */

/* Appends a name in double quotes, which both engines read alike. */
void db_copy_quote(struct buf *sql, const char *name);
/* Appends the quoted names of all columns, with commas. */
void db_copy_quote_columns(struct buf *sql, const struct copy_table *table);
void db_copy_sum_add(struct copy_sum *sum, const char *row, size_t len);
/* Appends a column to the table of that name, adding the table when it is not the last. */
FALLIBLE db_copy_add_column(struct copy_tables *tables, struct str table,
                            const struct copy_column *column, struct err *err);
/* "ledger, tenant_id 1, seq 5", for messages. */
void db_copy_row_name(const struct copy_table *table, const struct copy_value *values,
                      char dst[COPY_ROW_NAME_SIZE]);

/* sqlite_copy.c: the source ------------------------------------------------------------ */

/* Every table but schema_version. */
FALLIBLE sqlite_copy_tables(struct db_conn *conn, struct copy_tables *ret_tables,
                            struct err *err);
FALLIBLE sqlite_copy_count(struct db_conn *conn, const struct copy_table *table,
                           int64_t *ret_count, struct err *err);
/* A table's rows in the order of its primary key. */
struct sqlite_copy {
    struct db_conn *conn;
    const struct copy_table *table;
    sqlite3_stmt *stmt;
    struct copy_value values[COPY_COLUMNS_MAX];
};
FALLIBLE sqlite_copy_open(struct db_conn *conn, const struct copy_table *table,
                          struct sqlite_copy *ret_rows, struct err *err);
/* Puts the next row into values; *ret_more is false behind the last. */
FALLIBLE sqlite_copy_next(struct sqlite_copy *rows, bool *ret_more, struct err *err);
/* Accepts a zeroed struct. */
void sqlite_copy_close(struct sqlite_copy *rows);

/* pg_copy.c: the target ------------------------------------------------------------------ */

/* Every table, those that the engine has for itself included. */
FALLIBLE pg_copy_tables(struct db_conn *conn, struct copy_tables *ret_tables, struct err *err);
/* Begins a transaction that keeps every writer out. */
FALLIBLE pg_copy_begin(struct db_conn *conn, struct err *err);
FALLIBLE pg_copy_commit(struct db_conn *conn, struct err *err);
/* Empties the tables and takes away what is made faster at the end: references and the
 * indexes that no key needs. ret_remake has the statements for it, a NUL behind each. */
FALLIBLE pg_copy_clear(struct db_conn *conn, const struct copy_tables *tables,
                       struct buf *ret_remake, struct err *err);
/* Makes them again. */
FALLIBLE pg_copy_remake(struct db_conn *conn, const struct buf *remake, struct err *err);
/* Numbers on behind the largest of each identity column, and lets the planner know. */
FALLIBLE pg_copy_settle(struct db_conn *conn, const struct copy_table *table, struct err *err);

/* Rows into one table. */
struct pg_copy {
    struct db_conn *conn;
    const struct copy_table *table;
    struct buf out;
    struct copy_sum sum;
    int64_t refused; /* which row the server did not take, from 1; 0: none, or unknown */
};
FALLIBLE pg_copy_open(struct db_conn *conn, const struct copy_table *table,
                      struct pg_copy *ret_rows, struct err *err);
FALLIBLE pg_copy_put(struct pg_copy *rows, const struct copy_value *values, struct err *err);
FALLIBLE pg_copy_close(struct pg_copy *rows, struct err *err);
/* Reads a table back. */
FALLIBLE pg_copy_sum(struct db_conn *conn, const struct copy_table *table,
                     struct copy_sum *ret_sum, struct err *err);

#endif
