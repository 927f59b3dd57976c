/* SPDX-License-Identifier: Apache-2.0 */
/* Backups: one complete file, never a half-written one under its final name, and
 * checked before it is trusted. A flipped bit inside a value leaves the structure
 * intact and is not found here; for money rows the ledger's hash chain finds it. */
#include "base/store/sqlite_private.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    BUSY_US = 5 * 1000 * 1000,
    PATH_SIZE = 4096, /* PATH_MAX */
};

/* Deletes the file it names, and what SQLite may have put beside it. */
struct scratch {
    char path[PATH_SIZE];
};

static void scratch_fini(struct scratch *scratch)
{
    char beside[PATH_SIZE + 8];
    static const char *const suffixes[] = {"", "-journal", "-wal", "-shm"};

    if (scratch->path[0] == '\0')
        return;
    for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
        (void)snprintf(beside, sizeof(beside), "%s%s", scratch->path, suffixes[i]);
        (void)unlink(beside);
    }
}

/* A name of its own beside target, so that one left by a crash is in nobody's way. */
static FALLIBLE scratch_init(struct scratch *scratch, const char *target, struct err *err)
{
    char name[PATH_SIZE];
    unsigned char random[4];
    char hex[2 * sizeof(random) + 1];

    sys_random(random, sizeof(random));
    str_hex(hex, random, sizeof(random));
    int len = snprintf(name, sizeof(name), "%s.%s.tmp", target, hex);
    if (len < 0 || (size_t)len >= sizeof(name))
        return err_set(err, ERR_IO, "the path %.100s… is too long", target);
    TRY(db_file_create(name, err));
    memcpy(scratch->path, name, sizeof(name));
    return ERR_OK;
}

static FALLIBLE vacuum_into(struct db_conn *conn, const char *target, struct err *err)
{
    static const char sql[] = "VACUUM INTO $1";
    CLEANUP(db_done) struct db_stmt *st = NULL;
    char name[PATH_SIZE + 2];

    /* As in sqlite_conn_open: never a URI. */
    (void)snprintf(name, sizeof(name), "%s%s", target[0] == '/' ? "" : "./", target);
    TRY(db_prepare(conn, sql, &st, err));
    db_bind_text(st, 1, str_from(name));
    return db_run(st, err);
}

/* The first row of a check must say "ok", or there must be none. */
static FALLIBLE expect_clean(struct db_conn *conn, const char *sql, bool says_ok,
                             struct err *err)
{
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    enum db_step step = db_step(st, err);
    if (step == DB_FAIL) {
        char detail[sizeof(err->detail)];
        str_copy_cut(detail, sizeof(detail), str_from(err->detail));
        return err_detail(err, ERR_MISMATCH, "%s", detail);
    }
    if (!says_ok && step == DB_DONE)
        return ERR_OK;
    if (says_ok && step == DB_ROW && str_is(db_get_text(st, 0), "ok"))
        return ERR_OK;
    struct str found = step == DB_ROW ? db_get_text(st, 0) : STR("no answer");
    return err_detail(err, ERR_MISMATCH, "%s: %.*s", sql,
                      (int)(found.len < 150 ? found.len : 150), found.ptr);
}

static FALLIBLE check_content(struct db_conn *conn, struct err *err)
{
    static const char integrity[] = "SELECT integrity_check FROM pragma_integrity_check(1)";
    static const char references[] = "SELECT \"table\" FROM pragma_foreign_key_check LIMIT 1";
    int version = 0;

    TRY(expect_clean(conn, integrity, true, err));
    TRY(expect_clean(conn, references, false, err));
    TRY(sqlite_conn_schema(conn, &version, err));
    if (version == 0)
        return err_set(err, ERR_MISMATCH, "the backup is an empty database");
    if (version > db_schema_version())
        return err_set(err, ERR_CONFIG,
                       "the backup was made by a newer version of arkgate"
                       " (schema %d, this program knows %d)",
                       version, db_schema_version());
    return ERR_OK;
}

FALLIBLE db_backup_create(const char *path, const char *target, struct err *err)
{
    CLEANUP(scratch_fini) struct scratch scratch = {0};
    CLEANUP(db_conn_close) struct db_conn *conn = NULL;

    if (db_file_exists(target))
        return err_set(err, ERR_CONFLICT, "%s exists already", target);
    if (!db_file_exists(path))
        return err_set(err, ERR_NOT_FOUND, "%s does not exist", path);
    TRY(sqlite_conn_open(path, NULL, DB_ROLE_READER, BUSY_US, &conn, err));
    TRY(scratch_init(&scratch, target, err));
    TRY(sqlite_conn_script(conn, "PRAGMA query_only=OFF", err));
    conn->trusted = true; /* VACUUM INTO attaches its target */
    TRY(vacuum_into(conn, scratch.path, err));
    TRY(db_file_sync(scratch.path, err));
    return db_file_publish(scratch.path, target, err);
}

FALLIBLE db_backup_verify(const char *path, struct err *err)
{
    CLEANUP(db_conn_close) struct db_conn *conn = NULL;

    if (!db_file_exists(path))
        return err_set(err, ERR_NOT_FOUND, "%s does not exist", path);
    enum err_code code = sqlite_conn_open(path, NULL, DB_ROLE_READER, BUSY_US, &conn, err);
    if (code == ERR_OK) {
        conn->trusted = true; /* the checks are pragmas */
        code = check_content(conn, err);
    }
    if (code == ERR_MISMATCH || code == ERR_INTERNAL) {
        char detail[sizeof(err->detail)];
        str_copy_cut(detail, sizeof(detail), str_from(err->detail));
        (void)err_set(err, ERR_MISMATCH, "the backup %s is damaged", path);
        str_copy_cut(err->detail, sizeof(err->detail), str_from(detail));
        return ERR_MISMATCH;
    }
    return code;
}

FALLIBLE db_backup_restore(const char *backup, const char *path, struct err *err)
{
    static const char *const taken[] = {"", "-wal", "-journal", "-shm"};
    CLEANUP(scratch_fini) struct scratch scratch = {0};
    char name[PATH_SIZE + 8];

    /* A log that belongs to another file would be played into this one. */
    for (size_t i = 0; i < COUNT_OF(taken); i++) {
        (void)snprintf(name, sizeof(name), "%s%s", path, taken[i]);
        if (db_file_exists(name))
            return err_set(err, ERR_CONFLICT, "%s exists already", name);
    }
    TRY(scratch_init(&scratch, path, err));
    TRY(db_file_copy(backup, scratch.path, err));
    TRY(db_file_sync(scratch.path, err));
    TRY(db_backup_verify(scratch.path, err)); /* the copy: what will be used */
    return db_file_publish(scratch.path, path, err);
}
