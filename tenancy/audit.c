/* SPDX-License-Identifier: Apache-2.0 */
/* Appends to the operators' log and reads it: each entry holds the hash of the
 * one before, so that a change anywhere shows. Checking is audit_verify.c's. */
#include "tenancy/private.h"

#include <string.h>

enum {
    RECORD_VERSION = 0x02 /* of the hashed form; 1 is the ledger's */
};

/* PostgreSQL's text holds no NUL, and the log must read the same on both. */
static bool is_text(struct str text, size_t max)
{
    return text.len <= max && str_is_utf8(text) &&
           (text.len == 0 || memchr(text.ptr, '\0', text.len) == NULL);
}

static enum err_code row_check(const struct audit_row *row, struct err *err)
{
    if (row->actor.len == 0 ||
        !is_text(row->actor, sizeof(((struct audit_entry *)0)->actor) - 1))
        return err_field(err, "actor", "actor must be 1 to 64 bytes of text");
    if (!name_is(row->action, 1, sizeof(((struct audit_entry *)0)->action) - 1,
                 NAME_LOWER NAME_DIGITS "._-"))
        return err_field(err, "action", "action must be 1 to 64 of a-z, 0-9, . _ and -");
    if (!is_text(row->target, sizeof(((struct audit_entry *)0)->target) - 1))
        return err_field(err, "target", "target must be at most 128 bytes of text");
    if (row->detail.len > AUDIT_DETAIL_MAX)
        return err_field(err, "detail", "detail must be at most %d bytes", AUDIT_DETAIL_MAX);
    TRY(json_gate(row->detail, err));
    if (str_trim(row->detail).ptr[0] != '{')
        return err_field(err, "detail", "detail must be a JSON object");
    return ERR_OK;
}

struct json_out audit_detail(struct buf *buf)
{
    buf_init(buf, AUDIT_DETAIL_MAX);
    struct json_out out = json_begin(buf);
    json_open_object(&out, NULL);
    return out;
}

FALLIBLE audit_change(struct db_conn *conn, const char *actor, int64_t now_us,
                      const char *action, struct str target, struct json_out *detail,
                      struct err *err)
{
    json_close_object(detail);
    TRY(json_end(detail, err));
    return audit_append(conn, actor, now_us, action, target, buf_str(detail->buf), err);
}

void audit_hash(const struct audit_row *row, uint8_t ret_hash[CRYPTO_HASH_BYTES])
{
    struct crypto_record record;

    /* The order is the stored format: append new columns, never reorder. */
    crypto_record_begin(&record, RECORD_VERSION);
    crypto_record_i64(&record, row->seq);
    crypto_record_i64(&record, row->time_us);
    crypto_record_text(&record, row->actor);
    crypto_record_text(&record, row->action);
    crypto_record_text(&record, row->target);
    crypto_record_text(&record, row->detail);
    crypto_record_bytes(&record, row->prev.ptr, row->prev.len);
    crypto_record_end(&record, ret_hash);
}

FALLIBLE audit_append(struct db_conn *conn, const char *actor, int64_t now_us,
                      const char *action, struct str target, struct str detail, struct err *err)
{
    uint8_t prev[CRYPTO_HASH_BYTES], hash[CRYPTO_HASH_BYTES];
    struct audit_row row = {.time_us = now_us,
                            .actor = str_from(actor),
                            .action = str_from(action),
                            .target = target,
                            .detail = detail,
                            .prev = {(const char *)prev, sizeof(prev)},
                            .hash = {(const char *)hash, sizeof(hash)}};
    int64_t before_us;

    TRY(row_check(&row, err));
    TRY(audit_repo_next(conn, &row.seq, prev, err));
    /* Clocks step back; a log that does would look tampered with. */
    TRY(audit_repo_time(conn, row.seq - 1, &before_us, err));
    if (row.time_us < before_us)
        row.time_us = before_us;
    audit_hash(&row, hash);
    TRY(audit_repo_insert(conn, &row, err));
    return audit_repo_set_head(conn, hash, err);
}

/* audit_each's caller behind the repository's rows. */
struct reader {
    enum err_code (*visit)(const struct audit_entry *entry, void *ctx, struct err *err);
    void *ctx;
};

/* Reading is not checking: a damaged row is shown as far as it fits. */
static enum err_code visit_row(const struct audit_row *row, void *ctx, struct err *err)
{
    const struct reader *reader = ctx;
    struct audit_entry entry = {
        .seq = row->seq, .time_us = row->time_us, .detail = row->detail};

    str_copy_cut(entry.actor, sizeof(entry.actor), row->actor);
    str_copy_cut(entry.action, sizeof(entry.action), row->action);
    str_copy_cut(entry.target, sizeof(entry.target), row->target);
    if (row->prev.len == CRYPTO_HASH_BYTES)
        memcpy(entry.prev, row->prev.ptr, CRYPTO_HASH_BYTES);
    if (row->hash.len == CRYPTO_HASH_BYTES)
        memcpy(entry.hash, row->hash.ptr, CRYPTO_HASH_BYTES);
    return reader->visit(&entry, reader->ctx, err);
}

FALLIBLE audit_each(struct db_conn *conn, int64_t after, int limit,
                    enum err_code (*visit)(const struct audit_entry *entry, void *ctx,
                                           struct err *err),
                    void *ctx, struct err *err)
{
    struct reader reader = {visit, ctx};

    if (after == INT64_MAX)
        return ERR_OK;
    return audit_repo_each(conn, after + 1, limit, visit_row, &reader, err);
}
