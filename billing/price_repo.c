/* SPDX-License-Identifier: Apache-2.0 */
/* Statements on price books. They belong to no tenant. */
#include "billing/repo.h"

FALLIBLE price_repo_version(struct db_conn *conn, struct str book, int64_t at_us,
                            int64_t *ret_version, struct err *err)
{
    /* cross-tenant: prices are shared */
    static const char sql[] =
        "SELECT version FROM price_book WHERE book = $1 AND starts_us <= $2"
        " ORDER BY starts_us DESC, version DESC LIMIT 1";
    CLEANUP(db_done) struct db_stmt *stmt = NULL;

    TRY(db_prepare(conn, sql, &stmt, err));
    db_bind_text(stmt, 1, book);
    db_bind_i64(stmt, 2, at_us);
    switch (db_step(stmt, err)) {
    case DB_ROW:
        *ret_version = db_get_i64(stmt, 0);
        return ERR_OK;
    case DB_DONE:
        *ret_version = 0;
        return ERR_OK;
    case DB_FAIL:
        break;
    }
    return err->code;
}

FALLIBLE price_repo_next(struct db_conn *conn, struct str book, int64_t at_us,
                         int64_t *ret_starts_us, struct err *err)
{
    /* cross-tenant: prices are shared */
    static const char sql[] =
        "SELECT MIN(starts_us) FROM price_book WHERE book = $1 AND starts_us > $2";
    CLEANUP(db_done) struct db_stmt *stmt = NULL;

    TRY(db_prepare(conn, sql, &stmt, err));
    db_bind_text(stmt, 1, book);
    db_bind_i64(stmt, 2, at_us);
    if (db_step(stmt, err) != DB_ROW)
        return err->code != ERR_OK ? err->code : err_detail(err, ERR_INTERNAL, "no row");
    *ret_starts_us = db_is_null(stmt, 0) ? INT64_MAX : db_get_i64(stmt, 0);
    return ERR_OK;
}

FALLIBLE price_repo_currency(struct db_conn *conn, struct str book, int64_t version, char *dst,
                             struct err *err)
{
    /* cross-tenant: prices are shared */
    static const char sql[] =
        "SELECT currency FROM price_book WHERE book = $1 AND version = $2";
    CLEANUP(db_done) struct db_stmt *stmt = NULL;

    TRY(db_prepare(conn, sql, &stmt, err));
    db_bind_text(stmt, 1, book);
    db_bind_i64(stmt, 2, version);
    switch (db_step(stmt, err)) {
    case DB_ROW:
        db_copy_text(stmt, 0, dst, 8);
        return ERR_OK;
    case DB_DONE:
        return err_detail(err, ERR_INTERNAL, "a price book lost its version");
    case DB_FAIL:
        break;
    }
    return err->code;
}

/* The rows of a version that match, which the WHERE clause names; their columns are NULL when
 * it has none. */
#define FIND_COLUMNS                                                                 \
    "b.version, b.factor_nano, b.markup_nano, b.currency, r.sku, r.unit,"            \
    " r.list_price_nano FROM price_book AS b LEFT JOIN price_row AS r"               \
    " ON r.book = b.book AND r.version = b.version AND r.model = $3"                 \
    " AND r.resolution IN ($4, '*') AND r.video IN ($5, -1) AND r.audio IN ($6, -1)" \
    " AND r.tier IN ($7, '*')"
#define FIND_NARROWEST                                         \
    " ORDER BY CASE WHEN r.resolution = '*' THEN 1 ELSE 0 END" \
    " + CASE WHEN r.video = -1 THEN 1 ELSE 0 END"              \
    " + CASE WHEN r.audio = -1 THEN 1 ELSE 0 END"              \
    " + CASE WHEN r.tier = '*' THEN 1 ELSE 0 END, r.position LIMIT 1"

static FALLIBLE find(struct db_conn *conn, const char *sql, struct str book, int64_t number,
                     const struct price_key *key, bool *ret_any, struct price_repo_row *ret_row,
                     struct err *err)
{
    CLEANUP(db_done) struct db_stmt *stmt = NULL;
    struct price_repo_row row = {0};
    int64_t unit_size;

    TRY(db_prepare(conn, sql, &stmt, err));
    db_bind_text(stmt, 1, book);
    db_bind_i64(stmt, 2, number);
    db_bind_text(stmt, 3, key->model);
    db_bind_text(stmt, 4, key->resolution);
    db_bind_i64(stmt, 5, key->video);
    db_bind_i64(stmt, 6, key->audio);
    db_bind_text(stmt, 7, key->tier);
    *ret_any = false;
    *ret_row = row;
    switch (db_step(stmt, err)) {
    case DB_ROW:
        break;
    case DB_DONE:
        return ERR_OK;
    case DB_FAIL:
        return err->code;
    }
    ret_row->price.version = db_get_i64(stmt, 0);
    if (db_is_null(stmt, 4))
        return ERR_OK;
    row.price.version = ret_row->price.version;
    row.factor_nano = db_get_i64(stmt, 1);
    row.markup_nano = db_get_i64(stmt, 2);
    row.list_price_nano = db_get_i64(stmt, 6);
    if (!str_copy(row.price.currency, sizeof(row.price.currency), db_get_text(stmt, 3)) ||
        !str_copy(row.price.sku, sizeof(row.price.sku), db_get_text(stmt, 4)) ||
        !price_unit_parse(db_get_text(stmt, 5), &row.price.unit, &unit_size) ||
        !str_copy(row.price.book, sizeof(row.price.book), book))
        return err_detail(err, ERR_INTERNAL, "a price row's text does not fit");
    *ret_row = row;
    *ret_any = true;
    return ERR_OK;
}

FALLIBLE price_repo_find(struct db_conn *conn, struct str book, int64_t version,
                         const struct price_key *key, bool *ret_any,
                         struct price_repo_row *ret_row, struct err *err)
{
    /* cross-tenant: prices are shared */
    static const char sql[] =
        "SELECT " FIND_COLUMNS " WHERE b.book = $1 AND b.version = $2" FIND_NARROWEST;

    return find(conn, sql, book, version, key, ret_any, ret_row, err);
}

FALLIBLE price_repo_find_at(struct db_conn *conn, struct str book, int64_t at_us,
                            const struct price_key *key, bool *ret_any,
                            struct price_repo_row *ret_row, struct err *err)
{
    /* cross-tenant: prices are shared */
    static const char sql[] =
        "SELECT " FIND_COLUMNS " WHERE b.book = $1 AND b.version ="
        " (SELECT v.version FROM price_book AS v WHERE v.book = $1 AND v.starts_us <= $2"
        " ORDER BY v.starts_us DESC, v.version DESC LIMIT 1)" FIND_NARROWEST;

    return find(conn, sql, book, at_us, key, ret_any, ret_row, err);
}

FALLIBLE price_repo_add_book(struct db_conn *conn, const struct price_repo_book *book,
                             bool *ret_added, struct err *err)
{
    /* cross-tenant: prices are shared */
    static const char sql[] =
        "INSERT INTO price_book (book, version, starts_us, currency, factor_nano, markup_nano)"
        " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (book, version) DO NOTHING";
    CLEANUP(db_done) struct db_stmt *stmt = NULL;

    TRY(db_prepare(conn, sql, &stmt, err));
    db_bind_text(stmt, 1, str_from(book->book));
    db_bind_i64(stmt, 2, book->version);
    db_bind_i64(stmt, 3, book->starts_us);
    db_bind_text(stmt, 4, str_from(book->currency));
    db_bind_i64(stmt, 5, book->factor_nano);
    db_bind_i64(stmt, 6, book->markup_nano);
    TRY(db_run(stmt, err));
    *ret_added = db_changes(stmt) == 1;
    return ERR_OK;
}

FALLIBLE price_repo_add_row(struct db_conn *conn, const struct price_repo_book *book,
                            int64_t position, const struct price_repo_seed *row,
                            struct err *err)
{
    /* cross-tenant: prices are shared */
    static const char sql[] =
        "INSERT INTO price_row (book, version, position, model, resolution, video, audio, tier,"
        " sku, unit, list_price_nano)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    CLEANUP(db_done) struct db_stmt *stmt = NULL;

    TRY(db_prepare(conn, sql, &stmt, err));
    db_bind_text(stmt, 1, str_from(book->book));
    db_bind_i64(stmt, 2, book->version);
    db_bind_i64(stmt, 3, position);
    db_bind_text(stmt, 4, str_from(row->model));
    db_bind_text(stmt, 5, str_from(row->resolution));
    db_bind_i64(stmt, 6, row->video);
    db_bind_i64(stmt, 7, row->audio);
    db_bind_text(stmt, 8, str_from(row->tier));
    db_bind_text(stmt, 9, str_from(row->sku));
    db_bind_text(stmt, 10, str_from(row->unit));
    db_bind_i64(stmt, 11, row->list_price_nano);
    return db_run(stmt, err);
}
