/* SPDX-License-Identifier: Apache-2.0 */
/* Brings a server's database to a schema: numbered scripts in order, with their version
 * in one transaction. What they say is in migrations/. */
#include "base/store/pg_private.h"

#include <stdio.h>
#include <stdlib.h>

enum { LEASES_SINCE = 2 /* the schema that has them */ };

FALLIBLE pg_migrate_schema(struct db_conn *conn, int *ret_version, struct err *err)
{
    static const char count_tables[] =
        "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()";
    static const char count_ours[] = "SELECT count(*) FROM pg_tables"
                                     " WHERE schemaname = current_schema()"
                                     " AND tablename = 'schema_version'";
    static const char read_version[] = "SELECT version FROM schema_version WHERE id = 1";
    int64_t tables = 0, ours = 0, version = 0;

    TRY(db_stmt_number(conn, count_ours, &ours, err));
    if (ours != 0) {
        TRY(db_stmt_number(conn, read_version, &version, err));
    } else {
        TRY(db_stmt_number(conn, count_tables, &tables, err));
        if (tables != 0)
            return err_set(err, ERR_CONFIG, "the database holds another program's tables");
    }
    if (version < 0 || version > INT32_MAX)
        return err_set(err, ERR_CONFIG, "the database's schema version is not valid");
    *ret_version = (int)version;
    return ERR_OK;
}

/* A gateway of an older schema would go on with statements that are none any more. None
 * can take a lease, or renew one, before this transaction ends; then it sees the schema. */
static FALLIBLE check_leases(struct pg_conn *conn, int newest, struct err *err)
{
    static const char lock[] = "LOCK TABLE lease IN EXCLUSIVE MODE";
    static const char sql[] =
        "SELECT count(*), min(schema) FROM lease WHERE schema < CAST($1 AS bigint)"
        " AND until_us > extract(epoch FROM clock_timestamp()) * 1000000";
    char number[16];
    const char *const values[] = {number};
    PGresult *result = NULL;

    (void)snprintf(number, sizeof(number), "%d", newest);
    TRY(pg_conn_command(conn, lock, NULL, 0, NULL, err));
    TRY(pg_conn_command(conn, sql, values, 1, &result, err));
    int64_t count = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
    int64_t oldest = strtoll(PQgetvalue(result, 0, 1), NULL, 10);

    PQclear(result);
    if (count == 0)
        return ERR_OK;
    return err_set(err, ERR_CONFLICT,
                   "a gateway with schema %lld is running on this database: stop it, and"
                   " migrate then",
                   (long long)oldest);
}

/* In the simple protocol, for a script has many statements. */
static FALLIBLE run_script(struct pg_conn *conn, const char *sql, struct err *err)
{
    enum err_code code = ERR_OK;

    if (PQexitPipelineMode(conn->pg) != 1 || PQsetnonblocking(conn->pg, 0) != 0)
        return pg_error_lost(conn, PQerrorMessage(conn->pg), err);
    PGresult *result = PQexec(conn->pg, sql);
    if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
        code = pg_error_failed(conn, result, sql, err);
    PQclear(result);
    if (PQsetnonblocking(conn->pg, 1) != 0 || PQenterPipelineMode(conn->pg) != 1)
        return code != ERR_OK ? code : pg_error_lost(conn, PQerrorMessage(conn->pg), err);
    return code;
}

static FALLIBLE apply(struct pg_conn *conn, const struct db_schema_file *file, struct err *err)
{
    static const char sql[] = "INSERT INTO schema_version (id, version) VALUES (1, $1)"
                              " ON CONFLICT (id) DO UPDATE SET version = excluded.version";
    char number[16];
    const char *const values[] = {number};

    (void)snprintf(number, sizeof(number), "%d", file->version);
    TRY(run_script(conn, file->pg, err));
    return pg_conn_command(conn, sql, values, 1, NULL, err);
}

/* All scripts in one transaction: a database is never found between two schemas. */
static FALLIBLE apply_all(struct pg_conn *conn, const struct db_schema_file *files, int count,
                          int version, struct err *err)
{
    if (version >= LEASES_SINCE)
        TRY(check_leases(conn, files[count - 1].version, err));
    for (int i = 0; i < count; i++) {
        if (files[i].version > version)
            TRY(apply(conn, &files[i], err));
    }
    return ERR_OK;
}

static FALLIBLE migrate(struct db_conn *conn, const struct db_schema_file *files, int count,
                        struct err *err)
{
    /* Two that migrate at once wait for each other; the second finds nothing to do. */
    static const char sql[] = "SELECT pg_advisory_lock(1634888551, 1)";
    struct pg_conn *own = pg_conn_of(conn);
    int version = 0, newest = files[count - 1].version;
    struct err ignored;

    TRY(pg_conn_command(own, sql, NULL, 0, NULL, err));
    TRY(pg_migrate_schema(conn, &version, err));
    if (version > newest)
        return err_set(err, ERR_CONFIG,
                       "the database was made by a newer version of arkgate"
                       " (schema %d, this program knows %d)",
                       version, newest);
    if (version == newest)
        return ERR_OK;
    TRY(pg_conn_command(own, "BEGIN", NULL, 0, NULL, err));
    enum err_code code = apply_all(own, files, count, version, err);
    if (code == ERR_OK)
        return pg_conn_command(own, "COMMIT", NULL, 0, NULL, err);
    if (!own->lost)
        (void)!pg_conn_command(own, "ROLLBACK", NULL, 0, NULL, &ignored);
    return code;
}

FALLIBLE pg_migrate(const char *url, const struct db_schema_file *files, int count,
                    struct err *err)
{
    CLEANUP(db_conn_close) struct db_conn *conn = NULL;

    TRY(pg_open_new(url, DB_ROLE_TOOL, &conn, err));
    return migrate(conn, files, count, err);
}
