/* SPDX-License-Identifier: Apache-2.0 */
/* How many task creations a second the store commits, in groups and one by one.
 * One creation is two closures of the shape the gateway runs: A (account, task,
 * attempt, hold, ledger, event) and B (task, attempt, event).
 * usage: store_bench [DIRECTORY [THREADS [SECONDS]]] */
#include "base/store/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    TENANTS = 16,
    THREADS_MAX = 1024,
    HASH_BYTES = 32,
    AMOUNT_NANO = 1000,
};

struct work {
    struct db *db;
    int64_t until_us;
    int tenant;
    int thread;
    int64_t made;
    int64_t slowest_us;
    pthread_t id;
    struct err err;
};

struct create {
    int64_t tenant;
    int64_t now_us;
    char minted[40];
    char upstream[40];
    int64_t task; /* result of A */
    int64_t seq;  /* of the ledger, within A */
};

static const unsigned char hash[HASH_BYTES] = {1, 2, 3};

static FALLIBLE touch_account(struct db_conn *conn, struct create *c, struct err *err)
{
    static const char sql[] =
        "UPDATE account SET available_nano = available_nano - $2, held_nano = held_nano + $2,"
        " seq = seq + 1, head = $3"
        " WHERE tenant_id = $1 AND available_nano - $2 >= -credit_line_nano RETURNING seq";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_i64(st, 1, c->tenant);
    db_bind_i64(st, 2, AMOUNT_NANO);
    db_bind_blob(st, 3, hash, sizeof(hash));
    switch (db_step(st, err)) {
    case DB_ROW:
        c->seq = db_get_i64(st, 0);
        return ERR_OK;
    case DB_DONE:
        return err_set(err, ERR_BALANCE, "the tenant's balance is used up");
    case DB_FAIL:
        break;
    }
    return err->code;
}

static FALLIBLE add_task(struct db_conn *conn, struct create *c, struct err *err)
{
    static const char sql[] =
        "INSERT INTO task (tenant_id, token_identity, minted_id, account_id, credential_id,"
        " state, dialect, model, model_asked, resolution, ratio, duration, has_video, audio,"
        " audio_asked, last_frame, tier, priority, expires_after, safety_identifier,"
        " created_us, updated_us) VALUES ($1, 'token-identity-1', $2, 1, 1, 'submitting',"
        " 'ark', 'doubao-seedance-1-0-pro', 'doubao-seedance-1-0-pro-250528', '1080p', '16:9',"
        " 5, 0, 0, 0, 0, 'default', 0, 172800, '0123456789abcdef0123456789abcdef', $3, $3)"
        " RETURNING id";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_i64(st, 1, c->tenant);
    db_bind_text(st, 2, str_from(c->minted));
    db_bind_i64(st, 3, c->now_us);
    if (db_step(st, err) != DB_ROW)
        return err->code;
    c->task = db_get_i64(st, 0);
    return ERR_OK;
}

/* A move to queued stays within what lists show as queued: there is no second one. */
static FALLIBLE add_count(struct db_conn *conn, const struct create *c, struct err *err)
{
    static const char sql[] =
        "INSERT INTO task_count (tenant_id, token_identity, model, tier, state, n)"
        " VALUES ($1, 'token-identity-1', 'doubao-seedance-1-0-pro', 'default', 'queued', 1)"
        " ON CONFLICT (tenant_id, token_identity, model, tier, state)"
        " DO UPDATE SET n = task_count.n + excluded.n";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_i64(st, 1, c->tenant);
    return db_run(st, err);
}

static FALLIBLE add_attempt(struct db_conn *conn, const struct create *c, struct err *err)
{
    static const char sql[] =
        "INSERT INTO attempt (task_id, number, tenant_id, account_id, credential_id, state,"
        " identifier, sent_model, created_us, deadline_us) VALUES ($1, 1, $2, 1, 1, 'prepared',"
        " '0123456789abcdef0123456789abcdef', 'doubao-seedance-1-0-pro-250528', $3, $3)";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_i64(st, 1, c->task);
    db_bind_i64(st, 2, c->tenant);
    db_bind_i64(st, 3, c->now_us);
    return db_run(st, err);
}

static FALLIBLE add_hold(struct db_conn *conn, const struct create *c, struct err *err)
{
    static const char sql[] =
        "INSERT INTO hold (tenant_id, task, seq, amount_nano, tokens, output_ms, book,"
        " book_version, sku, state, unit, unit_price_nano) VALUES ($1, $2, $3, $4, 246840,"
        " 5000, 'standard', 3, 'seedance-1-0-pro', 'open', 'mtoken', 15000000000)";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_i64(st, 1, c->tenant);
    db_bind_text(st, 2, str_from(c->minted));
    db_bind_i64(st, 3, c->seq);
    db_bind_i64(st, 4, AMOUNT_NANO);
    return db_run(st, err);
}

static FALLIBLE add_ledger(struct db_conn *conn, const struct create *c, struct err *err)
{
    static const char sql[] =
        "INSERT INTO ledger (tenant_id, seq, time_us, kind, task, debit, credit, amount_nano,"
        " currency, book, book_version, sku, unit, unit_price_nano, quantity, prev, hash)"
        " VALUES ($1, $2, $3, 'hold', $4, 'available', 'held', $5, 'CNY', 'standard', 3,"
        " 'seedance-1-0-pro', 'mtoken', 15000000000, 246840, $6, $6)";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_i64(st, 1, c->tenant);
    db_bind_i64(st, 2, c->seq);
    db_bind_i64(st, 3, c->now_us);
    db_bind_text(st, 4, str_from(c->minted));
    db_bind_i64(st, 5, AMOUNT_NANO);
    db_bind_blob(st, 6, hash, sizeof(hash));
    return db_run(st, err);
}

static FALLIBLE add_event(struct db_conn *conn, const struct create *c, struct str from,
                          struct str to, struct err *err)
{
    static const char sql[] =
        "INSERT INTO event (tenant_id, seq, task_id, time_us, from_state, to_state, note)"
        " VALUES ($1, COALESCE((SELECT MAX(e.seq) FROM event AS e WHERE e.tenant_id = $1), 0)"
        " + 1, $2, $3, $4, $5, '')";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_i64(st, 1, c->tenant);
    db_bind_i64(st, 2, c->task);
    db_bind_i64(st, 3, c->now_us);
    db_bind_text(st, 4, from);
    db_bind_text(st, 5, to);
    return db_run(st, err);
}

static enum err_code commit_a(struct db_conn *conn, void *ctx, struct err *err)
{
    struct create *c = ctx;

    TRY(touch_account(conn, c, err));
    TRY(add_task(conn, c, err));
    TRY(add_count(conn, c, err));
    TRY(add_attempt(conn, c, err));
    TRY(add_hold(conn, c, err));
    TRY(add_ledger(conn, c, err));
    return add_event(conn, c, STR(""), STR("submitting"), err);
}

static enum err_code commit_b(struct db_conn *conn, void *ctx, struct err *err)
{
    static const char task_sql[] =
        "UPDATE task SET state = 'queued', upstream_id = $3, updated_us = $4"
        " WHERE tenant_id = $1 AND id = $2 AND state = 'submitting'";
    static const char attempt_sql[] =
        "UPDATE attempt SET state = 'accepted', wire_status = 200, answered_us = $3"
        " WHERE tenant_id = $1 AND task_id = $2 AND number = 1";
    CLEANUP(db_done) struct db_stmt *task = NULL;
    CLEANUP(db_done) struct db_stmt *attempt = NULL;
    struct create *c = ctx;

    TRY(db_prepare(conn, task_sql, &task, err));
    db_bind_i64(task, 1, c->tenant);
    db_bind_i64(task, 2, c->task);
    db_bind_text(task, 3, str_from(c->upstream));
    db_bind_i64(task, 4, c->now_us);
    TRY(db_run(task, err));
    TRY(db_prepare(conn, attempt_sql, &attempt, err));
    db_bind_i64(attempt, 1, c->tenant);
    db_bind_i64(attempt, 2, c->task);
    db_bind_i64(attempt, 3, c->now_us);
    TRY(db_run(attempt, err));
    if (db_changes(task) != 1 || db_changes(attempt) != 1)
        return err_detail(err, ERR_INTERNAL, "a row is missing");
    return add_event(conn, c, STR("submitting"), STR("queued"), err);
}

static void *work_main(void *ctx)
{
    struct work *work = ctx;

    for (int64_t now_us; (now_us = sys_mono_us()) < work->until_us; work->made++) {
        struct create c = {.tenant = work->tenant, .now_us = sys_now_us()};
        (void)snprintf(c.minted, sizeof(c.minted), "cgt-m-%04d-%010" PRId64, work->thread,
                       work->made);
        (void)snprintf(c.upstream, sizeof(c.upstream), "cgt-u-%04d-%010" PRId64, work->thread,
                       work->made);
        if (db_write(work->db, DB_ALL, commit_a, &c, &work->err) != ERR_OK ||
            db_write(work->db, DB_ALL, commit_b, &c, &work->err) != ERR_OK)
            return NULL;
        int64_t took_us = sys_mono_us() - now_us;
        if (took_us > work->slowest_us)
            work->slowest_us = took_us;
    }
    return NULL;
}

static FALLIBLE run_sql(struct db_conn *conn, const char *sql, int64_t number, struct err *err)
{
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    if (number != 0)
        db_bind_i64(st, 1, number);
    return db_run(st, err);
}

static enum err_code seed(struct db_conn *conn, void *ctx, struct err *err)
{
    (void)ctx;
    TRY(run_sql(conn,
                "INSERT INTO upstream_account (id, name, list_qps, get_qps, delete_qps, batch)"
                " VALUES (1, 'main', 1, 20, 20, 100)",
                0, err));
    TRY(run_sql(conn,
                "INSERT INTO upstream (id, name, account_id, base_url, key_sealed, state,"
                " inject, weight, created_us) VALUES (1, 'main', 1, 'http://127.0.0.1', x'00',"
                " 'active', 1, 1, 1)",
                0, err));
    for (int i = 1; i <= TENANTS; i++) {
        TRY(run_sql(conn,
                    "INSERT INTO tenant (id, name, currency, book, created_us)"
                    " VALUES ($1, 'tenant ' || $1, 'CNY', 'standard', 1)",
                    i, err));
        TRY(run_sql(conn,
                    "INSERT INTO account (tenant_id, currency, available_nano, held_nano,"
                    " charged_nano, loss_nano, credit_line_nano, seq, head)"
                    " VALUES ($1, 'CNY', 1000000000000000, 0, 0, 0, 0, 0, zeroblob(32))",
                    i, err));
    }
    return ERR_OK;
}

static void remove_files(const char *path)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    char name[600];

    for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
        (void)snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
        (void)unlink(name);
    }
}

/* Creations a second. */
static FALLIBLE measure(const char *path, int threads, int seconds, int group_max,
                        double *ret_rate, struct err *err)
{
    static struct work works[THREADS_MAX];
    struct db_options options = {.path = path, .group_max = group_max};
    CLEANUP(db_close) struct db *db = NULL;
    int64_t made = 0, slowest_us = 0;

    TRY(db_migrate(path, err));
    TRY(db_open(&options, &db, err));
    TRY(db_write(db, DB_ALL, seed, NULL, err));
    int64_t from_us = sys_mono_us();
    memset(works, 0, sizeof(works));
    for (int i = 0; i < threads; i++) {
        works[i] = (struct work){.db = db,
                                 .thread = i,
                                 .tenant = 1 + i % TENANTS,
                                 .until_us = from_us + INT64_C(1000000) * seconds};
        TRY(lock_thread(&works[i].id, "bench", 1 << 18, work_main, &works[i], err));
    }
    enum err_code code = ERR_OK;
    for (int i = 0; i < threads; i++) {
        (void)pthread_join(works[i].id, NULL);
        made += works[i].made;
        if (works[i].slowest_us > slowest_us)
            slowest_us = works[i].slowest_us;
        if (works[i].err.code != ERR_OK) {
            *err = works[i].err;
            code = err->code;
        }
    }
    *ret_rate = (double)made * 1e6 / (double)(sys_mono_us() - from_us);
    (void)printf("group_max %3d: %8.0f creates/s, %d threads, slowest %.1f ms\n", group_max,
                 *ret_rate, threads, (double)slowest_us / 1000);
    return code;
}

int main(int argc, char **argv)
{
    const char *dir = argc > 1 ? argv[1] : ".";
    int64_t threads = 64, seconds = 3;
    double grouped = 0, single = 0;
    struct err err = {0};
    char path[512];

    if ((argc > 2 && !str_to_i64(str_from(argv[2]), &threads)) ||
        (argc > 3 && !str_to_i64(str_from(argv[3]), &seconds)) || threads < 1 ||
        threads > THREADS_MAX || seconds < 1 || seconds > 3600) {
        (void)fprintf(stderr, "usage: store_bench [DIRECTORY [THREADS [SECONDS]]]\n");
        return 2;
    }
    (void)snprintf(path, sizeof(path), "%s/store_bench.db", dir);
    remove_files(path);
    enum err_code code = measure(path, (int)threads, (int)seconds, 128, &grouped, &err);
    remove_files(path);
    if (code == ERR_OK)
        code = measure(path, (int)threads, (int)seconds, 1, &single, &err);
    remove_files(path);
    if (code != ERR_OK) {
        (void)fprintf(stderr, "store_bench: %s (%s)\n", err.msg, err.detail);
        return 1;
    }
    (void)printf("ratio %.1f\n", grouped / single);
    return 0;
}
